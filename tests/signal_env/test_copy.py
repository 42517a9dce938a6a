"""Copies of an environment in the middle of an episode, for a look ahead."""

import copy
import threading

import gymnasium as gym
import numpy as np
import pytest

import signal_env  # noqa: F401
from signal_env.classifiers import ClassifierError
from signal_env.utils.prediction import Prediction
from signal_env.wrappers import (
    CandidateSelection,
    PotentialShaping,
    PromptSelection,
    Record,
    TensorBoard,
    VectorRecord,
    VectorTensorBoard,
)

SMALL = {"pool_size": 40, "round_size": 6, "evaluation_size": 40}
TEXTS = [f"a {w} film that {v} its {n}" for w in ("warm", "cold", "dull") for v in ("loves", "hates") for n in "abcdef"]


class NovelWords:
    """A reward term with memory."""

    def reset(self):
        self.known = set()

    def __call__(self, texts):
        values = []
        for text in texts:
            values.append(float(len(set(text.split()) - self.known)))
            self.known.update(text.split())
        return values

    def state_dict(self):
        return {"known": sorted(self.known)}

    def load_state_dict(self, state):
        self.known = set(state["known"])


def equal(one, other):
    """Return whether the results of two steps are equal to the bit."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(equal, one, other))
    return np.array_equal(one, other)


OPTIONS = [
    {},
    {"reward": NovelWords},
    {"reward": "signal + normalize(novelty)", "acquisition": "badge"},
    {"acquisition": "random", "n_examples": 1, "prompt_group": 3},
    {"synthetic_share": "adaptive", "keep_best": 3},
    {"classifier": "finetune", "classifier_options": {"min_steps": 1, "epochs": 1}, "evaluation_size": 8},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_copy_and_its_original_go_on_alike_and_leave_each_other_alone(options):
    def begun():
        env = gym.make("SignalEnv-reviews-v0", **SMALL | options)
        env.reset(seed=0)
        for text in TEXTS[:9]:  # in the middle of the second round
            env.step(text)
        return env

    reference, original = begun(), begun()
    copied = copy.deepcopy(original)
    for text in reversed(TEXTS[9:25]):  # over three closes, with other texts than the original's
        copied.step(text)
    again = copy.deepcopy(original)
    expected = [reference.step(text) for text in TEXTS[9:25]]
    assert sum("round" in step[-1] for step in expected) == 3
    assert all(equal(step, original.step(text)) for step, text in zip(expected, TEXTS[9:25], strict=True))
    assert all(equal(step, again.step(text)) for step, text in zip(expected, TEXTS[9:25], strict=True))
    assert equal(reference.reset(), again.reset())  # the next experiment of the same sequence
    assert equal(reference.unwrapped.learner.state_dict(), again.unwrapped.learner.state_dict())


def test_a_copy_of_a_vector_environment_goes_on_alike():
    def begun():
        envs = gym.make_vec("SignalEnv-reviews-v0", num_envs=3, reward=NovelWords, **SMALL)
        envs.reset(seed=0)
        envs.step(TEXTS[:3])
        return envs

    reference, original = begun(), begun()
    copied = copy.deepcopy(original)
    for start in (20, 23, 26):
        copied.step(TEXTS[start : start + 3])
    again = copy.deepcopy(original)
    for start in (3, 6, 9, 12):
        step = reference.step(TEXTS[start : start + 3])
        assert equal(step, original.step(TEXTS[start : start + 3]))
        assert equal(step, again.step(TEXTS[start : start + 3]))


@pytest.mark.parametrize("wrap", ["candidates", "written candidates", "prompts"])
def test_a_copy_of_a_discrete_environment_goes_on_alike(wrap):
    lock = threading.Lock()  # which cannot be copied

    def generator(prompts):
        with lock:
            return [prompt.splitlines()[-2].partition(": ")[2] + " in the end" for prompt in prompts]

    def begun():
        chooses = {"selection": "submitted"} if "candidates" in wrap else {}
        env = gym.make("SignalEnv-reviews-v0", **SMALL, **chooses)
        if wrap == "prompts":
            env = PromptSelection(env, generator, n_sets=5)
        else:
            env = CandidateSelection(env, 5, generator=generator if "written" in wrap else None)
        env.reset(seed=0)
        env.step(2)
        return env

    reference, original = begun(), begun()
    copied = copy.deepcopy(original)
    for _ in range(8):
        copied.step(4)
    again = copy.deepcopy(original)
    for action in (0, 1, 2, 3, 0, 1, 2):
        step = reference.step(action)
        assert equal(step, original.step(action))
        assert equal(step, again.step(action))


def test_a_view_of_a_copy_is_read_only_and_shows_the_copys_round():
    env = gym.make("SignalEnv-reviews-v0", **SMALL)
    env.reset(seed=0)
    env.step(TEXTS[0])
    copied = copy.deepcopy(env)
    before, after = env.get_wrapper_attr("unlabeled"), copied.get_wrapper_attr("unlabeled")
    for name in ("probabilities", "embeddings", "scores", "distances", "labels"):
        assert np.array_equal(getattr(before, name), getattr(after, name))
        assert not getattr(after, name).flags.writeable
    copied.step(TEXTS[1])
    assert (before.offered.texts, after.offered.texts) == ((TEXTS[0],), tuple(TEXTS[:2]))


def test_a_round_of_many_single_offers_can_be_copied():
    """Views joined again and again are nested; a copy does not follow them."""
    env = gym.make(
        "SignalEnv-reviews-v0", pool_size=40, round_size=6, offers_per_round=600, evaluation_size=40, reward="novelty"
    )
    env.reset(seed=0)
    for i in range(500):
        env.step(f"scene {i} is a warm one")
    copied = copy.deepcopy(env)
    assert equal(copied.step("a cold one"), env.step("a cold one"))


def test_what_never_changes_is_shared():
    env = gym.make("SignalEnv-reviews-v0", **SMALL)
    env.reset(seed=0)
    one, other = env.unwrapped.learner, copy.deepcopy(env).unwrapped.learner
    assert one is not other
    assert one.episode is not other.episode
    assert one._classifier.classifier is not other._classifier.classifier
    for name in ("_corpus", "_evaluation", "task", "config"):
        assert getattr(one, name) is getattr(other, name)
    assert one._classifier.classifier.encode is other._classifier.classifier.encode


@pytest.mark.parametrize("outside", [False, True])
def test_a_look_ahead_leaves_the_logs_as_they_are(tmp_path, outside, read_events):
    for folder in (tmp_path / "alone", tmp_path / "ahead"):
        env = TensorBoard(Record(gym.make("SignalEnv-reviews-v0", **SMALL), folder), folder / "board")
        env = PotentialShaping(env, "train_accuracy") if outside else env
        env.reset(seed=0)
        for i in range(7):
            if folder.name == "ahead":
                copied = copy.deepcopy(env)
                copied.step(TEXTS[-i])
                copied.close()
            env.step(TEXTS[i])
        env.close()
    for name in ("offers.jsonl", "labels.jsonl", "rounds.jsonl"):
        assert (tmp_path / "alone" / name).read_bytes() == (tmp_path / "ahead" / name).read_bytes()
    assert len(read_events(tmp_path / "ahead" / "board")["reward/signal"]) == 7
    assert read_events(tmp_path / "alone" / "board") == read_events(tmp_path / "ahead" / "board")


def test_a_look_ahead_of_a_vector_environment_leaves_the_logs_as_they_are(tmp_path):
    envs = gym.make_vec("SignalEnv-reviews-v0", num_envs=3, **SMALL)
    envs = VectorTensorBoard(VectorRecord(envs, tmp_path / "log"), tmp_path / "board")
    envs.reset(seed=0)
    copied = copy.deepcopy(envs)
    copied.step(TEXTS[:3])
    assert (tmp_path / "log" / "offers.jsonl").read_text() == ""
    envs.step(TEXTS[:3])
    assert len((tmp_path / "log" / "offers.jsonl").read_text().splitlines()) == 3
    envs.close()


class Locked:
    """A user's own classifier that cannot be copied."""

    def __init__(self):
        self.lock = threading.Lock()

    def fit(self, texts, labels, seed):
        pass

    def predict(self, texts):
        x = np.array([[float(len(text))] for text in texts])
        p = 1 / (1 + np.exp((40 - x) / 10))
        return Prediction(np.hstack([1 - p, p]), x)


class Copied(Locked):
    def __deepcopy__(self, memo):
        return Copied()


def test_a_classifier_that_cannot_be_copied_says_what_to_write():
    env = gym.make("SignalEnv-reviews-v0", classifier=Locked(), **SMALL)
    env.reset(seed=0)
    with pytest.raises(ClassifierError, match=r"Locked cannot be copied, as copy.deepcopy\(env\) does: write"):
        copy.deepcopy(env)
    env = gym.make("SignalEnv-reviews-v0", classifier=Copied(), **SMALL)
    env.reset(seed=0)
    assert equal(copy.deepcopy(env).step(TEXTS[0]), env.step(TEXTS[0]))
