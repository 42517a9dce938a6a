"""A linear head on a frozen encoder. Embeddings are computed once per text, and the head is trained to convergence."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from signal_env.classifiers import ClassifierError
from signal_env.classifiers.bodies import check_body, is_causal
from signal_env.classifiers.embedding_store import PROBES, EmbeddingStore
from signal_env.classifiers.logistic import balanced, fit_logistic
from signal_env.classifiers.pretrained import Batch, TextModel, load_pretrained
from signal_env.tasks import Task
from signal_env.utils.prediction import Floats, Prediction, softmax, unit
from signal_env.utils.threads import on_one_thread

if TYPE_CHECKING:
    import torch

CACHE_LIMIT = 500_000
"""The number of texts whose embeddings an encoder caches. Above it, the oldest tenth is dropped."""


class FrozenEncoder:
    """Mean-pooled token encodings by a pretrained encoder (Reimers & Gurevych 2019), cached per text.

    Tuples of texts, such as pools and evaluation splits, are also kept on disk (`EmbeddingStore`), unless they run on
    an accelerator, where the rounding of a text depends on the other texts, or the encoder is the embedded one.

    Args:
        task: The task, which sets the fields of a text.
        encoder: "embedded", "minilm", a folder, or a hub name.
        device: A torch device.
        max_length: The number of tokens to which a text is truncated.

    Raises:
        ModelError: If the encoder cannot be loaded or does not read texts, or the device cannot be used.
    """

    def __init__(self, task: Task, encoder: str, device: str, max_length: int) -> None:
        from transformers import AutoModel

        model, tokenizer = load_pretrained(AutoModel, encoder)
        check_body(model, tokenizer, f"The encoder {encoder!r}")
        if is_causal(model, tokenizer):
            tokenizer.padding_side = "right"  # its tokens count their positions from the beginning
        self.text_model = TextModel(model, tokenizer, task, max_length, device)
        self.size: int = self.text_model.model.config.hidden_size
        self._kept = device == "cpu" and encoder != "embedded"
        self._store: EmbeddingStore | None = None
        self._rows: dict[str, int] = {}  # The row in `_cache` of each cached text, oldest first.
        self._cache: NDArray[np.float32] = np.empty((0, self.size), dtype=np.float32)

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return embeddings `(n, d)` of `n` texts, not normalized."""
        if not all(text in self._rows for text in texts):
            new = [text for text in dict.fromkeys(texts) if text not in self._rows]
            self._add(new, self._stored(new) if self._kept and isinstance(texts, tuple) else self._computed(new))
        result = self._cache[[self._rows[text] for text in texts]]
        if len(self._rows) > CACHE_LIMIT:
            self._drop_oldest(len(self._rows) - CACHE_LIMIT + CACHE_LIMIT // 10)
        return result

    def __deepcopy__(self, memo: dict[int, Any]) -> "FrozenEncoder":
        """Return the encoder itself: its weights never change, and its cache depends on nothing else."""
        return self

    def _computed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return embeddings that the encoder computes now."""
        (embeddings,) = self.text_model.run(texts, self._mean_pool)
        return embeddings

    def _stored(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return embeddings that are read from the disk, or computed and written there."""
        if self._store is None:
            task = self.text_model.task
            probes = [task.write(*[probe] * len(task.columns)) for probe in PROBES]
            self._store = EmbeddingStore(self._computed, probes, repr((self.text_model.max_length, task.field_names)))
        return self._store(texts)

    def _add(self, new: Sequence[str], embeddings: NDArray[np.float32]) -> None:
        """Cache the embeddings of texts that are not cached."""
        start, end = len(self._rows), len(self._rows) + len(new)
        if end > len(self._cache):  # Double the size, so that rows are seldom copied.
            grown = np.empty((2 * end, self.size), dtype=np.float32)
            grown[:start] = self._cache[:start]
            self._cache = grown
        self._cache[start:end] = embeddings
        self._rows.update(zip(new, range(start, end), strict=True))

    def _drop_oldest(self, count: int) -> None:
        """Drop the `count` texts that were cached first."""
        self._cache = self._cache[count : len(self._rows)].copy()
        self._rows = {text: row for row, text in enumerate(list(self._rows)[count:])}

    def _mean_pool(self, batch: Batch) -> tuple["torch.Tensor"]:
        """Return the mean over each text's tokens of the encoder's last hidden state."""
        hidden = self.text_model.model(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1)
        return ((hidden * mask).sum(1) / mask.sum(1),)


@lru_cache(maxsize=16)  # A study plays many tasks in one process.
def shared_encoder(task: Task, encoder: str, device: str, max_length: int) -> FrozenEncoder:
    """Return the `FrozenEncoder` that all classifiers of this process share, with its cache of embeddings."""
    return FrozenEncoder(task, encoder, device, max_length)


class Encoded(NamedTuple):
    """Texts and their embeddings.

    Attributes:
        texts: `n` texts.
        embeddings: `(n, d)` embeddings, not normalized.
        x: `(n, d)` inputs of the head: l2-normalized embeddings in double precision.
    """

    texts: Sequence[str]
    embeddings: NDArray[np.float32]
    x: NDArray[np.float64]

    def __deepcopy__(self, memo: dict[int, Any]) -> "Encoded":
        """Return the values themselves, which never change."""
        return self


class LinearClassifier:
    """Multinomial logistic regression on the l2-normalized embeddings of a frozen encoder.

    With `class_weight="balanced"` all classes that have labels count alike, however many labels each has. Without it, a
    head trained on few labels predicts the most frequent class. On a task with very uneven classes the weights raise
    macro-F1, and rare classes are predicted more often than they occur: the probabilities are those of classes that
    occur equally often.

    Args:
        task: The task.
        encoder: A pretrained encoder: "embedded", "minilm", a folder, or a hub name.
        device: A torch device for the encoder.
        inverse_regularization: C in the objective C * (weighted sum of cross-entropies) + (squared norm of the
            weights) / 2, as in scikit-learn for three classes and more. For two, its C is twice this one.
        class_weight: "balanced" gives a text the weight n / (classes with labels * texts of its class), as in
            scikit-learn. None gives all texts the weight 1.
        max_length: The number of tokens to which a text is truncated.

    Raises:
        ClassifierError: If `inverse_regularization` is not a number above 0 and at most 1e12, or `class_weight` is
            neither "balanced" nor None.
        ModelError: If the encoder cannot be loaded, or the device cannot be used.
    """

    def __init__(
        self,
        task: Task,
        encoder: str,
        device: str = "cpu",
        inverse_regularization: float = 1.0,
        class_weight: Literal["balanced"] | None = "balanced",
        max_length: int = 128,
    ) -> None:
        if not isinstance(inverse_regularization, int | float) or not 0 < inverse_regularization <= 1e12:
            raise ClassifierError(
                "Expected inverse_regularization to be a number above 0 and at most 1e12; "
                f"got {inverse_regularization!r}."
            )
        if class_weight not in ("balanced", None):
            raise ClassifierError(f"Expected class_weight to be 'balanced' or None; got {class_weight!r}.")
        self.encode = shared_encoder(task, encoder, device, max_length)
        self.inverse_regularization, self.class_weight = inverse_regularization, class_weight
        self.weights: Floats = np.zeros((task.n_classes, self.encode.size))
        self.bias: Floats = np.zeros(task.n_classes)
        self._fitted: Encoded | None = None
        self._longest: Encoded | None = None

    def fit(self, texts: Sequence[str], labels: NDArray[np.int64], seed: int) -> None:
        """Minimize the convex objective to many digits, see `Classifier.fit`. Nothing is random: `seed` is unused."""
        encoded = self._encoded(texts)
        self._fitted = encoded if isinstance(texts, tuple) else None  # A list might change later.
        y = np.asarray(labels, dtype=np.int64)
        share = balanced(y) if self.class_weight else np.ones(len(y))
        self.weights, self.bias = on_one_thread(
            fit_logistic, encoded.x, y, len(self.bias), self.inverse_regularization, share
        )

    def predict(self, texts: Sequence[str]) -> Prediction:
        """Return the head's probabilities `(n, C)` and the encoder's embeddings `(n, d)`."""
        encoded = self._encoded(texts)
        # One dot product per text and class. A matrix product would round differently for another number of texts.
        logits = np.einsum("nd,cd->nc", encoded.x, self.weights) + self.bias
        return Prediction(softmax(logits), encoded.embeddings)

    def _encoded(self, texts: Sequence[str]) -> Encoded:
        """Return the embeddings of texts and the inputs of the head.

        Cached are those of the fitted texts, and of the longest tuple of texts so far: usually the evaluation split,
        which is predicted in every round.
        """
        for kept in (self._fitted, self._longest):
            if kept is not None and texts is kept.texts:
                return kept
        embeddings = self.encode(texts)
        embeddings.flags.writeable = False  # The array may be returned again.
        encoded = Encoded(texts, embeddings, unit(embeddings).astype(np.float64))
        if isinstance(texts, tuple) and (self._longest is None or len(texts) >= len(self._longest.texts)):
            self._longest = encoded
        return encoded

    def encode_pretrained(self, texts: Sequence[str]) -> Floats:
        """Return the encoder's embeddings `(n, e)`, which training never changes."""
        return self.encode(texts)
