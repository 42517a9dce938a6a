"""Batch selectors against naive loops, explicit gradients and the distributions of their random draws."""

import tracemalloc
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from signal_env.acquisition import Strategy, badge, batches, bertkm, class_balanced, coreset, ft_bertkm, random, select
from signal_env.acquisition.batches import FRONT_SIZE, SAMPLES_PER_CENTER, UPDATE_EVERY, kmeans
from signal_env.utils.prediction import Prediction

seeds = st.integers(0, 10**6)
dtypes = st.sampled_from([np.float32, np.float64])


def check_frequencies(counts, probabilities, total):
    """Assert by a chi-squared test at level 1e-4 that draws have these probabilities. Rare outcomes are pooled.

    An outcome of probability 0 must not have been drawn.
    """
    counts, expected = np.asarray(counts, dtype=float), np.asarray(probabilities) * total
    assert counts.sum() == total
    assert counts[expected == 0].sum() == 0
    rare = expected < 5
    pooled = [(counts[~rare], expected[~rare])]
    if expected[rare].sum() > 0:
        pooled.append(([counts[rare].sum()], [expected[rare].sum()]))
    observed, wanted = (np.concatenate(parts) for parts in zip(*pooled, strict=True))
    assert len(observed) > 1
    assert chisquare(observed, wanted).pvalue > 1e-4


# Random.


def test_random_draws_every_pair_equally_often_in_either_order():
    pairs = list(permutations(range(5), 2))
    counts = dict.fromkeys(pairs, 0)
    for seed in range(4000):
        counts[tuple(random(np.full((5, 2), 0.5), 2, np.random.default_rng(seed)).tolist())] += 1
    check_frequencies(list(counts.values()), np.full(20, 1 / 20), 4000)


def test_random_follows_its_seed():
    one, same, other = (random(np.full((400, 2), 0.5), 40, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    assert np.unique(one).size == 40


# BADGE.


def gradients(probabilities, embeddings):
    """Return gradient embeddings (p - onehot(argmax p)) ⊗ h, one text at a time, flat and in double precision."""
    result = []
    for p, h in zip(probabilities.astype(np.float64), embeddings.astype(np.float64), strict=True):
        likeliest = np.zeros(len(p))
        likeliest[p.argmax()] = 1.0
        result.append(np.outer(p - likeliest, h).ravel())
    return np.array(result)


def next_center(g, chosen):
    """Return k-means++'s probabilities of the next center, proportional to the squared distance to the nearest one."""
    squared = np.min([np.square(g - g[i]).sum(axis=1) for i in chosen], axis=0)
    return squared / squared.sum()


def pairs_of_centers(g):
    """Return the first center, the longest, and the probability `(n, n)` of each second and third center."""
    first = int(np.square(g).sum(axis=1).argmax())
    joint = np.zeros((len(g), len(g)))
    for second, probability in enumerate(next_center(g, [first])):
        if probability > 0:
            joint[second] = probability * next_center(g, [first, second])
    return first, joint


def check_draws(probabilities, embeddings, joint, first, draws=3000):
    """Assert that `badge` draws its second and third center with these probabilities."""
    counts = np.zeros(joint.shape)
    for seed in range(draws):
        chosen = badge(probabilities, embeddings, 3, np.random.default_rng(seed))
        assert chosen[0] == first
        counts[chosen[1], chosen[2]] += 1
    check_frequencies(counts.sum(axis=1), joint.sum(axis=1), draws)
    check_frequencies(counts.sum(axis=0), joint.sum(axis=0), draws)
    check_frequencies(counts.ravel(), joint.ravel(), draws)


def texts(seed, n, classes, d, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(classes), size=n).astype(dtype), rng.normal(size=(n, d)).astype(dtype)


@given(seeds, dtypes, st.integers(1, 30), st.integers(2, 5), st.integers(1, 6))
def test_badge_begins_with_the_longest_gradient(seed, dtype, n, classes, d):
    probabilities, embeddings = texts(seed, n, classes, d, dtype)
    lengths = np.linalg.norm(gradients(probabilities, embeddings), axis=1)
    chosen = badge(probabilities, embeddings, n, np.random.default_rng(seed))
    assert lengths[chosen[0]] == pytest.approx(lengths.max(), rel=1e-12)
    assert sorted(chosen.tolist()) == list(range(n))


@pytest.mark.parametrize("lazy", [1, 2, 32])
@pytest.mark.parametrize("classes", [2, 3, 4])
def test_badge_draws_its_centers_as_k_means_plus_plus_among_explicit_gradients(lazy, classes, monkeypatch):
    # 1 updates all distances after every draw; 32 draws the third center by old distances and may reject it.
    monkeypatch.setattr(batches, "UPDATE_EVERY", lazy)
    probabilities, embeddings = texts(classes, 8, classes, 3)
    first, joint = pairs_of_centers(gradients(probabilities, embeddings))
    check_draws(probabilities, embeddings, joint, first)


@pytest.mark.parametrize("lazy", [1, 32])
def test_badge_never_draws_a_copy_of_a_chosen_text_while_there_are_others(lazy, monkeypatch):
    monkeypatch.setattr(batches, "UPDATE_EVERY", lazy)
    probabilities, embeddings = (np.repeat(array, 2, axis=0) for array in texts(5, 4, 3, 3))
    first, joint = pairs_of_centers(gradients(probabilities, embeddings))
    assert (joint.diagonal() == 0).all()
    check_draws(probabilities, embeddings, joint, first)
    for seed in range(300):  # Four different texts, each twice: first one of each, then copies.
        chosen = badge(probabilities, embeddings, 6, np.random.default_rng(seed)).tolist()
        assert {i // 2 for i in chosen[:4]} == {0, 1, 2, 3}
        assert len(set(chosen)) == 6


@pytest.mark.parametrize("lazy", [1, 32])
def test_badge_in_single_precision_draws_near_copies_as_seldom_as_it_should(lazy, monkeypatch):
    # Matrix products in single precision cannot distinguish these texts.
    monkeypatch.setattr(batches, "UPDATE_EVERY", lazy)
    rng = np.random.default_rng(0)
    probabilities = np.tile(np.float32([0.7, 0.3]), (6, 1))
    embeddings = (np.float32([30.0, 40.0]) + 1e-4 * rng.normal(size=(6, 2))).astype(np.float32)
    first, joint = pairs_of_centers(gradients(probabilities, embeddings))
    check_draws(probabilities, embeddings, joint, first)


@pytest.mark.parametrize("batch_size", [1, 2, 20, 21])
def test_badge_of_certain_texts_draws_different_ones_uniformly(batch_size):
    probabilities = np.eye(3)[
        np.arange(21) % 3
    ]  # Certain texts: every gradient is zero, and the first counts as the longest.
    embeddings = np.random.default_rng(0).normal(size=(21, 5))
    counts = np.zeros(21)
    for seed in range(1000):
        chosen = badge(probabilities, embeddings, batch_size, np.random.default_rng(seed)).tolist()
        assert len(chosen) == len(set(chosen)) == batch_size
        assert chosen[0] == 0
        counts[chosen[1:2]] += 1
    if batch_size > 1:
        check_frequencies(counts, np.array([0] + [1 / 20] * 20), 1000)


def test_badge_takes_the_uncertain_texts_before_the_certain_ones():
    probabilities, embeddings = texts(0, 60, 3, 4)
    probabilities[10:] = np.eye(3)[np.arange(50) % 3]
    for seed in range(20):
        chosen = badge(probabilities, embeddings, 20, np.random.default_rng(seed))
        # One certain text may be drawn among them, at the origin; the second one is a copy of the first.
        assert set(chosen[:11].tolist()) >= set(range(10))
        assert np.unique(chosen).size == 20


def test_badge_takes_embeddings_as_they_are():
    probabilities, embeddings = texts(1, 50, 4, 6)
    for i in (3, 17, 42):
        longer = embeddings.copy()
        longer[i] *= 100
        assert badge(probabilities, longer, 5, np.random.default_rng(0))[0] == i


def test_labeled_texts_play_no_part_in_badge():
    assert Strategy("badge").asks == {"probabilities", "embeddings", "batch_size", "rng"}
    probabilities, embeddings = texts(0, 30, 3, 5)
    picked = [
        select("badge", probabilities=probabilities, embeddings=embeddings, labeled=labeled, batch_size=9, rng=1)
        for labeled in (None, (probabilities, embeddings), (probabilities[:2], 9 * embeddings[:2]))
    ]
    assert picked[0].tolist() == picked[1].tolist() == picked[2].tolist()


@given(seeds, dtypes, st.integers(1, 120), st.integers(2, 4), st.integers(1, 130), st.booleans())
def test_badge_repeats_with_its_seed_and_repeats_no_text(seed, dtype, n, classes, batch_size, coarse):
    probabilities, embeddings = texts(seed, n, classes, 3, dtype)
    if coarse:  # Many copies, zeros and equal gradients.
        embeddings = np.round(embeddings)
        quarters = np.round(probabilities * 4)
        quarters[:, 0] += quarters.sum(axis=1) == 0
        probabilities = quarters / quarters.sum(axis=1, keepdims=True)
    one, same = (badge(probabilities, embeddings, min(n, batch_size), np.random.default_rng(seed)) for _ in range(2))
    np.testing.assert_array_equal(one, same)
    assert np.unique(one).size == len(one) == min(n, batch_size)


def test_badge_draws_differently_with_another_seed():
    probabilities, embeddings = texts(0, 200, 3, 5)
    assert len({tuple(badge(probabilities, embeddings, 10, np.random.default_rng(s)).tolist()) for s in range(9)}) == 9


def test_badge_never_holds_the_gradients():
    n, d, classes = 20_000, 64, 20
    probabilities, embeddings = texts(0, n, classes, d, np.float32)
    tracemalloc.start()
    badge(probabilities, embeddings, 40, np.random.default_rng(0))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < n * classes * d * 4 / 5  # The gradients would take 102 MB in single precision.


# Core-set.


def naive_coreset(embeddings, labeled, batch_size):
    """Run k-center greedy in double precision: choose the text farthest from its nearest center, repeatedly."""
    embeddings, labeled = embeddings.astype(np.float64), labeled.astype(np.float64)
    squared = np.min([np.square(embeddings - center).sum(axis=1) for center in labeled], axis=0)
    chosen = []
    for _ in range(batch_size):
        chosen.append(int(squared.argmax()))  # The first of equal ones.
        squared = np.minimum(squared, np.square(embeddings - embeddings[chosen[-1]]).sum(axis=1))
        squared[chosen] = -np.inf
    return chosen


def check_coreset(embeddings, labeled, batch_size):
    batch = select("coreset", embeddings=embeddings, labeled=labeled, batch_size=batch_size)
    assert batch.tolist() == naive_coreset(embeddings, labeled, batch_size)


@given(seeds, dtypes, st.integers(1, 60), st.integers(1, 10), st.integers(1, 3), st.integers(1, 4), st.integers(1, 60))
def test_coreset_on_a_grid_is_the_naive_greedy_equals_by_index(seed, dtype, n, m, d, width, batch_size):
    # On a small grid distances are exact, many are equal, and many texts are copies.
    points = np.random.default_rng(seed).integers(0, width, size=(n + m, d)).astype(dtype)
    check_coreset(points[:n], points[n:], min(n, batch_size))


@given(seeds, dtypes, st.integers(1, 60), st.integers(1, 10), st.integers(1, 8), st.integers(1, 60))
def test_coreset_anywhere_is_the_naive_greedy(seed, dtype, n, m, d, batch_size):
    points = np.random.default_rng(seed).normal(size=(n + m, d)).astype(dtype)
    check_coreset(points[:n], points[n:], min(n, batch_size))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["gauss", "grid", "cone", "clusters", "mixed"])
def test_coreset_of_more_texts_and_larger_batches_than_it_keeps_up_to_date(kind, dtype):
    n, batch_size = 2 * FRONT_SIZE + 50, 2 * UPDATE_EVERY + 3
    rng = np.random.default_rng(0)
    points = rng.normal(size=(n + 20, 6))
    if kind == "grid":
        points = rng.integers(0, 5, size=(n + 20, 4))  # At most 625 different texts.
    elif kind == "cone":
        points = 1000 + 1e-2 * points  # Far from the origin, near each other.
    elif kind == "clusters":
        points = points[rng.integers(30, size=n + 20)] + 1e-4 * points
    elif kind == "mixed":
        points[: n // 2] = np.round(points[: n // 2])
        points[5] = 1e4
    points = points.astype(dtype)
    check_coreset(points[:n], points[n:], batch_size)


@pytest.mark.parametrize("front", [1, 2, 7])
@pytest.mark.parametrize("lazy", [1, 3])
def test_coreset_does_not_depend_on_how_much_it_keeps_up_to_date(front, lazy, monkeypatch):
    monkeypatch.setattr(batches, "FRONT_SIZE", front)
    monkeypatch.setattr(batches, "UPDATE_EVERY", lazy)
    for seed in range(5):
        points = np.random.default_rng(seed).integers(0, 6, size=(80, 2)).astype(float)
        check_coreset(points[:70], points[70:], 50)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [0.0, 0.1, 1e6])
def test_coreset_of_texts_that_are_all_alike_takes_them_by_index(dtype, value):
    embeddings = np.full((1200, 3), value, dtype=dtype)
    for labeled in (embeddings[:1], embeddings[:1] + 1):
        batch = select("coreset", embeddings=embeddings, labeled=labeled, batch_size=45)
        assert batch.tolist() == list(range(45))


def test_coreset_starts_from_the_labeled_texts():
    embeddings = np.array([[0.0], [4.0], [10.0]])
    # From 0 the farthest is 10, then 4; from 10 the farthest is 0, then 4; from 0 and 10 it is 4.
    assert select("coreset", embeddings=embeddings, labeled=[[0.0]], batch_size=2).tolist() == [2, 1]
    assert select("coreset", embeddings=embeddings, labeled=[[10.0]], batch_size=2).tolist() == [0, 1]
    assert select("coreset", embeddings=embeddings, labeled=[[0.0], [10.0]], batch_size=1).tolist() == [1]
    assert Strategy("coreset").asks == {"embeddings", "labeled", "batch_size"}


def test_coreset_is_a_function_of_arrays_like_any_other():
    points = np.random.default_rng(0).normal(size=(50, 3))
    labeled = Prediction(np.zeros((10, 0)), points[40:])
    assert coreset(points[:40], labeled, 12).tolist() == naive_coreset(points[:40], points[40:], 12)


def test_coreset_takes_embeddings_as_they_are():
    embeddings = np.array([[1.0, 0.0], [0.0, 2.0], [30.0, 0.0]])
    assert select("coreset", embeddings=embeddings, labeled=[[1.0, 0.0]], batch_size=3).tolist() == [2, 1, 0]


# BERT-KM and FT-BERT-KM.


def lengths_one(embeddings):
    """Return the rows scaled to length 1 in double precision. Rows of zeros stay zero."""
    embeddings = embeddings.astype(np.float64)
    norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return embeddings / np.where(norms > 0, norms, 1)


def squared_distances(centers, rows):
    return np.square(centers[:, None].astype(np.float64) - rows[None]).sum(axis=2)


@given(
    seeds, dtypes, st.integers(1, 40), st.integers(1, 5), st.integers(1, 45), st.sampled_from(["any", "few", "zeros"])
)
def test_k_means_takes_different_texts_whatever_they_are(seed, dtype, n, d, batch_size, kind):
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(size=(n, d)).astype(dtype)
    if kind == "few":  # Fewer different texts than the batch has.
        embeddings = embeddings[rng.integers(0, min(n, 3), size=n)]
    elif kind == "zeros":
        embeddings[rng.random(n) < 0.6] = 0
    for function in (bertkm, ft_bertkm):
        chosen = function(embeddings, min(n, batch_size), np.random.default_rng(seed))
        assert np.unique(chosen).size == len(chosen) == min(n, batch_size)
        assert chosen.min() >= 0
        assert chosen.max() < n
        np.testing.assert_array_equal(chosen, function(embeddings, min(n, batch_size), np.random.default_rng(seed)))


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_k_means_of_texts_that_are_all_alike_takes_different_ones(value):
    chosen = ft_bertkm(np.full((60, 4), value), 13, np.random.default_rng(0))
    assert np.unique(chosen).size == 13


@given(seeds, dtypes, st.integers(1, 80), st.integers(2, 6), st.integers(1, 20))
def test_the_nearest_text_to_every_center_is_in_the_batch(seed, dtype, n, d, batch_size):
    k = min(n, batch_size)
    embeddings = np.random.default_rng(seed).normal(size=(n, d)).astype(dtype)
    chosen = ft_bertkm(embeddings, k, np.random.default_rng(seed))
    centers = kmeans(embeddings, k, np.random.default_rng(seed))
    assert centers.shape == (k, d)
    squared = squared_distances(centers, lengths_one(embeddings))
    nearest = squared.argmin(axis=1)
    for center, text in enumerate(nearest):
        if (nearest == text).sum() == 1:  # No other center has this nearest text.
            assert squared[center, chosen[center]] == pytest.approx(squared[center, text], rel=1e-5, abs=1e-6)
        else:
            assert text in chosen


def test_a_text_nearest_to_several_centers_goes_to_the_nearest_of_them():
    # Seven copies of one text and one other text: the copies are nearest to all but one of the eight centers.
    embeddings = np.repeat([[1.0, 0.0], [0.0, 1.0]], [7, 1], axis=0)
    assert sorted(ft_bertkm(embeddings, 8, np.random.default_rng(0)).tolist()) == list(range(8))
    for seed in range(20):
        assert 7 in ft_bertkm(embeddings, 2, np.random.default_rng(seed))


def test_k_means_ignores_lengths():
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(500, 8))
    expected = ft_bertkm(embeddings, 20, np.random.default_rng(1))
    powers = 2.0 ** rng.integers(-20, 21, size=(500, 1))
    np.testing.assert_array_equal(ft_bertkm(embeddings * powers, 20, np.random.default_rng(1)), expected)
    single = embeddings.astype(np.float32)
    np.testing.assert_array_equal(
        ft_bertkm(single * powers.astype(np.float32), 20, np.random.default_rng(1)),
        ft_bertkm(single, 20, np.random.default_rng(1)),
    )
    scaled = ft_bertkm(embeddings * rng.uniform(0.01, 100, size=(500, 1)), 20, np.random.default_rng(1))
    assert set(scaled.tolist()) == set(expected.tolist())


@pytest.mark.parametrize(("spread", "k"), [(0.4, 12), (0.4, 30), (1.0, 12)])
def test_k_means_centers_are_as_good_as_scikit_learn_s(spread, k):
    from sklearn.cluster import KMeans

    rng = np.random.default_rng(0)  # Twelve clusters, separate or overlapping.
    embeddings = rng.normal(size=(12, 16))[rng.integers(12, size=1500)] + spread * rng.normal(size=(1500, 16))
    rows = lengths_one(embeddings)

    def inertia(centers):
        return squared_distances(centers, rows).min(axis=1).sum()

    ours = [inertia(kmeans(embeddings, k, np.random.default_rng(seed))) for seed in range(6)]
    theirs = [inertia(KMeans(k, n_init=1, random_state=seed).fit(rows).cluster_centers_) for seed in range(6)]
    assert np.mean(ours) <= 1.05 * np.mean(theirs)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_text_of_each_of_well_separated_blobs(dtype):
    k, each = 8, 30
    middles = np.eye(k)
    embeddings = (np.repeat(middles, each, axis=0) + 1e-4 * np.random.default_rng(0).normal(size=(k * each, k))) * 7
    for seed in range(10):
        chosen = ft_bertkm(embeddings.astype(dtype), k, np.random.default_rng(seed))
        assert sorted((chosen // each).tolist()) == list(range(k))


def test_k_means_learns_from_a_sample_and_chooses_from_all():
    n = 2 * SAMPLES_PER_CENTER + 700  # More than the sample for two centers.
    rng = np.random.default_rng(0)
    embeddings = np.concatenate([rng.normal(5, 0.1, size=(n // 2, 3)), rng.normal(-5, 0.1, size=(n - n // 2, 3))])
    batches_drawn = {tuple(ft_bertkm(embeddings, 2, np.random.default_rng(seed)).tolist()) for seed in range(10)}
    assert len(batches_drawn) > 1  # The samples differ.
    for batch in batches_drawn:
        assert sorted(i // (n // 2) for i in batch) == [0, 1]


def test_bertkm_uses_pretrained_and_ft_bertkm_current_embeddings():
    assert Strategy("bertkm").asks == {"pretrained", "batch_size", "rng"}
    assert Strategy("ft_bertkm").asks == {"embeddings", "batch_size", "rng"}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_many_copies_far_from_the_labeled_are_chosen_by_index(dtype):
    embeddings = np.ones((2000, 16), dtype)
    embeddings[1500] = 3  # The farthest; all others are equally far from the labeled texts.
    labeled = Prediction(np.zeros((40, 2)), np.random.default_rng(0).normal(size=(40, 16)).astype(dtype))
    assert coreset(embeddings, labeled, 60).tolist() == [1500, 0, *range(1, 59)]


def test_a_gradient_so_long_that_its_square_overflows_is_the_first_center():
    embeddings = np.random.default_rng(0).normal(size=(300, 8)).astype(np.float32)
    embeddings[7] = 1e20
    probabilities = np.tile([0.6, 0.4], (300, 1))
    chosen = badge(probabilities, embeddings, 30, np.random.default_rng(0))
    assert chosen[0] == 7
    assert len(np.unique(chosen)) == 30


def test_centers_with_the_same_nearest_texts_all_get_one():
    embeddings = np.eye(6)[np.random.default_rng(0).integers(6, size=400)]  # Six texts, each about 67 times.
    chosen = ft_bertkm(embeddings, 120, np.random.default_rng(0))
    assert len(np.unique(chosen)) == 120
    assert len(np.unique(embeddings[chosen], axis=0)) == 6


# Classes evened out.


@given(seeds)
def test_class_balanced_gives_each_choice_to_the_rarest_class_that_has_a_text(seed):
    rng = np.random.default_rng(seed)
    n, classes = int(rng.integers(1, 15)), int(rng.integers(2, 5))
    probabilities, labels = rng.dirichlet(np.ones(classes), size=n), rng.integers(classes, size=5)
    scores = rng.integers(0, 4, size=n).astype(float)  # ties
    batch = class_balanced(scores, probabilities, labels, n).tolist()
    assert sorted(batch) == list(range(n))
    counts, left = np.bincount(labels, minlength=classes), set(range(n))
    for chosen in batch:
        best = {}  # of each class that has texts left, its first text by score and index
        for i in sorted(left, key=lambda i: (-scores[i], i)):
            best.setdefault(int(probabilities[i].argmax()), i)
        fewest = min(counts[k] for k in best)
        rarest = [i for k, i in best.items() if counts[k] == fewest]
        assert chosen == min(rarest, key=lambda i: (-scores[i], i))
        counts[probabilities[chosen].argmax()] += 1
        left.remove(chosen)
