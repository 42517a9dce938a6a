"""The environment under every registered id: Gymnasium's own checks, determinism, and documented behavior."""

import json
import pickle
import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env, data_equivalence

from signal_env.acquisition import SMALLEST
from signal_env.registration import ENVIRONMENTS
from signal_env.utils.prediction import unit

IDS = sorted(ENVIRONMENTS)
"""Parametrized at module scope, which groups the tests by id: only few encoders are kept in memory."""
REVIEWS = "SignalEnv-reviews-v0"
SMALL = {"pool_size": 40, "round_size": 4, "evaluation_size": 40}


def small_env(**options):
    return gym.make(REVIEWS, **(SMALL | options))


def actions(n):
    """Return texts of all kinds: plain ones, copies, empty ones, and random Unicode."""
    rng = np.random.default_rng(0)
    space = gym.make(REVIEWS, **SMALL).action_space
    space.seed(0)
    kinds = [
        lambda i: f"a film about number {i} that is {'great' if i % 2 else 'dull'}",
        lambda i: "a film that comes twice",
        lambda i: "",
        lambda i: space.sample(),
    ]
    return [kinds[rng.choice(4, p=[0.6, 0.1, 0.1, 0.2])](i) for i in range(n)]


@pytest.mark.parametrize("env_id", IDS, scope="module")
def test_gymnasium_checks_every_id_without_a_warning(env_id, small_options):
    env = gym.make(env_id, disable_env_checker=True, render_mode="ansi", **small_options(env_id)).unwrapped
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env)


@pytest.mark.parametrize("env_id", IDS, scope="module")
def test_twin_environments_agree_to_the_bit(env_id, small_options):
    options = small_options(env_id)
    twins = [gym.make(env_id, **options) for _ in range(2)]
    (first, first_info), (second, second_info) = (env.reset(seed=7) for env in twins)
    assert data_equivalence(first, second, exact=True)
    assert data_equivalence(first_info, second_info, exact=True)
    for action in actions(24):
        if env_id == "SignalEnv-qnli-v0" and action:
            action = f"Question: {action}? Sentence: {action}."
        results = [env.step(action) for env in twins]
        assert data_equivalence(results[0], results[1], exact=True)
        assert results[0][0] in twins[0].observation_space
        assert not results[0][2]


@pytest.mark.parametrize("env_id", IDS, scope="module")
def test_pickling_gives_an_equal_environment(env_id, small_options):
    env = gym.make(env_id, **small_options(env_id))
    copy = pickle.loads(pickle.dumps(env))
    assert data_equivalence(env.reset(seed=7), copy.reset(seed=7), exact=True)
    assert data_equivalence(env.step("a fine film"), copy.step("a fine film"), exact=True)


@pytest.mark.parametrize("env_id", IDS, scope="module")
def test_spec_survives_json(env_id, small_options):
    options = small_options(env_id)
    if callable(options.get("annotator")):
        options["annotator"] = "gold"
    env = gym.make(env_id, **options)
    spec = EnvSpec.from_json(env.spec.to_json())
    assert data_equivalence(gym.make(spec).reset(seed=7), env.reset(seed=7), exact=True)
    json.loads(env.spec.to_json())


@pytest.mark.parametrize("share", [0.5, "linear", "adaptive"])
def test_a_synthetic_share_survives_json(share):
    env = small_env(annotator="rule", synthetic_share=share)
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert again.unwrapped.learner.config.synthetic_share == share
    infos = []
    for one in (env, again):
        one.reset(seed=3)
        infos.append([one.step(f"a film, take {i}")[4] for i in range(8)][-1]["round"])
    assert data_equivalence(*infos, exact=True)
    assert "synthetic_target" in infos[0]


@pytest.mark.parametrize("env_id", IDS, scope="module")
def test_ids_can_be_made_with_the_module_prefix(env_id, small_options):
    assert gym.make(f"signal_env:{env_id}", **small_options(env_id)).spec.id == env_id


@pytest.mark.parametrize("env_id", IDS, scope="module")
@pytest.mark.parametrize("mode", ["ansi", "human"])
def test_every_render_mode(env_id, mode, small_options, capsys):
    env = gym.make(env_id, render_mode=mode, **small_options(env_id))
    env.reset(seed=7)
    text = "Question: a new text? Sentence: it is new." if "qnli" in env_id else "a new text"
    env.step(text)
    frame = env.render()
    shown = frame if mode == "ansi" else capsys.readouterr().out
    assert "accuracy" in shown
    assert "new text" in shown
    assert (frame is None) == (mode == "human")


def test_rendering_without_a_mode_names_the_option():
    env = small_env()
    env.reset(seed=0)
    with pytest.raises(ValueError, match="render_mode="):
        env.unwrapped.render()


def test_observation_shows_instruction_and_examples_of_the_pool():
    env = small_env(n_examples=2)
    observation, _ = env.reset(seed=0)
    lines = observation["prompt"].splitlines()
    assert lines[0] == env.unwrapped.learner.task.instruction
    assert [line.split(": ")[0] for line in lines[1:3]] == ["Example 1", "Example 2"]
    assert all(line.split(": ", 1)[1] in env.unwrapped.learner.pool for line in lines[1:3])
    assert lines[3] == "New Example:"


def test_reward_is_the_papers_score_under_the_classifier_before_retraining():
    env = small_env(n_neighbors=3)
    env.reset(seed=0)
    learner = env.unwrapped.learner
    text = "a tender and moving story with a weak ending"
    x = learner._classifier.predict([text])
    points = learner._classifier.predict([labeled for labeled, _ in learner.labeled])
    distances = np.linalg.norm(unit(points.embeddings).astype(float) - unit(x.embeddings).astype(float), axis=1)
    expected = 0.0
    for j in np.argsort(distances)[:3]:
        p, q = (np.clip(v, SMALLEST, 1).astype(float) for v in (x.probabilities[0], points.probabilities[j]))
        expected += sum(a * np.log(a / b) for a, b in zip(p, q, strict=True)) / distances[j] / 3
    for fillers in (0, 3):  # the fourth step closes a round, but its reward is still that of the old classifier
        env.reset(seed=0)
        for i in range(fillers):
            env.step(f"filler number {i}")
        _, reward, _, _, info = env.step(text)
        assert ("round" in info) == (fillers == 3)
        assert reward == pytest.approx(expected, rel=1e-6)
        assert info["reward_terms"] == {
            "signal": {"raw": reward, "weight": 1.0, "contribution": reward},
            "invalid": {"raw": 0.0, "weight": 0.0, "contribution": 0.0},
        }


def test_every_info_has_the_accuracy_of_the_last_evaluation():
    env = small_env(budget=12)
    _, info = env.reset(seed=0)
    accuracy, texts = info["round"]["accuracy"], iter(actions(12))
    assert info["accuracy"] == accuracy
    ended, seen = False, [accuracy]
    while not ended:
        _, _, ended, _, info = env.step(next(texts))
        accuracy = info.get("round", {"accuracy": accuracy})["accuracy"]
        assert info["accuracy"] == accuracy
        seen.append(accuracy)
    texts, gold = env.unwrapped.learner._evaluation
    predicted = env.unwrapped.learner._classifier.predict(texts).probabilities.argmax(axis=1)
    assert info["accuracy"] == np.mean(predicted == gold)
    assert len(set(seen)) > 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (" \t\n\u2003 ", "empty"),
        ("\0\x07", "empty"),
        ("x" * 100_000, "too long"),
        ("a lone surrogate \ud800", "malformed"),
        ("an emoji 🙂 and a NUL \0 in between", ""),
        ("סרט נפלא", ""),
        ("a new film", ""),
    ],
)
def test_invalid_texts_are_legal_and_named(text, reason):
    env = small_env(invalid_reward=-0.5, render_mode="ansi")
    env.reset(seed=0)
    before = set(env.unwrapped.learner.episode.unlabeled)
    _, reward, terminated, truncated, info = env.step(text)
    assert info["invalid"] == reason
    assert not terminated
    assert not truncated
    assert sum(term["contribution"] for term in info["reward_terms"].values()) == pytest.approx(reward, abs=1e-12)
    assert np.isfinite(reward)
    entered = set(env.unwrapped.learner.episode.unlabeled) - before
    assert entered == (set() if reason else {info["text"]})
    assert (reward == -0.5) == bool(reason)
    env.render().encode()


def test_duplicates_of_the_pool_the_labels_and_the_round_are_invalid():
    env = small_env()
    env.reset(seed=0)
    learner = env.unwrapped.learner
    labeled, unlabeled = learner.labeled[0][0], learner.unlabeled.texts[0]
    outcomes = [env.step(text)[4]["invalid"] for text in (labeled, unlabeled, "a new film", "  a   new film ")]
    assert outcomes == ["duplicate", "duplicate", "", "duplicate"]


def test_a_submitted_real_text_is_that_instance_with_its_gold_label():
    env = small_env(selection="submitted", annotator="gold")
    env.reset(seed=0)
    learner = env.unwrapped.learner
    gold = dict(zip(*learner._corpus.train, strict=True))
    chosen = learner.unlabeled.texts[10:14]
    infos = [env.step(text)[4] for text in chosen]
    assert all(info["real"] and not info["invalid"] for info in infos)
    assert learner.labeled[-4:] == tuple((text, gold[text]) for text in chosen)
    assert infos[-1]["round"]["selected_real"] == 4
    assert env.step(chosen[0])[4]["invalid"] == "duplicate"


def test_unparsable_texts_of_a_task_with_two_fields(data_dir, small_options):
    env = gym.make("SignalEnv-qnli-v0", **small_options("SignalEnv-qnli-v0"))
    env.reset(seed=0)
    assert env.step("no question in it")[4]["invalid"] == "unparsable"
    assert env.step("Question: who? Sentence: me.")[4]["invalid"] == ""


@pytest.mark.parametrize("action", [3, None, b"bytes", ["a list"], np.array("text")])
def test_an_action_that_is_no_text_raises(action):
    env = small_env().unwrapped
    env.reset(seed=0)
    with pytest.raises(TypeError, match="An action must be a text"):
        env.step(action)


def test_the_episode_ends_at_the_budget_and_then_needs_a_reset():
    env = small_env(budget=10)
    env.reset(seed=0)
    ends = []
    labeled = []
    for i in range(8):
        _, _, terminated, truncated, info = env.step(f"film number {i}")
        ends.append(terminated)
        assert not truncated
        if "round" in info:
            labeled.append(info["round"]["labeled"])
    assert labeled == [8, 10]
    assert ends == [False] * 7 + [True]
    with pytest.raises(gym.error.ResetNeeded, match="is over"):
        env.step("one more")
    env.reset()
    assert env.unwrapped.learner.offers_made == 0


def test_stepping_before_a_reset_is_an_error():
    with pytest.raises(gym.error.ResetNeeded):
        small_env().unwrapped.step("too early")


def test_a_submitting_agent_ends_when_nothing_is_left():
    env = small_env(selection="submitted", annotator="gold", budget=1000, pool_size=10)
    env.reset(seed=0)
    terminated = False
    while not terminated:
        offered = {text for offer in env.unwrapped.learner.opened.offers for text in offer.texts}
        left = [text for text in env.unwrapped.unlabeled.texts if text not in offered]
        _, _, terminated, _, info = env.step(left[0] if left else "")
    assert info["round"]["labeled"] == 10
    assert info["round"]["unlabeled"] == 0


def test_idle_rounds_truncate_the_episode_and_the_info_has_the_reason():
    env = small_env(selection="submitted", max_idle_rounds=2)
    env.reset(seed=0)
    ends = []
    for _ in range(8):
        _, reward, terminated, truncated, info = env.step("")
        ends.append((reward, terminated, truncated, info["passed"], info["invalid"]))
    assert ends == [(0.0, False, False, True, "")] * 7 + [(0.0, False, True, True, "")]
    assert info["round"]["end_reason"] == "2 rounds in a row labeled nothing"
    assert (info["round"]["offers"], info["round"]["passes"], info["round"]["idle_rounds"]) == (0, 4, 2)
    with pytest.raises(gym.error.ResetNeeded, match="is over"):
        env.unwrapped.step("one more")


def test_a_time_limit_truncates():
    env = gym.make(REVIEWS, max_episode_steps=3, **SMALL)
    env.reset(seed=0)
    assert [env.step(f"film {i}")[3] for i in range(3)] == [False, False, True]


def test_the_same_seed_gives_nested_pools_and_the_next_reset_another_experiment():
    small, large = small_env(pool_size=20), small_env(pool_size=40)
    small.reset(seed=5)
    large.reset(seed=5)
    assert large.unwrapped.learner.pool[:20] == small.unwrapped.learner.pool
    small.reset()
    assert set(small.unwrapped.learner.pool) != set(large.unwrapped.learner.pool[:20])


@pytest.mark.parametrize("share", [None, "adaptive"])
def test_neither_hidden_labels_nor_evaluation_labels_change_observations(share):
    """Flip every hidden label, and expect the same observations and rewards."""
    plain, flipped = (small_env(annotator="rule", synthetic_share=share) for _ in range(2))
    plain.reset(seed=0)
    learner = flipped.unwrapped.learner
    flipped.reset(seed=0)
    known = {text for text, _ in learner.labeled}
    gold = learner.episode.gold
    learner.episode.labeling._gold = {text: y if text in known else 1 - y for text, y in gold.items()}
    learner._evaluation = (learner._evaluation[0], 1 - learner._evaluation[1])
    for i in range(3):
        one, other = (env.step(f"a {'fine' if i else 'poor'} film, take {i}") for env in (plain, flipped))
        assert data_equivalence(one, other, exact=True)
    texts = {text: label for text, label in plain.unwrapped.learner.labeled}
    assert all(text in known for text in texts)


def test_features_have_names_and_lie_between_0_and_1():
    env = small_env()
    observation, _ = env.reset(seed=0)
    named = dict(zip(env.unwrapped.feature_names, observation["classifier"], strict=True))
    learner = env.unwrapped.learner
    labels = [label for _, label in learner.labeled]
    assert named["label_share/positive"] == pytest.approx(np.mean(labels))
    assert named["labeled_share"] == pytest.approx(4 / 80)
    assert named["round_progress"] == 0
    assert all(0 <= value <= 1 for value in observation["classifier"])
    observation, *_ = env.step("a film")
    assert observation["classifier"][0] == pytest.approx(1 / 4)


def test_reset_options_are_refused():
    with pytest.raises(ValueError, match="budget"):
        small_env().unwrapped.reset(seed=0, options={"budget": 3})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"round_size": 100}, "round_size must be from 1 to the pool's 40 texts; got 100"),
        ({"budget": 4}, "spent by the 4 initial ones"),
        ({"pool_size": 10**9}, "pool_size must be from 1 to 30000"),
        ({"classifier": "lineer"}, "Did you mean 'linear'"),
        ({"acquisition": "sginal"}, "Did you mean 'signal'"),
        ({"reward": "sginal"}, "Did you mean 'signal'"),
        ({"annotator": "golden"}, "Did you mean 'gold'"),
        ({"task": "sst3"}, "Did you mean 'sst2'"),
        ({"task": None}, "give task="),
        ({"selection": "all"}, "selection must be"),
        ({"encoder": "/no/such/folder"}, "No model folder at /no/such/folder"),
        ({"evaluation_size": 10**6}, "at most the split's 2000"),
        ({"annotator_noise": 2.0}, "probability from 0 to 1"),
    ],
)
def test_options_that_do_not_fit_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        small_env(**options)


def test_an_unknown_option_is_named():
    with pytest.raises(TypeError, match="Did you mean 'pool_size'"):
        small_env(pool_sise=3)


def test_without_data_and_hub_the_error_has_the_ways_to_get_data(monkeypatch):
    monkeypatch.delenv("SIGNAL_ENV_DATA", raising=False)
    for client in ("huggingface_hub.constants", "datasets.config"):  # which read the variable when they are imported
        monkeypatch.setattr(f"{client}.HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match=r"data_dir=.*SIGNAL_ENV_DATA="):
        gym.make("SignalEnv-sst2-v0")


def test_a_round_that_failed_to_close_needs_a_reset():
    def unreachable(texts):
        raise ConnectionError("no annotator today")

    env = small_env(annotator=unreachable, selection="submitted")
    env.reset(seed=0)
    for i in range(3):
        env.step(f"film {i}")
    with pytest.raises(ConnectionError):
        env.step("film 3")
    with pytest.raises(gym.error.ResetNeeded, match="failed to close"):
        env.step("film 4")
    env.reset(seed=0)
    env.step("film 5")


def test_a_pair_of_surrogates_is_its_character_and_a_lone_one_is_malformed():
    env = gym.make("SignalEnv-reviews-v0", pool_size=40, round_size=8)
    env.reset(seed=0)
    info = env.step("a film \ud83d\ude42")[4]
    assert (info["text"], info["invalid"]) == ("a film 🙂", "")
    assert env.step("a film 🙂")[4]["invalid"] == "duplicate"
    assert env.step("a film \ude42\ud83d")[4]["invalid"] == "malformed"
