"""What a classifier says of texts: the arrays that scores and rewards are made from."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


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


def unit(embeddings: Floats) -> Floats:
    """Scales each row of `(n, d)` to length 1; a row of zeros stays as it is.

    Example:
        >>> unit(np.array([[3.0, 4.0], [0.0, 0.0]]))
        array([[0.6, 0.8],
               [0. , 0. ]])
    """
    norms = np.sqrt((embeddings * embeddings).sum(axis=1, keepdims=True))
    result: Floats = embeddings / np.where(norms > 0, norms, 1)
    return result
