"""Reward terms: their registry, their values, and the arguments of closing terms."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from signal_env.utils.errors import SignalError
from signal_env.utils.prediction import read_only
from signal_env.utils.registry import Registry


class RewardError(SignalError, ValueError):
    """An invalid reward, or a term that returned unusable values; the message names it."""


RewardTerm = Callable[..., Any]
"""Maps the arguments that its parameters name (see `signal_env.utils.plugins`) to one finite value per text, `(n,)`.

A text's value may depend on texts offered before it, but not on those after it, so that the environment gives the same
rewards with one text a step and with many.

A term that remembers something is a class whose instances also have `reset`, which begins an episode, `state_dict`,
which returns what is remembered as plain data, and `load_state_dict`, which restores it. Each environment has its own
instance. Texts that are scored without being offered (`Learner.score`) leave no trace in it. A term without these
methods whose attributes change is refused; a class whose attributes change without an effect on values has
`stateless = True`.

Example:
    >>> class NovelWords:
    ...     def reset(self):
    ...         self.known = set()
    ...     def __call__(self, texts):
    ...         values = []
    ...         for text in texts:
    ...             words = set(text.split())
    ...             values.append(len(words - self.known))
    ...             self.known |= words
    ...         return values
    ...     def state_dict(self):
    ...         return {"known": sorted(self.known)}
    ...     def load_state_dict(self, state):
    ...         self.known = set(state["known"])
    >>> reward_terms.register("novel_words")(NovelWords).__name__
    'NovelWords'
"""

reward_terms: Registry[RewardTerm] = Registry("reward term")
"""The terms by name, including closing terms."""

Term = TypeVar("Term", bound=RewardTerm)


def at_close(term: Term) -> Term:
    """Mark a closing term: it returns one number for a round, which is added to the reward of the offer that closes it.

    Its parameters name attributes of `Closing`.

    Example:
        >>> @reward_terms.register("newly_labeled")
        ... @at_close
        ... def newly_labeled(batch_texts):
        ...     return len(batch_texts)
    """
    term.at_close = True  # type: ignore[attr-defined]  # a function or a class takes any attribute
    return term


def is_closing(term: RewardTerm) -> bool:
    """Return whether a term, or the function of a `functools.partial`, is marked by `at_close`."""
    while isinstance(term, functools.partial):
        term = term.func
    return getattr(term, "at_close", False) is True


class TermValues(NamedTuple):
    """A term's values for `n` texts.

    Attributes:
        raw: `(n,)` the term's own values.
        value: `(n,)` the same after clipping and normalization.
        weight: The term's weight in the composition.
    """

    raw: NDArray[np.float64]
    value: NDArray[np.float64]
    weight: float

    @property
    def contribution(self) -> NDArray[np.float64]:
        """The term's part of the reward, `(n,)`. The contributions of all terms sum to the reward."""
        return self.weight * self.value

    def row(self, index: int) -> dict[str, float]:
        """Return one text's values as plain numbers."""
        contribution = float(self.weight * self.value[index])
        return {"raw": float(self.raw[index]), "weight": self.weight, "contribution": contribution}

    def spread(self, valid: NDArray[np.bool_]) -> "TermValues":
        """Return values for all texts from those of the valid ones, with zeros for the others.

        Args:
            valid: `(n,)` mask of the valid texts.
        """
        if valid.all():
            return self
        raw, value = np.zeros(len(valid)), np.zeros(len(valid))
        raw[valid], value[valid] = self.raw, self.value
        return TermValues(raw, value, self.weight)


@dataclasses.dataclass(frozen=True)
class Closing:
    """The arguments of closing terms: the batch just labeled, before the classifier is retrained.

    Attributes:
        batch_texts: The `b` texts of the batch, real and synthetic ones.
        batch_labels: `(b,)` their labels.
        labeled_texts: The `m` texts of the labeled set before the batch.
        labels: `(m,)` their labels.
        accuracy: Trains a classifier from the pretrained weights on some texts and labels, and returns its accuracy on
            others: `accuracy((texts, labels), (held_out_texts, held_out_labels))`.
        seed: A seed for random draws.
    """

    batch_texts: tuple[str, ...]
    batch_labels: NDArray[np.int64]
    labeled_texts: tuple[str, ...]
    labels: NDArray[np.int64]
    accuracy: Callable[[tuple[Any, Any], tuple[Any, Any]], float]
    seed: int

    @classmethod
    def of(
        cls, batch: Mapping[str, int], labeled: Mapping[str, int], accuracy: Callable[..., float], seed: int
    ) -> "Closing":
        """Make it from the texts and labels of the batch and of the labeled set."""
        return cls(tuple(batch), _labels(batch), tuple(labeled), _labels(labeled), accuracy, seed)


def _labels(labeled: Mapping[str, int]) -> NDArray[np.int64]:
    return read_only(np.array(list(labeled.values()), dtype=np.int64))
