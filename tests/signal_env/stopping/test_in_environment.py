"""Stopping criteria in the environments: what they measure, when they end an episode, and that they cost nothing."""

import json
from itertools import pairwise

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import data_equivalence
from scipy.stats import entropy
from sklearn.metrics import cohen_kappa_score

from signal_env.config import ConfigError, SignalConfig
from signal_env.learner.learner import Learner
from signal_env.learner.outcomes import Round
from signal_env.utils.prediction import Prediction
from signal_env.vector_env import closed_round

REVIEWS = "SignalEnv-reviews-v0"
SMALL = {"pool_size": 60, "round_size": 6, "evaluation_size": 40}


class Drifting:
    """A user's own classifier, whose predictions drift with each training; it records what it predicts."""

    def __init__(self):
        self.fits, self.predicted = 0, []

    def fit(self, texts, labels, seed):
        self.fits += 1

    def predict(self, texts):
        self.predicted.append(tuple(texts))
        x = np.array([[len(text), sum(text.count(v) for v in "aeiou")] for text in texts], dtype=float)
        p = 1 / (1 + np.exp(-(x[:, 0] - 30 - 8 / self.fits) / 6))
        return Prediction(np.stack([1 - p, p], axis=1), x)


def learner_of(classifier=None, **options):
    own = {"classifier": classifier or "linear", "encoder": "embedded", "annotator": "rule"}
    return Learner(SignalConfig(task="reviews", **{**SMALL, **own, **options}))


def offers(learner, i):
    """Return a round's texts: what is offered by an agent that writes, or by one that submits."""
    if learner.selection.submits_real:
        return [*learner.unlabeled.texts[: 2 + i % 4], "", "", "", "", "", ""][:6]
    return [f"{'very ' * (j * i % 7)}long film {i} {j}" for j in range(6)]


@pytest.mark.parametrize("selection", ["acquisition", "submitted"])
@pytest.mark.parametrize("own", [True, False])
def test_the_values_are_those_of_the_classifiers_predictions(selection, own):
    learner = learner_of(Drifting() if own else None, selection=selection, budget=48)
    learner.reset(seed=0)

    def predict(texts):
        return learner._classifier.predict(texts).probabilities

    kappas, rounds = [], 0
    while not learner.finished:
        learner.offer(offers(learner, rounds))
        here = [*learner.pool, *learner.unlabeled.texts, *learner.opened.offered.texts]
        before = dict(zip(here, predict(here).argmax(axis=1), strict=True))
        stopping = learner.close_round().stopping
        rounds += 1
        left = list(learner.episode.unlabeled)
        now = predict(left)
        changed = [label != before[text] for text, label in zip(left, now.argmax(axis=1), strict=True)]
        assert stopping["classification_change"]["value"] == pytest.approx(np.mean(changed))
        assert stopping["overall_uncertainty"]["value"] == pytest.approx(entropy(now, axis=1, base=2).mean(), abs=1e-6)
        labels = predict(learner.pool).argmax(axis=1)
        kappas.append(cohen_kappa_score(labels, [before[text] for text in learner.pool]))
        assert stopping["stable_predictions"]["value"] == pytest.approx(kappas[-1])
    assert rounds >= 7
    assert len(set(kappas)) > 1


def test_texts_are_predicted_no_more_often_than_for_training_and_choice():
    classifier = Drifting()
    learner = learner_of(classifier)
    learner.reset(seed=0)
    evaluation = learner._evaluation[0]
    for i in range(4):
        texts = offers(learner, i)
        learner.offer(texts)
        classifier.predicted.clear()
        learner.close_round()
        labeled = tuple(text for text, _ in learner.labeled)
        assert classifier.predicted == [labeled, evaluation, tuple(learner.episode.unlabeled)]


def test_a_round_that_does_not_train_measures_nothing():
    learner = learner_of(selection="submitted")
    learner.reset(seed=0)
    learner.offer(offers(learner, 3))
    assert learner.close_round().stopping.keys() >= {"stable_predictions", "overall_uncertainty"}
    learner.offer([""] * 6)
    idle = learner.close_round()
    assert all("value" not in measured for measured in idle.stopping.values())
    learner.offer(offers(learner, 3))
    learner.close_round()
    assert len(learner.state_dict()["stopping"]["values"]["stable_predictions"]) == 2
    still = learner_of(retrain=False)
    still.reset(seed=0)
    still.offer(offers(still, 1))
    assert still.close_round().stopping == {}


def play(env, n_rounds=9):
    """Play real texts in the order of U; return the infos of the rounds, and whether each ended the episode."""
    _, info = env.reset(seed=3)
    closed, ended = [info["round"]], [False]
    for _ in range(n_rounds):
        for text in env.unwrapped.unlabeled.texts[:6]:
            *_, terminated, truncated, info = env.step(text)
        closed.append(info["round"])
        ended.append(terminated)
        assert not truncated
        if terminated:
            break
    return closed, ended


@pytest.fixture(scope="module")
def plain():
    """The rounds of an episode that no criterion ends."""
    return play(gym.make(REVIEWS, selection="submitted", **SMALL))[0]


@pytest.fixture(scope="module")
def soon(plain):
    """Options with which an episode ends after some rounds, before its budget: at the largest mean of two kappas."""
    kappas = [closed["stopping"]["stable_predictions"]["value"] for closed in plain[1:-1]]
    means = [(one + other) / 2 for one, other in pairwise(kappas)]
    threshold = max(means) - 1e-9
    assert [mean >= threshold for mean in means].index(True) >= 2
    return {"stopping": "stable_predictions", "stopping_options": {"threshold": threshold, "window": 2}}


def test_the_episode_ends_at_the_first_close_at_which_the_criterion_is_met(plain, soon):
    kappas = [closed["stopping"]["stable_predictions"]["value"] for closed in plain[1:]]
    threshold = soon["stopping_options"]["threshold"]
    first = next(i for i in range(1, len(kappas)) if (kappas[i - 1] + kappas[i]) / 2 >= threshold)
    env = gym.make(REVIEWS, selection="submitted", **SMALL, **soon)
    closed, ended = play(env)
    assert len(closed) == first + 2 < len(plain)
    assert ended == [False] * (first + 1) + [True]
    assert closed[-1]["end_reason"] == "the stopping criterion stable_predictions is met"
    assert closed[-1]["finished"]
    assert closed[-1]["stopping"]["stable_predictions"]["met_at"] == closed[-1]["labeled"] == 6 * (first + 2)
    assert [one["accuracy"] for one in closed] == [one["accuracy"] for one in plain[: len(closed)]]
    with pytest.raises(gym.error.ResetNeeded, match="is over"):
        env.step("one more")
    again, _ = play(env)  # the next episode begins without what was measured
    assert data_equivalence(again, closed, exact=True)


def test_a_criterion_that_the_initial_labels_meet_ends_the_episode_at_its_first_close():
    options = {"stopping": "overall_uncertainty", "stopping_options": {"threshold": 1.0}}
    closed, ended = play(gym.make(REVIEWS, selection="submitted", **SMALL, **options))
    assert closed[0]["stopping"]["overall_uncertainty"]["met_at"] == 6
    assert not closed[0]["finished"]
    assert ended == [False, True]


def test_where_the_budget_is_spent_too_that_is_the_reason():
    options = {"stopping": "overall_uncertainty", "stopping_options": {"threshold": 1.0}, "budget": 12}
    closed, _ = play(gym.make(REVIEWS, selection="submitted", **SMALL, **options))
    assert closed[-1]["end_reason"] == "the budget is spent"


@pytest.mark.parametrize("num_envs", [1, 3, 6])
def test_the_vector_environment_measures_and_ends_alike(num_envs, soon):
    single, _ = play(gym.make(REVIEWS, selection="submitted", **SMALL, **soon))
    envs = gym.make_vec(REVIEWS, num_envs=num_envs, selection="submitted", **SMALL, **soon)
    _, infos = envs.reset(seed=3)
    closed, ended = [closed_round(infos)], False
    while not ended:
        texts = envs.unwrapped.unlabeled.texts[:6]
        for i in range(0, 6, num_envs):
            _, _, terminated, truncated, infos = envs.step(texts[i : i + num_envs])
        closed.append(closed_round(infos))
        ended = bool(terminated.all())
        assert not truncated.any()
    assert [one["stopping"] for one in closed] == [one["stopping"] for one in single]
    assert json.loads(json.dumps(closed[-1]["stopping"])) == single[-1]["stopping"]
    assert [one.get("end_reason") for one in closed] == [one.get("end_reason") for one in single]


def test_an_episode_goes_on_from_its_state_and_ends_where_it_would_have(soon):
    env = gym.make(REVIEWS, selection="submitted", **SMALL, **soon)
    whole, _ = play(env)
    assert len(whole) > 3
    for cut in range(1, len(whole)):
        first = gym.make(REVIEWS, selection="submitted", **SMALL, **soon)
        play(first, n_rounds=cut)
        state = json.loads(json.dumps(first.unwrapped.state_dict()))
        assert Round.from_state_dict(state["last_round"]).stopping == whole[cut]["stopping"]
        second = gym.make(REVIEWS, selection="submitted", **SMALL, **soon).unwrapped
        second.reset(seed=3)
        second.load_state_dict(state)
        assert second.learner.finished == (cut == len(whole) - 1)
        for closed in whole[cut + 1 :]:
            for text in second.unlabeled.texts[:6]:
                *_, info = second.step(text)
            assert data_equivalence(info["round"], closed, exact=True)


def test_neither_hidden_nor_evaluation_labels_change_what_is_measured():
    plain, flipped = learner_of(selection="submitted"), learner_of(selection="submitted")
    for learner in (plain, flipped):
        learner.reset(seed=0)
    chosen = plain.unlabeled.texts[:6]
    known = {text for text, _ in plain.labeled} | {*chosen}
    gold = flipped.episode.gold
    flipped.episode.labeling._gold = {text: y if text in known else 1 - y for text, y in gold.items()}
    flipped._evaluation = (flipped._evaluation[0], 1 - flipped._evaluation[1])
    closed = []
    for learner in (plain, flipped):
        learner.offer(chosen)
        closed.append(learner.close_round())
    assert closed[0].accuracy == pytest.approx(1 - closed[1].accuracy)
    assert closed[0].stopping == closed[1].stopping


def test_options_survive_json(soon):
    env = gym.make(REVIEWS, selection="submitted", **SMALL, **soon)
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert data_equivalence(play(env), play(again), exact=True)


def test_a_criterion_needs_retraining(soon):
    with pytest.raises(ConfigError, match="needs a classifier that is retrained; got retrain=False"):
        gym.make(REVIEWS, retrain=False, **soon)
