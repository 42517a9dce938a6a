"""Distances to the nearest center against brute force over the points, with outer products written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_env.acquisition.center_distances import BLOCK, CenterDistances

seeds = st.integers(0, 10**6)
dtypes = st.sampled_from([np.float32, np.float64])


def written_out(x, w=None):
    """Return the points as vectors in double precision: x, or w ⊗ x computed one at a time."""
    x = x.astype(np.float64)
    if w is None:
        return x
    return np.array([np.outer(weights, row).ravel() for weights, row in zip(w.astype(np.float64), x, strict=True)])


def brute_force(points, centers):
    """Return squared distances to the nearest center."""
    return np.array([min(float(np.square(point - center).sum()) for center in centers) for point in points])


def check_squared(squared, expected, points, centers, dtype):
    """Assert that squared distances are correct to single precision, and those of near copies to the array's precision.

    Squared distances below a hundredth of a point's squared length are measured in double precision. Plain vectors are
    measured from an origin near their mean, which rounds each coordinate to the array's precision.
    """
    length = np.sqrt(max(np.square(points).sum(axis=1).max(), np.square(centers).sum(axis=1).max()))
    moved = 4 * np.finfo(dtype).eps * length
    allowed = 1e-4 * expected + 2 * moved * np.sqrt(expected) + moved**2 + 1e-14 * length**2
    assert (np.abs(squared - expected) <= allowed).all()
    assert (squared >= 0).all()


@given(seeds, dtypes, st.integers(1, 40), st.integers(1, 10), st.integers(1, 6))
def test_squared_distances_from_centers_outside_are_brute_force_s(seed, dtype, n, m, d):
    rng = np.random.default_rng(seed)
    x, centers = rng.normal(size=(n, d)).astype(dtype), rng.normal(size=(m, d)).astype(dtype)
    distances = CenterDistances(x)
    assert (distances.squared == np.inf).all()
    distances.add_centers(centers)
    points, outside = written_out(x), written_out(centers)
    check_squared(distances.squared, brute_force(points, outside), points, outside, dtype)


@given(seeds, dtypes, st.booleans(), st.integers(2, 40), st.integers(1, 6), st.integers(2, 4))
def test_squared_distances_from_points_are_brute_force_s_after_each_addition(seed, dtype, outer, n, d, classes):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)).astype(dtype)
    w = rng.normal(size=(n, classes)) if outer else None
    distances, points, counted = CenterDistances(x, w), written_out(x, w), []
    for size in (1, 3):
        some = rng.integers(0, n, size=size).tolist()
        distances.add_points(some)
        counted += some
        check_squared(distances.squared, brute_force(points, points[counted]), points, points[counted], dtype)
    others = rng.integers(0, n, size=4).tolist()
    i = int(rng.integers(n))
    expected = np.square(points[others] - points[i]).sum(axis=1)
    check_squared(distances.squared_between(i, others), expected, points, points, dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("outer", [False, True])
def test_centers_from_outside_and_points_count_together_and_in_any_order(dtype, outer):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(50, 4)).astype(dtype)
    w = rng.normal(size=(50, 3)) if outer else None
    at_once, one_by_one = CenterDistances(x, w), CenterDistances(x, w)
    at_once.add_points([3, 1, 4, 15])
    for i in (15, 4, 1, 3, 3):
        one_by_one.add_points([i])
    np.testing.assert_allclose(at_once.squared, one_by_one.squared, rtol=1e-5, atol=1e-12)
    assert at_once.squared[[3, 1, 4, 15]] == pytest.approx(np.zeros(4), abs=1e-12)
    if not outer:
        centers = rng.normal(size=(6, 4)).astype(dtype)
        at_once.add_centers(centers)
        points = written_out(x)
        all_centers = np.concatenate([points[[3, 1, 4, 15]], written_out(centers)])
        check_squared(at_once.squared, brute_force(points, all_centers), points, all_centers, dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("outer", [False, True])
@pytest.mark.parametrize("offset", [0.0, 1e-1, 1e-3, 1e-5])
def test_near_copies_keep_their_digits(dtype, outer, offset):
    # 20 different points far from the origin, and a copy of each that is moved a little in a random direction.
    rng = np.random.default_rng(2)
    first = 100 + rng.normal(size=(20, 5))
    x = np.concatenate([first, first + offset * rng.normal(size=(20, 5))]).astype(dtype)
    w = np.tile(rng.normal(size=(20, 3)), (2, 1)) if outer else None
    distances, points = CenterDistances(x, w), written_out(x, w)
    distances.add_points(list(range(20)))
    check_squared(distances.squared, brute_force(points, points[:20]), points, points[:20], dtype)
    if offset == 0:
        assert (distances.squared <= 1e-12 * distances.squared_norms).all()


def test_short_distances_of_long_outer_products_are_measured_in_double_precision():
    rng = np.random.default_rng(3)
    x = (10 + 1e-2 * rng.normal(size=(30, 6))).astype(np.float32)  # Single precision, but all distances are small.
    w = np.tile([0.3, -0.3], (30, 1))
    distances, points = CenterDistances(x, w), written_out(x, w)
    distances.add_points([0, 7])
    np.testing.assert_allclose(distances.squared[1:7], brute_force(points[1:7], points[[0, 7]]), rtol=1e-7)
    np.testing.assert_allclose(
        distances.squared_between(2, [0, 7, 9]), np.square(points[[0, 7, 9]] - points[2]).sum(1), rtol=1e-7
    )


@pytest.mark.parametrize("outer", [False, True])
def test_norms_are_squared_lengths_from_the_origin(outer):
    rng = np.random.default_rng(4)
    x, w = 3 + rng.normal(size=(60, 5)), rng.normal(size=(60, 4))
    distances = CenterDistances(x, w if outer else None)
    middle = np.zeros(5) if outer else x.mean(axis=0)
    expected = [
        np.square(row - middle).sum() * (np.square(v).sum() if outer else 1) for row, v in zip(x, w, strict=True)
    ]
    np.testing.assert_allclose(distances.squared_norms, expected, rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("outer", [False, True])
def test_more_points_than_a_block(dtype, outer, tmp_path):
    rng = np.random.default_rng(5)
    n = 2 * BLOCK + 100
    x = np.memmap(tmp_path / "x", dtype=dtype, mode="w+", shape=(n, 4))
    x[:] = rng.normal(size=(n, 4))
    before = np.array(x)
    w = rng.normal(size=(n, 3)) if outer else None
    distances, points = CenterDistances(x, w), written_out(x, w)
    centers = [0, BLOCK - 1, BLOCK, n - 1]
    distances.add_points(centers)
    expected = np.min([np.square(points - points[i]).sum(axis=1) for i in centers], axis=0)
    check_squared(distances.squared, expected, points, points[centers], dtype)
    np.testing.assert_array_equal(x, before)


def test_the_distance_of_outer_products_by_hand():
    # (1, -1) outer (2, 0) and (0, 1) outer (1, 3): the difference is (2, 0, -3, -3), squared 4 + 9 + 9.
    distances = CenterDistances(np.array([[2.0, 0.0], [1.0, 3.0]]), np.array([[1.0, -1.0], [0.0, 1.0]]))
    assert distances.squared_norms.tolist() == [8.0, 10.0]
    distances.add_points([0])
    assert distances.squared == pytest.approx([0.0, 22.0], abs=1e-12)
    assert distances.squared_between(1, [0, 1]) == pytest.approx([22.0, 0.0], abs=1e-12)
