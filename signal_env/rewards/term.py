"""What a reward term is, what it sees, and the registries of terms and potentials."""

import dataclasses
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from signal_env.acquisition.neighbors import Neighbors
from signal_env.learner.open_round import RoundView
from signal_env.utils.prediction import Floats, Prediction, read_only
from signal_env.utils.registry import Registry


class RewardError(ValueError):
    """A reward that is not well described, or a term that returned something unusable; the message says which."""


@dataclasses.dataclass(frozen=True)
class Candidates:
    """What a reward term sees: the valid texts of one offer under the current classifier, before retraining.

    Its arrays cannot be written to.

    Attributes:
        texts: `n` texts.
        prediction: The classifier's prediction for them.
        neighbors: The texts' nearest neighbours among the labeled set.
        prompts: The prompt that each text answers, or "".
        round: What is known beside them: the labeled and the unlabeled set, earlier offers, the real pool.
    """

    texts: tuple[str, ...]
    prediction: Prediction
    neighbors: Neighbors
    prompts: tuple[str, ...]
    round: RoundView

    def __post_init__(self) -> None:
        object.__setattr__(self, "prediction", self.prediction.read_only())
        indices, distances = self.neighbors
        object.__setattr__(self, "neighbors", Neighbors(read_only(indices), read_only(distances)))

    @property
    def labeled(self) -> Prediction:
        """The classifier's prediction for the labeled set, `(m, C)` and `(m, d)`."""
        return self.round.labeled.prediction

    @property
    def labels(self) -> NDArray[np.int64]:
        """`(m,)` labels of the labeled set."""
        return self.round.labels

    @cached_property
    def dropout(self) -> Floats:
        """`(S, n, C)` probabilities in S forward passes with dropout.

        Raises:
            ClassifierError: If the classifier has no dropout.
        """
        # One text at a time: the masks that a text gets do not depend on those beside it.
        return read_only(np.concatenate([self.round.dropout((text,)) for text in self.texts], axis=1))


RewardTerm = Callable[[Candidates], NDArray[Any]]
"""Maps candidates to one finite value per text, `(n,)`.

A text's value should depend on the texts offered before it and not on those after it: the environment is then the same
with one text a step and with many."""


@dataclasses.dataclass(frozen=True)
class Closing:
    """What a term that is paid at a round's close sees: the batch just labeled, before the classifier is retrained.

    Attributes:
        texts: The batch, real and synthetic texts.
        labels: `(b,)` its labels.
        labeled_texts: The labeled set before the batch.
        labeled_labels: `(m,)` its labels.
        accuracy: Trains a classifier from the pretrained weights on some texts and labels, and returns its accuracy on
            others: `accuracy((texts, labels), (held_out_texts, held_out_labels))`.
        seed: For what is drawn at random.
    """

    texts: tuple[str, ...]
    labels: NDArray[np.int64]
    labeled_texts: tuple[str, ...]
    labeled_labels: NDArray[np.int64]
    accuracy: Callable[[tuple[Any, Any], tuple[Any, Any]], float]
    seed: int


Term = TypeVar("Term", bound=Callable[..., Any])

reward_terms: Registry[Callable[..., Any]] = Registry("reward term")
"""The terms by name: functions of `Candidates`, or, marked by `at_close`, of `Closing`."""


def at_close(term: Term) -> Term:
    """Marks a term that is paid once a round, with the offer that closes it: a function of `Closing` to a number.

    Example:
        >>> @reward_terms.register("newly_labeled")
        ... @at_close
        ... def newly_labeled(closing):
        ...     return len(closing.texts)
    """
    term.paid_at_close = True  # type: ignore[attr-defined]  # a function takes any attribute
    return term


Potential = Callable[[Mapping[str, float]], float]
"""Maps the classifier's state, its features by name (see `feature_names`), to a finite number."""

potentials: Registry[Potential] = Registry("potential")
"""Potentials by name, for `potential(NAME)` in a reward; every feature of the classifier's state is one already."""
