"""The mirror of a learner: it reads what the learner has, to the bit, and cannot change it."""

import json

import numpy as np
import pytest

from signal_env.classifiers import ClassifierError
from signal_env.shared import LocalExperiment
from signal_env.shared.mirror import MirrorLearner
from signal_env.shared.reading import RoundOver, asked, experiment_data, offered_data, round_data
from signal_env.shared.verbs import Scored, State

SMALL = {"pool_size": 24, "round_size": 4, "evaluation_size": 20, "classifier": "linear", "annotator": "rule"}


class Source:
    """An experiment in this process whose answers go through JSON."""

    def __init__(self, experiment):
        self._experiment = experiment
        self.reads = []
        self.state()

    def state(self):
        self.known = State.from_dict(json.loads(json.dumps(self._experiment.state().to_dict())))
        return self.known

    def score(self, texts, prompts=()):
        return Scored.from_dict(json.loads(json.dumps(self._experiment.score(texts, prompts).to_dict())))

    def read(self, what):
        self.reads.append(what)
        learner = self._experiment.learner
        data = {"round": round_data, "offered": offered_data}
        return json.loads(
            json.dumps(data[what](learner) if what in data else experiment_data(learner, "SignalEnv-reviews-v0", 3))
        )

    def ask(self, what, texts, index):
        return json.loads(json.dumps(asked(self._experiment.learner, what, texts, index)))


@pytest.fixture
def experiment():
    local = LocalExperiment("SignalEnv-reviews-v0", seed=3, selection="submitted", **SMALL)
    local.offer(["a warm film", "", "a cold plot", "a warm film", "an odd end", "a cast"])
    return local


@pytest.fixture
def source(experiment):
    return Source(experiment)


def equal(one, other):
    assert one.dtype == other.dtype
    assert one.tolist() == other.tolist()


def test_it_shows_what_the_learner_shows(experiment, source):
    mirror, learner = MirrorLearner(source), experiment.learner
    for name in ("sizes", "pool", "labeled", "longest_text", "feature_names", "task", "batch_size", "labels_left"):
        assert getattr(mirror, name) == getattr(learner, name), name
    for name in ("offers_made", "finished", "terminated", "truncated", "end_reason", "begun", "round_is_full"):
        assert getattr(mirror, name) == getattr(learner, name), name
    assert mirror.selection.name == "submitted"
    assert mirror.opened.seen == learner.opened.seen
    assert mirror.episode.round == 1
    for view in ("unlabeled", "offered", "earlier", "pool"):
        one, other = getattr(mirror.unlabeled, view), getattr(learner.unlabeled, view)
        assert (one.texts, one.prompts) == (other.texts, other.prompts)
        assert len(one) > 0
        for name in ("probabilities", "embeddings", "distances", "scores", "real", "pretrained", "labels"):
            equal(getattr(one, name), getattr(other, name))
        equal(one.labeled.embeddings, other.labeled.embeddings)
    equal(mirror.state(3), learner.state(3))
    texts = ["a new film", "a cast", "", learner.unlabeled.texts[0]]
    one, other = mirror.check_texts(texts), learner.check_texts(texts)
    assert one[:4] == other[:4]
    equal(one.valid.probabilities, other.valid.probabilities)
    equal(mirror.score(texts).rewards, learner.score(texts).rewards)
    with pytest.raises(ClassifierError, match="has no dropout"):
        mirror.unlabeled.dropout  # noqa: B018


def test_u_is_named_and_not_sent(experiment, source):
    """It may be larger than a request; other texts are sent."""
    sent = []
    ask = source.ask
    source.ask = lambda what, texts, index: sent.append(texts) or ask(what, texts, index)
    mirror, learner = MirrorLearner(source), experiment.learner
    equal(mirror.unlabeled.pretrained, learner.unlabeled.pretrained)
    assert sent == [None]
    mirror.opened.classifier.predict(["a new film"])
    assert sent == [None, ["a new film"]]


def test_a_round_is_read_once_and_anew_after_its_close(experiment, source):
    mirror = MirrorLearner(source)
    assert mirror.unlabeled is mirror.unlabeled
    assert source.reads.count("round") == 1
    before = mirror.unlabeled
    experiment.offer(["another film", "one more"])
    assert mirror.unlabeled is before  # nobody has read the state
    source.state()
    assert mirror.unlabeled.texts == experiment.learner.unlabeled.texts
    with pytest.raises(RoundOver, match="the last closed round is 2"):
        before.pretrained  # noqa: B018


def test_it_holds_no_hidden_labels_and_changes_nothing(source):
    mirror = MirrorLearner(source)
    assert set(mirror.episode.gold.values()) == {-1}
    for change in (lambda: mirror.offer(["a"]), mirror.close_round, lambda: mirror.reset(0), mirror.state_dict):
        with pytest.raises(RuntimeError, match="which is elsewhere; the learner here only reads it"):
            change()
    with pytest.raises(ValueError, match="read-only"):
        mirror.unlabeled.probabilities[0, 0] = np.nan
