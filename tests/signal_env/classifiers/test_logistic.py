"""The solver: a zero gradient, scikit-learn's minimum, and bit-identical results."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from signal_env.classifiers.linear import LinearClassifier
from signal_env.classifiers.logistic import fit_logistic
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
