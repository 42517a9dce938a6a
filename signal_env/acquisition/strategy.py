"""The registry of acquisition functions, and the convention for calling them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from signal_env.utils import plugins
from signal_env.utils.errors import SignalError
from signal_env.utils.plugins import Plugin
from signal_env.utils.registry import Registry

AcquisitionFunction = Callable[..., NDArray[Any]]
"""Maps what its parameters name (see `signal_env.utils.plugins`) to scores, or to a batch.

A function that asks for `batch_size` returns the indices of the texts it chooses, `(batch_size,)`, all different. Any
other returns one finite score per text, `(n,)`, and the texts with the highest ones are chosen.
"""

acquisitions: Registry[AcquisitionFunction] = Registry("acquisition function")


class AcquisitionError(SignalError, ValueError):
    """Arrays that no function can choose from, or a function that returned unusable values."""


class Choice(NamedTuple):
    """The choice of a strategy.

    Attributes:
        indices: `(b,)` indices of the texts, the best first.
        scores: `(n,)` scores of all the texts; None if the function chose the batch as a whole.
    """

    indices: NDArray[np.int64]
    scores: NDArray[np.float64] | None


class Strategy:
    """An acquisition function, called with the values that its parameters name.

    Args:
        function: A registered name, or the function.

    Attributes:
        name: The function's name, for messages.
        required: The names that it asks for by parameters without a default.
        asks: These, and the names of its other parameters that are known.

    Raises:
        UnknownName: If no function has this name.
        AcquisitionError: If it asks for something that does not exist.

    Example:
        >>> sorted(Strategy("coreset").asks)
        ['batch_size', 'embeddings', 'labeled']
    """

    def __init__(self, function: str | AcquisitionFunction) -> None:
        named = isinstance(function, str)
        self.function = acquisitions[function] if isinstance(function, str) else function
        self.name = str(function) if named else getattr(function, "__name__", type(function).__name__)
        self._plugin = Plugin(self.function, self.name, "acquisition function", plugins.ACQUISITION, AcquisitionError)
        self.asks, self.required = self._plugin.asks, self._plugin.required

    def __deepcopy__(self, memo: dict[int, Any]) -> "Strategy":
        """Return the strategy itself, which has no state."""
        return self

    @property
    def gives_scores(self) -> bool:
        """Whether the function gives every text a score; if not, it chooses a batch as a whole."""
        return "batch_size" not in self.asks

    def __call__(
        self, known: Any, n: int, rng: np.random.Generator, batch_size: int | None = None, **options: Any
    ) -> Choice:
        """Choose among n texts.

        Args:
            known: An object with the values that the function asks for as attributes, such as a `View`. Only these are
                read, and `batch_size` if that is not given.
            n: The number of texts. If it is 0, nothing is chosen.
            rng: For random draws.
            batch_size: The number of texts to choose, from 1 to n; default: that of `known`.
            options: Values for the function's own parameters.

        Raises:
            AcquisitionError: If the function returns scores or indices of the wrong shape, kind or range.
        """
        if n == 0:
            return Choice(np.zeros(0, dtype=np.int64), None)
        batch_size = known.batch_size if batch_size is None else batch_size
        result = np.asarray(self._plugin(known, {"rng": rng, "batch_size": batch_size}, **options))
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


def top(scores: NDArray[np.float64], n: int) -> NDArray[np.int64]:
    """Return the indices of the n highest scores, the highest first; among equal scores the smaller index comes first.

    Example:
        >>> top(np.array([1.0, 3.0, 3.0, 2.0]), 3)
        array([1, 2, 3])
    """
    if n < len(scores):
        candidates = np.flatnonzero(scores >= np.partition(scores, len(scores) - max(n, 1))[len(scores) - max(n, 1)])
    else:
        candidates = np.arange(len(scores))
    return candidates[np.argsort(-scores[candidates], kind="stable")[:n]]
