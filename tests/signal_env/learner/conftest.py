"""An open round whose classifier returns a test's table."""

from types import SimpleNamespace

import numpy as np
import pytest

from signal_env.config import SignalConfig
from signal_env.learner.episode import Episode
from signal_env.learner.metrics import Metrics
from signal_env.learner.open_round import Fitted, OpenRound
from signal_env.utils.prediction import Prediction


class Table:
    """A classifier that returns the n-th row for the n-th text."""

    def __init__(self, rows, rng):
        self.rows, self.rng = rows, rng

    def predict(self, texts):
        return self.rows.rows([int(text.split()[-1]) for text in texts])

    def pretrained(self, texts):
        return self.rng.random((len(texts), 3))

    def dropout(self, texts, n_samples, seed):
        return self.rng.dirichlet([1, 1], size=(n_samples, len(texts)))


@pytest.fixture(scope="session")
def tabulated():
    """Return a function from predictions to a round's unlabeled set, whose first `n_real` texts are real."""

    def make(unlabeled, labeled, labels=None, n_real=None, batch_size=5, n_neighbors=3, normalize=False):
        n, rng = len(unlabeled.embeddings), np.random.default_rng(0)
        texts = [f"text {i}" for i in range(n)]
        known = tuple(f"labeled {i}" for i in range(n, n + len(labeled.embeddings)))
        labels = np.zeros(len(known), dtype=np.int64) if labels is None else labels
        parts = dict.fromkeys(
            ["prompts", "allocation", "labeling", "reward", "stopping"], SimpleNamespace(state_dict=dict)
        )
        rngs = dict.fromkeys(["selection_rng", "training_rng", "dropout_rng", "closing_rng"], rng)
        real = dict.fromkeys([*known, *texts[:n_real]], 0)
        episode = Episode(0, real, **parts, **rngs, unlabeled=dict.fromkeys(texts))
        rows = Prediction(*(np.concatenate(pair) for pair in zip(unlabeled, labeled, strict=True)))
        config = SignalConfig(n_neighbors=n_neighbors, normalize=normalize, dropout_samples=4)
        fitted = Fitted(known, labels, labeled, Metrics(0.0, 0.0, 1.0))
        opened = OpenRound(episode, Table(rows, rng), config, fitted, batch_size)
        return opened.unlabeled

    return make
