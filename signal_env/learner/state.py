"""The classifier's state as a vector of named features."""

import numpy as np
from numpy.typing import NDArray

from signal_env.acquisition import entropy, margin
from signal_env.learner.view import View
from signal_env.tasks import Task


def feature_names(task: Task) -> tuple[str, ...]:
    """Return the names of the classifier vector's features, in order. All lie between 0 and 1.

    They are computed from the labeled set and the unlabeled texts, without the evaluation split and hidden labels.

    - `round_progress`: offers made in this round, as a fraction of `offers_per_round`.
    - `labeled_share`: labeled instances, as a fraction of the budget.
    - `synthetic_share`: fraction of synthetic texts in the labeled set.
    - `train_accuracy`: accuracy on the labeled set.
    - `entropy_labeled`, `entropy_unlabeled`: mean predictive entropy over log C.
    - `margin_unlabeled`: mean of 1 minus the lead of the likeliest class.
    - `distance_unlabeled`, `score_unlabeled`: mean distance d to the nearest labeled neighbor and mean s_x of the
      unlabeled texts, each mapped to v / (1 + v).
    - `label_share/CLASS`: fraction of the class among the labels.
    - `predicted_share/CLASS`: fraction of the class among the predictions for the unlabeled texts.

    Example:
        >>> from signal_env.tasks import get_task
        >>> feature_names(get_task("sst2"))[-2:]
        ('predicted_share/negative', 'predicted_share/positive')
    """
    return (
        *("round_progress", "labeled_share", "synthetic_share", "train_accuracy", "entropy_labeled"),
        *("entropy_unlabeled", "margin_unlabeled", "distance_unlabeled", "score_unlabeled"),
        *(f"label_share/{name}" for name in task.class_names),
        *(f"predicted_share/{name}" for name in task.class_names),
    )


def features(unlabeled: View, *, labeled_share: float, synthetic_share: float) -> NDArray[np.float32]:
    """Compute the classifier's state after a training, in the order of `feature_names`, with `round_progress` 0.

    Args:
        unlabeled: The unlabeled set, with the labeled set beside it.
        labeled_share, synthetic_share: See `feature_names`.
    """
    labeled = unlabeled.labeled.probabilities
    n_classes = labeled.shape[1]
    margin_unlabeled = entropy_unlabeled = distance = score = 0.0
    predicted_share = np.zeros(n_classes)
    if len(unlabeled):
        distance = float(unlabeled.distances[:, 0].mean())
        score = float(unlabeled.scores.mean())
        entropy_unlabeled = float(entropy(unlabeled.probabilities).mean()) / np.log(n_classes)
        margin_unlabeled = float(margin(unlabeled.probabilities).mean())
        predicted_share = _shares(unlabeled.probabilities.argmax(axis=1), n_classes)
    values = [
        *(0.0, labeled_share, synthetic_share, float((labeled.argmax(axis=1) == unlabeled.labels).mean())),
        *(float(entropy(labeled).mean()) / np.log(n_classes), entropy_unlabeled, margin_unlabeled),
        *(distance / (1 + distance), score / (1 + score)),
        *_shares(unlabeled.labels, n_classes),
        *predicted_share,
    ]
    return np.asarray(np.clip(values, 0.0, 1.0), dtype=np.float32)


def _shares(labels: NDArray[np.int64], n_classes: int) -> NDArray[np.float64]:
    return np.bincount(labels, minlength=n_classes) / len(labels)
