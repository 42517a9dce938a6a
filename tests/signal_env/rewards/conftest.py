"""A round made by hand: eleven labeled texts, three classes, a pool, and a classifier of random numbers."""

from types import SimpleNamespace

import numpy as np
import pytest

from signal_env.config import SignalConfig
from signal_env.learner.episode import Episode
from signal_env.learner.metrics import Metrics
from signal_env.learner.open_round import Fitted, OpenRound
from signal_env.learner.outcomes import Offer
from signal_env.rewards import reward_terms
from signal_env.utils.prediction import Prediction
from signal_env.wrappers.shaping import potentials

WORDS = ("a", "warm", "cold", "film", "that", "drags", "never", "quite")


@pytest.fixture
def own_registry(monkeypatch):
    """Remove the names that a test registers."""
    for registry in (reward_terms, potentials):
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))


class World:
    """Return a random prediction for texts, the same one each time."""

    def __init__(self, seed=0):
        self.seed = seed
        self.known = {}

    def predict(self, texts):
        for text in texts:
            rng = np.random.default_rng([self.seed, *text.encode()])
            self.known.setdefault(text, (rng.dirichlet(np.ones(3)), rng.normal(size=4)))
        rows = [self.known[text] for text in texts]
        return Prediction(np.array([p for p, _ in rows]).reshape(-1, 3), np.array([x for _, x in rows]).reshape(-1, 4))

    def dropout(self, texts, n_samples=5, seed=0):
        return np.stack([np.random.default_rng([*text.encode()]).dirichlet(np.ones(3), 5) for text in texts], axis=1)

    def pretrained(self, texts):
        return self.predict(texts).embeddings[:, :2]

    def predicted_loss(self, texts):
        return self.predict(texts).embeddings[:, 0]

    def open_round(self, before=(), labels=None, normalize=True):
        labeled = tuple(f"labeled {i}" for i in range(11))
        labels = np.arange(11) % 3 if labels is None else np.asarray(labels)
        pool = (*labeled, "real 0", "real 1", "a warm film")
        parts = dict.fromkeys(
            ["prompts", "allocation", "labeling", "reward", "stopping"], SimpleNamespace(state_dict=dict)
        )
        rngs = dict.fromkeys(["selection_rng", "training_rng", "dropout_rng", "closing_rng"], np.random.default_rng(0))
        episode = Episode(
            seed=0,
            gold=dict.fromkeys(pool, 0),
            **parts,
            **rngs,
            unlabeled=dict.fromkeys(pool[11:]),
            labeled=dict(zip(labeled, labels.tolist(), strict=True)),
            offered=dict.fromkeys(before),
        )
        config = SignalConfig(n_neighbors=5, normalize=normalize, dropout_samples=5)
        fitted = Fitted(labeled, labels, self.predict(labeled), Metrics(0.5, 0.5, 0.7))
        return OpenRound(episode, self, config, fitted, batch_size=3)

    def candidates(self, texts, opened=None, prompts=None):
        opened = opened or self.open_round()
        return opened.candidates(tuple(texts), tuple(prompts or [""] * len(texts)))

    def offered(self, opened, texts):
        """Record texts as offered in the round."""
        n = len(texts)
        opened.add(Offer(tuple(texts), {}, ("",) * n, (False,) * n, (False,) * n), self.candidates(texts, opened))


@pytest.fixture
def world():
    return World()


@pytest.fixture
def candidates(world):
    return world.candidates([f"text {i}" for i in range(7)])
