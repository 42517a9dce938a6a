"""Nearest neighbors equal brute force in double precision, and do not depend on the other queries."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_env.acquisition.neighbors import nearest


def brute_force(queries, points, k):
    """Return indices and distances, nearest first and by index among equals, one pair at a time."""
    indices, distances = [], []
    for query in queries.astype(np.float64):
        pairs = sorted((float(np.linalg.norm(point - query)), i) for i, point in enumerate(points.astype(np.float64)))
        distances.append([distance for distance, _ in pairs[:k]])
        indices.append([i for _, i in pairs[:k]])
    return np.array(indices), np.array(distances)


def check(queries, points, k):
    """Assert that `nearest` equals brute force: indices and order exactly, distances to the arrays' precision."""
    found = nearest(queries, points, k)
    indices, distances = brute_force(queries, points, k)
    np.testing.assert_array_equal(found.indices, indices)
    single = queries.dtype == points.dtype == np.float32
    np.testing.assert_allclose(found.distances, distances, rtol=1e-6 if single else 1e-12, atol=0)


def cloud(seed, n, d, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(st.integers(0, 10**6), st.integers(1, 30), st.integers(1, 60), st.integers(1, 8), st.integers(1, 70))
def test_equals_brute_force(dtype, seed, n, m, d, k):
    check(cloud(seed, n, d, dtype), cloud(seed + 1, m, d, dtype), k)


@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(1, 40))
def test_among_equal_distances_the_smaller_index_comes_first(seed, d, k):
    # On a grid of 2, 4 or 8 points, many of the 60 points are equally far from a query.
    rng = np.random.default_rng(seed)
    check(rng.integers(0, 2, (10, d)).astype(np.float32), rng.integers(0, 2, (60, d)).astype(np.float32), k)


def test_a_hundred_copies_of_one_point_are_taken_by_index():
    points = np.repeat(cloud(0, 3, 16, np.float32), 100, axis=0)
    order = np.random.default_rng(1).permutation(300)
    check(cloud(2, 50, 16, np.float32), points[order], 10)
    check(cloud(2, 50, 16, np.float32), points[order], 150)


@pytest.mark.parametrize("spread", [1e-1, 1e-2, 1e-3])
def test_points_that_nearly_coincide_are_told_apart(spread):
    # Embeddings by one classifier lie in a narrow cone: far from the origin, near each other.
    center = 10 * cloud(0, 1, 64)
    queries = (center + spread * cloud(1, 40, 64)).astype(np.float32)
    points = (center + spread * cloud(2, 400, 64)).astype(np.float32)
    check(queries, points, 10)


def test_double_precision_is_used_where_it_is_given():
    points = 1 + np.arange(50)[::-1, None] * 1e-10  # All equal in single precision; the last is the nearest.
    check(np.ones((1, 1)), points, 3)


def test_distances_that_are_equal_in_single_precision_are_told_apart():
    # Squared: 25.00000025, 25, 25, 25.00000036 and 98. In single precision the first four are all 25.
    points = np.array([[5, 5e-4], [3, 4], [5, 0], [5, -6e-4], [7, 7]], dtype=np.float32)
    assert nearest(np.zeros((1, 2), np.float32), points, 2).indices.tolist() == [[1, 2]]
    check(np.zeros((1, 2), np.float32), points, 4)


def test_a_copy_is_at_distance_zero_and_first():
    points = cloud(0, 30, 8, np.float32)
    found = nearest(points, points, 3)
    np.testing.assert_array_equal(found.indices[:, 0], np.arange(30))
    np.testing.assert_array_equal(found.distances[:, 0], np.zeros(30))
    assert (found.distances[:, 1:] > 0).all()


def test_distances_are_euclidean_not_squared():
    found = nearest(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0], [6.0, 8.0]]), 2)
    assert found.distances.tolist() == [[5.0, 10.0]]


@pytest.mark.parametrize("k", [1, 4, 5, 6, 1000])
def test_k_is_clamped_to_the_number_of_points(k):
    found = nearest(cloud(0, 7, 3), cloud(1, 5, 3), k)
    assert found.indices.shape == found.distances.shape == (7, min(k, 5))


def test_no_queries_have_no_neighbors():
    found = nearest(np.zeros((0, 4)), cloud(0, 5, 4), 3)
    assert found.indices.shape == found.distances.shape == (0, 3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("spread", [1.0, 1e-3])
def test_a_query_alone_gets_what_it_gets_among_many_to_the_bit(dtype, spread):
    points = (5 + spread * cloud(0, 200, 32)).astype(dtype)
    queries = (5 + spread * cloud(1, 1500, 32)).astype(dtype)
    together = nearest(queries, points, 10)
    for i in (*range(25), 1023, 1024, 1499):
        alone = nearest(queries[i : i + 1], points, 10)
        np.testing.assert_array_equal(alone.indices[0], together.indices[i])
        np.testing.assert_array_equal(alone.distances[0], together.distances[i])


# With many queries FAISS computes distances by matrix products. On these data rounding makes them useless, so that the
# search has to examine many more points than k.

MANY, WIDE = 2100, 64


def collapsed(kind):
    """Return 2100 queries and 300 points in single precision that are nearly equal in one of several ways."""
    rng = np.random.default_rng(0)
    gauss = rng.normal(size=(MANY + 300, WIDE))
    if kind == "cone":
        rows = 10 * rng.normal(size=WIDE) + 1e-3 * gauss
    elif kind == "clusters":
        rows = rng.normal(size=(12, WIDE))[rng.integers(12, size=len(gauss))] + 1e-6 * gauss
    elif kind == "duplicates":
        rows = gauss[rng.integers(30, size=len(gauss))]
    elif kind == "duplicates in a cone":
        rows = 10 + 1e-3 * gauss[rng.integers(30, size=len(gauss))]
    elif kind == "outlier":
        rows = gauss
        rows[-7] *= 1e6
    else:
        rows = float(kind) * gauss
    rows = rows.astype(np.float32)
    return rows[:MANY], rows[MANY:]


KINDS = ["cone", "clusters", "duplicates", "duplicates in a cone", "outlier", "1e15", "1e20", "1e-15", "1e-20", "1e-23"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [1, 2, 10, 299])
def test_many_queries_of_points_hard_to_tell_apart_equal_brute_force(kind, k):
    queries, points = collapsed(kind)
    found = nearest(queries, points, k)
    for i in range(0, MANY, 5):
        squared = np.square(points.astype(np.float64) - queries[i]).sum(axis=1)
        order = np.argsort(squared, kind="stable")[:k]
        np.testing.assert_array_equal(found.indices[i], order)
        np.testing.assert_allclose(found.distances[i], np.sqrt(squared[order]), rtol=1e-6, atol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_few_queries_of_points_hard_to_tell_apart_equal_brute_force(kind):
    queries, points = collapsed(kind)
    for k in (1, 10, 40):
        check(queries[:10], points[:40], k)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [1, 10])
def test_a_query_hard_to_answer_gets_the_same_alone_and_among_many_to_the_bit(kind, k):
    queries, points = collapsed(kind)
    together = nearest(queries, points, k)
    for some in (*([i] for i in range(0, MANY, 70)), [MANY - 1], np.arange(3, 40)):
        fewer = nearest(queries[some], points, k)
        np.testing.assert_array_equal(fewer.indices, together.indices[some])
        np.testing.assert_array_equal(fewer.distances, together.distances[some])


def test_a_point_so_far_that_its_square_overflows_is_the_farthest():
    queries, points = cloud(0, 5, 8, np.float32), cloud(1, 20, 8, np.float32)
    points[3] = 1e20
    found = nearest(queries, points, 20)
    check(queries, points, 19)
    assert found.indices[:, -1].tolist() == [3] * 5
    assert found.distances[:, -1] == pytest.approx(1e20 * np.sqrt(8), rel=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_in_any_memory_order_are_accepted_and_left_alone(dtype):
    queries, points = cloud(0, 12, 6, dtype), cloud(1, 20, 6, dtype)
    expected = nearest(queries, points, 4)
    strided = np.zeros((20, 12), dtype)
    strided[:, ::2] = points
    found = nearest(np.asfortranarray(queries), strided[:, ::2], 4)
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_array_equal(points, cloud(1, 20, 6, dtype))


@pytest.mark.parametrize(
    ("queries", "points", "k", "words"),
    [
        ((2, 3), (5, 3), 0, "k = 0"),
        ((2, 3), (5, 3), -1, "k = -1"),
        ((2, 3), (0, 3), 1, r"\(0, 3\)"),
        ((2, 3), (5, 4), 1, r"\(2, 3\) and \(5, 4\)"),
    ],
)
def test_invalid_arguments_are_refused(queries, points, k, words):
    with pytest.raises(ValueError, match=rf"Expected k >= 1 .* with m >= 1; got.*{words}"):
        nearest(np.zeros(queries), np.zeros(points), k)
