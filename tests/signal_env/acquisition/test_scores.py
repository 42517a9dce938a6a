"""Scores against independent formulas, their bounds, and the batches that `select` makes of them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import cdist
from scipy.special import rel_entr
from scipy.stats import entropy as scipy_entropy

from signal_env import acquisition
from signal_env.acquisition import acquisitions, contrastive, select
from signal_env.acquisition.neighbors import nearest
from signal_env.utils.prediction import Prediction


def random_prediction(rng, n, classes, d, dtype=np.float64):
    """Texts with Dirichlet probabilities and Gaussian encodings."""
    return Prediction(rng.dirichlet(np.ones(classes), size=n).astype(dtype), rng.normal(size=(n, d)).astype(dtype))


def neighbors_of(point, points, k, normalize):
    """`(index, distance)` of the k nearest points in double precision, by a plain loop."""
    point, points = point.astype(np.float64), points.astype(np.float64)
    if normalize:
        point, points = point / np.linalg.norm(point), [other / np.linalg.norm(other) for other in points]
    pairs = sorted((float(np.linalg.norm(point - other)), i) for i, other in enumerate(points))
    return [(i, distance) for distance, i in pairs[:k]]


def divergence(p, q):
    """KL(p || q) in nats."""
    return float(rel_entr(p.astype(np.float64), q.astype(np.float64)).sum())


def paper_score(unlabeled, labeled, k, normalize):
    """s_x as section 4.2 writes it, a double loop over texts and neighbors."""
    scores = []
    for p, point in zip(*unlabeled, strict=True):
        near = neighbors_of(point, labeled.embeddings, k, normalize)
        terms = [divergence(p, labeled.probabilities[j]) / d if d > 0 else 0.0 for j, d in near]
        scores.append(sum(terms) / len(near))
    return np.array(scores)


def cal_score(unlabeled, labeled, k, normalize):
    """Contrastive active learning: the mean KL(neighbor || text)."""
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
    scores = acquisition.signal(*unlabeled, labeled, n_neighbors=k, normalize=normalize)
    expected = paper_score(unlabeled, labeled, k, normalize)
    np.testing.assert_allclose(scores, expected, rtol=1e-6, atol=1e-9)


@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(1, 15))
def test_signal_with_copies_and_ties_is_the_formula_too(seed, d, k):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(3), size=22)
    encodings = rng.integers(0, 2, size=(22, d)).astype(np.float64)  # many at distance 0, many equally far
    unlabeled, labeled = (Prediction(probabilities[part], encodings[part]) for part in (slice(8), slice(8, None)))
    scores = acquisition.signal(*unlabeled, labeled, n_neighbors=k, normalize=False)
    np.testing.assert_allclose(scores, paper_score(unlabeled, labeled, k, False), rtol=1e-6, atol=1e-9)


def test_signal_in_single_precision_agrees_to_single_precision():
    rng = np.random.default_rng(0)
    unlabeled, labeled = (random_prediction(rng, n, 4, 16, np.float32) for n in (30, 50))
    scores = acquisition.signal(*unlabeled, labeled)
    np.testing.assert_allclose(scores, paper_score(unlabeled, labeled, 10, True), rtol=1e-4)
    assert scores.dtype == np.float64


def test_the_paper_s_figure_1():
    # Two texts equally and highly contrastive with their neighbors; p is near them and q is far: s_p > s_q.
    labeled = Prediction(np.array([[0.9, 0.1], [0.9, 0.1]]), np.array([[0.0, 1.0], [0.0, -1.0]]))
    texts = Prediction(np.array([[0.1, 0.9], [0.1, 0.9]]), np.array([[1.0, 0.0], [7.0, 0.0]]))
    p, q = acquisition.signal(*texts, labeled, n_neighbors=2, normalize=False)
    # KL = 0.1 log(1/9) + 0.9 log 9 = 0.8 log 9; distances sqrt(1 + 1) and sqrt(49 + 1).
    assert p == pytest.approx(0.8 * np.log(9) / np.sqrt(2), rel=1e-9)
    assert q == pytest.approx(0.8 * np.log(9) / np.sqrt(50), rel=1e-9)
    assert p == pytest.approx(5 * q, rel=1e-9)
    # Measures of uncertainty cannot tell them apart.
    for blind in (acquisition.entropy, acquisition.margin, acquisition.least_confidence):
        assert blind(texts.probabilities)[0] == blind(texts.probabilities)[1]


def test_more_neighbors_than_labeled_texts_are_all_of_them():
    rng = np.random.default_rng(0)
    unlabeled, labeled = random_prediction(rng, 5, 2, 3), random_prediction(rng, 4, 2, 3)
    np.testing.assert_array_equal(
        acquisition.signal(*unlabeled, labeled, n_neighbors=100), acquisition.signal(*unlabeled, labeled, n_neighbors=4)
    )


def test_a_copy_of_the_only_labeled_text_teaches_nothing():
    labeled = Prediction(np.array([[0.9, 0.1]]), np.array([[1.0, 2.0]]))
    assert acquisition.signal(np.array([[0.1, 0.9]]), labeled.embeddings, labeled).tolist() == [0.0]


def test_a_neighbor_at_distance_zero_still_counts_among_the_k():
    labeled = Prediction(np.array([[0.9, 0.1], [0.5, 0.5]]), np.array([[0.0], [2.0]]))
    text = Prediction(np.array([[0.1, 0.9]]), np.array([[0.0]]))
    # The far neighbor alone contributes: (0.1 log 0.2 + 0.9 log 1.8) / 2, halved by k = 2.
    expected = (0.1 * np.log(0.2) + 0.9 * np.log(1.8)) / 2 / 2
    assert acquisition.signal(*text, labeled, n_neighbors=2, normalize=False)[0] == pytest.approx(expected, rel=1e-9)


def test_equal_predictions_contrast_with_nothing():
    rng = np.random.default_rng(0)
    same = np.tile(rng.dirichlet(np.ones(3)), (20, 1))
    unlabeled, labeled = (Prediction(same[:10], rng.normal(size=(10, 4))) for _ in range(2))
    for score in (acquisition.signal, acquisition.cal):
        np.testing.assert_allclose(score(*unlabeled, labeled), 0, atol=1e-12)


def test_normalizing_forgets_the_encodings_lengths_and_raw_does_not():
    rng = np.random.default_rng(0)
    unlabeled, labeled = random_prediction(rng, 6, 2, 4), random_prediction(rng, 9, 2, 4)
    longer = Prediction(unlabeled.probabilities, unlabeled.embeddings * rng.uniform(2, 50, size=(6, 1)))
    one, other = (acquisition.signal(*texts, labeled, normalize=True) for texts in (unlabeled, longer))
    np.testing.assert_allclose(one, other, rtol=1e-9)
    one, other = (acquisition.signal(*texts, labeled, normalize=False) for texts in (unlabeled, longer))
    assert (one > other).all()


def test_certain_predictions_give_large_finite_scores():
    labeled = Prediction(np.array([[1.0, 0.0]]), np.array([[0.0]]))
    texts = Prediction(np.array([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]]), np.array([[1.0], [1.0], [1.0]]))
    opposite, same, undecided = acquisition.signal(*texts, labeled, normalize=False)
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
    scores = acquisitions[name](*unlabeled, labeled, n_neighbors=k, normalize=normalize)
    assert scores.shape == (len(unlabeled.probabilities),)
    assert np.isfinite(scores).all()
    assert (scores >= 0).all()


def test_a_direction_that_does_not_exist_is_refused():
    rng = np.random.default_rng(0)
    unlabeled, labeled = random_prediction(rng, 3, 2, 4), random_prediction(rng, 3, 2, 4)
    with pytest.raises(ValueError, match="direction must be 'unlabeled' or 'labeled'; got 'both'"):
        contrastive(*unlabeled, labeled, direction="both", divide_by_distance=True)


def test_the_four_contrasts_are_the_formula_s_four_forms():
    rng = np.random.default_rng(1)
    unlabeled, labeled = random_prediction(rng, 9, 3, 4), random_prediction(rng, 20, 3, 4)
    for direction in ("unlabeled", "labeled"):
        for divide in (True, False):
            scores = contrastive(
                *unlabeled, labeled, n_neighbors=5, normalize=True, direction=direction, divide_by_distance=divide
            )
            for score, p, point in zip(scores, *unlabeled, strict=True):
                terms = []
                for j, distance in neighbors_of(point, labeled.embeddings, 5, True):
                    pair = (p, labeled.probabilities[j]) if direction == "unlabeled" else (labeled.probabilities[j], p)
                    terms.append(divergence(*pair) / (distance if divide else 1.0))
                assert score == pytest.approx(np.mean(terms), rel=1e-9)


@pytest.mark.parametrize("normalize", [True, False])
def test_find_neighbors_is_the_search_that_the_scores_use(normalize):
    rng = np.random.default_rng(2)
    texts, labeled = rng.normal(size=(7, 4)), rng.normal(size=(20, 4))
    found = acquisition.find_neighbors(texts, labeled, 6, normalize)
    for i, point in enumerate(texts):
        expected = neighbors_of(point, labeled, 6, normalize)
        assert found.indices[i].tolist() == [j for j, _ in expected]
        assert found.distances[i] == pytest.approx([distance for _, distance in expected], rel=1e-12)


# The baselines.


@problems
def test_cal_is_its_own_formula(seed, n, m, classes, d, k, normalize):
    rng = np.random.default_rng(seed)
    unlabeled, labeled = random_prediction(rng, n, classes, d), random_prediction(rng, m, classes, d)
    scores = acquisition.cal(*unlabeled, labeled, n_neighbors=k, normalize=normalize)
    np.testing.assert_allclose(scores, cal_score(unlabeled, labeled, k, normalize), rtol=1e-6, atol=1e-9)


def test_cal_goes_from_the_neighbor_to_the_text_and_signal_the_other_way():
    labeled = Prediction(np.array([[0.5, 0.5]]), np.array([[0.0]]))
    text = Prediction(np.array([[0.9, 0.1]]), np.array([[1.0]]))  # at distance 1
    options = {"n_neighbors": 1, "normalize": False}
    forth = 0.9 * np.log(0.9 / 0.5) + 0.1 * np.log(0.1 / 0.5)  # KL(text || neighbor) = 0.368
    back = 0.5 * np.log(0.5 / 0.9) + 0.5 * np.log(0.5 / 0.1)  # KL(neighbor || text) = 0.511
    assert acquisition.signal(*text, labeled, **options)[0] == pytest.approx(forth, rel=1e-9)
    assert acquisition.cal(*text, labeled, **options)[0] == pytest.approx(back, rel=1e-9)
    far = Prediction(text.probabilities, np.array([[4.0]]))
    assert acquisition.signal(*far, labeled, **options)[0] == pytest.approx(forth / 4, rel=1e-9)
    assert acquisition.cal(*far, labeled, **options)[0] == pytest.approx(back, rel=1e-9)
    assert acquisition.informativeness(*far, labeled, **options)[0] == pytest.approx(forth, rel=1e-9)
    assert acquisition.relevance(far.embeddings, labeled, **options)[0] == pytest.approx(1 / 4, rel=1e-9)
    assert acquisition.relevance(labeled.embeddings, labeled, **options)[0] == 0.0  # the copy of a labeled text


@given(wild_predictions())
def test_entropy_is_scipy_s(predictions):
    (probabilities, _), _ = predictions
    np.testing.assert_allclose(
        acquisition.entropy(probabilities), scipy_entropy(probabilities, axis=1), rtol=1e-6, atol=1e-9
    )


@given(wild_predictions())
def test_margin_is_one_minus_the_lead(predictions):
    (probabilities, _), _ = predictions
    expected = []
    for row in probabilities.tolist():
        first = max(row)
        row.remove(first)
        expected.append(1 - (first - max(row)))
    np.testing.assert_allclose(acquisition.margin(probabilities), expected, rtol=1e-12, atol=1e-12)


@given(wild_predictions())
def test_least_confidence_is_the_probability_of_being_wrong(predictions):
    (probabilities, _), _ = predictions
    # The probability of all the other classes.
    expected = [sum(row) - max(row) for row in probabilities.tolist()]
    np.testing.assert_allclose(acquisition.least_confidence(probabilities), expected, rtol=1e-9, atol=1e-12)


def bald_score(dropout):
    """The mutual information of label and weights as the mean KL(a pass || the mean of the passes)."""
    dropout = dropout.astype(np.float64)
    scores = []
    for text in range(dropout.shape[1]):
        passes = dropout[:, text]
        scores.append(float(np.mean([rel_entr(one, passes.mean(axis=0)).sum() for one in passes])))
    return np.array(scores)


@given(st.integers(0, 10**6), st.integers(1, 9), st.integers(1, 12), st.integers(2, 5))
def test_bald_is_the_mean_divergence_of_the_passes_from_their_mean(seed, passes, n, classes):
    dropout = np.random.default_rng(seed).dirichlet(np.ones(classes), size=(passes, n))
    np.testing.assert_allclose(acquisition.bald(dropout), bald_score(dropout), rtol=1e-9, atol=1e-9)


def test_bald_of_passes_that_agree_is_nothing_and_of_contradictions_log_c():
    agreed = np.tile([0.2, 0.3, 0.5], (7, 4, 1))
    assert acquisition.bald(agreed) == pytest.approx(np.zeros(4), abs=1e-12)
    assert (acquisition.bald(agreed) >= 0).all()
    contradictory = np.eye(3)[:, None, :]  # three passes, each certain of another class
    assert acquisition.bald(contradictory) == pytest.approx([np.log(3)], abs=1e-9)


# Every score's independence of a text's place and company.


def scored(name, texts, dropout, labeled, **options):
    """The scores of these texts by a registered name."""
    known = {"probabilities": texts.probabilities, "embeddings": texts.embeddings, "labeled": labeled}
    labels = np.arange(len(labeled.embeddings)) % texts.probabilities.shape[1]
    known |= {"dropout": dropout, "predicted_loss": dropout[0, :, 0], "labels": labels, **options}
    asked = acquisition.Strategy(name).asks
    return acquisitions[name](**{key: value for key, value in known.items() if key in asked})


SCORES = [name for name in acquisitions if "batch_size" not in acquisition.Strategy(name).asks]


def test_the_registered_scores():
    assert {"bald", "cal", "entropy", "learning_loss", "least_confidence", "margin", "signal"} <= set(SCORES)


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_score_is_one_finite_number_per_text(name, dtype):
    rng = np.random.default_rng(0)
    unlabeled, labeled = random_prediction(rng, 17, 3, 5, dtype), random_prediction(rng, 4, 3, 5, dtype)
    dropout = rng.dirichlet(np.ones(3), size=(6, 17)).astype(dtype)
    for normalize in (True, False):
        scores = scored(name, unlabeled, dropout, labeled, n_neighbors=10, normalize=normalize)
        assert scores.shape == (17,)
        assert scores.dtype == np.float64
        assert np.isfinite(scores).all()
        assert np.unique(scores).size == 17


ALONE = [name for name in SCORES if name not in ("expected_error_reduction", "typicality")]
"""Scores that do not depend on the other texts."""


@pytest.mark.parametrize("name", ALONE)
def test_a_text_s_score_does_not_depend_on_its_place_or_company(name):
    rng = np.random.default_rng(0)
    unlabeled, labeled = random_prediction(rng, 60, 3, 8, np.float32), random_prediction(rng, 40, 3, 8, np.float32)
    dropout = rng.dirichlet(np.ones(3), size=(6, 60))

    def score(some, known=labeled):
        return scored(name, unlabeled.rows(some), dropout[:, some], known, n_neighbors=5, normalize=True)

    everything, order = np.arange(60), rng.permutation(60)
    scores = score(everything)
    np.testing.assert_array_equal(score(order), scores[order])
    np.testing.assert_array_equal(np.concatenate([score([i]) for i in range(60)]), scores)
    np.testing.assert_allclose(score(everything, labeled.rows(rng.permutation(40))), scores, rtol=1e-12)


@pytest.mark.parametrize("name", ALONE)
@pytest.mark.parametrize("normalize", [True, False])
def test_scores_of_more_texts_than_a_block_are_those_of_each_alone(name, normalize):
    # 2500 texts are several blocks, so large that FAISS multiplies matrices, which it does not for a single text.
    rng = np.random.default_rng(0)
    unlabeled, labeled = (random_prediction(rng, n, 2, 512, np.float32) for n in (2500, 300))
    narrow = (5 + 1e-3 * rng.normal(size=(2800, 512))).astype(np.float32)  # a cone far from the origin
    dropout = rng.dirichlet(np.ones(2), size=(3, 2500)).astype(np.float32)
    for embeddings in (np.concatenate([unlabeled.embeddings, labeled.embeddings]), narrow):
        texts = Prediction(unlabeled.probabilities, embeddings[:2500])
        known = Prediction(labeled.probabilities, embeddings[2500:])
        for k in (1, 3):
            together = scored(name, texts, dropout, known, n_neighbors=k, normalize=normalize)
            assert together.shape == (2500,)
            for i in (*range(0, 2500, 250), 1023, 1024, 2047, 2048, 2499):
                alone = scored(name, texts.rows([i]), dropout[:, [i]], known, n_neighbors=k, normalize=normalize)
                assert alone.tolist() == [together[i]]


# The batches that `select` makes of scores.


def check_batch(batch, scores, inputs, batch_size, tolerance):
    """Assert that a batch is the highest scores, highest first, and equals by index.

    Scores that are equal up to the tolerance may swap, but not those of texts with the very same inputs: among these
    the smaller index comes first.
    """
    assert len(batch) == min(batch_size, len(scores))
    assert len(set(batch.tolist())) == len(batch)
    slack = tolerance * (1 + np.abs(scores).max())
    chosen = scores[batch]
    assert (np.diff(chosen) <= slack).all()
    rest = np.setdiff1d(np.arange(len(scores)), batch)
    if len(rest):
        assert scores[rest].max() <= chosen.min() + slack
    copies: dict[bytes, list[int]] = {}
    for i in range(len(scores)):
        copies.setdefault(b"".join(np.ascontiguousarray(array[i]).tobytes() for array in inputs), []).append(i)
    for same in copies.values():
        taken = [int(i) for i in batch if i in same]
        assert taken == same[: len(taken)]


def some_copies(rng, n):
    """Indices 0 to n - 1 of which some are copies of others."""
    return np.where(rng.random(n) < 0.4, rng.integers(0, n, size=n), np.arange(n))


dtypes = st.sampled_from([np.float32, np.float64])
seeds = st.integers(0, 10**6)

UNCERTAINTY = {
    "entropy": lambda row: -sum(p * math.log(p) for p in row if p > 0),
    "least_confidence": lambda row: 1 - max(row),
    "margin": lambda row: 1 - (sorted(row)[-1] - sorted(row)[-2]),
}


@pytest.mark.parametrize("name", sorted(UNCERTAINTY))
@given(seeds, dtypes, st.integers(1, 40), st.integers(2, 5), st.integers(1, 45), st.booleans())
def test_an_uncertain_batch_is_a_plain_loop_s(name, seed, dtype, n, classes, batch_size, coarse):
    rng = np.random.default_rng(seed)
    # Twelfths are equal often, in the same order of classes and in others.
    counts = rng.multinomial(12, np.ones(classes) / classes, size=n) / 12
    probabilities = (counts if coarse else rng.dirichlet(np.ones(classes), size=n)).astype(dtype)[some_copies(rng, n)]
    batch = select(name, probabilities=probabilities, batch_size=batch_size)
    expected = np.array([UNCERTAINTY[name](row) for row in probabilities.astype(np.float64).tolist()])
    check_batch(batch, expected, [probabilities], batch_size, 1e-9)


@given(seeds, dtypes, st.integers(1, 6), st.integers(1, 40), st.integers(2, 4), st.integers(1, 45))
def test_a_bald_batch_is_a_plain_loop_s(seed, dtype, passes, n, classes, batch_size):
    rng = np.random.default_rng(seed)
    dropout = rng.dirichlet(np.ones(classes), size=(passes, n)).astype(dtype)[:, some_copies(rng, n)]
    batch = select("bald", dropout=dropout, batch_size=batch_size)
    # Passes in single precision sum to 1 to single precision only, and the two formulas part there.
    tolerance = 1e-9 if dtype == np.float64 else 1e-6
    check_batch(batch, bald_score(dropout), [dropout.swapaxes(0, 1)], batch_size, tolerance)


FORMULAS = {"cal": cal_score, "signal": paper_score}


@pytest.mark.parametrize("name", sorted(FORMULAS))
@given(seeds, dtypes, st.integers(1, 20), st.integers(1, 20), st.integers(1, 12), st.integers(1, 25))
def test_a_contrastive_batch_on_a_grid_is_a_plain_loop_s(name, seed, dtype, n, m, k, batch_size):
    # Distances on a grid are exact in either precision, and many are equal or zero.
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(3), size=n + m).astype(dtype)
    embeddings = rng.integers(-2, 3, size=(n + m, 3)).astype(dtype)
    copies = some_copies(rng, n)
    unlabeled = Prediction(probabilities[:n][copies], embeddings[:n][copies])
    labeled = Prediction(probabilities[n:], embeddings[n:])
    batch = select(
        name,
        probabilities=unlabeled.probabilities,
        embeddings=unlabeled.embeddings,
        labeled=labeled,
        n_neighbors=k,
        normalize=False,
        batch_size=batch_size,
    )
    check_batch(batch, FORMULAS[name](unlabeled, labeled, k, False), unlabeled, batch_size, 1e-9)


@pytest.mark.parametrize("name", sorted(FORMULAS))
@given(seeds, dtypes, st.booleans(), st.integers(1, 20), st.integers(1, 20), st.integers(1, 12), st.integers(1, 25))
def test_a_contrastive_batch_in_any_space_is_a_plain_loop_s(name, seed, dtype, normalize, n, m, k, batch_size):
    rng = np.random.default_rng(seed)
    unlabeled, labeled = random_prediction(rng, n, 3, 6, dtype), random_prediction(rng, m, 3, 6, dtype)
    unlabeled = unlabeled.rows(some_copies(rng, n))
    batch = select(
        name,
        probabilities=unlabeled.probabilities,
        embeddings=unlabeled.embeddings,
        labeled=(labeled.probabilities, labeled.embeddings),
        n_neighbors=k,
        normalize=normalize,
        batch_size=batch_size,
    )
    scores = FORMULAS[name](unlabeled, labeled, k, normalize)
    check_batch(batch, scores, unlabeled, batch_size, 1e-9 if dtype == np.float64 else 1e-5)


@pytest.mark.parametrize("name", ["entropy", "margin", "least_confidence", "signal", "cal", "bald"])
def test_texts_that_are_all_alike_are_taken_by_index(name):
    rng = np.random.default_rng(0)
    probabilities, embeddings = np.tile([0.7, 0.2, 0.1], (3000, 1)), np.tile(rng.normal(size=5), (3000, 1))
    batch = select(
        name,
        probabilities=probabilities,
        embeddings=embeddings,
        labeled=random_prediction(rng, 20, 3, 5),
        dropout=np.tile(rng.dirichlet(np.ones(3), size=(4, 1)), (1, 3000, 1)),
        batch_size=40,
    )
    assert batch.tolist() == list(range(40))


def test_an_undecided_text_between_certain_ones_comes_first():
    probabilities = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0], [0.75, 0.25]])
    for name in ("entropy", "margin", "least_confidence"):
        assert select(name, probabilities=probabilities, batch_size=4).tolist() == [1, 3, 0, 2]


def test_a_contrastive_batch_beyond_one_block_is_the_formula_s():
    rng = np.random.default_rng(3)
    unlabeled, labeled = random_prediction(rng, 2100, 2, 4), random_prediction(rng, 30, 2, 4)
    near = nearest(unlabeled.embeddings, labeled.embeddings, 2)  # exact, see test_neighbors.py
    terms = rel_entr(unlabeled.probabilities[:, None], labeled.probabilities[near.indices]).sum(axis=2) / near.distances
    batch = select(
        "signal",
        probabilities=unlabeled.probabilities,
        embeddings=unlabeled.embeddings,
        labeled=labeled,
        n_neighbors=2,
        normalize=False,
        batch_size=100,
    )
    np.testing.assert_array_equal(batch, np.argsort(-terms.mean(axis=1), kind="stable")[:100])


@pytest.mark.parametrize("normalize", [True, False])
def test_typicality_is_the_inverse_mean_distance_to_twenty_others(normalize):
    x = np.random.default_rng(0).normal(size=(40, 5))
    scale = np.linalg.norm(x, axis=1, keepdims=True) if normalize else 1
    distances = np.sort(cdist(x / scale, x / scale), axis=1)[:, 1:21]
    np.testing.assert_allclose(acquisition.typicality(x, normalize), 1 / distances.mean(axis=1), rtol=1e-6)
    few = acquisition.typicality(x[:3], normalize)
    distances = np.sort(cdist((x / scale)[:3], (x / scale)[:3]), axis=1)
    np.testing.assert_allclose(few, 1 / distances[:, 1:].mean(axis=1), rtol=1e-6)
    assert acquisition.typicality(x[:1]).tolist() == [0.0]
    assert np.isfinite(acquisition.typicality(np.ones((30, 5)))).all()  # copies
