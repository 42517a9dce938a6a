"""What a classifier says of texts: the arrays that scores and rewards are made from."""

from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Array = TypeVar("Array", bound=NDArray[Any])


class Prediction(NamedTuple):
    """Probabilities and encodings of `n` texts, from one forward pass.

    Attributes:
        probabilities: `(n, C)`, rows that sum to 1.
        embeddings: `(n, d)`, the classifier's encodings Φ(x), not normalised.
    """

    probabilities: Floats
    embeddings: Floats

    def rows(self, indices: Any) -> "Prediction":
        """The prediction of a selection of the texts."""
        return Prediction(self.probabilities[indices], self.embeddings[indices])

    def read_only(self) -> "Prediction":
        """The same arrays, not to be written to."""
        return Prediction(read_only(self.probabilities), read_only(self.embeddings))


def read_only(array: Array) -> Array:
    """A view that cannot be written to."""
    view: Array = array.view()
    view.flags.writeable = False
    return view


def unit(embeddings: Floats) -> Floats:
    """Scales each row of `(n, d)` to length 1; a row of zeros stays as it is.

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
    """What distances are measured between: the rows of `(n, d)` scaled to length 1, or as they are."""
    return unit(embeddings) if normalize else embeddings


def softmax(logits: Floats) -> NDArray[np.float64]:
    """Probabilities `(..., C)` from logits `(..., C)`, in double precision, in which even tiny ones keep their digits.

    Example:
        >>> softmax(np.array([[0.0, 0.0], [1000.0, 0.0]]))
        array([[0.5, 0.5],
               [1. , 0. ]])
    """
    logits = logits.astype(np.float64)
    exp = np.exp(logits - logits.max(axis=-1, keepdims=True))
    result: NDArray[np.float64] = exp / exp.sum(axis=-1, keepdims=True)
    return result
