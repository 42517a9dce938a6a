"""What reward terms see, made by hand: seven texts, eleven labeled ones, three classes, five earlier offers."""

import numpy as np
import pytest

from signal_env.acquisition import find_neighbors
from signal_env.learner.open_round import Known, OpenRound
from signal_env.learner.outcomes import Offer
from signal_env.learner.unlabeled import Unlabeled
from signal_env.rewards import Candidates, potentials, reward_terms
from signal_env.utils.prediction import Prediction

WORDS = ("a", "warm", "cold", "film", "that", "drags", "never", "quite")


@pytest.fixture
def own_registry(monkeypatch):
    """Undoes what a test registers."""
    for registry in (reward_terms, potentials):
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))


class World:
    """A classifier's say on any text, random but the same each time."""

    def __init__(self, seed=0):
        self.seed = seed
        self.known = {}

    def predict(self, texts):
        for text in texts:
            rng = np.random.default_rng([self.seed, *text.encode()])
            self.known.setdefault(text, (rng.dirichlet(np.ones(3)), rng.normal(size=4)))
        rows = [self.known[text] for text in texts]
        return Prediction(np.array([p for p, _ in rows]).reshape(-1, 3), np.array([x for _, x in rows]).reshape(-1, 4))

    def dropout(self, texts):
        return np.stack([np.random.default_rng([*text.encode()]).dirichlet(np.ones(3), 5) for text in texts], axis=1)

    def open_round(self, before=(), labels=None, normalize=True):
        labeled = tuple(f"labeled {i}" for i in range(11))
        prediction = self.predict(labeled)
        labels = np.arange(11) % 3 if labels is None else np.asarray(labels)
        pool = (*labeled, "real 0", "real 1", "a warm film")
        unlabeled = Unlabeled(
            pool[11:],
            np.ones(3, bool),
            self.predict(pool[11:]),
            prediction,
            3,
            5,
            normalize,
            self.predict,
            self.dropout,
        )
        known = Known(labeled, prediction)
        return OpenRound(known, labels, unlabeled, None, pool, tuple(before), self.predict, self.dropout)

    def candidates(self, texts, opened=None, prompts=None):
        opened = opened or self.open_round()
        prediction = self.predict(texts)
        neighbors = find_neighbors(
            prediction.embeddings, opened.labeled.prediction.embeddings, n_neighbors=5, normalize=opened.normalize
        )
        return Candidates(tuple(texts), prediction, neighbors, tuple(prompts or [""] * len(texts)), opened.view())

    def offered(self, opened, texts):
        """Notes texts as offered in the round."""
        empty = Offer.of(tuple(texts), {}, ("",) * len(texts), (False,) * len(texts))
        opened.add(empty, Known(tuple(texts), self.predict(texts)))


@pytest.fixture
def world():
    return World()


@pytest.fixture
def candidates(world):
    return world.candidates([f"text {i}" for i in range(7)])
