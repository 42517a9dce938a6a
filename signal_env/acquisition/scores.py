"""Acquisition functions that give every unlabeled text a score; higher is better."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from signal_env.acquisition import checks
from signal_env.acquisition.checks import check_probabilities
from signal_env.acquisition.neighbors import Neighbors, nearest
from signal_env.acquisition.strategy import acquisitions
from signal_env.utils.prediction import Floats, Prediction, scaled
from signal_env.utils.threads import searchers

Scores = NDArray[np.float64]

SMALLEST = 1e-12
"""The lower limit of probabilities before logarithms, so that no score is infinite."""

TYPICAL_NEIGHBORS = 20
"""The number of neighbors to which a typical text is near, as in the experiments of its authors."""

BLOCK = 512
"""Texts scored at a time, which limits the memory beyond the given arrays."""


@acquisitions.register("entropy")
def entropy(probabilities: Floats) -> Scores:
    """Compute the entropy of the predicted distribution in nats, from 0 to log C (Shannon 1948; Luo et al. 2013).

    Example:
        >>> entropy(np.array([[0.5, 0.5], [1.0, 0.0]])).round(3)
        array([0.693, 0.   ])
    """
    check_probabilities(probabilities)
    p = _clipped(probabilities)
    scores: Scores = -np.einsum("...c,...c->...", p, np.log(p))
    return scores


@acquisitions.register("margin")
def margin(probabilities: Floats) -> Scores:
    """Compute 1 minus the lead of the likeliest class over the second, from 0 to 1 (Joshi et al. 2009).

    Example:
        >>> margin(np.array([[0.5, 0.5], [0.7, 0.3]])).round(3)
        array([1. , 0.6])
    """
    check_probabilities(probabilities)
    top_two = np.partition(probabilities.astype(np.float64), -2, axis=1)
    scores: Scores = 1.0 - (top_two[:, -1] - top_two[:, -2])
    return scores


@acquisitions.register("least_confidence")
def least_confidence(probabilities: Floats) -> Scores:
    """Compute 1 minus the probability of the likeliest class, from 0 to 1 - 1/C (Lewis & Catlett 1994).

    Example:
        >>> least_confidence(np.array([[0.5, 0.5], [0.7, 0.3]])).round(3)
        array([0.5, 0.3])
    """
    check_probabilities(probabilities)
    scores: Scores = 1.0 - probabilities.astype(np.float64).max(axis=1)
    return scores


@acquisitions.register("bald")
def bald(dropout: Floats) -> Scores:
    """Compute Bayesian active learning by disagreement (Houlsby et al. 2011) under dropout (Gal et al. 2017).

    It is the mutual information of the label and the weights in nats: the entropy of the mean prediction minus the
    mean entropy of the predictions.

    Args:
        dropout: `(S, n, C)` probabilities from S forward passes with dropout.

    Example: two passes that contradict each other, and two that agree to be undecided.
        >>> bald(np.array([[[1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0], [0.5, 0.5]]])).round(3)
        array([0.693, 0.   ])
    """
    checks.check_dropout(dropout)
    scores = np.empty(dropout.shape[1])
    for start in range(0, len(scores), BLOCK):
        block = slice(start, start + BLOCK)
        samples = dropout[:, block].astype(np.float64)
        scores[block] = entropy(samples.mean(axis=0)) - entropy(samples).mean(axis=0)
    return np.maximum(scores, 0.0)


@acquisitions.register("learning_loss")
def learning_loss(predicted_loss: Floats) -> Scores:
    """Return the losses that the classifier predicts for texts without labels (Yoo & Kweon 2019).

    Args:
        predicted_loss: `(n,)` losses, right up to a monotone function.

    Example:
        >>> learning_loss(np.array([0.25, 1.5], dtype=np.float32))
        array([0.25, 1.5 ])
    """
    checks.check_losses(predicted_loss)
    return predicted_loss.astype(np.float64)


@acquisitions.register("signal")
def signal(
    probabilities: Floats,
    embeddings: Floats,
    labeled: Prediction,
    n_neighbors: int = 10,
    normalize: bool = True,
    scores: Scores | None = None,
) -> Scores:
    """Compute the paper's acquisition function s_x: informativeness (KL) over distance (SIGnAL, section 4.2).

    The environment passes the `scores` that it has computed already.

    Example: of two equally contrastive texts, the nearer one scores higher (the paper's Figure 1).
        >>> labeled = Prediction(np.array([[0.9, 0.1]]), np.array([[0.0, 0.0]]))
        >>> probabilities, embeddings = np.array([[0.1, 0.9], [0.1, 0.9]]), np.array([[1.0, 0.0], [4.0, 0.0]])
        >>> signal(probabilities, embeddings, labeled, normalize=False).round(3)
        array([1.758, 0.439])
    """
    if scores is not None:
        return scores
    return contrastive(
        probabilities, embeddings, labeled, n_neighbors, normalize, direction="unlabeled", divide_by_distance=True
    )


@acquisitions.register("informativeness")
def informativeness(
    probabilities: Floats,
    embeddings: Floats,
    labeled: Prediction,
    n_neighbors: int = 10,
    normalize: bool = True,
    neighbors: Neighbors | None = None,
) -> Scores:
    """Compute one half of s_x: mean KL(p(x) || p(x_l)) over the labeled neighbors (SIGnAL, section 4.2)."""
    known = (probabilities, embeddings, labeled, n_neighbors, normalize, neighbors)
    return contrastive(*known, direction="unlabeled", divide_by_distance=False)


@acquisitions.register("relevance")
def relevance(
    embeddings: Floats,
    labeled: Prediction,
    n_neighbors: int = 10,
    normalize: bool = True,
    neighbors: Neighbors | None = None,
) -> Scores:
    """Compute the other half of s_x: mean 1 / d(Φ(x), Φ(x_l)) over the labeled neighbors."""
    return closeness(neighbors or find_neighbors(embeddings, labeled.embeddings, n_neighbors, normalize))


@acquisitions.register("cal")
def cal(
    probabilities: Floats,
    embeddings: Floats,
    labeled: Prediction,
    n_neighbors: int = 10,
    normalize: bool = True,
    neighbors: Neighbors | None = None,
) -> Scores:
    """Compute contrastive active learning's mean KL(p(neighbor) || p(x)) over the labeled neighbors (Margatina 2021).

    As in the authors' code, neighbors are found among l2-normalized embeddings, k = 10, and nothing is divided by the
    distance. The direction of the divergence is the opposite of that in `signal`.
    """
    known = (probabilities, embeddings, labeled, n_neighbors, normalize, neighbors)
    return contrastive(*known, direction="labeled", divide_by_distance=False)


@acquisitions.register("typicality")
def typicality(embeddings: Floats, normalize: bool = True) -> Scores:
    """Compute how near a text is to its neighbors among the others, 1 / (mean distance) (Hacohen et al. 2022).

    It is high for a text in a dense region, and for one with copies. With one text it is 0.

    Example:
        >>> typicality(np.array([[0.0], [1.0], [2.0], [9.0]]), normalize=False).round(2)
        array([0.25, 0.3 , 0.3 , 0.12])
    """
    checks.check_embeddings(embeddings)
    if len(embeddings) < 2:
        return np.zeros(len(embeddings))
    x = scaled(embeddings, normalize)
    return typical(nearest(x, x, TYPICAL_NEIGHBORS + 1).distances[:, 1:])


def typical(distances: NDArray[np.float64]) -> Scores:
    """Compute the inverse of the mean of distances `(n, k)`, k >= 1; where all are 0, the mean counts as 1e-6."""
    scores: Scores = 1 / np.maximum(distances.mean(axis=1), 1e-6)
    return scores


def contrastive(
    probabilities: Floats,
    embeddings: Floats,
    labeled: Prediction,
    n_neighbors: int = 10,
    normalize: bool = True,
    neighbors: Neighbors | None = None,
    *,
    direction: Literal["unlabeled", "labeled"],
    divide_by_distance: bool,
) -> Scores:
    """Compute the mean contrast of each text with its nearest labeled neighbors, blocks of texts side by side.

    Args:
        probabilities: `(n, C)` of the texts.
        embeddings: `(n, d)` of the texts.
        labeled: The labeled set's `(m, C)` and `(m, d)`.
        n_neighbors: The paper's k; clamped to m.
        normalize: Whether neighbors are found among l2-normalized embeddings.
        neighbors: The neighbors, if they have been computed already.
        direction: See `contrast`.
        divide_by_distance: See `contrast`.

    Returns:
        `(n,)` finite scores of at least 0.

    Raises:
        AcquisitionError: If an array has another shape, rows of probabilities are none, or values are not finite.
    """
    check_probabilities(probabilities)
    checks.check_labeled(labeled, probabilities, embeddings)
    if neighbors is not None:
        return contrast(
            probabilities,
            labeled.probabilities,
            neighbors,
            direction=direction,
            divide_by_distance=divide_by_distance,
        )
    checks.check_embeddings(embeddings, n=len(probabilities))
    checks.check_count("n_neighbors", n_neighbors)
    known = scaled(labeled.embeddings, normalize)

    def block(start: int) -> Scores:
        texts = slice(start, start + BLOCK)
        return unchecked_contrast(
            probabilities[texts],
            labeled.probabilities,
            nearest(scaled(embeddings[texts], normalize), known, n_neighbors),
            direction=direction,
            divide_by_distance=divide_by_distance,
        )

    starts = range(0, len(probabilities), BLOCK)
    return np.concatenate(list(searchers().map(block, starts)) if len(starts) > 1 else [block(0)])


def contrast(
    probabilities: Floats,
    labeled_probabilities: Floats,
    neighbors: Neighbors,
    *,
    direction: Literal["unlabeled", "labeled"] = "unlabeled",
    divide_by_distance: bool = True,
) -> Scores:
    """Compute the mean contrast of each text's probabilities with those of its labeled neighbors.

    The paper's s_x (section 4.2 and Algorithm 1, line 6) is the mean of KL(p(x) || p(x_l)) / d(Φ(x), Φ(x_l)) over the
    neighbors. A neighbor at distance zero adds nothing: a copy of a labeled text teaches nothing.

    Args:
        probabilities: `(n, C)` of the texts.
        labeled_probabilities: `(m, C)` of the labeled set.
        neighbors: The texts' neighbors among the labeled set.
        direction: Which of the two distributions the divergence starts from: "unlabeled" is KL(p(x) || p(x_l)), the
            paper's; "labeled" is KL(p(x_l) || p(x)), that of CAL.
        divide_by_distance: Whether the divergence is divided by the distance.

    Returns:
        `(n,)` finite scores of at least 0.

    Raises:
        AcquisitionError: If rows of probabilities are none, or the neighbors are not those of these arrays.
        ValueError: If there is no such direction.
    """
    check_probabilities(probabilities)
    check_probabilities(labeled_probabilities, "labeled probabilities")
    checks.check_distances(neighbors, len(probabilities), len(labeled_probabilities))
    return unchecked_contrast(
        probabilities, labeled_probabilities, neighbors, direction=direction, divide_by_distance=divide_by_distance
    )


def unchecked_contrast(
    probabilities: Floats,
    labeled_probabilities: Floats,
    neighbors: Neighbors,
    *,
    direction: Literal["unlabeled", "labeled"] = "unlabeled",
    divide_by_distance: bool = True,
) -> Scores:
    """Compute `contrast` of arrays that have been checked where they were made, as in every step."""
    p, q = _clipped(probabilities), _clipped(labeled_probabilities)
    log_p, log_q = np.log(p)[:, None, :], np.log(q)[neighbors.indices]
    if direction == "unlabeled":
        divergence = (p[:, None, :] * (log_p - log_q)).sum(axis=2)
    elif direction == "labeled":
        divergence = (q[neighbors.indices] * (log_q - log_p)).sum(axis=2)
    else:
        raise ValueError(f"direction must be 'unlabeled' or 'labeled'; got {direction!r}.")
    divergence = np.maximum(divergence, 0.0)
    if divide_by_distance:
        apart = neighbors.distances > 0
        divergence = np.where(apart, divergence / np.where(apart, neighbors.distances, 1.0), 0.0)
    scores: Scores = divergence.sum(axis=1) / divergence.shape[1]
    return scores


def closeness(neighbors: Neighbors) -> Scores:
    """Compute the mean 1 / d(Φ(x), Φ(x_l)) over each text's labeled neighbors, `(n,)`; a distance of zero adds 0."""
    checks.check_distances(neighbors)
    d = neighbors.distances
    scores: Scores = np.divide(1.0, d, out=np.zeros_like(d), where=d > 0).mean(axis=1)
    return scores


def find_neighbors(embeddings: Floats, labeled_embeddings: Floats, n_neighbors: int, normalize: bool) -> Neighbors:
    """Find the nearest labeled neighbors in the space of Φ, l2-normalized or raw (Algorithm 1, line 5).

    Raises:
        AcquisitionError: If an array has another shape or values that are not finite, or no text is labeled.
    """
    checks.check_embeddings(embeddings)
    checks.check_embeddings(labeled_embeddings, "labeled embeddings", d=embeddings.shape[1], fewest=1)
    checks.check_count("n_neighbors", n_neighbors)
    return nearest(scaled(embeddings, normalize), scaled(labeled_embeddings, normalize), n_neighbors)


def _clipped(probabilities: Floats) -> NDArray[np.float64]:
    return np.minimum(np.maximum(probabilities.astype(np.float64), SMALLEST), 1.0)  # faster than clip on a few numbers
