"""Metrics of a classifier on the evaluation split."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from signal_env.acquisition import SMALLEST
from signal_env.utils.prediction import Floats

Labels = NDArray[np.int64]


class Metrics(NamedTuple):
    """What a classifier reaches on texts whose labels are known.

    Attributes:
        accuracy: Fraction of texts with the right class, from 0 to 1.
        macro_f1: Mean over the classes of F1, from 0 to 1.
        nll: Mean negative log-likelihood of the right class, in nats, from 0; lower is better.

    Example:
        >>> metrics = Metrics.of(np.array([[0.75, 0.25], [0.5, 0.5], [0.25, 0.75]]), np.array([0, 1, 1]))
        >>> [round(value, 4) for value in metrics]
        [0.6667, 0.6667, 0.4228]
    """

    accuracy: float
    macro_f1: float
    nll: float

    @classmethod
    def of(cls, probabilities: Floats, labels: Labels) -> "Metrics":
        """Compute all metrics of predictions `(n, C)` for texts with labels `(n,)`; of equal classes the first counts.

        The predicted class is the likeliest one.
        """
        predicted = probabilities.argmax(axis=1)
        return cls(
            accuracy=accuracy(predicted, labels),
            macro_f1=macro_f1(predicted, labels, probabilities.shape[1]),
            nll=nll(probabilities, labels),
        )


def accuracy(predicted: Labels, labels: Labels) -> float:
    """Return the fraction of predicted classes `(n,)` that are the labels `(n,)`.

    Example:
        >>> accuracy(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]))
        0.75
    """
    return float((predicted == labels).mean())


def macro_f1(predicted: Labels, labels: Labels, n_classes: int) -> float:
    """Return the mean over all classes of F1, the harmonic mean of precision and recall (Sokolova & Lapalme 2009).

    A class that is neither predicted nor a label has F1 = 0, as in scikit-learn's `f1_score` with `zero_division=0`
    and `labels=range(n_classes)`.

    Args:
        predicted: `(n,)` predicted classes.
        labels: `(n,)` right classes.
        n_classes: C, the number of classes.

    Example: the F1 of class 0 is 2/3, that of class 1 is 4/5, and there is no class 2.
        >>> round(macro_f1(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), n_classes=3), 4)
        0.4889
    """
    right = np.bincount(labels[predicted == labels], minlength=n_classes)
    both = np.bincount(labels, minlength=n_classes) + np.bincount(predicted, minlength=n_classes)
    return float(np.divide(2.0 * right, both, out=np.zeros(n_classes), where=both > 0).mean())


def nll(probabilities: Floats, labels: Labels) -> float:
    """Return the mean negative log-likelihood of the labels `(n,)` in nats. Probabilities `(n, C)` are at least 1e-12.

    Example:
        >>> round(nll(np.array([[0.5, 0.5], [1.0, 0.0]]), np.array([0, 0])), 4)
        0.3466
    """
    of_label = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(np.abs(np.log(np.clip(of_label, SMALLEST, 1.0))).mean())  # no log is positive; 0 has no sign
