"""Choice among candidates: observations, hidden values, the end of every episode, and repetition to the bit."""

import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from scipy.stats import chisquare
from scipy.stats import entropy as scipy_entropy
from stable_baselines3.common.env_checker import check_env as check_env_of_sb3
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv

from signal_env.registration import ENVIRONMENTS
from signal_env.wrappers import CandidateSelection
from signal_env.wrappers.candidate_draw import CandidateDraw, candidate_features

REVIEWS = "SignalEnv-reviews-v0"
SMALL = {"pool_size": 43, "round_size": 4, "evaluation_size": 40, "selection": "submitted"}


def make(n_candidates=5, embedding_size=2, generator=None, synthetic_candidates=0.5, **options):
    env = gym.make(REVIEWS, **(SMALL | options))
    return CandidateSelection(env, n_candidates, embedding_size, generator, synthetic_candidates)


def play(env, seed, choose=None, steps=10_000):
    """Play an episode by random choices; return all results, the reset first."""
    rng = np.random.default_rng(seed)
    observation, info = env.reset(seed=seed)
    trace = [(observation, 0.0, False, False, info, env.candidates)]
    while not (trace[-1][2] or trace[-1][3]) and len(trace) <= steps:
        action = rng.choice(np.flatnonzero(env.action_masks())) if choose is None else choose(env)
        trace.append((*env.step(action), env.candidates))
    return trace


def candidates_of(observation, env):
    """Return the features by name, `(K,)` each."""
    space = env.observation_space
    rows = observation[: space.n_candidates * len(space.features)].reshape(space.n_candidates, -1)
    return dict(zip(space.features, rows.T, strict=True))


@pytest.mark.parametrize("env_id", sorted(ENVIRONMENTS))
def test_sb3_s_checker_has_nothing_to_say_on_any_id(env_id, small_options):
    env = CandidateSelection(gym.make(env_id, selection="submitted", **small_options(env_id)), n_candidates=6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env_of_sb3(env)


def test_gymnasium_s_checker_has_nothing_to_say():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # The check warns about the wrapper, which is the object of this test.
        warnings.filterwarnings("ignore", message=".*different from the unwrapped version.*")
        check_env(make())


def test_features_are_those_of_the_classifier():
    env = make(n_candidates=7, embedding_size=3)
    observation, _ = env.reset(seed=3)
    seen = candidates_of(observation, env)
    unlabeled = env.unwrapped.unlabeled
    rows = [unlabeled.texts.index(text) for text in env.candidates]
    p = unlabeled.probabilities[rows]
    x = unlabeled.embeddings[rows] / np.linalg.norm(unlabeled.embeddings[rows], axis=1, keepdims=True)
    y = unlabeled.labeled.embeddings / np.linalg.norm(unlabeled.labeled.embeddings, axis=1, keepdims=True)
    distances = np.linalg.norm(x[:, None] - y[None], axis=2)
    # Fewer labeled texts than k = 10: the score is a mean over all of them.
    kl = np.array([[scipy_entropy(one, other) for other in unlabeled.labeled.probabilities] for one in p])
    score = (kl / distances).mean(axis=1)
    assert np.allclose(seen["entropy"], [scipy_entropy(row) / np.log(2) for row in p], atol=1e-6)
    assert np.allclose(seen["margin"], 1 - np.abs(p[:, 0] - p[:, 1]), atol=1e-6)
    assert np.allclose(seen["distance"], distances.min(axis=1) / (1 + distances.min(axis=1)), atol=1e-5)
    assert np.allclose(seen["score"], score / (1 + score), atol=1e-5)
    directions = np.random.default_rng(0).normal(size=(x.shape[1], 3))
    assert np.allclose([seen[f"embedding/{i}"] for i in range(3)], np.tanh(x @ directions).T, atol=1e-5)
    assert (seen["present"] == 1).all()
    assert (seen["real"] == 1).all()
    assert tuple(seen) == candidate_features(3)
    assert np.array_equal(observation[-len(env.unwrapped.feature_names) :], env.unwrapped.learner.state(0))


def test_every_text_is_labeled_once_and_the_chosen_text_is_offered():
    env = make()
    rng = np.random.default_rng(0)
    env.reset(seed=0)
    texts, ended = [], False
    while not ended:
        place = rng.choice(np.flatnonzero(env.action_masks()))
        chosen = env.candidates[place]
        _, _, ended, truncated, info = env.step(place)
        assert info["text"] == chosen
        assert info["real"]
        assert not truncated
        texts.append(chosen)
    learner = env.unwrapped.learner
    assert len(texts) == len(set(texts)) == 39
    assert {*texts, *learner.pool[:4]} == {*learner.pool}
    assert info["round"]["labeled"] == 43  # 39 texts are ten rounds of 4 but for one: the wrapper passed once


def test_places_without_a_candidate_are_masked_and_zero():
    trace = play(make(n_candidates=16), seed=0)
    for observation, *_, texts in trace:
        rows = observation[: 16 * 8].reshape(16, 8)
        present = np.array([text != "" for text in texts])
        assert np.array_equal(rows[:, 0] == 1, present)
        assert not rows[~present].any()
    assert [sum(text != "" for text in step[-1]) for step in trace[-4:]] == [3, 2, 1, 0]


def test_a_choice_of_nothing_passes_and_the_episode_still_ends():
    def last(env):
        return env.action_space.n - 1  # a candidate as long as five texts are left

    trace = play(make(invalid_reward=-0.5), seed=0, choose=last, steps=200)
    passes = [step for step in trace[1:] if step[4]["passed"]]
    assert {step[4]["invalid"] for step in trace[1:]} == {""}
    assert {step[1] for step in passes} == {0.0}
    assert len(passes) >= 40
    assert trace[-1][3]  # truncated: ten rounds of passes
    assert trace[-1][4]["round"]["idle_rounds"] == 10
    assert not trace[-1][2]
    assert trace[-1][4]["round"]["selected_real"] == 0
    assert trace[-1][4]["round"]["labeled"] == 39


@pytest.mark.parametrize("options", [{"budget": 14}, {"offers_per_round": 6}, {"pool_size": 14}])
def test_the_rest_of_a_round_is_passed_in_the_same_step(options):
    """Spend 14 labels in rounds of 4, 4 and 2: in the last one two offers are left when its labels are taken."""
    env = make(reward="entropy", **({"budget": 14} | options))
    trace = play(env, seed=1)
    closed = [step[4]["round"] for step in trace if "round" in step[4]]
    assert [one["labeled"] for one in closed] == [4, 8, 12, 14]
    assert len(trace) == 1 + 10
    assert all(step[-1].count("") < 5 for step in trace[:-1])  # a candidate at every step
    for step in trace[1:]:
        assert sum(term["contribution"] for term in step[4]["reward_terms"].values()) == pytest.approx(
            step[1], abs=1e-9
        )


def test_a_pass_earns_nothing_and_is_counted_apart():
    trace = play(make(reward="entropy", budget=14, invalid_reward=-1.0), seed=1)
    terms = trace[-1][4]["reward_terms"]
    assert terms["invalid"]["contribution"] == 0.0
    assert trace[-1][1] == terms["entropy"]["contribution"]
    closed = trace[-1][4]["round"]
    assert (closed["offers"], closed["invalid_offers"], closed["passes"]) == (2, 0, 2)


def test_closing_terms_come_with_the_pass_that_closes_the_round():
    trace = play(make(reward="entropy + accuracy_gain", budget=14), seed=1)
    terms = trace[-1][4]["reward_terms"]
    assert trace[-1][1] == terms["entropy"]["contribution"] + terms["accuracy_gain"]["contribution"]


def test_episodes_repeat_to_the_bit_with_their_seed_and_only_then():
    first, again, other = (play(make(), seed, steps=12) for seed in (5, 5, 6))
    for one, two in zip(first, again, strict=True):
        assert np.array_equal(one[0], two[0])
        assert one[1:4] == two[1:4]
        assert one[5] == two[5]
        assert one[4].keys() == two[4].keys()
    assert first[0][5] != other[0][5]
    env = make()
    play(env, seed=9, steps=3)
    assert np.array_equal(play(env, seed=5, steps=1)[0][0], first[0][0])  # independent of earlier episodes


def test_episodes_without_a_seed_go_on_from_the_last_one():
    one, two = make(), make()
    for env in (one, two):
        env.reset(seed=3)
    assert np.array_equal(one.reset()[0], two.reset()[0])
    assert one.candidates == two.candidates


def test_each_text_is_drawn_equally_often():
    """Test the first draws over many seeds by chi-squared, at a level of 0.001."""
    env = make(pool_size=16)
    env.reset(seed=0)
    draw = CandidateDraw(env.unwrapped.learner, n_candidates=3, embedding_size=0)
    counts = dict.fromkeys(env.unwrapped.unlabeled.texts, 0)
    for seed in range(400):
        draw.reset(np.random.default_rng(seed))
        draw.draw(0, "")
        assert len(set(draw.texts)) == 3
        for text in draw.texts:
            counts[text] += 1
    # Three texts of twelve without replacement vary less than independent ones: by the factor 9/11.
    assert chisquare(list(counts.values())).statistic * 11 / 9 < 31.3


def test_processes_and_one_process_show_the_same():
    def make_env():  # a new process cannot import this file
        import gymnasium

        from signal_env.wrappers import CandidateSelection as Wrapper

        options = {"pool_size": 43, "round_size": 4, "evaluation_size": 40, "selection": "submitted"}
        return Wrapper(gymnasium.make("SignalEnv-reviews-v0", **options), 5)

    traces = []
    for kind in (DummyVecEnv, SubprocVecEnv):
        envs = kind([make_env])
        envs.seed(0)
        trace = [envs.reset()]
        for _ in range(5):
            observations, rewards, _, _ = envs.step(np.array([3]))
            trace += [observations, rewards.astype(np.float32)]  # as SB3 keeps them in one process
        masks = np.stack(envs.env_method("action_masks"))
        envs.close()
        traces.append([*trace, masks])
    for one, two in zip(*traces, strict=True):
        assert np.array_equal(one, two)


def test_the_spec_makes_the_same_environment_from_json():
    env = make(n_candidates=6)
    spec = gym.envs.registration.EnvSpec.from_json(env.spec.to_json())
    again = gym.make(spec)
    assert again.action_space.n == 6
    for one, two in zip(play(env, 0, steps=5), play(again, 0, steps=5), strict=True):
        assert np.array_equal(one[0], two[0])
        assert one[1] == two[1]


def writes(number):
    """Return a generator of at most three texts a prompt, the second of which is always the same."""

    def generator(prompts):
        mark = prompts[0].splitlines()[-2].partition(": ")[2]
        return [f"{mark} {i}" if i != 1 else "the same film" for i in range(len(prompts))][:number] + [""] * (
            len(prompts) - number
        )

    return generator


def test_a_generator_s_texts_are_candidates_too():
    env = make(n_candidates=6, generator=writes(3), budget=20)
    observation, _ = env.reset(seed=0)
    seen = candidates_of(observation, env)
    assert seen["real"].tolist() == [1, 1, 1, 0, 0, 0]
    assert env.candidates[4] == "the same film"
    _, _, _, _, info = env.step(4)
    assert (info["text"], info["real"], info["invalid"]) == ("the same film", False, "")
    assert env.action_masks().tolist() == [True] * 5 + [False]  # it has been offered
    assert "the same film" not in env.candidates
    with_few = make(n_candidates=6, generator=writes(1), budget=20)
    with_few.reset(seed=0)
    assert with_few.action_masks().tolist() == [True] * 4 + [False] * 2  # empty texts are no candidates
    trace = play(env, seed=1)
    assert trace[-1][2]
    assert trace[-1][4]["round"]["labeled"] == 20
    assert trace[-1][4]["round"]["synthetic_share"] > 0


def test_a_copy_of_a_real_text_is_no_synthetic_candidate():
    def copies(prompts):
        return [prompts[0].splitlines()[-2].partition(": ")[2]] * len(prompts)

    env = make(n_candidates=4, generator=copies, synthetic_candidates=0.5)
    env.reset(seed=0)
    assert env.action_masks().tolist() == [True, True, False, False]


def test_a_generator_that_writes_nothing_leaves_an_episode_that_ends():
    env = make(n_candidates=4, generator=lambda prompts: [""] * len(prompts), synthetic_candidates=1.0)
    env.reset(seed=0)
    assert not env.action_masks().any()
    _, _, terminated, truncated, info = env.step(0)
    assert (terminated, truncated) == (False, True)
    assert info["round"]["labeled"] == 4


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_candidates": 0}, "n_candidates must be at least 1"),
        ({"embedding_size": -1}, "embedding_size must be at least 0"),
        ({"synthetic_candidates": 1.5}, "from 0 to 1"),
        ({"selection": "acquisition"}, "selection='submitted'"),
    ],
)
def test_bad_options(wrong, message):
    with pytest.raises(ValueError, match=message):
        make(**({"generator": writes(1)} | wrong))


def test_an_experiment_with_nothing_to_choose_is_over_at_once():
    env = make(pool_size=4, budget=5)
    observation, _ = env.reset(seed=0)
    assert not env.action_masks().any()
    assert not observation[: 5 * 8].any()
    with pytest.raises(gym.error.ResetNeeded):
        env.step(0)


def test_bad_actions_environments_and_generators():
    env = make()
    with pytest.raises(gym.error.ResetNeeded):
        env.step(0)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="A place must be from 0 to 4; got 5"):
        env.step(5)
    with pytest.raises(TypeError, match="Expected a SignalEnv"):
        CandidateSelection(gym.make("CartPole-v1"))
    env = make(generator=lambda prompts: ["one"])
    with pytest.raises(ValueError, match="one text per prompt"):
        env.reset(seed=0)
