"""The solver: a zero gradient, scikit-learn's minimum, and bit-identical results."""

import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from scipy.special import logsumexp, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.utils.class_weight import compute_sample_weight

from signal_env.classifiers.linear import LinearClassifier
from signal_env.classifiers.logistic import balanced, fit_logistic
from signal_env.tasks import get_task
from signal_env.utils.threads import on_one_thread


def problem(n, d, n_classes, seed=0):
    """Return rows of length 1 around one mean, as encoders produce them, with overlapping classes, and labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(n_classes, size=n)
    labels[:n_classes] = np.arange(n_classes)
    x = rng.normal(size=(n, d)) + 2 * rng.normal(size=d) + 3 * rng.normal(size=(n_classes, d))[labels] / np.sqrt(d)
    return x / np.linalg.norm(x, axis=1, keepdims=True), labels


def gradient(x, labels, weights, bias, c):
    logits = x @ weights.T + bias
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    error = c * (p - np.eye(len(bias))[labels])
    return np.hstack([error.T @ x + weights, error.sum(axis=0)[:, None]])


SIZES = [(15, 128, 2), (500, 128, 2), (300, 40, 4), (6, 3, 3)]


@pytest.mark.parametrize("c", [1e-9, 0.01, 1.0, 100.0])
@pytest.mark.parametrize("size", SIZES)
def test_the_gradient_vanishes(size, c):
    x, labels = problem(*size)
    weights, bias = fit_logistic(x, labels, size[2], c)
    assert np.abs(gradient(x, labels, weights, bias, c)).max() <= 1e-8 * max(1, c)
    assert abs(bias.sum()) <= 1e-8 * max(1, c)
    assert np.abs(weights.sum(axis=0)).max() <= 1e-8 * max(1, c)


@pytest.mark.parametrize("c", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("size", [(500, 128, 2), (300, 40, 4)])
def test_it_is_scikit_learns_minimum(size, c):
    x, labels = problem(*size)
    weights, bias = fit_logistic(x, labels, size[2], c)
    # For two classes scikit-learn has one weight vector, the difference of ours, which halves the penalty.
    peer = LogisticRegression(C=2 * c if size[2] == 2 else c, tol=1e-12, max_iter=1000, solver="newton-cholesky")
    peer.fit(x, labels)
    expected = peer.predict_proba(x)
    logits = x @ weights.T + bias
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert np.allclose(p, expected, rtol=0, atol=1e-8)


def test_a_class_without_labels_and_a_single_text():
    x, _ = problem(8, 5, 2)
    weights, bias = fit_logistic(x, np.array([0, 2, 0, 2, 2, 0, 2, 2]), 3, 1.0)
    assert ((x @ weights.T + bias).argmax(axis=1) != 1).all()
    weights, bias = fit_logistic(x[:1], np.array([1]), 3, 1.0)
    assert (x @ weights.T + bias).argmax(axis=1).tolist() == [1] * 8


@pytest.mark.parametrize("c", [1e-12, 1e-9])
def test_the_bias_is_free_however_small_c_is(c):
    x, _ = problem(15, 8, 2)
    weights, bias = fit_logistic(x, np.array([0] * 12 + [1] * 3), 2, c)
    logits = x @ weights.T + bias
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert np.allclose(p, [0.8, 0.2], atol=1e-6)


def test_forty_texts_of_seventeen_classes_among_seventy_seven():
    x, labels = np.eye(40, 64), np.r_[np.zeros(24, int), np.arange(1, 17)]
    weights, bias = fit_logistic(x, labels, 77, 1.0)
    assert np.abs(gradient(x, labels, weights[:17], bias[:17], 1.0)).max() <= 1e-8
    assert not weights[17:].any()


def random_problem(seed):
    """Return inputs, labels, the number of classes, C and weights of texts, of every difficult kind."""
    rng = np.random.default_rng(seed)
    n, d, n_classes = rng.integers(1, 150), rng.integers(2, 60), rng.integers(2, 151)
    kinds = [
        rng.integers(n_classes, size=n),
        np.where(rng.random(n) < 0.8, rng.integers(n_classes), rng.integers(n_classes, size=n)),  # one has most labels
        rng.choice(rng.permutation(n_classes)[: 1 + n_classes // 3], size=n),  # many have none
    ]
    labels = kinds[seed % 3]
    x = rng.normal(size=(n, d)) + rng.choice([0, 1, 10]) * rng.normal(size=(n_classes, d))[labels] / np.sqrt(d)
    rows = rng.integers(1 + n // 2, size=n) if rng.random() < 0.3 else np.arange(n)  # duplicated rows
    weights = rng.uniform(0.1, 10, size=n) if rng.random() < 0.5 else np.ones(n)
    return x[rows], labels[rows], int(n_classes), 10 ** rng.uniform(-3, 6), weights


@pytest.mark.parametrize("seed", range(60))
def test_random_problems_are_solved_to_scikit_learns_minimum_or_below(seed):
    x, labels, n_classes, c, share = random_problem(seed)
    weights, bias = fit_logistic(x, labels, n_classes, c, share)
    present, classes = np.unique(labels, return_inverse=True)
    absent = np.setdiff1d(np.arange(n_classes), present)
    assert (softmax(x @ weights.T + bias, axis=1)[:, absent] < 2.1e-9).all()
    weights, bias = weights[present], bias[present]
    assert abs(bias.sum()) <= 1e-6

    def objective(weights, bias):
        logits = x @ weights.T + bias
        return share @ (logsumexp(logits, axis=1) - logits[np.arange(len(x)), classes]) + (weights**2).sum() / (2 * c)

    logits = x @ weights.T + bias
    error = (softmax(logits, axis=1) - np.eye(len(present))[classes]) * share[:, None]
    assert np.abs(error.T @ x + weights / c).max() <= 1e-6
    assert np.abs(error.sum(axis=0)).max() <= 1e-6
    if len(present) > 1:
        peer = LogisticRegression(C=2 * c if len(present) == 2 else c, tol=1e-8, max_iter=300)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # It does not converge for every C.
            peer.fit(x, classes, share)
        coef, intercept = peer.coef_, peer.intercept_
        if len(present) == 2:
            coef, intercept = np.vstack([-coef, coef]) / 2, np.r_[-intercept, intercept] / 2
        assert objective(weights, bias) <= objective(coef, intercept) * (1 + 1e-9) + 1e-12


def test_balanced_weights_are_scikit_learns():
    labels = np.array([0, 0, 0, 2, 2, 5])
    assert np.allclose(balanced(labels), compute_sample_weight("balanced", labels))


def test_no_convergence_is_an_error(monkeypatch):
    monkeypatch.setattr("signal_env.classifiers.logistic.NEWTON_STEPS", 1)
    with pytest.raises(ValueError, match=r"with C = 100 did not converge: the largest coordinate of the gradient is"):
        fit_logistic(*problem(200, 128, 2), 2, 100.0)


@pytest.mark.parametrize("c", [0, -1, float("nan"), float("inf"), 1e13, "1"])
def test_c_is_a_positive_number(c):
    with pytest.raises(ValueError, match="inverse_regularization to be a number above 0 and at most 1e12; got"):
        LinearClassifier(get_task("reviews"), "embedded", inverse_regularization=c)


def test_it_repeats_to_the_bit_on_every_thread():
    x, labels = problem(200, 128, 2)
    fitted = [on_one_thread(fit_logistic, x, labels, 2, 1.0)]
    together = threading.Barrier(2)

    def fit():
        together.wait(timeout=60)  # Gives each call its own thread.
        return fit_logistic(x.copy(), labels, 2, 1.0), threading.get_ident()

    with ThreadPoolExecutor(2, initializer=lambda: torch.set_num_threads(1)) as pool:
        answers = [future.result() for future in [pool.submit(fit) for _ in range(2)]]
    assert len({thread for _, thread in answers}) == 2
    fitted += [answer for answer, _ in answers]
    for weights, bias in fitted:
        assert np.array_equal(weights, fitted[0][0])
        assert np.array_equal(bias, fitted[0][1])
