"""Acquisition functions: how much a text would teach the classifier, as pure functions over arrays.

Each maps the predictions for the unlabeled and the labeled texts to one score per unlabeled text, the higher the
better:

    score(unlabeled, labeled, *, n_neighbors, normalize, rng) -> (n,)

A user's own function has the same form, and is given by name (`@acquisitions.register("mine")`) or as it is.
"""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from signal_env.neighbors import Neighbors, nearest
from signal_env.prediction import Prediction, unit
from signal_env.registry import Registry

Scores = NDArray[np.float64]
AcquisitionFunction = Callable[..., Scores]

acquisitions: Registry[AcquisitionFunction] = Registry("acquisition function")

SMALLEST = 1e-12
"""Probabilities are clipped to this before logarithms, so that no score is infinite."""


def find_neighbors(unlabeled: Prediction, labeled: Prediction, n_neighbors: int, normalize: bool) -> Neighbors:
    """The nearest labeled neighbours in the space of Φ, l2-normalised or raw (Algorithm 1, line 5)."""
    scale = unit if normalize else lambda embeddings: embeddings
    return nearest(scale(unlabeled.embeddings), scale(labeled.embeddings), n_neighbors)


def contrast(
    unlabeled: Prediction,
    labeled: Prediction,
    neighbors: Neighbors,
    *,
    direction: Literal["unlabeled", "labeled"] = "unlabeled",
    divide_by_distance: bool = True,
) -> Scores:
    """Mean contrast of each text's probabilities with those of its labeled neighbours.

    The paper's s_x (section 4.2 and Algorithm 1, line 6) is the mean of KL(p(x) || p(x_l)) / d(Φ(x), Φ(x_l)) over the
    neighbours. A neighbour at distance zero adds nothing: a copy of a labeled text teaches nothing.

    Args:
        unlabeled: Predictions for `n` texts.
        labeled: Predictions for the labeled set.
        neighbors: The texts' neighbours among the labeled set.
        direction: Which of the two distributions the divergence starts from: "unlabeled" is KL(p(x) || p(x_l)), the
            paper's; "labeled" is KL(p(x_l) || p(x)), that of CAL.
        divide_by_distance: Whether the divergence is divided by the distance.

    Returns:
        `(n,)` finite scores of at least 0.
    """
    p = np.clip(unlabeled.probabilities.astype(np.float64), SMALLEST, 1.0)[:, None, :]
    q = np.clip(labeled.probabilities.astype(np.float64), SMALLEST, 1.0)[neighbors.indices]
    if direction == "labeled":
        p, q = q, p
    divergence = np.maximum((p * (np.log(p) - np.log(q))).sum(axis=2), 0.0)
    if divide_by_distance:
        apart = neighbors.distances > 0
        divergence = np.where(apart, divergence / np.where(apart, neighbors.distances, 1.0), 0.0)
    scores: Scores = divergence.mean(axis=1)
    return scores


@acquisitions.register("signal")
def signal(
    unlabeled: Prediction, labeled: Prediction, *, n_neighbors: int = 10, normalize: bool = True, rng: Any = None
) -> Scores:
    """The paper's acquisition function s_x: informativeness (KL) over distance (section 4.2).

    Example: of two equally contrastive texts, the nearer one scores higher (the paper's Figure 1).
        >>> labeled = Prediction(np.array([[0.9, 0.1]]), np.array([[0.0, 0.0]]))
        >>> texts = Prediction(np.array([[0.1, 0.9], [0.1, 0.9]]), np.array([[1.0, 0.0], [4.0, 0.0]]))
        >>> signal(texts, labeled, normalize=False).round(3)
        array([1.758, 0.439])
    """
    return contrast(unlabeled, labeled, find_neighbors(unlabeled, labeled, n_neighbors, normalize))


@acquisitions.register("cal")
def cal(
    unlabeled: Prediction, labeled: Prediction, *, n_neighbors: int = 10, normalize: bool = True, rng: Any = None
) -> Scores:
    """Contrastive active learning: mean KL(p(neighbour) || p(x)), without distance (Margatina et al. 2021)."""
    neighbors = find_neighbors(unlabeled, labeled, n_neighbors, normalize)
    return contrast(unlabeled, labeled, neighbors, direction="labeled", divide_by_distance=False)


@acquisitions.register("entropy")
def entropy(unlabeled: Prediction, labeled: Prediction | None = None, **_: Any) -> Scores:
    """Entropy of the predicted distribution in nats, from 0 to log C (Shannon 1948).

    Example:
        >>> entropy(Prediction(np.array([[0.5, 0.5], [1.0, 0.0]]), np.zeros((2, 1)))).round(3)
        array([0.693, 0.   ])
    """
    p = np.clip(unlabeled.probabilities.astype(np.float64), SMALLEST, 1.0)
    scores: Scores = -(p * np.log(p)).sum(axis=1)
    return scores


@acquisitions.register("margin")
def margin(unlabeled: Prediction, labeled: Prediction | None = None, **_: Any) -> Scores:
    """How small the lead of the likeliest class over the second is: 1 minus the lead, from 0 to 1 (Joshi et al. 2009).

    Example:
        >>> margin(Prediction(np.array([[0.5, 0.5], [0.7, 0.3]]), np.zeros((2, 1)))).round(3)
        array([1. , 0.6])
    """
    top = np.sort(unlabeled.probabilities.astype(np.float64), axis=1)
    scores: Scores = 1.0 - (top[:, -1] - top[:, -2])
    return scores


@acquisitions.register("least_confidence")
def least_confidence(unlabeled: Prediction, labeled: Prediction | None = None, **_: Any) -> Scores:
    """1 minus the probability of the likeliest class, from 0 to 1 - 1/C (Lewis & Catlett 1994).

    Example:
        >>> least_confidence(Prediction(np.array([[0.5, 0.5], [0.7, 0.3]]), np.zeros((2, 1)))).round(3)
        array([0.5, 0.3])
    """
    scores: Scores = 1.0 - unlabeled.probabilities.astype(np.float64).max(axis=1)
    return scores


@acquisitions.register("random")
def random(
    unlabeled: Prediction, labeled: Prediction | None = None, *, rng: np.random.Generator | None = None, **_: Any
) -> Scores:
    """Uniform scores from 0 to 1: no active learning."""
    return (rng or np.random.default_rng()).random(len(unlabeled.probabilities))


def top(scores: Scores, n: int) -> NDArray[np.int64]:
    """The indices of the n highest scores, highest first; among equal scores the smaller index comes first.

    Example:
        >>> top(np.array([1.0, 3.0, 3.0, 2.0]), 3)
        array([1, 2, 3])
    """
    return np.argsort(-scores, kind="stable")[:n]
