"""The vector environment: the same experiment as the single one, with many texts a step."""

import json
import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode

from signal_env.registration import ENVIRONMENTS
from signal_env.vector_env import SignalVectorEnv, closed_round, terms_of

REVIEWS = "SignalEnv-reviews-v0"
SMALL = {"pool_size": 40, "round_size": 4, "evaluation_size": 40}


def texts(n):
    """Return texts that are new, repeated, empty and malformed."""
    return [
        ("", "a film that comes twice", "bad \ud800")[i % 7 % 3] if i % 7 < 3 else f"film {i} is odd" for i in range(n)
    ]


@pytest.mark.parametrize("num_envs", [1, 2, 4])
@pytest.mark.parametrize("env_id", sorted(ENVIRONMENTS), scope="module")
def test_rewards_and_observations_equal_those_of_single_steps(env_id, num_envs, small_options):
    options = small_options(env_id)
    env, envs = gym.make(env_id, **options), gym.make_vec(env_id, num_envs=num_envs, **options)
    observation, info = env.reset(seed=7)
    observations, infos = envs.reset(seed=7)
    assert closed_round(infos).keys() == info["round"].keys()
    assert infos["accuracy"].tolist() == [info["accuracy"]] * num_envs
    offered = iter(texts(24))
    for _ in range(24 // num_envs):
        actions = [next(offered) for _ in range(num_envs)]
        if env_id == "SignalEnv-qnli-v0":
            actions = [f"Question: {action}? Sentence: {action}." for action in actions]
        seen, results = [], []
        for action in actions:
            seen.append(observation)
            results.append(env.step(action))
            observation = results[-1][0]
        for i, single in enumerate(seen):
            assert observations["prompt"][i] == single["prompt"]
            assert np.array_equal(observations["classifier"][i], single["classifier"])
        observations, rewards, terminated, truncated, infos = envs.step(actions)
        assert rewards.tolist() == [result[1] for result in results]
        assert terminated.tolist() == [results[-1][2]] * num_envs
        assert not truncated.any()
        for name in ("text", "invalid", "real", "accuracy"):
            assert list(infos[name]) == [result[4][name] for result in results]
        assert [terms_of(infos, i) for i in range(num_envs)] == [result[4]["reward_terms"] for result in results]
        closed = closed_round(infos)
        assert (closed is None) == ("round" not in results[-1][4])
        if closed is not None:
            rounds = closed, results[-1][4]["round"]
            arrays = [{k: v if isinstance(v, dict) else np.asarray(v) for k, v in one.items()} for one in rounds]
            assert data_equivalence(*arrays, exact=True)


def test_spaces_contain_the_observations():
    envs = gym.make_vec(REVIEWS, num_envs=4, **SMALL)
    observations, _ = envs.reset(seed=0)
    assert observations in envs.observation_space
    envs.action_space.seed(0)
    observations, rewards, terminated, truncated, _ = envs.step(envs.action_space.sample())
    assert observations in envs.observation_space
    assert rewards.shape == terminated.shape == truncated.shape == (4,)
    assert envs.metadata["autoreset_mode"] is AutoresetMode.DISABLED


def test_make_vec_prefers_the_shared_learner():
    assert isinstance(gym.make_vec(REVIEWS, num_envs=2, **SMALL).unwrapped, SignalVectorEnv)


def test_num_envs_divides_the_offers_of_a_round():
    with pytest.raises(ValueError, match=r"one of \[1, 2, 4\]; got 3"):
        gym.make_vec(REVIEWS, num_envs=3, **SMALL)


def test_more_offers_than_labels_per_round():
    envs = gym.make_vec(REVIEWS, num_envs=4, offers_per_round=8, **SMALL)
    envs.reset(seed=0)
    _, _, _, _, infos = envs.step([f"film {i}" for i in range(4)])
    assert closed_round(infos) is None
    _, _, _, _, infos = envs.step([f"film {i}" for i in range(4, 8)])
    assert closed_round(infos)["offers"] == 8
    assert closed_round(infos)["labeled"] == 8


def test_all_end_together_and_a_later_step_needs_a_reset():
    envs = gym.make_vec(REVIEWS, num_envs=4, budget=8, **SMALL)
    envs.reset(seed=0)
    _, _, terminated, _, _ = envs.step([f"film {i}" for i in range(4)])
    assert terminated.all()
    with pytest.raises(gym.error.ResetNeeded):
        envs.step(["more"] * 4)


def test_the_time_limit_truncates_all():
    envs = gym.make_vec(REVIEWS, num_envs=2, max_episode_steps=2, **SMALL)
    envs.reset(seed=0)
    assert not envs.step(["one", "two"])[3].any()
    assert envs.step(["three", "four"])[3].all()
    with pytest.raises(gym.error.ResetNeeded):
        envs.step(["five", "six"])


@pytest.mark.parametrize("wrong", [["one"], ["one", "two", "three"], "ab", None, 2])
def test_the_number_of_texts_is_checked(wrong):
    envs = gym.make_vec(REVIEWS, num_envs=2, **SMALL)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match=r"Expected a sequence of 2 texts, .*; got (1: |3: |'ab'|None.* act return|2)"):
        envs.step(wrong)


def test_each_action_is_a_text():
    envs = gym.make_vec(REVIEWS, num_envs=2, **SMALL)
    envs.reset(seed=0)
    with pytest.raises(TypeError, match="An action must be a text"):
        envs.step(["one", 2])


def test_rendering_shows_the_shared_learner_once():
    envs = gym.make_vec(REVIEWS, num_envs=2, render_mode="ansi", **SMALL)
    envs.reset(seed=0)
    envs.step(["one film", "two films"])
    (frame,) = envs.render()
    assert "one film" in frame
    assert "two films" in frame


def play(envs, n_steps=6):
    """Return all results of a few steps."""
    results = [envs.reset(seed=[4, 5][: envs.num_envs])]
    results += [envs.step([f"film {i} is fine", f"film {i} is poor"][: envs.num_envs]) for i in range(n_steps)]
    envs.close()
    return results


@pytest.mark.parametrize(("context", "num_envs"), [("fork", 2), ("spawn", 1)])
def test_independent_experiments_in_sync_and_async_vectors_agree(context, num_envs):
    sync = gym.make_vec(REVIEWS, num_envs=num_envs, vectorization_mode="sync", **SMALL)
    options = {"shared_memory": False, "context": context}
    parallel = gym.make_vec(REVIEWS, num_envs=num_envs, vectorization_mode="async", vector_kwargs=options, **SMALL)
    assert data_equivalence(play(sync), play(parallel), exact=True)


def test_shared_memory_is_refused_with_the_way_out():
    with pytest.raises(TypeError, match="shared_memory=False"):
        gym.make_vec(REVIEWS, num_envs=2, vectorization_mode="async", **SMALL)


def test_the_experiments_of_a_sync_vector_are_those_of_single_environments():
    sync = gym.make_vec(REVIEWS, num_envs=2, vectorization_mode="sync", **SMALL)
    results = play(sync)
    for i, seed in enumerate((4, 5)):
        env = gym.make(REVIEWS, **SMALL)
        observation, _ = env.reset(seed=seed)
        assert results[0][0]["prompt"][i] == observation["prompt"]
        for step in range(6):
            observation, reward, *_ = env.step(f"film {step} is {('fine', 'poor')[i]}")
            assert results[step + 1][1][i] == reward
            assert results[step + 1][0]["prompt"][i] == observation["prompt"]


def test_a_wrapped_vector_environment_still_shows_the_unlabeled_texts():
    envs = gym.wrappers.vector.RecordEpisodeStatistics(gym.make_vec(REVIEWS, num_envs=4, **SMALL))
    envs.reset(seed=0)
    assert len(envs.unwrapped.unlabeled) == 36
    assert pickle.loads(pickle.dumps(envs.unwrapped.single_action_space)) == envs.unwrapped.single_action_space


@pytest.mark.parametrize("num_envs", [None, 1, 4])
def test_an_episode_goes_on_from_its_state(num_envs):
    def make():
        options = {**SMALL, "budget": 16, "prompt_group": 2}
        return gym.make(REVIEWS, **options) if num_envs is None else gym.make_vec(REVIEWS, num_envs=num_envs, **options)

    def play(env, observation, rounds):
        """Return texts that each repeat a word of their prompt."""
        told = []
        for step in range(rounds.start * 4, rounds.stop * 4, num_envs or 1):
            shown = observation["prompt"]
            if num_envs is None:
                observation, *rest = env.step(f"{shown.split()[-3]} film {step}")
            else:
                observation, *rest = env.step([f"{one.split()[-3]} film {step + i}" for i, one in enumerate(shown)])
            told.append(str((observation, rest)))
        return told, observation

    whole, begun, later = make(), make(), make()
    expected, _ = play(whole, whole.reset(seed=3)[0], range(3))
    with pytest.raises(RuntimeError, match="call reset first"):
        begun.unwrapped.state_dict()
    first, _ = play(begun, begun.reset(seed=3)[0], range(1))
    kept = json.loads(json.dumps(begun.unwrapped.state_dict()))
    later.reset(seed=3)
    observation = later.unwrapped.load_state_dict(kept)
    rest, _ = play(later, observation, range(1, 3))
    assert first + rest == expected
    ends = [str(env.reset()) for env in (whole, later)]  # the seed's sequence of experiments goes on as well
    assert ends[0] == ends[1]


def test_an_episode_that_is_over_at_its_reset_is_not_stepped():
    """All real texts are labeled from the start, and nobody has written one."""
    options = {"pool_size": 10, "initial_labeled": 10, "budget": 20, "selection": "submitted", "round_size": 2}
    envs = gym.make_vec("SignalEnv-reviews-v0", num_envs=2, **options)
    _, infos = envs.reset(seed=0)
    assert infos["round"]["finished"].tolist() == [True, True]
    assert envs.unwrapped.ended
    with pytest.raises(gym.error.ResetNeeded):
        envs.step(["a film", "a day"])
