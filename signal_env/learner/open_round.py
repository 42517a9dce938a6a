"""The round that is open: what is known since the classifier was trained last, and what has been offered since."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from signal_env.acquisition.neighbors import Neighbors
from signal_env.learner.outcomes import Offer
from signal_env.learner.unlabeled import Unlabeled
from signal_env.utils.prediction import Floats, Prediction, read_only


class Known(NamedTuple):
    """Texts with what the current classifier says of them.

    Attributes:
        texts: `n` texts.
        prediction: `(n, C)` probabilities and `(n, d)` encodings.
    """

    texts: tuple[str, ...]
    prediction: Prediction


class OpenRound:
    """A round between two trainings of the classifier.

    Attributes:
        labeled: The `m` texts that the classifier was trained on.
        labels: `(m,)` their labels.
        unlabeled: The unlabeled set as it was when the round began.
        neighbors: The nearest labeled neighbours of the unlabeled set; None if it is empty.
        normalize: Whether distances are measured between l2-normalised encodings.
        offers: The round's offers.
        made: The number of texts in them.
        seen: These texts, valid or not.
        entered: Those that entered U.

    Args:
        labeled, labels, unlabeled, neighbors: See above.
        pool: The texts of R.
        before: The valid texts offered in earlier rounds of the episode.
        predict: The classifier's prediction.
        dropout: `(S, n, C)` probabilities in S passes with dropout.
    """

    def __init__(
        self,
        labeled: Known,
        labels: NDArray[np.int64],
        unlabeled: Unlabeled,
        neighbors: Neighbors | None,
        pool: tuple[str, ...],
        before: tuple[str, ...],
        predict: Callable[[Sequence[str]], Prediction],
        dropout: Callable[[tuple[str, ...]], Floats],
    ) -> None:
        self.labeled = Known(labeled.texts, labeled.prediction.read_only())
        self.labels = read_only(labels)
        self.unlabeled = unlabeled
        self.normalize, self.dropout = unlabeled.normalize, dropout
        self.offers: list[Offer] = []
        self.made = 0
        self.seen: set[str] = set()
        self.entered: dict[str, Prediction] = {}
        self.neighbors = neighbors
        self._pool, self._before, self._predict = pool, before, predict
        self._offered: list[Known] = []

    def add(self, offer: Offer, valid: Known) -> None:
        """Notes an offer and its valid texts."""
        self.offers.append(offer)
        self.made += len(offer.texts)
        self.seen.update(offer.texts)
        if valid.texts:
            self._offered.append(valid)

    @cached_property
    def pool(self) -> Known:
        """The real pool R, labeled and unlabeled texts alike; encoded once a round, if a term asks for it."""
        return Known(self._pool, self._predict(self._pool).read_only())

    @property
    def offered(self) -> Known:
        """The valid texts offered in this round so far, in order."""
        if len(self._offered) != 1:
            self._offered = [_joined([Known((), self._predict(())), *self._offered])]
        return self._offered[0]

    @cached_property
    def before(self) -> Known:
        """The valid texts offered in earlier rounds of the episode, in order; encoded once, if a term asks for it."""
        return Known(self._before, self._predict(self._before).read_only())

    def view(self, from_the_beginning: bool = False) -> "RoundView":
        """What reward terms see of the round, as it stands or as it was before its first offer."""
        return RoundView(self, Known((), self._predict(())) if from_the_beginning else None)

    def known(self, texts: Sequence[str]) -> tuple[Prediction, Neighbors] | None:
        """What is known of texts that were unlabeled when the round began; None if one of them was not."""
        rows = [self._rows.get(text, -1) for text in texts]
        if not rows or min(rows) < 0 or self.neighbors is None:
            return None
        prediction = Prediction(self.unlabeled.probabilities[rows], self.unlabeled.embeddings[rows])
        return prediction, Neighbors(self.neighbors.indices[rows], self.neighbors.distances[rows])

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {text: i for i, text in enumerate(self.unlabeled.texts)}


class RoundView:
    """What reward terms see of the open round; nothing in it can be written to.

    Args:
        opened: The round.
        offered: The texts to show as offered in it; None: those that were.
    """

    def __init__(self, opened: OpenRound, offered: Known | None = None) -> None:
        self._opened = opened
        self._offered = offered

    @property
    def labeled(self) -> Known:
        """The `m` texts that the classifier was trained on."""
        return self._opened.labeled

    @property
    def labels(self) -> NDArray[np.int64]:
        """`(m,)` their labels."""
        return self._opened.labels

    @property
    def unlabeled(self) -> Unlabeled:
        """The unlabeled set as it was when the round began."""
        return self._opened.unlabeled

    @property
    def normalize(self) -> bool:
        """Whether distances are measured between l2-normalised encodings."""
        return self._opened.normalize

    @property
    def pool(self) -> Known:
        """The real pool R, labeled and unlabeled texts alike; encoded once a round, if a term asks for it."""
        return self._opened.pool

    @property
    def offered(self) -> Known:
        """The valid texts offered in the round so far, in order."""
        return self._opened.offered if self._offered is None else self._offered

    @property
    def earlier(self) -> Known:
        """The valid texts offered in the episode so far, in order; encoded once a round, if a term asks for it."""
        return _joined([self._opened.before, self.offered])

    def dropout(self, texts: tuple[str, ...]) -> Floats:
        """`(S, n, C)` probabilities in S forward passes with dropout."""
        return self._opened.dropout(texts)


def _joined(parts: Sequence[Known]) -> Known:
    """The texts of several, in order; those of no texts have no say in the arrays' types."""
    texts = tuple(text for part in parts for text in part.texts)
    parts = [part for part in parts if part.texts] or parts[:1]
    probabilities, embeddings = (np.concatenate(rows) for rows in zip(*(p.prediction for p in parts), strict=True))
    return Known(texts, Prediction(probabilities, embeddings).read_only())
