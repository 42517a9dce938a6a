"""Expected error reduction against training scikit-learn's logistic regression anew with each label of each text."""

import numpy as np
import pytest
from scipy.stats import entropy, spearmanr
from sklearn.linear_model import LogisticRegression

from signal_env.acquisition import AcquisitionError, expected_error_reduction
from signal_env.acquisition import error_reduction as module
from signal_env.utils.prediction import Prediction, softmax


def problem(classes, d, m, n, seed=0):
    """Return the inputs and labels of labeled texts, and the inputs of the pool and of n other texts."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(classes, d))

    def draw(size):
        y = rng.permutation(np.arange(size) % classes)
        x = centers[y] + 2 * rng.normal(size=(size, d))
        return x / np.linalg.norm(x, axis=1, keepdims=True), y

    (x, y), (pool, _), (texts, _) = draw(m), draw(100), draw(n)
    return x, y, pool, texts


def trained(x, y, c=1.0):
    c *= 1 + (
        len(set(y)) == 2
    )  # scikit-learn has one vector of weights for two classes, where a softmax has two halves
    return LogisticRegression(C=c, class_weight="balanced", tol=1e-8, max_iter=2000).fit(x, y).predict_proba


def scores(x, y, pool, texts, c=1.0):
    """Return the scores of texts, and those by training anew."""
    predict = trained(x, y, c)
    known = Prediction(predict(x), x), y
    found = expected_error_reduction(
        predict(texts), texts, *known, pool=Prediction(predict(pool), pool), inverse_regularization=c
    )
    before, expected = entropy(predict(pool), axis=1).mean(), []
    for text, p in zip(texts, predict(texts), strict=True):
        after = [entropy(trained(np.vstack([x, text]), np.append(y, k), c)(pool), axis=1).mean() for k in range(len(p))]
        expected.append(before - p @ after)
    return found, np.array(expected)


def by_newton(x, y, pool, texts):
    """Return the scores by one Newton step with the whole Hessian, in `d + 1` dimensions, for each text and label."""
    classes, d = y.max() + 1, x.shape[1] + 1
    predict, one_hot = trained(x, y), np.eye(y.max() + 1)
    inputs, targets, q = np.c_[x, np.ones(len(x))], np.c_[pool, np.ones(len(pool))], predict(pool)

    def balanced(y):
        return len(y) / (classes * np.bincount(y)[y])

    p, found = predict(x), []
    hessian = np.einsum("i,iab,ir,is->arbs", balanced(y), p[:, :, None] * (one_hot - p[:, None]), inputs, inputs)
    hessian = hessian.reshape(classes * d, -1) + np.diag(np.tile(np.append(np.ones(d - 1), 1e-10), classes))
    for text in texts:
        z, own, after = np.append(text, 1), predict(text[None])[0], []
        for k in range(classes):
            weights = balanced(np.append(y, k))
            changed = weights[:-1] - balanced(y)
            gradient = np.einsum("i,ia,ir->ar", changed, p - one_hot[y], inputs)
            gradient += weights[-1] * np.outer(own - one_hot[k], z)
            more = weights[-1] * np.kron(np.diag(own) - np.outer(own, own), np.outer(z, z))
            step = -np.linalg.solve(hessian + more, gradient.ravel()).reshape(classes, d)
            after.append(entropy(softmax(np.log(q) + targets @ step.T), axis=1).mean())
        found.append(entropy(q, axis=1).mean() - own @ after)
    return np.array(found)


@pytest.mark.parametrize(("classes", "d", "m"), [(2, 64, 14), (2, 20, 60), (4, 30, 40), (6, 12, 90)])
def test_it_is_one_newton_step_and_ranks_texts_as_training_anew_does(classes, d, m, monkeypatch):
    given = problem(classes, d, m, 25)
    found, expected = scores(*given)
    np.testing.assert_allclose(found, by_newton(*given), rtol=1e-3, atol=1e-8)
    assert spearmanr(found, expected).statistic > 0.94
    assert abs(np.polyfit(expected, found, 1)[0] - 1) < 0.15
    monkeypatch.setattr(module, "FULL_CURVATURE", 0)  # without the curvature between classes
    assert spearmanr(scores(*given)[0], expected).statistic > 0.75


def test_a_small_step_is_exact():
    """With strong regularization the head hardly moves, and the Newton step is the whole way."""
    found, expected = scores(*problem(3, 10, 60, 12), c=0.01)
    np.testing.assert_allclose(found, expected, rtol=0.05, atol=1e-9)


def test_without_a_pool_the_texts_are_the_pool():
    x, y, pool, _ = problem(3, 8, 20, 1)
    predict = trained(x, y)
    texts, labeled = Prediction(predict(pool), pool), Prediction(predict(x), x)
    expected = expected_error_reduction(*texts, labeled, y, pool=texts)
    np.testing.assert_array_equal(expected_error_reduction(*texts, labeled, y), expected)


def test_classes_without_labels_do_not_count():
    x, y, pool, texts = problem(3, 8, 20, 6)
    predict = trained(x, y)

    def wider(p):
        return np.insert(p, 1, 0.0, axis=1)  # a class without labels

    found = [
        expected_error_reduction(of(predict(texts)), texts, Prediction(of(predict(x)), x), labels,
                                 pool=Prediction(of(predict(pool)), pool))
        for of, labels in ((lambda p: p, y), (wider, y + (y > 0)))
    ]  # fmt: skip
    np.testing.assert_allclose(*found, rtol=1e-9)
    one_class = expected_error_reduction(
        np.full((4, 2), 0.5), texts[:4], Prediction(np.full((20, 2), 0.5), x), np.zeros(20, int)
    )
    assert one_class.tolist() == [0.0] * 4


def test_many_classes_and_copies_give_finite_scores():
    x, y, pool, texts = problem(40, 16, 90, 10)
    predict = trained(x, y)
    x, y = np.vstack([x, x[:5]]), np.append(y, y[:5])
    found = expected_error_reduction(
        predict(texts), texts, Prediction(predict(x), x), y, pool=Prediction(predict(pool), pool)
    )
    assert np.isfinite(found).all()
    assert len(set(found)) == 10


def test_labels_that_do_not_fit_are_told_so():
    with pytest.raises(AcquisitionError, match=r"Expected labels of the shape \(3,\); got \(2,\)"):
        expected_error_reduction(
            np.full((4, 2), 0.5), np.ones((4, 3)), Prediction(np.full((3, 2), 0.5), np.ones((3, 3))), np.array([0, 1])
        )
