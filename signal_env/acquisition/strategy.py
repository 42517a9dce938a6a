"""What an acquisition function is, the registry of them, and how one is called."""

import functools
import inspect
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from signal_env.utils.prediction import Prediction
from signal_env.utils.registry import Registry

AcquisitionFunction = Callable[..., NDArray[Any]]
"""A function that asks, by the names of its parameters, for what it needs to know, and nothing else:

- `probabilities`: `(n, C)`, the current classifier's, of the unlabeled texts;
- `embeddings`: `(n, d)`, the current classifier's encodings Φ of the unlabeled texts, not normalised;
- `labeled`: the labeled set's `Prediction`, `(m, C)` probabilities and `(m, d)` embeddings;
- `pretrained`: `(n, e)`, encodings of the unlabeled texts by the pretrained encoder;
- `dropout`: `(S, n, C)`, probabilities of the unlabeled texts in S forward passes with dropout;
- `texts`: the unlabeled texts themselves;
- `batch_size`: how many texts to choose, from 1 to n;
- `n_neighbors` and `normalize`: the options of the same name;
- `rng`: a `numpy.random.Generator`.

One that asks for `batch_size` returns the indices of the texts it chooses, `(batch_size,)`, all different. Any other
returns one finite score per text, `(n,)`, and the highest are chosen. Parameters with a default may have any name.
"""

KNOWN = (
    *("probabilities", "embeddings", "labeled", "pretrained", "dropout", "texts"),
    *("batch_size", "n_neighbors", "normalize", "rng"),
)

acquisitions: Registry[AcquisitionFunction] = Registry("acquisition function")

CHECKED = 4096
"""Rows that are checked at a time for values that are not finite."""


class AcquisitionError(ValueError):
    """Arrays that a function cannot choose from, or a function that returned something unusable; the message says."""


class Choice(NamedTuple):
    """What a strategy chose.

    Attributes:
        indices: `(b,)` indices of the texts, the most wanted first.
        scores: `(n,)` scores of all the texts; None where a function chose the batch as a whole.
    """

    indices: NDArray[np.int64]
    scores: NDArray[np.float64] | None


class Strategy:
    """An acquisition function with what it asks for.

    Args:
        function: A registered name, or the function.

    Attributes:
        name: The function's name, for messages.
        asks: The names of what it asks for.

    Raises:
        UnknownName: If no function has this name.
        AcquisitionError: If it asks for something that does not exist.

    Example:
        >>> sorted(Strategy("coreset").asks)
        ['batch_size', 'embeddings', 'labeled']
    """

    def __init__(self, function: str | AcquisitionFunction) -> None:
        self.function = acquisitions[function] if isinstance(function, str) else function
        self.name = function if isinstance(function, str) else getattr(function, "__name__", type(function).__name__)
        given = function.keywords if isinstance(function, functools.partial) else {}
        self.asks: set[str] = set()
        for parameter in inspect.signature(self.function).parameters.values():
            variable = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
            if parameter.name in KNOWN and parameter.name not in given:
                self.asks.add(parameter.name)
            elif parameter.default is parameter.empty and not variable:
                raise AcquisitionError(
                    f"The acquisition function {self.name!r} asks for {parameter.name!r}; it may ask for "
                    f"{', '.join(KNOWN)}, or give the parameter a default."
                )

    @property
    def gives_scores(self) -> bool:
        """Whether the function gives every text a score; if not, it chooses a batch as a whole."""
        return "batch_size" not in self.asks

    def __call__(self, known: Any, n: int, rng: np.random.Generator, **options: Any) -> Choice:
        """Chooses among n texts.

        Args:
            known: An object with what the function asks for as attributes, such as an `Unlabeled`, and the
                `batch_size`, from 1 to n. It is asked for nothing else.
            n: The number of texts; from none nothing is chosen.
            rng: For what is drawn at random.
            options: Values for the function's own parameters.

        Raises:
            AcquisitionError: If the function returns something unusable.
        """
        if n == 0:
            return Choice(np.zeros(0, dtype=np.int64), None)
        arguments = {name: getattr(known, name) for name in self.asks - {"rng"}}
        if "rng" in self.asks:
            arguments["rng"] = rng
        result = np.asarray(self.function(**arguments, **options))
        batch_size = known.batch_size
        if self.gives_scores:
            if result.shape != (n,) or result.dtype.kind not in "fiub" or not np.isfinite(result).all():
                raise AcquisitionError(
                    f"The acquisition function {self.name!r} returned the shape {result.shape} or values that are not "
                    f"finite; expected {n} finite scores."
                )
            scores = result.astype(np.float64)
            return Choice(top(scores, batch_size), scores)
        different = np.unique(result)
        if (
            not np.issubdtype(result.dtype, np.integer)
            or not result.shape == different.shape == (batch_size,)
            or different[0] < 0
            or different[-1] >= n
        ):
            raise AcquisitionError(
                f"The acquisition function {self.name!r} returned {result!r:.200}; expected {batch_size} different "
                f"indices from 0 to {n - 1}."
            )
        return Choice(result.astype(np.int64), None)


def select(
    strategy: str | AcquisitionFunction,
    *,
    batch_size: int,
    probabilities: ArrayLike | None = None,
    embeddings: ArrayLike | None = None,
    labeled: tuple[ArrayLike, ArrayLike] | ArrayLike | None = None,
    pretrained: ArrayLike | None = None,
    dropout: ArrayLike | None = None,
    texts: Sequence[str] | None = None,
    n_neighbors: int = 10,
    normalize: bool = True,
    rng: np.random.Generator | int | None = None,
    **options: Any,
) -> NDArray[np.int64]:
    """Chooses texts to label, from arrays of your own.

    Only what the strategy asks for is needed and looked at. Arrays may be memory-mapped: they are read in blocks.

    Args:
        strategy: "random", "entropy", "least_confidence", "margin", "bald", "bertkm", "ft_bertkm", "badge", "cal",
            "coreset", "signal", a registered name, or a function.
        batch_size: How many texts to choose; if there are fewer, all are chosen.
        probabilities: `(n, C)` of the unlabeled texts, rows that sum to 1.
        embeddings: `(n, d)` of the unlabeled texts, not normalised.
        labeled: `((m, C), (m, d))`, probabilities and embeddings of the labeled texts; for `coreset` the embeddings
            alone will do.
        pretrained: `(n, e)` encodings by the pretrained encoder, for `bertkm`; default: `embeddings`.
        dropout: `(S, n, C)` probabilities in S passes with dropout, for `bald`.
        texts: The n texts, for a function of your own that reads them.
        n_neighbors: The labeled neighbours that `cal` and `signal` look at.
        normalize: Whether they are found among l2-normalised embeddings.
        rng: A generator or a seed, for what is drawn at random.
        options: The function's own parameters.

    Returns:
        `(min(batch_size, n),)` different indices of texts, the most wanted first; equal scores by index.

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
        raise AcquisitionError(f"batch_size is at least 1; got {batch_size}.")
    arrays: dict[str, Any] = {"texts": texts, "probabilities": probabilities, "embeddings": embeddings}
    arrays |= {"dropout": dropout, "pretrained": embeddings if pretrained is None else pretrained, "labeled": labeled}
    asked = {name: value for name, value in arrays.items() if name in chooser.asks}
    for name, value in asked.items():
        if value is None:
            raise AcquisitionError(f"{chooser.name!r} asks for {name}: give {name}=... to select.")
    for name in asked.keys() & {"probabilities", "embeddings", "pretrained", "dropout"}:
        asked[name] = _array(name, asked[name], dimensions=3 if name == "dropout" else 2)
    if "labeled" in asked:
        asked["labeled"] = _labeled(labeled, asked)
    sizes = {name: value.shape[-2] for name, value in asked.items() if isinstance(value, np.ndarray)}
    if texts is not None:
        sizes["texts"] = len(texts)
    if len(set(sizes.values())) != 1:
        raise AcquisitionError(f"Expected arrays of the same number of texts; got {sizes or 'none'}.")
    (n,) = set(sizes.values())
    known = SimpleNamespace(**asked, batch_size=min(batch_size, n), n_neighbors=n_neighbors, normalize=normalize)
    return chooser(known, n, np.random.default_rng(rng), **options).indices


def _labeled(labeled: Any, asked: dict[str, Any]) -> Prediction:
    """The labeled set's arrays, which fit the unlabeled texts'."""
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


def _array(name: str, values: ArrayLike, dimensions: int = 2) -> NDArray[Any]:
    """An array of finite floating-point numbers."""
    array = np.asarray(values)
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float32 if array.dtype == np.float16 else np.float64)
    if array.ndim != dimensions or ("embeddings" not in name and name != "pretrained" and array.shape[-1] < 2):
        expected = {"dropout": "(S, n, C >= 2)"}.get(name, "(n, C >= 2)" if "probabilities" in name else "(n, d)")
        raise AcquisitionError(f"Expected {name} of the shape {expected}; got {array.shape}.")
    for part in array if dimensions == 3 else [array]:
        for start in range(0, len(part), CHECKED):
            finite = np.isfinite(part[start : start + CHECKED])
            if not finite.all():
                row = start + int(finite.all(axis=1).argmin())
                raise AcquisitionError(f"The {name} of text {row} are not finite: {part[row]!r:.100}.")
    return array


def top(scores: NDArray[np.float64], n: int) -> NDArray[np.int64]:
    """The indices of the n highest scores, highest first; among equal scores the smaller index comes first.

    Example:
        >>> top(np.array([1.0, 3.0, 3.0, 2.0]), 3)
        array([1, 2, 3])
    """
    if n < len(scores):
        candidates = np.flatnonzero(scores >= np.partition(scores, len(scores) - max(n, 1))[len(scores) - max(n, 1)])
    else:
        candidates = np.arange(len(scores))
    return candidates[np.argsort(-scores[candidates], kind="stable")[:n]]
