"""Other libraries' strategies on the same arrays, for `bench acquisition`; they are the extra `peers`."""

import importlib.util
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signal_env.utils.prediction import Floats, unit

Choose = Callable[[], NDArray[np.int64]]


@dataclass
class Arrays:
    """The arrays that every side chooses from: the unlabeled texts first, then the labeled ones.

    Attributes:
        probabilities: `(n + m, C)`.
        embeddings: `(n + m, d)`.
        n: The number of unlabeled texts.
        batch_size: The number of texts to choose.
    """

    probabilities: Floats
    embeddings: Floats
    n: int
    batch_size: int

    @cached_property
    def normalized(self) -> Floats:
        """The l2-normalized embeddings."""
        return unit(self.embeddings)


def _small_text(arrays: Arrays) -> dict[str, Choose]:
    """Return the strategies of small-text 1.4: CAL finds neighbors in the pool, BADGE clusters raw embeddings."""
    with warnings.catch_warnings(action="ignore"):
        import small_text.query_strategies as theirs
        from small_text.integrations.pytorch.query_strategies.strategies import BADGE

        strategies = {
            "entropy": theirs.PredictionEntropy(),
            "margin": theirs.BreakingTies(),
            "least_confidence": theirs.LeastConfidence(),
            "cal": theirs.ContrastiveActiveLearning(k=10, pbar=None),
            "badge": BADGE(arrays.probabilities.shape[1]),
            "coreset": theirs.GreedyCoreset(normalize=False),
            "bertkm": theirs.EmbeddingKMeans(),
        }

    class Known:
        """A classifier with known predictions; its data set is an array of row numbers."""

        def predict_proba(self, rows: NDArray[np.int64]) -> Floats:
            return arrays.probabilities[rows]

        def embed(self, rows: NDArray[np.int64], return_proba: bool = False, **_: Any) -> Any:
            embeddings = arrays.embeddings[rows]
            return (embeddings, arrays.probabilities[rows]) if return_proba else embeddings

    rows, n = np.arange(len(arrays.embeddings)), arrays.n
    labels = arrays.probabilities[n:].argmax(axis=1)

    def chooser(strategy: Any) -> Choose:
        return lambda: np.asarray(strategy.query(Known(), rows, rows[:n], rows[n:], labels, n=arrays.batch_size))

    return {name: chooser(strategy) for name, strategy in strategies.items()}


def _scikit_activeml(arrays: Arrays) -> dict[str, Choose]:
    """Return the strategies of scikit-activeml 1.0.

    CAL has normalized embeddings and k = 10, BADGE keeps the origin as a center, and k-means is Clue, which
    weights texts by their entropy.
    """
    from skactiveml.base import SkactivemlClassifier
    from skactiveml.pool import Badge, Clue, ContrastiveAL, CoreSet, UncertaintySampling

    n, normalized = arrays.n, arrays.normalized

    class Known(SkactivemlClassifier):  # type: ignore[misc]  # its base has no types
        """A classifier with known predictions."""

        def fit(self, X: Floats, y: Floats) -> "Known":
            return self

        def predict_proba(self, X: Floats) -> Floats:
            known = {n: slice(0, n), len(arrays.embeddings) - n: slice(n, None)}
            return arrays.probabilities[known[len(X)]].copy()

    labels = np.full(len(arrays.embeddings), np.nan)
    labels[n:] = arrays.probabilities[n:].argmax(axis=1)
    classifier = Known(classes=list(range(arrays.probabilities.shape[1])))

    def chooser(strategy: Any, embeddings: Floats = arrays.embeddings, *known: Any, **options: Any) -> Choose:
        return partial(strategy.query, embeddings, labels, *known, batch_size=arrays.batch_size, **options)

    def uncertainty(method: str) -> Choose:
        strategy = UncertaintySampling(method=method, random_state=0)
        return chooser(strategy, arrays.embeddings, classifier, fit_clf=False)

    cal = ContrastiveAL(nearest_neighbors_dict={"n_neighbors": 10}, random_state=0)
    return {
        "entropy": uncertainty("entropy"),
        "margin": uncertainty("margin_sampling"),
        "least_confidence": uncertainty("least_confident"),
        "cal": chooser(cal, normalized, classifier, fit_clf=False),
        "badge": chooser(Badge(random_state=0), arrays.embeddings, classifier, fit_clf=False),
        "coreset": chooser(CoreSet(random_state=0)),
        "bertkm": chooser(Clue(random_state=0), normalized, classifier, fit_estimator=False),
    }


PEERS = {"small-text": ("small_text", _small_text), "scikit-activeml": ("skactiveml", _scikit_activeml)}
"""The module of each peer, and the function that returns its strategies."""


def peers_of(arrays: Arrays) -> dict[str, dict[str, Choose]]:
    """Return the counterparts of our strategies in each installed peer: functions that return a batch.

    They only choose; the arrays are converted to the form of each library before.
    """
    installed = {name: peer for name, (module, peer) in PEERS.items() if importlib.util.find_spec(module) is not None}
    return {name: peer(arrays) for name, peer in installed.items()}
