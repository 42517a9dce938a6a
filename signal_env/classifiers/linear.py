"""A linear head on a frozen encoder: embeddings are computed once per text, the head is trained to convergence."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from signal_env.classifiers.logistic import fit_logistic
from signal_env.classifiers.pretrained import Batch, TextModel, load_pretrained
from signal_env.tasks import Task
from signal_env.utils.prediction import Floats, Prediction, softmax, unit
from signal_env.utils.threads import on_one_thread

if TYPE_CHECKING:
    import torch

CACHE_LIMIT = 500_000
"""Texts whose embeddings an encoder keeps; beyond it the oldest tenth is forgotten, and computed again if needed."""


class FrozenEncoder:
    """Mean-pooled token encodings of a pretrained encoder (Reimers & Gurevych 2019), computed once per text."""

    def __init__(self, task: Task, encoder: str, device: str, max_length: int) -> None:
        from transformers import AutoModel

        self.text_model = TextModel(*load_pretrained(AutoModel, encoder), task, max_length, device)
        self.size: int = self.text_model.model.config.hidden_size
        self._rows: dict[str, int] = {}  # the texts that are known, oldest first, and their rows of the next
        self._known: NDArray[np.float32] = np.empty((0, self.size), dtype=np.float32)

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Returns `(n, d)` embeddings, not normalised."""
        if not all(text in self._rows for text in texts):
            self._learn([text for text in dict.fromkeys(texts) if text not in self._rows])
        result = self._known[[self._rows[text] for text in texts]]
        if len(self._rows) > CACHE_LIMIT:
            self._forget(len(self._rows) - CACHE_LIMIT + CACHE_LIMIT // 10)
        return result

    def _learn(self, new: Sequence[str]) -> None:
        (embeddings,) = self.text_model.run(new, self._mean_pool)
        start, end = len(self._rows), len(self._rows) + len(new)
        if end > len(self._known):  # twice as many as are needed, so that rows are seldom moved
            grown = np.empty((2 * end, self.size), dtype=np.float32)
            grown[:start] = self._known[:start]
            self._known = grown
        self._known[start:end] = embeddings
        self._rows.update(zip(new, range(start, end), strict=True))

    def _forget(self, count: int) -> None:
        self._known = self._known[count : len(self._rows)].copy()
        self._rows = {text: row for row, text in enumerate(list(self._rows)[count:])}

    def _mean_pool(self, batch: Batch) -> tuple["torch.Tensor"]:
        hidden = self.text_model.model(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1)
        return ((hidden * mask).sum(1) / mask.sum(1),)


@lru_cache(maxsize=4)
def shared_encoder(task: Task, encoder: str, device: str, max_length: int) -> FrozenEncoder:
    """One encoder, and one cache of embeddings, for all the classifiers in this process that use it."""
    return FrozenEncoder(task, encoder, device, max_length)


class Encoded(NamedTuple):
    """Texts with their embeddings `(n, d)`, and the same as the head sees them, l2-normalised in double precision."""

    texts: Sequence[str]
    embeddings: NDArray[np.float32]
    x: NDArray[np.float64]


class LinearClassifier:
    """Multinomial logistic regression on a frozen encoder's l2-normalised embeddings.

    Args:
        task: The task.
        encoder: A transformers encoder: "embedded", "minilm", a folder, or a hub name.
        device: A torch device for the encoder.
        inverse_regularization: C of the usual objective: C times the summed cross-entropy plus half the squared norm.
        max_length: The number of tokens after which a text is cut.

    Raises:
        ValueError: If `inverse_regularization` is not a number over 0 and up to 1e12.
    """

    def __init__(
        self, task: Task, encoder: str, device: str = "cpu", inverse_regularization: float = 1.0, max_length: int = 128
    ) -> None:
        if not isinstance(inverse_regularization, int | float) or not 0 < inverse_regularization <= 1e12:
            raise ValueError(
                f"inverse_regularization is a number over 0 and up to 1e12; got {inverse_regularization!r}."
            )
        self.encode = shared_encoder(task, encoder, device, max_length)
        self.inverse_regularization = inverse_regularization
        self.weights: Floats = np.zeros((task.n_classes, self.encode.size))
        self.bias: Floats = np.zeros(task.n_classes)
        self._fitted: Encoded | None = None
        self._longest: Encoded | None = None

    def fit(self, texts: Sequence[str], labels: NDArray[np.int64], seed: int) -> None:
        """Minimises the convex objective to many digits; nothing in it is random, so `seed` is not used."""
        encoded = self._encoded(texts)
        self._fitted = encoded if isinstance(texts, tuple) else None  # what might change is not kept
        y = np.asarray(labels, dtype=np.int64)
        self.weights, self.bias = on_one_thread(fit_logistic, encoded.x, y, len(self.bias), self.inverse_regularization)

    def predict(self, texts: Sequence[str]) -> Prediction:
        """The head's probabilities and the encoder's embeddings, computed once per text."""
        encoded = self._encoded(texts)
        # Class by class, each text's sum for itself: a matrix product would round differently with the number of texts.
        logits = np.stack([np.einsum("nd,d->n", encoded.x, row) for row in self.weights], axis=1) + self.bias
        return Prediction(softmax(logits), encoded.embeddings)

    def _encoded(self, texts: Sequence[str]) -> Encoded:
        """The embeddings, and what the head sees of them.

        Those of the texts it was fitted on stay at hand, and those of the longest tuple of texts so far: often that is
        the evaluation split, which comes again in every round.
        """
        for kept in (self._fitted, self._longest):
            if kept is not None and texts is kept.texts:
                return kept
        embeddings = self.encode(texts)
        embeddings.flags.writeable = False  # it may be handed out again
        encoded = Encoded(texts, embeddings, unit(embeddings).astype(np.float64))
        if isinstance(texts, tuple) and (self._longest is None or len(texts) >= len(self._longest.texts)):
            self._longest = encoded
        return encoded

    def encode_pretrained(self, texts: Sequence[str]) -> Floats:
        """The encoder's embeddings, which are never trained."""
        return self.encode(texts)
