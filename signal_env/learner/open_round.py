"""The open round: all values that follow from the classifier's last training, each computed once."""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from signal_env.acquisition.neighbors import Neighbors, nearest
from signal_env.classifiers.checked import CheckedClassifier
from signal_env.config import SignalConfig
from signal_env.learner.episode import Episode
from signal_env.learner.outcomes import Offer
from signal_env.learner.view import View
from signal_env.utils.prediction import Floats, Prediction, read_only, scaled


class Fitted(NamedTuple):
    """The classifier's last training.

    Attributes:
        texts: The `m` texts of the training.
        labels: `(m,)` their labels.
        prediction: The trained classifier's prediction for them.
        accuracy: Its accuracy on the evaluation split.
    """

    texts: tuple[str, ...]
    labels: NDArray[np.int64]
    prediction: Prediction
    accuracy: float


class OpenRound:
    """A round between two trainings of the classifier: U as the round opened, and the offers since then.

    Attributes:
        labeled_texts: The `m` texts that the classifier was trained on.
        labels: `(m,)` their labels.
        labeled: The classifier's prediction for them.
        batch_size: The number of texts that may be labeled at the close.
        unlabeled: U as the round opened.
        nothing: The view of no texts.
        offers: The offers, in order.
        made: The number of texts in them.
        seen: These texts, valid or not, without passes.

    Args:
        episode: The episode.
        classifier: The classifier.
        config: The options of the experiment.
        fitted: The classifier's last training.
        batch_size: See the attribute.
    """

    def __init__(
        self, episode: Episode, classifier: CheckedClassifier, config: SignalConfig, fitted: Fitted, batch_size: int
    ) -> None:
        self.episode, self.classifier, self.config, self.batch_size = episode, classifier, config, batch_size
        self.labeled_texts, self.labels = fitted.texts, read_only(fitted.labels)
        self.labeled = fitted.prediction.read_only()
        self._points = scaled(self.labeled.embeddings, config.normalize)
        self.nothing = View(self, (), classifier.predict(()))
        self.unlabeled = self.view(tuple(episode.unlabeled))
        self._rows = {text: i for i, text in enumerate(self.unlabeled.texts)}
        self.offers: list[Offer] = []
        self.made = 0
        self.seen: set[str] = set()
        self._valid: list[View] = [self.nothing]  # the valid offers, in parts that are joined on demand
        self._entered: list[View] = [self.nothing]  # those of them that were new in U

    def view(self, texts: Sequence[str]) -> View:
        """Return texts under the current classifier. Without texts the classifier is not called."""
        return View(self, texts, self.classifier.predict(texts)) if texts else self.nothing

    def candidates(self, texts: Sequence[str], prompts: Sequence[str], as_first: bool = False) -> View:
        """Return the view of an offer's valid texts (lines 4 and 5). Values of texts of U are not computed again.

        Args:
            texts: The texts.
            prompts: The prompts that they answer.
            as_first: Whether the view shows the round as it was before its first offer.
        """
        rows = [self._rows.get(text, -1) for text in texts]
        if not rows or min(rows) < 0:
            return View(self, texts, self.classifier.predict(texts), prompts=prompts, alone=True, as_first=as_first)
        known = self.unlabeled
        neighbors = Neighbors(known.neighbors.indices[rows], known.neighbors.distances[rows])
        prediction, scores = known.prediction.rows(rows), known.scores[rows]
        return View(self, texts, prediction, neighbors, scores, prompts=prompts, alone=True, as_first=as_first)

    def opened_with(self, text: str) -> bool:
        """Return whether a text was in U as the round opened."""
        return text in self._rows

    def add(self, offer: Offer, valid: View) -> None:
        """Record an offer, and add its valid texts to U (line 3)."""
        self.offers.append(offer)
        self.made += len(offer.texts)
        self.seen.update(text for text, passed in zip(offer.texts, offer.passed, strict=True) if not passed)
        if not valid.texts:
            return
        self._valid.append(valid)
        new = [i for i, text in enumerate(valid.texts) if self.episode.add(text)]
        if new:
            self._entered.append(valid.rows(np.array(new)))

    @property
    def offered(self) -> View:
        """The valid texts offered in this round so far, in order."""
        return _joined(self._valid)

    def selectable(self) -> View:
        """Return U at the close: U as the round opened, and the texts that have entered it without being discarded."""
        entered = _joined(self._entered)
        left = [i for i, text in enumerate(entered.texts) if text in self.episode.unlabeled]
        return self.unlabeled.joined(entered if len(left) == len(entered) else entered.rows(np.array(left, dtype=int)))

    def best_entered(self) -> list[str]:
        """Return the offers that entered U, by falling reward."""
        entered = set(_joined(self._entered).texts)
        rewards: dict[str, float] = {}
        for offer in self.offers:
            for text, reward in zip(offer.texts, offer.rewards, strict=True):
                if text in entered:
                    rewards.setdefault(text, reward)  # a copy of it was not rewarded
        return sorted(rewards, key=lambda text: -rewards[text])

    @cached_property
    def pool(self) -> View:
        """The real pool R, labeled and unlabeled texts alike, encoded on first use."""
        return self.view(self.episode.pool)

    @cached_property
    def before(self) -> View:
        """The valid texts offered in earlier rounds of the episode, in order, encoded on first use."""
        return self.view(tuple(self.episode.offered))

    def find_neighbors(self, embeddings: Floats) -> Neighbors:
        """Return the nearest labeled neighbors of encodings `(n, d)` (line 5)."""
        return nearest(scaled(embeddings, self.config.normalize), self._points, self.config.n_neighbors)

    def dropout(self, texts: tuple[str, ...]) -> Floats:
        """Return `(S, n, C)` probabilities in S forward passes with dropout."""
        return self.classifier.dropout(texts, self.config.dropout_samples, self.episode.dropout_seed)


def _joined(parts: list[View]) -> View:
    """Join views, and leave the joined one in their place."""
    if len(parts) > 1:
        parts[:] = [parts[0].joined(*parts[1:])]
    return parts[0]
