"""The arrays that a classifier predicts for texts, and the array functions that scores and rewards share."""

from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Array = TypeVar("Array", bound=NDArray[Any])


class Prediction(NamedTuple):
    """Probabilities and embeddings of `n` texts, from one forward pass.

    Attributes:
        probabilities: `(n, C)` class probabilities; each row sums to 1.
        embeddings: `(n, d)` encodings Φ(x) by the classifier, not normalized.

    Example:
        >>> prediction = Prediction(np.array([[0.9, 0.1], [0.4, 0.6]]), np.array([[1.0, 2.0], [3.0, 4.0]]))
        >>> prediction.rows([1]).probabilities
        array([[0.4, 0.6]])
        >>> prediction.read_only().embeddings.flags.writeable
        False
    """

    probabilities: Floats
    embeddings: Floats

    def rows(self, indices: Any) -> "Prediction":
        """Return the prediction of the texts at `indices` (any NumPy index of the first axis)."""
        return Prediction(self.probabilities[indices], self.embeddings[indices])

    def read_only(self) -> "Prediction":
        """Return read-only views of both arrays."""
        return Prediction(read_only(self.probabilities), read_only(self.embeddings))


SUM_TOLERANCE = 5e-3
"""How far a row of probabilities may be from a sum of 1: the rounding of half precision over many classes."""


def not_probabilities(values: Floats) -> tuple[int, str] | None:
    """Return the index of the first row of `(n, C)` that is no distribution, and the reason; None if all are.

    Example:
        >>> not_probabilities(np.array([[0.4, 0.6], [2.0, -1.0]]))
        (1, 'they are from 0 to 1; got -1.0')
        >>> not_probabilities(np.array([[0.4, 0.4]]))
        (0, 'they sum to 1; got a sum of 0.8')
    """
    sums = values.sum(axis=1, dtype=np.float64)
    bad = ~(np.abs(sums - 1) <= SUM_TOLERANCE) | (values.min(axis=1, initial=0) < 0)  # a sum of NaN is bad too
    if not bad.any():
        return None
    first = int(bad.argmax())
    row = values[first]
    if not np.isfinite(row).all():
        return first, "they are finite; got " + str(row[~np.isfinite(row)][0])
    outside = row[(row < 0) | (row > 1 + SUM_TOLERANCE)]
    return first, f"they are from 0 to 1; got {outside.min()}" if len(
        outside
    ) else f"they sum to 1; got a sum of {sums[first]:.4g}"


def read_only(array: Array) -> Array:
    """Return a view of an array that cannot be written to.

    Example:
        >>> read_only(np.zeros(2))[0] = 1.0
        Traceback (most recent call last):
        ValueError: assignment destination is read-only
    """
    view: Array = array.view()
    view.flags.writeable = False
    return view


def unit(embeddings: Floats) -> Floats:
    """Scale each row of `(n, d)` to Euclidean length 1. A row of zeros stays zero.

    Example:
        >>> unit(np.array([[3.0, 4.0], [0.0, 0.0]]))
        array([[0.6, 0.8],
               [0. , 0. ]])
    """
    if embeddings.dtype == np.float32:
        import faiss

        result = np.array(embeddings, order="C")
        faiss.normalize_L2(result)
        return result
    norms = np.sqrt((embeddings * embeddings).sum(axis=1, keepdims=True))
    divided: Floats = embeddings / np.where(norms > 0, norms, 1)
    return divided


def scaled(embeddings: Floats, normalize: bool) -> Floats:
    """Return the embeddings `(n, d)` that distances are measured between.

    Args:
        embeddings: `(n, d)` raw embeddings.
        normalize: True scales each row to length 1 (see `unit`). False returns the array itself.

    Example:
        >>> scaled(np.array([[3.0, 4.0]]), normalize=True)
        array([[0.6, 0.8]])
    """
    return unit(embeddings) if normalize else embeddings


def softmax(logits: Floats) -> NDArray[np.float64]:
    """Compute probabilities `(..., C)` from logits `(..., C)`, in double precision.

    Double precision keeps the digits of very small probabilities.

    Example:
        >>> softmax(np.array([[0.0, 0.0], [1000.0, 0.0]]))
        array([[0.5, 0.5],
               [1. , 0. ]])
    """
    logits = logits.astype(np.float64)
    exp = np.exp(logits - logits.max(axis=-1, keepdims=True))
    result: NDArray[np.float64] = exp / exp.sum(axis=-1, keepdims=True)
    return result
