"""A local shared experiment: equal to the environment, at every split of its texts."""

import json
import threading

import gymnasium as gym
import numpy as np
import pytest

from signal_env.shared import ExperimentEnded, LocalExperiment, Offered, Prompts, Scored, State
from signal_env.utils.errors import ActionError

TINY = {
    "pool_size": 20,
    "round_size": 2,
    "offers_per_round": 4,
    "budget": 12,
    "reward": "signal + 0.5*accuracy_gain - 0.1*normalize(entropy)",
}
TEXTS = [f"a warm film of {word}" for word in ["rain", "snow", "wind", "hail", "fog", "mist", "sun", "ice"]] + [
    "",
    "a warm film of rain",
]


def make(seed=3, **options):
    return LocalExperiment("SignalEnv-reviews-v0", seed, **{**TINY, **options})


def through_json(result):
    return type(result).from_dict(json.loads(json.dumps(result.to_dict())))


def played(texts):
    """Return prompts, rewards and infos of the environment itself, one text a step."""
    env = gym.make("SignalEnv-reviews-v0", **TINY)
    observation, _ = env.reset(seed=3)
    prompts, rows = [observation["prompt"]], []
    for text in texts:
        observation, reward, *_, info = env.step(text)
        prompts.append(observation["prompt"])
        rows.append((reward, info))
    return prompts, rows


@pytest.mark.parametrize("sizes", [[1] * 10, [10], [3, 5, 2]])
def test_rewards_do_not_depend_on_the_batches(sizes):
    experiment = make()
    prompts, rows = played(TEXTS)
    shown, done = experiment.prompts(len(prompts)).texts, 0
    assert list(shown) == prompts
    for size in sizes:
        part = slice(done, done + size)
        offered = through_json(experiment.offer(TEXTS[part], shown[part]))
        assert offered.first == done
        np.testing.assert_array_equal(offered.rewards, [reward for reward, _ in rows[part]])
        for info, (_, expected) in zip(offered.infos, rows[part], strict=True):
            np.testing.assert_equal(info, expected)
        done += size
    assert experiment.state().offers_made == 2
    assert experiment.state().round["index"] == 2


def test_results_survive_json():
    experiment = make()
    for result in (experiment.prompts(2), experiment.offer(TEXTS), experiment.score(TEXTS), experiment.state()):
        np.testing.assert_equal(vars(through_json(result)), vars(result))
        assert type(result) in (Prompts, Offered, Scored, State)


def test_terms_sum_to_the_rewards():
    offered = make(invalid_reward=-0.5).offer(TEXTS)
    weights = {"signal": 1.0, "accuracy_gain": 0.5, "normalize(entropy)": -0.1, "invalid": -0.5}
    assert make(invalid_reward=-0.5).state().weights == weights
    np.testing.assert_allclose(sum(offered.term(name) for name in weights), offered.rewards, rtol=1e-12)
    assert offered.invalid == ("",) * 8 + ("empty", "duplicate")
    assert offered.term("invalid").tolist() == [0.0] * 8 + [-0.5] * 2


def test_texts_behind_the_end_are_scored_and_not_offered():
    experiment = make(budget=4)
    offered = experiment.offer(TEXTS)
    assert (offered.offered, offered.ended, len(offered.rounds)) == (4, True, 1)
    np.testing.assert_array_equal(offered.rewards[4:], experiment.score(TEXTS[4:]).rewards)
    assert experiment.state().offered == 4
    assert experiment.state().ended
    with pytest.raises(ExperimentEnded, match="the budget is spent"):
        experiment.offer(["another film"])


def test_scoring_changes_nothing():
    experiment, other = make(), make()
    experiment.score(TEXTS)
    np.testing.assert_array_equal(experiment.offer(TEXTS).rewards, other.offer(TEXTS).rewards)


def test_a_repeated_key_is_answered_and_not_offered_again():
    experiment = make()
    first = experiment.offer(TEXTS[:3], key="a")
    assert experiment.offer(TEXTS[:3], key="a") is first
    assert experiment.state().offered == 3
    with pytest.raises(ValueError, match="'a' belongs to another request"):
        experiment.offer(TEXTS[:2], key="a")


@pytest.mark.parametrize("texts", ["one text", ["a text", 3]])
def test_a_wrong_batch_leaves_everything_as_it_is(texts):
    experiment = make()
    with pytest.raises((ActionError, ValueError), match=r"text"):
        experiment.offer(texts)
    with pytest.raises(ValueError, match="one prompt for each"):
        experiment.offer(TEXTS, prompts=["one"])
    assert experiment.state().offered == 0


def test_it_goes_on_from_its_state():
    experiment, resumed = make(), make()
    experiment.prompts(3)
    experiment.offer(TEXTS[:4])
    resumed.load_state_dict(json.loads(json.dumps(experiment.state_dict())))
    assert resumed.prompts(2) == experiment.prompts(2)
    ours, theirs = resumed.offer(TEXTS[4:]), experiment.offer(TEXTS[4:])
    np.testing.assert_equal(vars(ours), vars(theirs))


def test_threads_share_it():
    experiment, log = make(), []
    experiment.observers.append(Log(log))
    threads = [threading.Thread(target=experiment.offer, args=(TEXTS[i : i + 3],)) for i in range(0, 9, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert experiment.state().offered == 9
    assert [entry["index"] for entry in log if "index" in entry] == [1, 2]
    texts = [entry["text"] for entry in log if "text" in entry]
    alone = make().offer(texts)
    assert [entry["reward"] for entry in log if "text" in entry] == alone.rewards.tolist()


class Log:
    """Keep what an experiment tells its observers."""

    def __init__(self, entries):
        self.entries = entries

    def offer(self, text, reward, info):
        self.entries.append({"text": text, "reward": reward})

    def round(self, info):
        self.entries.append({"index": info["index"]})


def test_no_texts_are_a_batch_too():
    experiment = make()
    assert experiment.score([]).rewards.shape == experiment.offer([]).rewards.shape == (0,)
    assert experiment.state().offered == 0
