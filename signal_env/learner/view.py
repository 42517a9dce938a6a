"""The read-only view of an open round that agents, acquisition functions and reward terms share."""

from collections.abc import Sequence
from copy import deepcopy
from functools import cached_property
from typing import TYPE_CHECKING, Any, Never

import numpy as np
from numpy.typing import NDArray

from signal_env.acquisition.neighbors import Neighbors
from signal_env.acquisition.scores import unchecked_contrast
from signal_env.utils.prediction import Floats, Prediction, read_only

if TYPE_CHECKING:
    from signal_env.learner.open_round import OpenRound


class View:
    """Texts under the current classifier, beside the labeled set. It is read-only.

    Expensive values are computed once, on first use.

    Attributes:
        texts: `n` texts. In the unlabeled set the real ones come first.
        probabilities: `(n, C)`.
        embeddings: `(n, d)`, the current classifier's encodings Φ, not normalized.
        prompts: The prompt that each text answers, or "".

    Example:
        >>> import gymnasium as gym
        >>> import signal_env
        >>> env = gym.make("SignalEnv-reviews-v0", pool_size=100, round_size=10)
        >>> _ = env.reset(seed=0)
        >>> unlabeled = env.get_wrapper_attr("unlabeled")
        >>> unlabeled
        View(90 texts, 10 labeled texts)
        >>> unlabeled.probabilities.shape, unlabeled.labeled.probabilities.shape
        ((90, 2), (10, 2))
        >>> most_uncertain = unlabeled.texts[unlabeled.probabilities.max(axis=1).argmin()]
    """

    texts: tuple[str, ...]
    probabilities: Floats
    embeddings: Floats
    prompts: tuple[str, ...]
    _round: "OpenRound"
    _alone: bool
    _as_first: bool
    _parts: "list[View]"

    def __init__(
        self,
        opened: "OpenRound",
        texts: Sequence[str],
        prediction: Prediction,
        neighbors: Neighbors | None = None,
        scores: NDArray[np.float64] | None = None,
        *,
        prompts: Sequence[str] = (),
        alone: bool = False,
        as_first: bool = False,
    ) -> None:
        """Gather the texts with the values computed so far.

        Args:
            opened: The round.
            texts, prediction, neighbors, scores, prompts: See the attributes. None is computed on first use.
            alone: Whether each text gets dropout masks of its own, independent of the texts beside it.
            as_first: Whether the view shows the round as it was before its first offer.
        """
        known: dict[str, Any] = {"texts": tuple(texts), "prompts": tuple(prompts) or ("",) * len(texts)}
        known["probabilities"], known["embeddings"] = prediction.read_only()
        if neighbors is not None:
            known["neighbors"] = Neighbors(read_only(neighbors.indices), read_only(neighbors.distances))
        if scores is not None:
            known["scores"] = read_only(scores)
        self.__dict__.update(known, _round=opened, _alone=alone, _as_first=as_first, _parts=[])

    def __setattr__(self, name: str, value: object) -> Never:
        """Raise an `AttributeError`."""
        raise AttributeError(f"A view cannot be changed; {name!r} was to be set.")

    def __delattr__(self, name: str) -> Never:
        """Refuse to remove anything."""
        raise AttributeError(f"A view cannot be changed; {name!r} was to be removed.")

    def __deepcopy__(self, memo: dict[int, Any]) -> "View":
        """Return a view of a copy of the round. It shares the arrays, which are read-only."""
        copied = memo[id(self)] = View.__new__(View)
        copied.__dict__.update(self.__dict__, _round=deepcopy(self._round, memo))
        return copied

    def __repr__(self) -> str:
        """Return the numbers of texts and of labeled texts."""
        return f"View({len(self)} texts, {len(self.labeled_texts)} labeled texts)"

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.texts)

    @property
    def prediction(self) -> Prediction:
        """The probabilities and embeddings together."""
        return Prediction(self.probabilities, self.embeddings)

    @cached_property
    def neighbors(self) -> Neighbors:
        """The nearest labeled neighbors of each text: `(n, k)` indices and distances, the nearest first."""
        if self._parts:
            found = zip(*(part.neighbors for part in self._parts), strict=True)
            indices, distances = (np.concatenate(rows) for rows in found)
        else:
            indices, distances = self._round.find_neighbors(self.embeddings)
        return Neighbors(read_only(indices), read_only(distances))

    @property
    def distances(self) -> NDArray[np.float64]:
        """`(n, k)` Euclidean distances to these neighbors."""
        return self.neighbors.distances

    @cached_property
    def scores(self) -> NDArray[np.float64]:
        """`(n,)` acquisition scores s_x (SIGnAL, section 4.2)."""
        if self._parts:
            return read_only(np.concatenate([part.scores for part in self._parts]))
        return read_only(unchecked_contrast(self.probabilities, self.labeled.probabilities, self.neighbors))

    @cached_property
    def real(self) -> NDArray[np.bool_]:
        """`(n,)` whether each text is one of the real pool."""
        return read_only(np.array([self._round.episode.is_real(text) for text in self.texts], dtype=np.bool_))

    @cached_property
    def pretrained(self) -> Floats:
        """`(n, e)` encodings by the classifier's encoder as it was pretrained.

        Raises:
            ClassifierError: If the classifier has none.
        """
        return read_only(self._round.classifier.pretrained(self.texts))

    @cached_property
    def dropout(self) -> Floats:
        """`(S, n, C)` probabilities in S forward passes of the current classifier with dropout.

        Raises:
            ClassifierError: If the classifier has no dropout.
        """
        if not self._alone:
            return read_only(self._round.dropout(self.texts))
        return read_only(np.concatenate([self._round.dropout((text,)) for text in self.texts], axis=1))

    @cached_property
    def predicted_loss(self) -> Floats:
        """`(n,)` losses that the current classifier predicts, of which only the order has a meaning.

        Raises:
            ClassifierError: If the classifier predicts no losses.
        """
        return read_only(self._round.classifier.predicted_loss(self.texts))

    @property
    def labeled(self) -> Prediction:
        """The classifier's prediction for the `m` texts that it was trained on: `(m, C)` and `(m, d)`."""
        return self._round.labeled

    @property
    def labels(self) -> NDArray[np.int64]:
        """`(m,)` labels of these texts."""
        return self._round.labels

    @property
    def labeled_texts(self) -> tuple[str, ...]:
        """These `m` texts."""
        return self._round.labeled_texts

    @property
    def unlabeled(self) -> "View":
        """The unlabeled set as the round opened."""
        return self._round.unlabeled

    @property
    def offered(self) -> "View":
        """The valid texts offered in the round so far, in order."""
        return self._round.nothing if self._as_first else self._round.offered

    @property
    def earlier(self) -> "View":
        """The valid texts offered in the episode so far, in order."""
        return self._round.before if self._as_first else self._round.earlier

    @property
    def pool(self) -> "View":
        """The real pool R, labeled and unlabeled texts alike."""
        return self._round.pool

    @property
    def batch_size(self) -> int:
        """The number of these texts that may be labeled at the round's close, at most n."""
        return min(self._round.batch_size, len(self.texts))

    @property
    def n_neighbors(self) -> int:
        """The environment's option."""
        return self._round.config.n_neighbors

    @property
    def normalize(self) -> bool:
        """The environment's option."""
        return self._round.config.normalize

    def rows(self, indices: Sequence[int] | NDArray[np.int64]) -> "View":
        """Return the view of some of the texts; what is known of them is not computed again."""
        return self._moved(self._round, indices)

    def joined(self, *others: "View") -> "View":
        """Return the view of these texts and, after them, those of other views of the round."""
        parts = [part for part in (self, *others) if part.texts] or [self]
        if len(parts) == 1:
            return parts[0]
        texts, prompts = (tuple(one for part in parts for one in getattr(part, name)) for name in ("texts", "prompts"))
        prediction = Prediction(*(np.concatenate(rows) for rows in zip(*(p.prediction for p in parts), strict=True)))
        alone, as_first = all(part._alone for part in parts), any(part._as_first for part in parts)
        joined = View(self._round, texts, prediction, prompts=prompts, alone=alone, as_first=as_first)
        joined.__dict__["_parts"] = [leaf for part in parts for leaf in part._parts or [part]]  # else they would nest
        return joined

    def _moved(self, to: "OpenRound", indices: Sequence[int] | NDArray[np.int64]) -> "View":
        """Return some of the texts as a view of this round, or of a later one before the next training."""
        neighbors = scores = None
        if "neighbors" in vars(self):
            neighbors = Neighbors(self.neighbors.indices[indices], self.neighbors.distances[indices])
        if "scores" in vars(self):
            scores = self.scores[indices]
        texts, prompts = ([values[i] for i in indices] for values in (self.texts, self.prompts))
        flags = {"alone": self._alone, "as_first": self._as_first}
        return View(to, texts, self.prediction.rows(indices), neighbors, scores, prompts=prompts, **flags)
