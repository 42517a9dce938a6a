"""Choice of texts to label from arrays, without an environment."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from signal_env.acquisition.checks import CHECKED, check_probabilities
from signal_env.acquisition.scores import find_neighbors, unchecked_contrast
from signal_env.acquisition.strategy import AcquisitionError, AcquisitionFunction, Strategy
from signal_env.utils.prediction import Prediction

FORMS = {
    "probabilities": ("n", "C >= 2"),
    "embeddings": ("n", "d"),
    "pretrained": ("n", "d"),
    "dropout": ("S", "n", "C >= 2"),
    "predicted_loss": ("n",),
}
"""The shape of each array of the unlabeled texts."""

DERIVED = {
    "neighbors": ("embeddings", "labeled"),
    "distances": ("embeddings", "labeled"),
    "scores": ("embeddings", "labeled", "probabilities"),
}
"""Values that are computed from other values, with the names of these."""


def select(
    strategy: str | AcquisitionFunction,
    *,
    batch_size: int,
    probabilities: ArrayLike | None = None,
    embeddings: ArrayLike | None = None,
    labeled: tuple[ArrayLike, ArrayLike] | ArrayLike | None = None,
    labels: ArrayLike | None = None,
    pretrained: ArrayLike | None = None,
    dropout: ArrayLike | None = None,
    predicted_loss: ArrayLike | None = None,
    texts: Sequence[str] | None = None,
    n_neighbors: int = 10,
    normalize: bool = True,
    rng: np.random.Generator | int | None = None,
    **options: Any,
) -> NDArray[np.int64]:
    """Choose texts to label, from arrays of your own.

    Only the arrays that the strategy asks for are needed and read. They may be memory-mapped: they are read in blocks.

    Args:
        strategy: "random", "entropy", "least_confidence", "margin", "bald", "bertkm", "ft_bertkm", "badge", "cal",
            "coreset", "typicality", "expected_error_reduction", "class_balanced", "signal", "learning_loss", another
            registered name, or a function.
        batch_size: The number of texts to choose; if there are fewer, all are chosen.
        probabilities: `(n, C)` of the unlabeled texts, rows that sum to 1.
        embeddings: `(n, d)` of the unlabeled texts, not normalized.
        labeled: `((m, C), (m, d))`, probabilities and embeddings of the labeled texts; for `coreset` the embeddings
            alone suffice.
        labels: `(m,)` labels of the labeled texts, integers from 0 to C - 1, for `expected_error_reduction` and
            `class_balanced`.
        pretrained: `(n, e)` encodings by the pretrained encoder, for `bertkm`; default: `embeddings`.
        dropout: `(S, n, C)` probabilities in S passes with dropout, for `bald`.
        predicted_loss: `(n,)` predicted losses, for `learning_loss`.
        texts: The n texts, for a function of your own that reads them.
        n_neighbors: The number of labeled neighbors of each text, for `cal`, `signal` and others.
        normalize: Whether they are found among l2-normalized embeddings.
        rng: A generator or a seed, for random draws.
        options: The function's own parameters.

    Returns:
        `(min(batch_size, n),)` different indices of texts, the best first; equal scores by index.

    Raises:
        UnknownName: If there is no such strategy.
        AcquisitionError: If an array is missing, does not fit the others, or holds values that are not finite.

    Example:
        >>> probabilities = np.array([[0.9, 0.1], [0.5, 0.5], [0.6, 0.4]])
        >>> select("entropy", probabilities=probabilities, batch_size=2)
        array([1, 2])
        >>> select("coreset", embeddings=[[0.0], [1.0], [5.0]], labeled=[[0.2]], batch_size=2)
        array([2, 1])
    """
    chooser = Strategy(strategy)
    if batch_size < 1:
        raise AcquisitionError(f"batch_size must be at least 1; got {batch_size}.")
    arrays: dict[str, Any] = {"texts": texts, "probabilities": probabilities, "embeddings": embeddings}
    arrays |= {"dropout": dropout, "predicted_loss": predicted_loss, "labeled": labeled, "labels": labels}
    arrays["pretrained"] = embeddings if pretrained is None else pretrained
    asks = chooser.asks | {name for derived in chooser.required & DERIVED.keys() for name in DERIVED[derived]}
    if "labeled_texts" in chooser.required:
        raise AcquisitionError(f"{chooser.name!r} asks for labeled_texts, which only an environment has.")
    asked = {name: value for name, value in arrays.items() if name in asks}
    for name, value in asked.items():
        if value is None:
            raise AcquisitionError(f"{chooser.name!r} asks for {name}: give {name}=... to select.")
    for name in asked.keys() & FORMS.keys():
        asked[name] = _array(name, asked[name])
    if "labeled" in asked:
        asked["labeled"] = _labeled(labeled, asked)
    if "labels" in asked:
        asked["labels"] = _labels(labels, asked)
    sizes = {name: value.shape[FORMS[name].index("n")] for name, value in asked.items() if name in FORMS}
    if texts is not None:
        sizes["texts"] = len(texts)
    if len(set(sizes.values())) != 1:
        raise AcquisitionError(f"Expected arrays of the same number of texts; got {sizes or 'none'}.")
    (n,) = set(sizes.values())
    known = SimpleNamespace(**asked, batch_size=min(batch_size, n), n_neighbors=n_neighbors, normalize=normalize)
    _derive(known, chooser.required)
    return chooser(known, n, np.random.default_rng(rng), **options).indices


def _derive(known: SimpleNamespace, required: set[str]) -> None:
    """Compute neighbors, distances and scores for a function that requires them."""
    if required & DERIVED.keys():
        known.neighbors = find_neighbors(known.embeddings, known.labeled.embeddings, known.n_neighbors, known.normalize)
        known.distances = known.neighbors.distances
    if "scores" in required:
        known.scores = unchecked_contrast(known.probabilities, known.labeled.probabilities, known.neighbors)


def _labeled(labeled: Any, asked: dict[str, Any]) -> Prediction:
    """Return the labeled set's arrays.

    Raises:
        AcquisitionError: If their shapes do not fit those of the unlabeled texts.
    """
    pair = isinstance(labeled, tuple) and len(labeled) == 2
    embeddings = _array("labeled embeddings", labeled[1] if pair else labeled)
    probabilities = _array("labeled probabilities", labeled[0]) if pair else np.zeros((len(embeddings), 0))
    for name, known in (("probabilities", probabilities), ("embeddings", embeddings)):
        if name in asked and (known.shape[1] != asked[name].shape[1] or len(known) != len(embeddings)):
            raise AcquisitionError(
                f"Expected labeled = (probabilities, embeddings) of the shapes (m, C) and (m, d), with C and d as in "
                f"the unlabeled texts' {asked[name].shape}; got the labeled {name} {known.shape}."
            )
    if len(embeddings) == 0:
        raise AcquisitionError("Expected at least one labeled text; got none.")
    return Prediction(probabilities, embeddings)


def _labels(labels: Any, asked: dict[str, Any]) -> NDArray[np.int64]:
    """Return the labels of the labeled texts.

    Raises:
        AcquisitionError: If they are no integers from 0 to C - 1, or not as many as labeled texts.
    """
    given = np.asarray(labels)
    m = len(asked["labeled"].embeddings) if "labeled" in asked else given.size
    if given.shape != (m,) or not np.issubdtype(given.dtype, np.integer) or m == 0:
        raise AcquisitionError(
            f"Expected labels of the shape ({m if 'labeled' in asked else 'm'},), whole numbers; got {given!r:.100}."
        )
    n_classes = asked["probabilities"].shape[1] if "probabilities" in asked else None
    if given.min() < 0 or (n_classes is not None and given.max() >= n_classes):
        most = "" if n_classes is None else f" to {n_classes - 1}"
        raise AcquisitionError(f"Expected labels from 0{most}; got {given.min()} to {given.max()}.")
    return given.astype(np.int64)


def _array(name: str, values: ArrayLike) -> NDArray[Any]:
    """Return an array of finite floating-point numbers; those of probabilities are from 0 to 1, and rows sum to 1.

    Raises:
        AcquisitionError: If it has another shape or other values.
    """
    form = FORMS[name.removeprefix("labeled ")]
    array = np.asarray(values)
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float32 if array.dtype == np.float16 else np.float64)
    if array.ndim != len(form) or (form[-1] == "C >= 2" and array.shape[-1] < 2):
        expected = ", ".join(form) if len(form) > 1 else f"{form[0]},"
        raise AcquisitionError(f"Expected {name} of the shape ({expected}); got {array.shape}.")
    for part in array if len(form) == 3 else [array]:
        for start in range(0, len(part), CHECKED):
            finite = np.isfinite(part[start : start + CHECKED])
            if not finite.all():
                row = start + int(finite.reshape(len(finite), -1).all(axis=1).argmin())
                raise AcquisitionError(f"The {name} of text {row} are not finite: {part[row]!r:.100}.")
            if form[-1] == "C >= 2":
                check_probabilities(part[start : start + CHECKED], name, start)
    return array
