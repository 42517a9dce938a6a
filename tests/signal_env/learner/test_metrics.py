import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, log_loss

from signal_env.learner.metrics import Metrics, macro_f1, nll


@given(st.integers(2, 9), st.integers(1, 60), st.integers(0, 2**32 - 1), st.sampled_from([0.05, 1.0, 30.0]))
def test_metrics_are_those_of_scikit_learn(n_classes, n, seed, concentration):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet([concentration] * n_classes, size=n) * 0.999 + 0.001 / n_classes
    labels = rng.integers(rng.integers(1, n_classes + 1), size=n)  # the last classes may have no text
    predicted, classes = probabilities.argmax(axis=1), range(n_classes)
    found = Metrics.of(probabilities, labels)
    assert found.accuracy == accuracy_score(labels, predicted)
    expected = f1_score(labels, predicted, labels=classes, average="macro", zero_division=0)
    assert found.macro_f1 == pytest.approx(expected, abs=1e-12)
    assert found.nll == pytest.approx(log_loss(labels, probabilities, labels=classes), rel=1e-9)


def test_classes_that_nothing_has_count_as_zero():
    labels = np.zeros(5, dtype=np.int64)
    assert macro_f1(labels, labels, n_classes=77) == pytest.approx(1 / 77)
    assert macro_f1(labels + 1, labels, n_classes=3) == 0


def test_likelihood_of_impossible_labels_is_finite():
    certain = np.array([[1.0, 0.0]], dtype=np.float32)
    assert nll(certain, np.array([1])) == pytest.approx(12 * np.log(10))
    assert nll(certain, np.array([0])) == 0
