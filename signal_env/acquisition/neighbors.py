"""Exact nearest neighbors: FAISS finds candidates, whose distances are then measured again."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from signal_env.utils.prediction import Floats

SPARE = 2
"""The number of points that FAISS finds beyond k, because its fast distances may swap near ties around the k-th."""

MEASURED = 2**19
"""The number of coordinates measured in double precision at a time, which bounds the memory."""

TIE = 1e-5
"""Squared distances in single precision whose relative difference is below this may be ordered wrongly."""


class Neighbors(NamedTuple):
    """The nearest points of `n` queries, nearest first.

    Attributes:
        indices: `(n, k)` indices of points. Among equal distances the smaller index comes first.
        distances: `(n, k)` Euclidean distances, not squared.
    """

    indices: NDArray[np.int64]
    distances: NDArray[np.float64]


def nearest(queries: Floats, points: Floats, k: int) -> Neighbors:
    """Find the k nearest points of each query, exactly.

    The result for a query does not depend on the other queries. Distances have the precision of the arrays. Where
    single precision might order points wrongly, they are compared in double precision.

    Args:
        queries: `(n, d)`.
        points: `(m, d)` with `m >= 1`.
        k: Neighbors per query, at least 1. It is clamped to `m`.

    Returns:
        Indices and distances `(n, min(k, m))`.

    Raises:
        ValueError: If there are no points, k is below 1, or the dimensions differ.

    Example:
        >>> points = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
        >>> nearest(np.array([[0.0, 0.0]]), points, k=2).distances
        array([[0., 1.]])
        >>> nearest(np.array([[3.0, 0.0]]), points, k=10).indices
        array([[0, 2, 1]])
    """
    if k < 1 or len(points) == 0 or queries.shape[1:] != points.shape[1:]:
        raise ValueError(
            f"Expected k >= 1 and (n, d) queries and (m, d) points with m >= 1; "
            f"got k = {k}, {queries.shape} and {points.shape}."
        )
    k = min(k, len(points))
    x, y = (np.ascontiguousarray(array, dtype=np.float32) for array in (queries, points))
    indices, squared = _Search(queries, points, x, y).nearest(np.arange(len(x)), k, k + SPARE)
    distances = np.sqrt(squared, dtype=np.float64)
    # Measure again if the arrays are in double precision, or if squares underflow or overflow in single precision.
    is_single = queries.dtype == points.dtype == np.float32
    again = np.flatnonzero(~((squared > 1e-30) & (squared < 1e30) & is_single).all(axis=1))
    distances[again] = _measured(queries, points, again, indices[again])
    return Neighbors(indices, distances)


class _Search:
    """Finds the nearest points: by FAISS, then in single precision, and in double precision where that may err."""

    def __init__(self, queries: Floats, points: Floats, x: Floats, y: Floats) -> None:
        import faiss

        self.queries, self.points = queries, points
        self.x, self.y = x, y  # The same in single precision.
        self.index = faiss.IndexFlatL2(y.shape[1])
        self.index.add(y)
        self.longest = float(np.sqrt(np.einsum("nd,nd->n", y, y, dtype=np.float64).max()))

    def nearest(self, rows: NDArray[np.int64], k: int, width: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Find the k nearest points of the queries at `rows`.

        FAISS searches `width` candidates. Where the k nearest points might not be among them, it searches more.

        Returns:
            Indices `(len(rows), k)`, and squared distances of the same shape in single precision.
        """
        x = self.x[rows] if len(rows) < len(self.x) else self.x
        if width >= len(self.y):
            indices = self._ranked(rows, np.broadcast_to(np.arange(len(self.y)), (len(rows), len(self.y))), k)
            return indices, _squared(x, self.y, indices)
        approximate, found = self.index.search(x, width)
        squared = _squared(x, self.y, found)
        kth = squared[:, :k].max(axis=1, initial=0.0)
        # FAISS computes |x|² + |y|² - 2 x·y. Its rounding error is proportional to |x|² + |y|²; |x| <= |y| + |x - y|.
        rounding = np.finfo(np.float32)
        error = 8 * rounding.eps * np.sqrt(x.shape[1]) * (self.longest + np.sqrt(squared[:, 0])) ** 2 + rounding.tiny
        incomplete = ~(approximate[:, -1] - kth > error)
        in_order = (squared[:, 1:k] > (1 + TIE) * squared[:, : k - 1]).all(axis=1)
        in_order &= (squared[:, k:] > (1 + TIE) * kth[:, None]).all(axis=1)
        is_single = self.queries.dtype == self.points.dtype == np.float32
        unsure = np.flatnonzero(~incomplete & ~(in_order & is_single))
        indices, squared = found[:, :k].copy(), squared[:, :k].copy()
        indices[unsure] = self._ranked(rows[unsure], np.sort(found[unsure], axis=1), k)
        squared[unsure] = _squared(x[unsure], self.y, indices[unsure])
        if incomplete.any():  # A point that FAISS did not return may be as near as the k-th.
            indices[incomplete], squared[incomplete] = self.nearest(rows[incomplete], k, 8 * width)
        return indices, squared

    def _ranked(self, rows: NDArray[np.int64], candidates: NDArray[np.int64], k: int) -> NDArray[np.int64]:
        """Return the k nearest of each query's candidates, compared in double precision.

        Candidates `(len(rows), c)` are in ascending order, so that equal distances are ordered by index.
        """
        order = np.argsort(_measured(self.queries, self.points, rows, candidates), axis=1, kind="stable")[:, :k]
        return np.take_along_axis(candidates, order, axis=1)


def _squared(x: Floats, y: Floats, indices: NDArray[np.int64]) -> NDArray[np.float32]:
    """Compute squared distances `(n, k)` in single precision, pair by pair.

    A pair's distance is bit-identical whatever other pairs are measured.
    """
    from faiss import swig_ptr
    from faiss.loader import fvec_L2sqr_by_idx  # `faiss` itself does not declare it.

    result = np.empty(indices.shape, dtype=np.float32)
    indices = np.ascontiguousarray(indices)
    pointers = [swig_ptr(array) for array in (result, x, y, indices)]
    fvec_L2sqr_by_idx(*pointers, x.shape[1], *indices.shape)
    return result


def _measured(
    queries: Floats, points: Floats, rows: NDArray[np.int64], indices: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Compute distances `(len(rows), k)` in double precision, from the queries at `rows` to the points at `indices`."""
    distances = np.empty(indices.shape)
    step = max(1, MEASURED // max(1, indices.shape[1] * points.shape[1]))
    for start in range(0, len(rows), step):
        block = slice(start, start + step)
        difference = points[indices[block]].astype(np.float64) - queries[rows[block]][:, None, :]
        distances[block] = np.sqrt((difference * difference).sum(axis=2))
    return distances
