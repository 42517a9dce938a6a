"""Acquisition scores against independent formulas, their bounds, and the registry's common form."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import rel_entr
from scipy.stats import entropy as scipy_entropy

from signal_env import acquisition
from signal_env.acquisition import acquisitions, top
from signal_env.prediction import Prediction


def random_prediction(rng, n, classes, d, dtype=np.float64):
    """Texts with Dirichlet probabilities and Gaussian encodings."""
    return Prediction(rng.dirichlet(np.ones(classes), size=n).astype(dtype), rng.normal(size=(n, d)).astype(dtype))


def neighbors_of(point, points, k, normalize):
    """`(index, distance)` of the k nearest points, by a plain loop."""
    if normalize:
        point, points = point / np.linalg.norm(point), [other / np.linalg.norm(other) for other in points]
    pairs = sorted((float(np.linalg.norm(point - other)), i) for i, other in enumerate(points))
    return [(i, distance) for distance, i in pairs[:k]]


def divergence(p, q):
    """KL(p || q) in nats."""
    return float(rel_entr(p, q).sum())


def paper_score(unlabeled, labeled, k, normalize):
    """s_x as section 4.2 writes it, a double loop over texts and neighbours."""
    scores = []
    for p, point in zip(*unlabeled, strict=True):
        near = neighbors_of(point, labeled.embeddings, k, normalize)
        terms = [divergence(p, labeled.probabilities[j]) / d if d > 0 else 0.0 for j, d in near]
        scores.append(sum(terms) / len(near))
    return np.array(scores)


def cal_score(unlabeled, labeled, k, normalize):
    """Contrastive active learning: the mean KL(neighbour || text)."""
    scores = []
    for p, point in zip(*unlabeled, strict=True):
        near = neighbors_of(point, labeled.embeddings, k, normalize)
        scores.append(sum(divergence(labeled.probabilities[j], p) for j, _ in near) / len(near))
    return np.array(scores)


problems = given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 12),
    m=st.integers(1, 25),
    classes=st.integers(2, 5),
    d=st.integers(2, 8),
    k=st.integers(1, 30),
    normalize=st.booleans(),
)


# The paper's score.


@problems
def test_signal_is_the_paper_s_formula(seed, n, m, classes, d, k, normalize):
    rng = np.random.default_rng(seed)
    unlabeled, labeled = random_prediction(rng, n, classes, d), random_prediction(rng, m, classes, d)
    scores = acquisition.signal(unlabeled, labeled, n_neighbors=k, normalize=normalize)
    expected = paper_score(unlabeled, labeled, k, normalize)
    np.testing.assert_allclose(scores, expected, rtol=1e-6, atol=1e-9)


@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(1, 15))
def test_signal_with_copies_and_ties_is_the_formula_too(seed, d, k):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(3), size=22)
    encodings = rng.integers(0, 2, size=(22, d)).astype(np.float64)  # many at distance 0, many equally far
    unlabeled, labeled = (Prediction(probabilities[part], encodings[part]) for part in (slice(8), slice(8, None)))
    scores = acquisition.signal(unlabeled, labeled, n_neighbors=k, normalize=False)
    np.testing.assert_allclose(scores, paper_score(unlabeled, labeled, k, False), rtol=1e-6, atol=1e-9)


def test_signal_in_single_precision_agrees_to_single_precision():
    rng = np.random.default_rng(0)
    unlabeled, labeled = (random_prediction(rng, n, 4, 16, np.float32) for n in (30, 50))
    scores = acquisition.signal(unlabeled, labeled)
    np.testing.assert_allclose(scores, paper_score(unlabeled, labeled, 10, True), rtol=1e-4)
    assert scores.dtype == np.float64


def test_the_paper_s_figure_1():
    # Two texts equally and highly contrastive with their neighbours; p is near them and q is far: s_p > s_q.
    labeled = Prediction(np.array([[0.9, 0.1], [0.9, 0.1]]), np.array([[0.0, 1.0], [0.0, -1.0]]))
    texts = Prediction(np.array([[0.1, 0.9], [0.1, 0.9]]), np.array([[1.0, 0.0], [7.0, 0.0]]))
    p, q = acquisition.signal(texts, labeled, n_neighbors=2, normalize=False)
    # KL = 0.1 log(1/9) + 0.9 log 9 = 0.8 log 9; distances sqrt(1 + 1) and sqrt(49 + 1).
    assert p == pytest.approx(0.8 * np.log(9) / np.sqrt(2), rel=1e-9)
    assert q == pytest.approx(0.8 * np.log(9) / np.sqrt(50), rel=1e-9)
    assert p == pytest.approx(5 * q, rel=1e-9)
    # Measures of uncertainty cannot tell them apart.
    for blind in (acquisition.entropy, acquisition.margin, acquisition.least_confidence):
        assert blind(texts)[0] == blind(texts)[1]


def test_more_neighbours_than_labeled_texts_are_all_of_them():
    rng = np.random.default_rng(0)
    unlabeled, labeled = random_prediction(rng, 5, 2, 3), random_prediction(rng, 4, 2, 3)
    np.testing.assert_array_equal(
        acquisition.signal(unlabeled, labeled, n_neighbors=100), acquisition.signal(unlabeled, labeled, n_neighbors=4)
    )


def test_a_copy_of_the_only_labeled_text_teaches_nothing():
    labeled = Prediction(np.array([[0.9, 0.1]]), np.array([[1.0, 2.0]]))
    assert acquisition.signal(Prediction(np.array([[0.1, 0.9]]), labeled.embeddings), labeled).tolist() == [0.0]


def test_a_neighbour_at_distance_zero_still_counts_among_the_k():
    labeled = Prediction(np.array([[0.9, 0.1], [0.5, 0.5]]), np.array([[0.0], [2.0]]))
    text = Prediction(np.array([[0.1, 0.9]]), np.array([[0.0]]))
    # The far neighbour alone contributes: (0.1 log 0.2 + 0.9 log 1.8) / 2, halved by k = 2.
    expected = (0.1 * np.log(0.2) + 0.9 * np.log(1.8)) / 2 / 2
    assert acquisition.signal(text, labeled, n_neighbors=2, normalize=False)[0] == pytest.approx(expected, rel=1e-9)


def test_equal_predictions_contrast_with_nothing():
    rng = np.random.default_rng(0)
    same = np.tile(rng.dirichlet(np.ones(3)), (20, 1))
    unlabeled, labeled = (Prediction(same[:10], rng.normal(size=(10, 4))) for _ in range(2))
    for score in (acquisition.signal, acquisition.cal):
        np.testing.assert_allclose(score(unlabeled, labeled), 0, atol=1e-12)


def test_normalising_forgets_the_encodings_lengths_and_raw_does_not():
    rng = np.random.default_rng(0)
    unlabeled, labeled = random_prediction(rng, 6, 2, 4), random_prediction(rng, 9, 2, 4)
    longer = Prediction(unlabeled.probabilities, unlabeled.embeddings * rng.uniform(2, 50, size=(6, 1)))
    one, other = (acquisition.signal(texts, labeled, normalize=True) for texts in (unlabeled, longer))
    np.testing.assert_allclose(one, other, rtol=1e-9)
    one, other = (acquisition.signal(texts, labeled, normalize=False) for texts in (unlabeled, longer))
    assert (one > other).all()


def test_certain_predictions_give_large_finite_scores():
    labeled = Prediction(np.array([[1.0, 0.0]]), np.array([[0.0]]))
    texts = Prediction(np.array([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]]), np.array([[1.0], [1.0], [1.0]]))
    opposite, same, undecided = acquisition.signal(texts, labeled, normalize=False)
    # With zero clipped to e, KL((0, 1) || (1, 0)) is log 1/e, and half of that (less log 2) for the undecided text.
    assert opposite == pytest.approx(-np.log(acquisition.SMALLEST), rel=1e-6)
    assert same == 0
    assert undecided == pytest.approx(-np.log(acquisition.SMALLEST) / 2 - np.log(2), rel=1e-6)


@st.composite
def wild_predictions(draw):
    """Probabilities that may be 0 or 1, encodings of any size, copies of one another."""
    classes, d = draw(st.integers(2, 4)), draw(st.integers(1, 3))
    weights = st.one_of(st.just(0.0), st.floats(1e-30, 1.0))
    numbers = st.one_of(st.sampled_from([0.0, 1.0, -1.0, 1e-30, 1e6]), st.floats(-1e9, 1e9, width=32))

    def one(n):
        rows = draw(hnp.arrays(np.float64, (n, classes), elements=weights))
        rows[rows.sum(axis=1) == 0, 0] = 1.0
        return Prediction(
            rows / rows.sum(axis=1, keepdims=True), draw(hnp.arrays(np.float32, (n, d), elements=numbers, fill=numbers))
        )

    return one(draw(st.integers(1, 4))), one(draw(st.integers(1, 6)))


@given(wild_predictions(), st.integers(1, 8), st.booleans(), st.sampled_from(["signal", "cal"]))
def test_contrast_is_always_finite_and_never_negative(predictions, k, normalize, name):
    unlabeled, labeled = predictions
    scores = acquisitions[name](unlabeled, labeled, n_neighbors=k, normalize=normalize, rng=None)
    assert scores.shape == (len(unlabeled.probabilities),)
    assert np.isfinite(scores).all()
    assert (scores >= 0).all()


# The baselines.


@problems
def test_cal_is_its_own_formula(seed, n, m, classes, d, k, normalize):
    rng = np.random.default_rng(seed)
    unlabeled, labeled = random_prediction(rng, n, classes, d), random_prediction(rng, m, classes, d)
    scores = acquisition.cal(unlabeled, labeled, n_neighbors=k, normalize=normalize)
    np.testing.assert_allclose(scores, cal_score(unlabeled, labeled, k, normalize), rtol=1e-6, atol=1e-9)


def test_cal_goes_from_the_neighbour_to_the_text_and_signal_the_other_way():
    labeled = Prediction(np.array([[0.5, 0.5]]), np.array([[0.0]]))
    text = Prediction(np.array([[0.9, 0.1]]), np.array([[1.0]]))  # at distance 1
    options = {"n_neighbors": 1, "normalize": False}
    forth = 0.9 * np.log(0.9 / 0.5) + 0.1 * np.log(0.1 / 0.5)  # KL(text || neighbour) = 0.368
    back = 0.5 * np.log(0.5 / 0.9) + 0.5 * np.log(0.5 / 0.1)  # KL(neighbour || text) = 0.511
    assert acquisition.signal(text, labeled, **options)[0] == pytest.approx(forth, rel=1e-9)
    assert acquisition.cal(text, labeled, **options)[0] == pytest.approx(back, rel=1e-9)
    far = Prediction(text.probabilities, np.array([[4.0]]))
    assert acquisition.signal(far, labeled, **options)[0] == pytest.approx(forth / 4, rel=1e-9)
    assert acquisition.cal(far, labeled, **options)[0] == pytest.approx(back, rel=1e-9)


@given(wild_predictions())
def test_entropy_is_scipy_s(predictions):
    texts, _ = predictions
    np.testing.assert_allclose(
        acquisition.entropy(texts), scipy_entropy(texts.probabilities, axis=1), rtol=1e-6, atol=1e-9
    )


@given(wild_predictions())
def test_margin_is_one_minus_the_lead(predictions):
    texts, _ = predictions
    expected = []
    for row in texts.probabilities.tolist():
        first = max(row)
        row.remove(first)
        expected.append(1 - (first - max(row)))
    np.testing.assert_allclose(acquisition.margin(texts), expected, rtol=1e-12, atol=1e-12)


@given(wild_predictions())
def test_least_confidence_is_the_probability_of_being_wrong(predictions):
    texts, _ = predictions
    # The probability of all the other classes.
    expected = [sum(row) - max(row) for row in texts.probabilities.tolist()]
    np.testing.assert_allclose(acquisition.least_confidence(texts), expected, rtol=1e-9, atol=1e-12)


def test_random_is_uniform_and_follows_its_seed():
    texts = Prediction(np.full((4000, 2), 0.5), np.zeros((4000, 1)))
    scores = acquisition.random(texts, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(scores, acquisition.random(texts, rng=np.random.default_rng(1)))
    assert (scores != acquisition.random(texts, rng=np.random.default_rng(2))).any()
    assert scores.min() >= 0
    assert scores.max() < 1
    # Each quarter holds 1000 of 4000 scores, with a standard deviation of sqrt(4000 * 0.25 * 0.75) = 27.
    assert np.histogram(scores, bins=4, range=(0, 1))[0] == pytest.approx(1000, abs=140)


# Every registered function.


@pytest.mark.parametrize("name", list(acquisitions))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_function_takes_the_common_call(name, dtype):
    rng = np.random.default_rng(0)
    unlabeled, labeled = random_prediction(rng, 17, 3, 5, dtype), random_prediction(rng, 4, 3, 5, dtype)
    for normalize in (True, False):
        scores = acquisitions[name](unlabeled, labeled, n_neighbors=10, normalize=normalize, rng=rng)
        assert scores.shape == (17,)
        assert np.isfinite(scores).all()
        assert np.unique(scores).size > 1


@pytest.mark.parametrize("name", [name for name in acquisitions if name != "random"])
def test_a_text_s_score_does_not_depend_on_its_place_or_company(name):
    rng = np.random.default_rng(0)
    unlabeled, labeled = random_prediction(rng, 60, 3, 8, np.float32), random_prediction(rng, 40, 3, 8, np.float32)

    def score(texts, known=labeled):
        return acquisitions[name](texts, known, n_neighbors=5, normalize=True, rng=None)

    order, scores = rng.permutation(60), score(unlabeled)
    np.testing.assert_array_equal(score(unlabeled.rows(order)), scores[order])
    np.testing.assert_array_equal(np.concatenate([score(unlabeled.rows([i])) for i in range(60)]), scores)
    np.testing.assert_allclose(score(unlabeled, labeled.rows(rng.permutation(40))), scores, rtol=1e-12)


# Choosing.


def test_top_takes_the_highest_first_and_equals_by_index():
    assert top(np.array([0.5, 2.0, 0.5, 2.0, 1.0]), 4).tolist() == [1, 3, 4, 0]
    assert top(np.zeros(200), 50).tolist() == list(range(50))
    assert top(np.array([1.0, 2.0]), 5).tolist() == [1, 0]
    assert top(np.array([1.0, 2.0]), 0).tolist() == []


@given(st.lists(st.sampled_from([0.0, -0.0, 0.25, 1.0, 1e9]), max_size=60), st.integers(0, 60))
def test_top_is_a_stable_sort(scores, n):
    expected = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:n]
    assert top(np.array(scores), n).tolist() == expected
