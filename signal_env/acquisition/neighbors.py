"""Exact nearest labeled neighbours: FAISS finds them, and their distances are then measured anew."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from signal_env.utils.prediction import Floats

SPARE = 2
"""Points that FAISS finds beyond k: its fast distances may swap near ties at the border."""

MEASURED = 2**19
"""Coordinates measured in double precision at a time, which bounds the memory."""

TIE = 1e-5
"""Squared distances nearer than this, relatively, may be equal in truth when measured in single precision."""


class Neighbors(NamedTuple):
    """The nearest points of `n` queries, nearest first.

    Attributes:
        indices: `(n, k)` indices of points; among equal distances the smaller index comes first.
        distances: `(n, k)` Euclidean distances (not squared).
    """

    indices: NDArray[np.int64]
    distances: NDArray[np.float64]


def nearest(queries: Floats, points: Floats, k: int) -> Neighbors:
    """The k nearest points of each query, exactly; k is clamped to the number of points.

    A query's answer does not depend on what other queries it comes with. Distances have the precision of the arrays;
    which points are the nearest is decided in double precision wherever single precision might mistake it.

    Args:
        queries: `(n, d)`.
        points: `(m, d)` with `m >= 1`.
        k: Neighbours per query, at least 1.

    Raises:
        ValueError: If there are no points, k is under 1, or the dimensions differ.

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
    # Double precision where it is given, and where squares vanish or overflow in single precision.
    fits = queries.dtype == points.dtype == np.float32
    again = np.flatnonzero(~((squared > 1e-30) & (squared < 1e30) & fits).all(axis=1))
    distances[again] = _measured(queries, points, again, indices[again])
    return Neighbors(indices, distances)


class _Search:
    """Which points are the nearest: by FAISS, then in single precision, in double precision where that may err."""

    def __init__(self, queries: Floats, points: Floats, x: Floats, y: Floats) -> None:
        import faiss

        self.queries, self.points = queries, points
        self.x, self.y = x, y  # the same in single precision
        self.index = faiss.IndexFlatL2(y.shape[1])
        self.index.add(y)
        self.longest = float(np.sqrt(np.einsum("nd,nd->n", y, y, dtype=np.float64).max()))

    def nearest(self, rows: NDArray[np.int64], k: int, width: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The k nearest points of these queries among `width` that FAISS finds, or more, and their squared distances.

        Both are `(len(rows), k)`; the squared distances are in single precision.
        """
        x = self.x[rows] if len(rows) < len(self.x) else self.x
        if width >= len(self.y):
            indices = self._ranked(rows, np.broadcast_to(np.arange(len(self.y)), (len(rows), len(self.y))), k)
            return indices, _squared(x, self.y, indices)
        approximate, found = self.index.search(x, width)
        squared = _squared(x, self.y, found)
        kth = squared[:, :k].max(axis=1, initial=0.0)
        # |x|² + |y|² - 2 x·y, which FAISS computes, errs in proportion to |x|² + |y|²; |x| is at most |y| + |x - y|.
        rounding = np.finfo(np.float32)
        error = 8 * rounding.eps * np.sqrt(x.shape[1]) * (self.longest + np.sqrt(squared[:, 0])) ** 2 + rounding.tiny
        border = ~(approximate[:, -1] - kth > error)
        ordered = (squared[:, 1:k] > (1 + TIE) * squared[:, : k - 1]).all(axis=1)
        ordered &= (squared[:, k:] > (1 + TIE) * kth[:, None]).all(axis=1)
        exact = self.queries.dtype == self.points.dtype == np.float32
        unsure = np.flatnonzero(~border & ~(ordered & exact))
        indices, squared = found[:, :k].copy(), squared[:, :k].copy()
        indices[unsure] = self._ranked(rows[unsure], np.sort(found[unsure], axis=1), k)
        squared[unsure] = _squared(x[unsure], self.y, indices[unsure])
        if border.any():  # a point that was not found may be as near as the k-th
            indices[border], squared[border] = self.nearest(rows[border], k, 8 * width)
        return indices, squared

    def _ranked(self, rows: NDArray[np.int64], candidates: NDArray[np.int64], k: int) -> NDArray[np.int64]:
        """The k nearest of each query's candidates, which come in ascending order, by double precision."""
        order = np.argsort(_measured(self.queries, self.points, rows, candidates), axis=1, kind="stable")[:, :k]
        return np.take_along_axis(candidates, order, axis=1)


def _squared(x: Floats, y: Floats, indices: NDArray[np.int64]) -> NDArray[np.float32]:
    """Squared distances `(n, k)` in single precision, pair by pair, so that each has the same bits in any company."""
    from faiss import swig_ptr
    from faiss.loader import fvec_L2sqr_by_idx  # the same function, which `faiss` itself does not declare

    result = np.empty(indices.shape, dtype=np.float32)
    indices = np.ascontiguousarray(indices)
    pointers = [swig_ptr(array) for array in (result, x, y, indices)]
    fvec_L2sqr_by_idx(*pointers, x.shape[1], *indices.shape)
    return result


def _measured(
    queries: Floats, points: Floats, rows: NDArray[np.int64], indices: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Distances `(len(rows), k)` in double precision, of some queries to some points each."""
    distances = np.empty(indices.shape)
    step = max(1, MEASURED // max(1, indices.shape[1] * points.shape[1]))
    for start in range(0, len(rows), step):
        block = slice(start, start + step)
        difference = points[indices[block]].astype(np.float64) - queries[rows[block]][:, None, :]
        distances[block] = np.sqrt((difference * difference).sum(axis=2))
    return distances
