"""The built-in criteria against scikit-learn, SciPy and hand computation."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import entropy
from sklearn.metrics import cohen_kappa_score

from signal_env.stopping import StoppingError
from signal_env.stopping.builtin import (
    classification_change,
    cohens_kappa,
    overall_uncertainty,
    stable_predictions,
)


def labels(n, n_classes=5):
    return arrays(np.int64, n, elements=st.integers(0, n_classes - 1))


def one_hot(labels, n_classes):
    """Return probabilities whose likeliest classes are these labels."""
    return np.eye(n_classes)[labels] * 0.5 + 0.5 / n_classes


@given(st.integers(1, 40).flatmap(lambda n: st.tuples(labels(n), labels(n))))
def test_kappa_is_scikit_learns(pair):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = cohen_kappa_score(*pair)
    kappa = cohens_kappa(*pair)
    if len(set(pair[0]) | set(pair[1])) == 1:  # not defined: two classifiers that know one class
        assert kappa == 0.0
    else:
        assert kappa == pytest.approx(expected, abs=1e-12)
    assert -1 <= kappa <= 1


def test_kappa_by_hand():
    # 20 times both say yes, 5 and 10 times one alone does, 15 times both say no: A = 0.7, E = 0.5 * 0.6 + 0.5 * 0.4
    one = np.repeat([1, 1, 0, 0], [20, 5, 10, 15])
    other = np.repeat([1, 0, 1, 0], [20, 5, 10, 15])
    assert cohens_kappa(one, other) == pytest.approx((0.7 - 0.5) / (1 - 0.5))


@given(st.data(), st.integers(2, 5), st.integers(1, 4), st.floats(-1, 1))
def test_stable_predictions_compare_the_mean_of_the_last_kappas(data, n_classes, window, threshold):
    now, before = (data.draw(labels(30, n_classes)) for _ in range(2))
    values = np.array(data.draw(st.lists(st.floats(-1, 1), max_size=6)))
    arrays = one_hot(now, n_classes), one_hot(before, n_classes)
    kappa, met = stable_predictions(*arrays, values, threshold, window)
    assert kappa == cohens_kappa(now, before)
    last = [*values.tolist(), kappa][-window:]
    if len(last) < window:
        assert not met
    elif abs(sum(last) / window - threshold) > 1e-12:
        assert met == (sum(last) / window > threshold)


def test_three_equal_predictions_in_a_row_are_stable_by_default():
    predicted = one_hot(np.array([0, 1, 2, 1]), 3)
    assert stable_predictions(predicted, predicted, [1.0]) == (1.0, False)
    assert stable_predictions(predicted, predicted, [0.2, 1.0, 1.0]) == (1.0, True)
    assert stable_predictions(predicted, predicted, [1.0, 0.96]) == (1.0, False)  # a mean of 0.9867
    assert stable_predictions(predicted, predicted, [1.0, 0.98]) == (1.0, True)  # 0.9933


def test_a_classifier_that_knows_one_class_is_not_stable():
    constant = np.full((50, 2), [0.9, 0.1])
    assert stable_predictions(constant, constant, [0.0, 0.0]) == (0.0, False)


@given(st.data(), st.integers(1, 50), st.floats(0, 1))
def test_classification_change_counts_texts(data, n, threshold):
    now, before = (data.draw(labels(n)) for _ in range(2))
    changed = sum(a != b for a, b in zip(now.tolist(), before.tolist(), strict=True))
    value, met = classification_change(one_hot(now, 5), one_hot(before, 5), threshold)
    assert value == pytest.approx(changed / n)
    assert met == (value <= threshold)
    assert classification_change(one_hot(now, 5), one_hot(before, 5))[1] == (changed == 0)


@given(
    st.integers(2, 6).flatmap(
        lambda n_classes: arrays(
            np.float64, st.tuples(st.integers(1, 20), st.just(n_classes)), elements=st.floats(0, 1)
        )
    ),
    st.floats(0, 1),
)
def test_overall_uncertainty_is_the_mean_entropy(raw, threshold):
    total = raw.sum(axis=1, keepdims=True)
    probabilities = np.where(total > 0, raw / np.where(total > 0, total, 1), 1 / raw.shape[1])
    expected = entropy(probabilities, axis=1, base=raw.shape[1]).mean()
    value, met = overall_uncertainty(probabilities, threshold)
    assert value == pytest.approx(expected, abs=1e-9)
    assert met == (value < threshold)


def test_overall_uncertainty_does_not_depend_on_the_number_of_classes():
    for n_classes in (2, 6, 77):
        assert overall_uncertainty(np.full((3, n_classes), 1 / n_classes))[0] == pytest.approx(1)
        assert overall_uncertainty(np.eye(n_classes))[1]


def test_without_unlabeled_texts_there_is_nothing_to_measure():
    assert classification_change(np.zeros((0, 3)), np.zeros((0, 3))) is None
    assert overall_uncertainty(np.zeros((0, 3))) is None


@pytest.mark.parametrize(
    ("criterion", "options", "message"),
    [
        (lambda **o: stable_predictions(np.eye(2), np.eye(2), [], **o), {"threshold": 1.5}, "from -1 to 1; got 1.5"),
        (lambda **o: stable_predictions(np.eye(2), np.eye(2), [], **o), {"window": 0}, "whole number from 1 on; got 0"),
        (lambda **o: classification_change(np.eye(2), np.eye(2), **o), {"threshold": -0.1}, "from 0 to 1; got -0.1"),
        (lambda **o: overall_uncertainty(np.eye(2), **o), {"threshold": "low"}, "from 0 to 1; got 'low'"),
    ],
)
def test_options_out_of_range_are_named(criterion, options, message):
    with pytest.raises(StoppingError, match=message):
        criterion(**options)


def test_criteria_refuse_what_are_no_probabilities_and_no_labels():
    right, logits = np.array([[0.9, 0.1], [0.4, 0.6]]), np.array([[2.0, -1.0], [0.5, 0.5]])
    for criterion in (lambda now, before: stable_predictions(now, before, values=[]), classification_change):
        with pytest.raises(StoppingError, match="those of text 0 are none"):
            criterion(logits, right)
        with pytest.raises(StoppingError, match=r"one shape \(n, C\); got \(2, 2\) and \(1, 2\)"):
            criterion(right, right[:1])
    for one, other in (([0, 1], [0]), ([], []), ([0.5, 1.0], [0.0, 1.0]), ([-1, 0], [0, 0])):
        with pytest.raises(StoppingError, match="two arrays of the same n >= 1 labels"):
            cohens_kappa(np.array(one), np.array(other))
