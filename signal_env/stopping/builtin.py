"""The built-in stopping criteria. They read predictions for the pool and the unlabeled set, never hidden labels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from signal_env.acquisition import entropy
from signal_env.stopping.criterion import StoppingError, stopping_criteria
from signal_env.utils.prediction import Floats, not_probabilities

Labels = NDArray[np.integer[Any]]


@stopping_criteria.register("stable_predictions")
def stable_predictions(
    pool_probabilities: Floats,
    pool_probabilities_before: Floats,
    values: NDArray[np.float64],
    threshold: float = 0.99,
    window: int = 3,
) -> tuple[float, bool]:
    """Measure Cohen's kappa of the last two classifiers' predictions for R; met if its last three average 0.99.

    It is the method of Bloodgood & Vijay-Shanker (2009) with their threshold and their window. Their stop set has 2,000
    unlabeled texts; ours is all of R, whose predictions are known anyway. See `cohens_kappa`.

    Args:
        pool_probabilities: `(r, C)` predicted for R.
        pool_probabilities_before: `(r, C)` predicted for R by the classifier before.
        values: The kappas measured earlier in the episode.
        threshold: The mean kappa at which the criterion is met, from -1 to 1.
        window: The number of kappas in the mean, at least 1.

    Raises:
        StoppingError: If an option is out of its range.

    Example:
        >>> before, now = np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([[0.8, 0.2], [0.1, 0.9]])
        >>> stable_predictions(now, now[::-1], values=[])
        (-1.0, False)
        >>> stable_predictions(now, now, values=[0.98, 1.0])
        (1.0, True)
    """
    _check_range("stable_predictions", "threshold", threshold, -1, 1)
    if not isinstance(window, int) or window < 1:
        raise StoppingError(
            f"The option window of 'stable_predictions' must be a whole number from 1 on; got {window}."
        )
    _check_pair("stable_predictions", pool_probabilities, pool_probabilities_before)
    kappa = cohens_kappa(pool_probabilities.argmax(axis=1), pool_probabilities_before.argmax(axis=1))
    last = [*values, kappa][-window:]
    return kappa, len(last) == window and float(np.mean(last)) >= threshold


@stopping_criteria.register("classification_change")
def classification_change(
    probabilities: Floats, probabilities_before: Floats, threshold: float = 0.0
) -> tuple[float, bool] | None:
    """Measure the fraction of U whose predicted class the last training changed; met if it changed none.

    It is the criterion of Zhu, Wang & Hovy (2008): the classification of the remaining unlabeled texts does not change
    in two consecutive trainings. With an empty U nothing is measured.

    Args:
        probabilities: `(n, C)` predicted for U.
        probabilities_before: `(n, C)` predicted for the same texts by the classifier before.
        threshold: The fraction at which the criterion is met, from 0 to 1.

    Raises:
        StoppingError: If the threshold is out of its range.

    Example:
        >>> classification_change(np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([[0.6, 0.4], [0.2, 0.8]]))
        (0.5, False)
    """
    _check_range("classification_change", "threshold", threshold, 0, 1)
    if not len(probabilities):
        return None
    _check_pair("classification_change", probabilities, probabilities_before)
    changed = float((probabilities.argmax(axis=1) != probabilities_before.argmax(axis=1)).mean())
    return changed, changed <= threshold


@stopping_criteria.register("overall_uncertainty")
def overall_uncertainty(probabilities: Floats, threshold: float = 0.05) -> tuple[float, bool] | None:
    """Measure the mean entropy of the predictions for U as a fraction of log C; met if it is below 0.05.

    It is the criterion of Zhu, Wang & Hovy (2008), who leave a small threshold to the user. Ours is the default of the
    library small-text. With an empty U nothing is measured.

    Args:
        probabilities: `(n, C)` predicted for U.
        threshold: The fraction of log C, the entropy of a uniform prediction, below which the criterion is met.

    Raises:
        StoppingError: If the threshold is out of its range.

    Example:
        >>> overall_uncertainty(np.array([[0.5, 0.5], [1.0, 0.0]]))[1]
        False
    """
    _check_range("overall_uncertainty", "threshold", threshold, 0, 1)
    if not len(probabilities):
        return None
    uncertainty = float(entropy(probabilities).mean()) / float(np.log(probabilities.shape[1]))
    return uncertainty, uncertainty < threshold


def cohens_kappa(labels: Labels, others: Labels) -> float:
    """Compute Cohen's kappa of two classifiers' labels `(n,)`, from -1 to 1 (Cohen 1960).

    It is (A - E) / (1 - E): A is the fraction of texts with equal labels, and E the one expected by chance, from how
    often each classifier gives each label. Where both give all texts one and the same label, A = E = 1, kappa is not
    defined. It is then 0: the classifiers agree no more than by chance, as those do that know only the commonest class.

    Raises:
        StoppingError: If the labels are not two arrays of the same number of whole numbers.

    Example:
        >>> cohens_kappa(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0]))
        0.5
        >>> cohens_kappa(np.array([1, 1]), np.array([1, 1]))
        0.0
    """
    for each in (labels, others):
        if each.shape != (len(labels),) or not len(each) or each.dtype.kind not in "iu" or each.min() < 0:
            raise StoppingError(
                "Cohen's kappa needs two arrays of the same n >= 1 labels, whole numbers from 0 on; got "
                f"{labels!r:.60} and {others!r:.60}."
            )
    n_classes = int(max(labels.max(), others.max())) + 1
    shares, other_shares = (np.bincount(each, minlength=n_classes) / len(each) for each in (labels, others))
    agreed, expected = float((labels == others).mean()), float(shares @ other_shares)
    return (agreed - expected) / (1 - expected) if expected < 1 else 0.0


def _check_pair(name: str, now: Floats, before: Floats) -> None:
    """Raise a StoppingError unless both are `(n, C)` distributions of the same texts."""
    if now.ndim != 2 or now.shape != before.shape:
        raise StoppingError(
            f"{name!r} needs probabilities now and before of one shape (n, C); got {now.shape} and {before.shape}."
        )
    for values in (now, before):
        if bad := not_probabilities(values):
            raise StoppingError(f"{name!r} needs probabilities; those of text {bad[0]} are none: {bad[1]}.")


def _check_range(name: str, option: str, value: float, low: float, high: float) -> None:
    """Raise a StoppingError if an option of a criterion is no number in its range."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
        raise StoppingError(f"The option {option} of {name!r} must be a number from {low} to {high}; got {value!r}.")
