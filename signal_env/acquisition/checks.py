"""Checks of arrays at the public functions: shapes, finite values, and rows that are distributions."""

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signal_env.acquisition.neighbors import Neighbors
from signal_env.acquisition.strategy import AcquisitionError
from signal_env.utils.prediction import Floats, Prediction, not_probabilities

CHECKED = 4096
"""Rows checked at a time, so that an array that is mapped into memory is read in blocks."""


def check_probabilities(probabilities: Floats, name: str = "probabilities", start: int = 0) -> None:
    """Check that each row of `(..., n, C)` is a distribution.

    Args:
        probabilities: The array.
        name: Its name, for the message.
        start: The index of its first text, for the message.

    Raises:
        AcquisitionError: If it has fewer than two dimensions, or a row does not sum to 1.

    Example:
        >>> check_probabilities(np.array([[2.0, -1.0]]))
        Traceback (most recent call last):
        signal_env.acquisition.strategy.AcquisitionError: The probabilities of text 0 are none: ...
    """
    if probabilities.ndim < 2 or probabilities.shape[-1] < 2:
        raise AcquisitionError(f"Expected {name} of the shape (n, C) with C >= 2; got {probabilities.shape}.")
    n = probabilities.shape[-2]
    if n and (bad := not_probabilities(probabilities.reshape(-1, probabilities.shape[-1]))):
        raise AcquisitionError(
            f"The {name} of text {start + bad[0] % n} are none: {bad[1]}. Are they logits? "
            "`signal_env.utils.prediction.softmax` makes probabilities of these."
        )


def check_embeddings(
    embeddings: Floats, name: str = "embeddings", *, n: int | None = None, d: int | None = None, fewest: int = 0
) -> None:
    """Check that encodings are `(n, d)` and finite.

    Args:
        embeddings: The array.
        name: Its name, for the message.
        n: The number of texts, if it is known.
        d: The number of dimensions, if it is known.
        fewest: The least number of texts.

    Raises:
        AcquisitionError: If they are not.

    Example:
        >>> check_embeddings(np.zeros(3))
        Traceback (most recent call last):
        signal_env.acquisition.strategy.AcquisitionError: Expected embeddings of the shape (n, d); got (3,).
    """
    shape = np.shape(embeddings)
    expected = f"({'n' if n is None else n}, {'d' if d is None else d})"
    fits = len(shape) == 2 and n in (None, shape[0]) and d in (None, shape[1])
    if not fits:
        raise AcquisitionError(f"Expected {name} of the shape {expected}; got {shape}.")
    if shape[0] < fewest:
        raise AcquisitionError(f"Expected {name} of {fewest} texts or more; got {shape[0]}.")
    _check_finite(embeddings, name)


def check_labeled(labeled: Prediction, probabilities: Floats, embeddings: Floats) -> None:
    """Check the labeled set's arrays, `(m, C)` and `(m, d)` with the classes and dimensions of the texts' own.

    Raises:
        AcquisitionError: If they are not, or no text is labeled.
    """
    if not isinstance(labeled, tuple) or len(labeled) != 2:
        raise AcquisitionError(
            f"Expected labeled = Prediction(probabilities, embeddings); got {type(labeled).__name__}."
        )
    of_labeled, encoded = labeled
    check_probabilities(of_labeled, "labeled probabilities")
    if of_labeled.ndim != 2 or of_labeled.shape[1] != probabilities.shape[-1]:
        raise AcquisitionError(
            f"Expected labeled probabilities of the shape (m, {probabilities.shape[-1]}); got {of_labeled.shape}."
        )
    dimensions = embeddings.shape[1] if np.ndim(embeddings) == 2 else None
    check_embeddings(encoded, "labeled embeddings", n=len(of_labeled), d=dimensions, fewest=1)


def check_dropout(dropout: Floats) -> None:
    """Check that probabilities in passes with dropout are `(S, n, C)` distributions.

    Raises:
        AcquisitionError: If they are not.
    """
    if np.ndim(dropout) != 3 or not len(dropout):
        raise AcquisitionError(f"Expected dropout of the shape (S, n, C) with S >= 1; got {np.shape(dropout)}.")
    for sample in dropout:
        check_probabilities(sample, "dropout")


def check_losses(losses: NDArray[Any]) -> None:
    """Check that predicted losses are `(n,)` and finite.

    Raises:
        AcquisitionError: If they are not.
    """
    if np.ndim(losses) != 1:
        raise AcquisitionError(f"Expected predicted_loss of the shape (n,); got {np.shape(losses)}.")
    _check_finite(losses[:, None], "predicted_loss")


def check_distances(neighbors: Neighbors, n: int | None = None, m: int | None = None) -> None:
    """Check that neighbors have indices below `m` and finite distances of at least 0, both `(n, k)` with k >= 1.

    Raises:
        AcquisitionError: If they do not.
    """
    indices, distances = neighbors
    if (
        indices.shape != distances.shape
        or distances.ndim != 2
        or n not in (None, len(distances))
        or not indices.shape[1]
    ):
        raise AcquisitionError(
            f"Expected neighbors with indices and distances of the shape ({'n' if n is None else n}, k), k >= 1; got "
            f"{indices.shape} and {distances.shape}."
        )
    if not (np.isfinite(distances) & (distances >= 0)).all():
        raise AcquisitionError("Expected neighbors with finite distances of at least 0.")
    if m is not None and indices.size and not 0 <= indices.min() <= indices.max() < m:
        raise AcquisitionError(
            f"Expected indices of neighbors from 0 to {m - 1}; got {indices.min()} to {indices.max()}."
        )


def check_count(name: str, value: int, most: int | None = None) -> None:
    """Check that a number is whole and at least 1, and at most the number of texts.

    Raises:
        AcquisitionError: If it is not.

    Example:
        >>> check_count("batch_size", 3, most=2)
        Traceback (most recent call last):
        signal_env.acquisition.strategy.AcquisitionError: batch_size must be a whole number from 1 to 2; got 3.
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or value < 1 or (most is not None and value > most):
        limits = "of at least 1" if most is None else f"from 1 to {most}"
        raise AcquisitionError(f"{name} must be a whole number {limits}; got {value!r}.")


def _check_finite(values: Floats, name: str) -> None:
    for start in range(0, len(values), CHECKED):
        finite = np.isfinite(values[start : start + CHECKED])
        if not finite.all():
            row = start + int(finite.all(axis=1).argmin())
            raise AcquisitionError(f"The {name} of text {row} are not finite: {values[row]!r:.100}.")
