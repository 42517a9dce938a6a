"""Exact nearest labeled neighbours: FAISS finds them, and their distances are then measured anew."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from signal_env.prediction import Floats

SPARE = 8
"""Neighbours that FAISS finds beyond k: its single-precision distances may swap near ties at the border."""

BLOCK = 1024
"""Queries whose distances are measured at a time, which bounds the memory."""


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

    A query's answer does not depend on what other queries it comes with.

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
    import faiss

    k = min(k, len(points))
    index = faiss.IndexFlatL2(points.shape[1])
    index.add(np.ascontiguousarray(points, dtype=np.float32))
    squared, found = index.search(np.ascontiguousarray(queries, dtype=np.float32), min(k + SPARE, len(points)))
    found = np.sort(found, axis=1)  # a stable sort by distance then puts the smaller index first
    indices = np.empty((len(queries), k), dtype=np.int64)
    distances = np.empty((len(queries), k), dtype=np.float64)
    for start in range(0, len(queries), BLOCK):
        block = slice(start, start + BLOCK)
        indices[block], distances[block] = _closest(queries[block], points, found[block], k)
    if found.shape[1] < len(points):
        # Where the farthest point found may tie with the k-th nearest in single precision, all points are measured.
        scale = float(np.abs(queries).max(initial=0.0) + np.abs(points).max()) ** 2
        certain = squared[:, -1] - distances[:, -1] ** 2 > 1e-5 * points.shape[1] * scale
        everything = np.arange(len(points))[None, :]
        for i in np.flatnonzero(~certain):
            indices[i], distances[i] = _closest(queries[i : i + 1], points, everything, k)
    return Neighbors(indices, distances)


def _closest(queries: Floats, points: Floats, candidates: NDArray[np.int64], k: int) -> Neighbors:
    """The k nearest of each query's candidates, which come in ascending order, measured in double precision."""
    difference = points[candidates].astype(np.float64) - queries[:, None, :]
    distance = np.sqrt((difference * difference).sum(axis=2))
    order = np.argsort(distance, axis=1, kind="stable")[:, :k]
    return Neighbors(np.take_along_axis(candidates, order, axis=1), np.take_along_axis(distance, order, axis=1))
