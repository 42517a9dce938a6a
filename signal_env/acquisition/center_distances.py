"""Squared distances of points to the nearest of a growing set of centers."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from signal_env.utils.prediction import Floats

BLOCK = 512
"""The number of points measured at a time, which bounds the extra memory."""

NEAR = 1e-2
"""Squared distances below this fraction of a point's squared length, and infinite ones, are measured again in double
precision."""


class CenterDistances:
    """Squared distances of `n` points to the nearest center.

    A point is a vector x, or an outer product w ⊗ x such as a gradient embedding of BADGE. Centers are points, or other
    vectors. Outer products are never built, because |w ⊗ x - v ⊗ c|² = |w|²|x|² + |v|²|c|² - 2 (w·v)(x·c).

    Args:
        x: `(n, d)` vectors. The array may be memory-mapped.
        w: `(n, C)` left factors of outer products, or None for plain vectors.

    Attributes:
        squared: `(n,)` squared distances to the nearest center added so far; infinity before the first. Further centers
            can only make them smaller.
        squared_norms: `(n,)` squared lengths of the points. Plain vectors are measured from an origin near their mean,
            because shorter vectors lose less to rounding.

    Example:
        >>> distances = CenterDistances(np.array([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]]))
        >>> distances.add_points([0])
        >>> distances.squared.round(9)
        array([  0.,  25., 100.])
        >>> distances.add_centers(np.array([[6.0, 7.0]]))
        >>> distances.squared.round(9)
        array([ 0., 18.,  1.])
    """

    def __init__(self, x: Floats, w: Floats | None = None) -> None:
        self.x = x
        self.w = w
        self.squared = np.full(len(x), np.inf)
        self.squared_norms = np.empty(len(x))
        mean = x[:BLOCK].mean(axis=0, dtype=np.float64) if w is None else np.zeros(x.shape[1])
        self.origin = mean.astype(x.dtype)
        for block, part in self._blocks():
            self.squared_norms[block] = squared_lengths(part) * (1.0 if w is None else squared_lengths(w[block]))

    def _blocks(self) -> Iterator[tuple[slice, Floats]]:
        """Yield slices of the points with the vectors from the origin."""
        for start in range(0, len(self.x), BLOCK):
            block = slice(start, start + BLOCK)
            yield block, self.x[block] - self.origin if self.w is None else self.x[block]

    def add_centers(self, centers: Floats) -> None:
        """Add centers `(m, d)` that are not points. Points must be plain vectors."""
        self._add(centers - self.origin, None)

    def add_points(self, indices: list[int]) -> None:
        """Add the points at these indices as centers."""
        w = None if self.w is None else self.w[indices]
        self._add(self.x[indices] - self.origin, w)

    def _add(self, c: Floats, v: Floats | None) -> None:
        """Add centers v ⊗ c, or c for plain vectors, as seen from the origin."""
        lengths = squared_lengths(c) * (1.0 if v is None else squared_lengths(v))
        for block, part in self._blocks():
            w = None if self.w is None else self.w[block]
            norms = self.squared_norms[block]
            squared = _to_nearest(part, w, norms, c, v, lengths, np.float32)
            near = np.flatnonzero(~((squared > NEAR * norms) & np.isfinite(squared)))
            if len(near):
                near_w = None if w is None else w[near]
                squared[near] = _to_nearest(part[near], near_w, norms[near], c, v, lengths, np.float64)
            np.minimum(self.squared[block], np.maximum(squared, 0.0), out=self.squared[block])

    def squared_between(self, index: int, others: list[int]) -> NDArray[np.float64]:
        """Compute squared distances `(len(others),)` from one point to others, in double precision."""
        x = (self.x[[index, *others]] - self.origin).astype(np.float64)
        products = x[1:] @ x[0]
        if self.w is not None:
            products *= self.w[others].astype(np.float64) @ self.w[index]
        squared: NDArray[np.float64] = np.maximum(
            self.squared_norms[index] + self.squared_norms[others] - 2 * products, 0.0
        )
        return squared


def _to_nearest(
    x: Floats, w: Floats | None, norms: Floats, c: Floats, v: Floats | None, lengths: Floats, dtype: type
) -> NDArray[np.float64]:
    """Compute squared distances of points to their nearest center by matrix products in one precision.

    Args:
        x: `(n, d)` vectors of the points.
        w: `(n, C)` left factors of the points, or None.
        norms: `(n,)` squared lengths of the points.
        c: `(m, d)` vectors of the centers.
        v: `(m, C)` left factors of the centers, or None.
        lengths: `(m,)` squared lengths of the centers.
        dtype: The precision of the products.

    Returns:
        `(n,)` squared distances. Rounding may make them negative.
    """
    products: Floats = x.astype(dtype, copy=False) @ c.T.astype(dtype, copy=False)
    if w is not None and v is not None:
        products *= w.astype(dtype, copy=False) @ v.T.astype(dtype, copy=False)
    products *= -2
    products += lengths.astype(dtype)
    result: NDArray[np.float64] = products.min(axis=1) + norms
    return result


def squared_lengths(rows: Floats) -> NDArray[np.float64]:
    """Compute squared lengths `(n,)` of the rows of `(n, d)`, in double precision."""
    squares: NDArray[np.float64] = np.einsum("nd,nd->n", rows, rows, dtype=np.float64)
    return squares
