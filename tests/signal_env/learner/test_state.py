"""The prompt's form and the classifier vector."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from signal_env.learner.prompts import prompt
from signal_env.learner.state import feature_names, features
from signal_env.tasks import get_task
from signal_env.utils.prediction import Prediction


def test_prompt_without_examples():
    task = get_task("agnews")
    assert prompt(task, []) == f"{task.instruction}\nNew Example:"


def test_every_task_has_distinct_feature_names():
    for name in ("sst2", "agnews", "qnli", "reviews"):
        names = feature_names(get_task(name))
        assert len(set(names)) == len(names) == 9 + 2 * get_task(name).n_classes


@given(st.data(), st.integers(1, 6), st.integers(0, 6), st.booleans())
def test_features_are_finite_and_between_0_and_1(tabulated, data, n_labeled, n_unlabeled, normalize):
    def prediction(n):
        raw = data.draw(arrays(np.float64, (n, 3), elements=st.floats(0, 1)))
        total = raw.sum(axis=1, keepdims=True)
        p = np.where(total > 0, raw / np.where(total > 0, total, 1), 1 / 3)
        return Prediction(p, data.draw(arrays(np.float64, (n, 2), elements=st.floats(-1e6, 1e6))))

    labeled = prediction(n_labeled)
    labels = data.draw(arrays(np.int64, n_labeled, elements=st.integers(0, 2)))
    unlabeled = tabulated(prediction(n_unlabeled), labeled, labels, normalize=normalize)
    vector = features(unlabeled, labeled_share=0.5, synthetic_share=0.25)
    assert vector.dtype == np.float32
    assert len(vector) == 9 + 6
    assert ((vector >= 0) & (vector <= 1)).all()


def test_features_by_hand(tabulated):
    labeled = Prediction(np.array([[0.5, 0.5], [1.0, 0.0]]), np.array([[0.0, 0.0], [0.0, 8.0]]))
    unlabeled = Prediction(np.array([[0.75, 0.25], [0.75, 0.25]]), np.array([[3.0, 0.0], [0.0, 7.0]]))
    view = tabulated(unlabeled, labeled, np.array([1, 0]), n_neighbors=1)
    vector = features(view, labeled_share=0.1, synthetic_share=0.0)
    named = dict(zip(feature_names(get_task("sst2")), vector.tolist(), strict=True))
    assert np.isclose(named["train_accuracy"], 0.5)  # argmax of a tie is class 0, the first label is 1
    assert np.isclose(named["entropy_labeled"], 0.5)  # one certain, one uniform
    assert np.isclose(named["margin_unlabeled"], 0.5)
    assert np.isclose(named["distance_unlabeled"], 2 / 3)  # the mean of 3 and 1 is 2, mapped to 2 / 3
    assert np.isclose(named["label_share/positive"], 0.5)
    assert np.isclose(named["predicted_share/negative"], 1.0)
