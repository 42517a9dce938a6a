"""What an agent may know of the unlabeled set: everything but its labels."""

from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from signal_env.utils.prediction import Floats, Prediction, read_only


class Unlabeled:
    """The unlabeled set U under the current classifier, computed once per round and shared: nothing in it can change.

    Attributes:
        texts: `n` texts, real ones first.
        real: `(n,)` whether each is of the real pool.
        probabilities: `(n, C)`.
        embeddings: `(n, d)`, the current classifier's encodings Φ, not normalised.
        labeled: The labeled set's `Prediction`, `(m, C)` and `(m, d)`.
        batch_size: How many texts will be labeled at the round's close, at most n.
        n_neighbors, normalize: The environment's options.

    Example:
        >>> import gymnasium as gym
        >>> import signal_env
        >>> env = gym.make("SignalEnv-reviews-v0", pool_size=100, round_size=10)
        >>> _ = env.reset(seed=0)
        >>> unlabeled = env.get_wrapper_attr("unlabeled")
        >>> len(unlabeled.texts), unlabeled.probabilities.shape, unlabeled.labeled.probabilities.shape
        (90, (90, 2), (10, 2))
        >>> most_uncertain = unlabeled.texts[unlabeled.probabilities.max(axis=1).argmin()]
    """

    def __init__(
        self,
        texts: tuple[str, ...],
        real: NDArray[np.bool_],
        prediction: Prediction,
        labeled: Prediction,
        batch_size: int,
        n_neighbors: int,
        normalize: bool,
        pretrained: Callable[[tuple[str, ...]], Floats],
        dropout: Callable[[tuple[str, ...]], Floats],
    ) -> None:
        self.texts = texts
        self.real = read_only(real)
        self.probabilities, self.embeddings = prediction.read_only()
        self.labeled = labeled.read_only()
        self.batch_size = min(batch_size, len(texts))
        self.n_neighbors = n_neighbors
        self.normalize = normalize
        self._pretrained = pretrained
        self._dropout = dropout

    def __len__(self) -> int:
        return len(self.texts)

    def part(self, rows: NDArray[np.int64], batch_size: int) -> "Unlabeled":
        """Some of the texts, of which so many will be labeled."""
        return Unlabeled(
            tuple(self.texts[i] for i in rows),
            self.real[rows],
            Prediction(self.probabilities[rows], self.embeddings[rows]),
            self.labeled,
            batch_size,
            self.n_neighbors,
            self.normalize,
            self._pretrained,
            self._dropout,
        )

    @cached_property
    def pretrained(self) -> Floats:
        """`(n, e)` encodings by the classifier's encoder as it was pretrained.

        Raises:
            ClassifierError: If the classifier has none.
        """
        return read_only(self._pretrained(self.texts))

    @cached_property
    def dropout(self) -> Floats:
        """`(S, n, C)` probabilities in S forward passes of the current classifier with dropout.

        Raises:
            ClassifierError: If the classifier has no dropout.
        """
        return read_only(self._dropout(self.texts))
