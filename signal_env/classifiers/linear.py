"""A linear head on a frozen encoder: embeddings are computed once per text, the head is trained to convergence."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from signal_env.classifiers.pretrained import Batch, TextModel, load_pretrained
from signal_env.prediction import Floats, Prediction, softmax, unit
from signal_env.tasks import Task
from signal_env.threads import single_threaded

if TYPE_CHECKING:
    import torch

CACHE_LIMIT = 500_000
"""Texts whose embeddings an encoder keeps; beyond it the oldest are forgotten and computed again if needed."""


class FrozenEncoder:
    """Mean-pooled token encodings of a pretrained encoder (Reimers & Gurevych 2019), computed once per text."""

    def __init__(self, task: Task, encoder: str, device: str, max_length: int) -> None:
        from transformers import AutoModel

        self.text_model = TextModel(*load_pretrained(AutoModel, encoder), task, max_length, device)
        self.size: int = self.text_model.model.config.hidden_size
        self._cache: dict[str, NDArray[np.float32]] = {}

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Returns `(n, d)` embeddings, not normalised."""
        new = [text for text in dict.fromkeys(texts) if text not in self._cache]
        if new:
            (embeddings,) = self.text_model.run(new, self._mean_pool)
            self._cache.update(zip(new, embeddings, strict=True))
        result = np.stack([self._cache[text] for text in texts])
        for text in list(self._cache)[: max(0, len(self._cache) - CACHE_LIMIT)]:
            del self._cache[text]
        return result

    def _mean_pool(self, batch: Batch) -> tuple["torch.Tensor"]:
        hidden = self.text_model.model(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1)
        return ((hidden * mask).sum(1) / mask.sum(1),)


@lru_cache(maxsize=4)
def shared_encoder(task: Task, encoder: str, device: str, max_length: int) -> FrozenEncoder:
    """One encoder, and one cache of embeddings, for all the classifiers in this process that use it."""
    return FrozenEncoder(task, encoder, device, max_length)


class LinearClassifier:
    """Multinomial logistic regression on a frozen encoder's l2-normalised embeddings.

    Args:
        task: The task.
        encoder: A transformers encoder: "embedded", "minilm", a folder, or a hub name.
        device: A torch device for the encoder.
        inverse_regularization: C of the usual objective: C times the summed cross-entropy plus half the squared norm.
        max_length: The number of tokens after which a text is cut.
    """

    def __init__(
        self, task: Task, encoder: str, device: str = "cpu", inverse_regularization: float = 1.0, max_length: int = 128
    ) -> None:
        self.encode = shared_encoder(task, encoder, device, max_length)
        self.inverse_regularization = inverse_regularization
        self.weights: Floats = np.zeros((task.n_classes, self.encode.size))
        self.bias: Floats = np.zeros(task.n_classes)

    def fit(self, texts: Sequence[str], labels: NDArray[np.int64], seed: int) -> None:
        """Minimises the convex objective by L-BFGS; nothing in it is random, so `seed` is not used."""
        x = unit(self.encode(texts)).astype(np.float64)
        self.weights, self.bias = single_threaded().submit(self._minimize, x, labels).result()

    def _minimize(self, embeddings: Floats, labels: NDArray[np.int64]) -> tuple[Floats, Floats]:
        import torch
        from torch.nn.functional import cross_entropy

        x = torch.from_numpy(embeddings)
        y = torch.from_numpy(np.asarray(labels, dtype=np.int64))
        weights = torch.zeros(self.weights.shape, dtype=torch.float64, requires_grad=True)
        bias = torch.zeros(self.bias.shape, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.LBFGS(
            [weights, bias], max_iter=200, tolerance_grad=1e-6, tolerance_change=1e-10, line_search_fn="strong_wolfe"
        )

        def objective() -> "torch.Tensor":
            optimizer.zero_grad()
            loss = cross_entropy(x @ weights.T + bias, y, reduction="sum")
            loss = loss * self.inverse_regularization + 0.5 * weights.square().sum()
            loss.backward()
            return loss

        optimizer.step(objective)
        return weights.detach().numpy(), bias.detach().numpy()

    def predict(self, texts: Sequence[str]) -> Prediction:
        """The head's probabilities and the encoder's embeddings, computed once per text."""
        embeddings = self.encode(texts)
        x = unit(embeddings).astype(np.float64)
        # One class at a time and summed along rows: a matrix product would round differently with the number of texts.
        logits = np.stack([(x * row).sum(axis=1) for row in self.weights], axis=1) + self.bias
        return Prediction(softmax(logits), embeddings)

    def encode_pretrained(self, texts: Sequence[str]) -> Floats:
        """The encoder's embeddings, which are never trained."""
        return self.encode(texts)
