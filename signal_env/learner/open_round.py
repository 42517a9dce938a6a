"""The open round: all values that follow from the classifier's last training, each computed once."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from signal_env.acquisition.neighbors import Neighbors, nearest
from signal_env.classifiers.checked import CheckedClassifier
from signal_env.config import SignalConfig
from signal_env.learner.episode import Episode
from signal_env.learner.metrics import Metrics
from signal_env.learner.outcomes import Offer
from signal_env.learner.view import View
from signal_env.utils.copying import deep_copy
from signal_env.utils.prediction import Floats, Prediction, read_only, scaled


class Fitted(NamedTuple):
    """The classifier's last training.

    Attributes:
        texts: The `m` texts of the training.
        labels: `(m,)` their labels.
        prediction: The trained classifier's prediction for them.
        metrics: Its metrics on the evaluation split.
    """

    texts: tuple[str, ...]
    labels: NDArray[np.int64]
    prediction: Prediction
    metrics: Metrics

    def __deepcopy__(self, memo: dict[int, Any]) -> "Fitted":
        """Return the values themselves, which never change."""
        return self


class OpenRound:
    """A round between two trainings of the classifier: U as the round opened, and the offers since then.

    Attributes:
        labeled_texts: The `m` texts that the classifier was trained on.
        labels: `(m,)` their labels.
        labeled: The classifier's prediction for them.
        batch_size: The number of texts that may be labeled at the close.
        unlabeled: U as the round opened.
        nothing: The view of no texts.
        reward_state: The reward's state as the round opened.
        offers: The offers, in order.
        made: The number of texts in them.
        n_valid: The number of their valid texts.
        seen: These texts, valid or not, without passes.

    Args:
        episode: The episode.
        classifier: The classifier.
        config: The options of the experiment.
        fitted: The classifier's last training.
        batch_size: See the attribute.
        previous: The round before this one, whose values are taken over if the classifier was not trained since then.
    """

    def __init__(
        self,
        episode: Episode,
        classifier: CheckedClassifier,
        config: SignalConfig,
        fitted: Fitted,
        batch_size: int,
        previous: "OpenRound | None" = None,
    ) -> None:
        self.episode, self.classifier, self.config, self.batch_size = episode, classifier, config, batch_size
        self.fitted = fitted
        self.labeled_texts, self.labels = fitted.texts, read_only(fitted.labels)
        self.labeled = fitted.prediction.read_only()
        self._points = scaled(self.labeled.embeddings, config.normalize)
        self.nothing = View(self, (), classifier.predict(()))
        self.unlabeled = self._open(previous)
        self._rows = {text: i for i, text in enumerate(self.unlabeled.texts)}
        self.reward_state = episode.reward.state_dict()
        self.offers: list[Offer] = []
        self.made = self.n_valid = 0
        self.seen: set[str] = set()
        self._valid: list[View] = [self.nothing]  # the valid offers, in parts that are joined on demand
        self._earlier: tuple[int, View] | None = None  # the view `earlier`, after so many offers

    def __deepcopy__(self, memo: dict[int, Any]) -> "OpenRound":
        """Return a copy that shares what follows from the last training alone."""
        known = (self.labeled_texts, self.labels, self.labeled, self._points, self._rows, self.reward_state)
        return deep_copy(self, memo, [self.config, *known, *self.offers])

    def _open(self, previous: "OpenRound | None") -> View:
        """Return U: from the previous round if the classifier was not trained since then, else predicted."""
        if previous is None or previous.fitted is not self.fitted or previous.episode is not self.episode:
            texts = tuple(self.episode.unlabeled)
            return View(self, texts, self.classifier.predict(texts)) if texts else self.nothing
        known = previous.selectable()
        known.neighbors, known.scores  # noqa: B018  (computed now, of offers where no term has named them)
        return known._moved(self, range(len(known)))

    def candidates(self, texts: Sequence[str], prompts: Sequence[str], as_first: bool = False) -> View:
        """Return the view of an offer's valid texts (lines 4 and 5). If all are texts of U, nothing is computed again.

        Args:
            texts: The texts.
            prompts: The prompts that they answer.
            as_first: Whether the view shows the round as it was before its first offer.
        """
        flags: dict[str, Any] = {"prompts": prompts, "alone": True, "as_first": as_first}
        rows = [self._rows.get(text, -1) for text in texts]
        if not rows or min(rows) < 0:
            return View(self, texts, self.classifier.predict(texts), **flags)
        known = self.unlabeled
        neighbors = Neighbors(known.neighbors.indices[rows], known.neighbors.distances[rows])
        return View(self, texts, known.prediction.rows(rows), neighbors, known.scores[rows], **flags)

    def opened_with(self, text: str) -> bool:
        """Return whether a text was in U as the round opened."""
        return text in self._rows

    def add(self, offer: Offer, valid: View) -> None:
        """Record an offer, and add its valid texts to U (line 3)."""
        self.offers.append(offer)
        self.made += len(offer.texts)
        self.n_valid += len(valid)
        self.seen.update(text for text, passed in zip(offer.texts, offer.passed, strict=True) if not passed)
        if valid.texts:
            self._valid.append(valid)
            self.episode.unlabeled |= dict.fromkeys(valid.texts)

    @property
    def offered(self) -> View:
        """The valid texts offered in this round so far, in order."""
        if len(self._valid) > 1:  # joined now, and kept so
            self._valid = [self._valid[0].joined(*self._valid[1:])]
        return self._valid[0]

    @property
    def earlier(self) -> View:
        """The valid texts offered in the episode so far, in order."""
        if self._earlier is None or self._earlier[0] != self.made:
            self._earlier = (self.made, self.before.joined(self.offered))
        return self._earlier[1]

    def selectable(self) -> View:
        """Return U as it is now: as the round opened, and the texts offered since then; without what has left it."""
        left = self.episode.unlabeled
        opened = [i for i, text in enumerate(self.unlabeled.texts) if text in left]
        offered = self.offered
        new = [i for i, text in enumerate(offered.texts) if text in left and not self.opened_with(text)]
        unlabeled = self.unlabeled if len(opened) == len(self.unlabeled) else self.unlabeled.rows(opened)
        return unlabeled.joined(offered if len(new) == len(offered) else offered.rows(new))

    def best_offered(self) -> list[str]:
        """Return the valid texts offered, by falling reward."""
        valid = set(self.offered.texts)
        rewards: dict[str, float] = {}
        for offer in self.offers:
            for text, reward in zip(offer.texts, offer.rewards, strict=True):
                if text in valid:
                    rewards.setdefault(text, reward)  # a copy of it was not rewarded
        return sorted(rewards, key=lambda text: -rewards[text])

    @cached_property
    def pool(self) -> View:
        """The real pool R, labeled and unlabeled texts alike, predicted on first use."""
        return self._known(self.episode.pool)

    @cached_property
    def before(self) -> View:
        """The valid texts offered in earlier rounds of the episode, in order, predicted on first use."""
        return self._known(tuple(self.episode.offered))

    def _known(self, texts: tuple[str, ...]) -> View:
        """Return texts of which the classifier is only asked about those that are in neither U nor L."""
        if not texts:
            return self.nothing
        labeled = {text: i for i, text in enumerate(self.labeled_texts)}
        new = [text for text in dict.fromkeys(texts) if text not in labeled and text not in self._rows]
        parts = [self.labeled, self.unlabeled.prediction, *([self.classifier.predict(new)] if new else [])]
        first = len(labeled)
        places = labeled | {text: first + i for text, i in self._rows.items()}
        places |= {text: first + len(self._rows) + i for i, text in enumerate(new)}
        parts = [part for part in parts if len(part.embeddings)]  # the arrays of no texts have types of their own
        rows = Prediction(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
        return View(self, texts, rows.rows([places[text] for text in texts]), alone=True)

    def find_neighbors(self, embeddings: Floats) -> Neighbors:
        """Return the nearest labeled neighbors of encodings `(n, d)` (line 5)."""
        return nearest(scaled(embeddings, self.config.normalize), self._points, self.config.n_neighbors)

    def dropout(self, texts: tuple[str, ...]) -> Floats:
        """Return `(S, n, C)` probabilities in S forward passes with dropout."""
        return self.classifier.dropout(texts, self.config.dropout_samples, self.episode.dropout_seed)
