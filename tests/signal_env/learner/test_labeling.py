"""The labels of real and synthetic texts, and the annotator's agreement with gold labels."""

import json

import numpy as np
import pytest

from signal_env.learner.labeling import Labeling, reliability

GOLD = {"a": 0, "b": 1, "c": 2, "d": 0}


class Ones:
    """An annotator that labels any text 1, and records the texts."""

    def __init__(self):
        self.asked = []

    def __call__(self, texts):
        self.asked += texts
        return np.ones(len(texts), dtype=np.int64)


def test_real_texts_keep_their_gold_labels_and_the_annotator_labels_the_others():
    annotator = Ones()
    labeling = Labeling(annotator, 3, GOLD, always=False)
    assert labeling(["a", "b"]) == ({"a": 0, "b": 1}, None)
    assert annotator.asked == []
    labels, agreement = labeling(["c", "written", "b"])
    assert (list(labels.items()), agreement) == ([("c", 2), ("written", 1), ("b", 1)], 0.5)
    assert annotator.asked == ["c", "b", "written"]
    assert labeling(["all", "written"]) == ({"all": 1, "written": 1}, None)


def test_reliability_is_of_all_answers_about_texts_that_are_labeled():
    labeling = Labeling(Ones(), 3, GOLD, always=True)
    assert labeling.reliability == 0
    assert labeling(["a", "b"])[1] == 0.5
    labeling(["b", "written"])
    assert labeling.reliability == pytest.approx(((3 / 6 - 1 / 3) / (2 / 3)) ** 2)  # 2 of 3, smoothed by 1 of 3
    again = Labeling(Ones(), 3, GOLD, always=True)
    again.load_state_dict(json.loads(json.dumps(labeling.state_dict())))
    assert again.reliability == labeling.reliability


@pytest.mark.parametrize("n_classes", [2, 5])
@pytest.mark.parametrize("noise", [0.0, 0.1, 0.3])
def test_reliability_is_cohens_kappa_squared_where_labels_are_balanced(n_classes, noise):
    from sklearn.metrics import cohen_kappa_score

    rng = np.random.default_rng(0)
    gold = np.arange(100_000) % n_classes
    wrong = rng.random(len(gold)) < noise
    labels = np.where(wrong, (gold + rng.integers(1, n_classes, size=len(gold))) % n_classes, gold)
    found = reliability(int((labels == gold).sum()), len(gold), n_classes)
    assert found == pytest.approx(cohen_kappa_score(gold, labels) ** 2, abs=1e-3)


def test_an_annotator_worse_than_a_guess_is_worth_nothing():
    assert reliability(0, 50, n_classes=2) == reliability(25, 50, n_classes=2) == 0.0
