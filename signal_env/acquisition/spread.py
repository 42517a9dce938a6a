"""How far points lie from the nearest of some centres, kept up to date for all points only when it is needed."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from signal_env.utils.prediction import Floats

BLOCK = 512
"""Points measured at a time, which bounds the memory beyond the arrays given."""

NEAR = 1e-2
"""Squared distances under this share of the squared length, and infinite ones, are measured in double precision."""


class Spread:
    """Squared distances of n points to the nearest of the centres, which are points themselves or come from outside.

    A point is a vector x, or the outer product w ⊗ x of two, as the gradient embeddings of BADGE are. Then
    |w ⊗ x - v ⊗ c|² = |w|²|x|² + |v|²|c|² - 2 (w·v)(x·c), and no product w ⊗ x is ever built.

    Args:
        x: `(n, d)`; it may be memory-mapped.
        w: `(n, C)`; None for plain vectors.

    Attributes:
        gaps: `(n,)` squared distances to the nearest centre counted so far, at least 0. More centres only make them
            smaller, so they are upper bounds for what counting more would give.
        norms: `(n,)` squared lengths of the points, from an origin in their midst if they are plain vectors: the
            shorter they are, the less is lost to rounding.
    """

    def __init__(self, x: Floats, w: Floats | None = None) -> None:
        self.x = x
        self.w = w
        self.gaps = np.full(len(x), np.inf)
        self.norms = np.empty(len(x))
        middle = x[:BLOCK].mean(axis=0, dtype=np.float64) if w is None else np.zeros(x.shape[1])
        self.origin = middle.astype(x.dtype)
        for block, part in self._blocks():
            self.norms[block] = squared_lengths(part) * (1.0 if w is None else squared_lengths(w[block]))

    def _blocks(self) -> Iterator[tuple[slice, Floats]]:
        """The points in blocks, as seen from the origin."""
        for start in range(0, len(self.x), BLOCK):
            block = slice(start, start + BLOCK)
            yield block, self.x[block] - self.origin if self.w is None else self.x[block]

    def add(self, centers: Floats) -> None:
        """Counts centres from outside, `(m, d)`; for plain vectors."""
        self._count(centers - self.origin, None)

    def add_points(self, indices: list[int]) -> None:
        """Counts points as centres."""
        w = None if self.w is None else self.w[indices]
        self._count(self.x[indices] - self.origin, w)

    def _count(self, c: Floats, v: Floats | None) -> None:
        lengths = squared_lengths(c) * (1.0 if v is None else squared_lengths(v))
        for block, part in self._blocks():
            w = None if self.w is None else self.w[block]
            gaps = _nearest(part, w, self.norms[block], c, v, lengths, np.float32)
            near = np.flatnonzero(~((gaps > NEAR * self.norms[block]) & np.isfinite(gaps)))
            if len(near):
                some = None if w is None else w[near]
                gaps[near] = _nearest(part[near], some, self.norms[block][near], c, v, lengths, np.float64)
            np.minimum(self.gaps[block], np.maximum(gaps, 0.0), out=self.gaps[block])

    def between(self, index: int, others: list[int]) -> NDArray[np.float64]:
        """Squared distances `(len(others),)` of a point to others, in double precision."""
        x = (self.x[[index, *others]] - self.origin).astype(np.float64)
        products = x[1:] @ x[0]
        if self.w is not None:
            products *= self.w[others].astype(np.float64) @ self.w[index]
        squared: NDArray[np.float64] = np.maximum(self.norms[index] + self.norms[others] - 2 * products, 0.0)
        return squared


def _nearest(
    x: Floats, w: Floats | None, norms: Floats, c: Floats, v: Floats | None, lengths: Floats, dtype: type
) -> NDArray[np.float64]:
    """Squared distances of points to their nearest centre, by matrix products of this precision."""
    products: Floats = x.astype(dtype, copy=False) @ c.T.astype(dtype, copy=False)
    if w is not None and v is not None:
        products *= w.astype(dtype, copy=False) @ v.T.astype(dtype, copy=False)
    products *= -2
    products += lengths.astype(dtype)
    result: NDArray[np.float64] = products.min(axis=1) + norms
    return result


def squared_lengths(rows: Floats) -> NDArray[np.float64]:
    """Squared lengths `(n,)` of the rows, in double precision."""
    squares: NDArray[np.float64] = np.einsum("nd,nd->n", rows, rows, dtype=np.float64)
    return squares
