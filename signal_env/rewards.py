"""Reward terms: small named functions over the texts offered, and their weighted sum.

A user's own term has the same form, and is given by name (`@reward_terms.register("mine")`) or as it is.
"""

import dataclasses
from collections.abc import Callable, Mapping
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from signal_env import acquisition
from signal_env.neighbors import Neighbors
from signal_env.prediction import Prediction
from signal_env.registry import Registry


@dataclasses.dataclass(frozen=True)
class Candidates:
    """What a reward term sees: the valid texts of one offer under the current classifier, before retraining.

    Attributes:
        texts: `n` texts.
        prediction: The classifier's prediction for them.
        labeled: Its prediction for the labeled set of `m` texts.
        labels: `(m,)` labels of the labeled set.
        neighbors: The texts' nearest neighbours among the labeled set.
    """

    texts: tuple[str, ...]
    prediction: Prediction
    labeled: Prediction
    labels: NDArray[np.int64]
    neighbors: Neighbors


RewardTerm = Callable[[Candidates], NDArray[np.float64]]
"""Maps candidates to one value per text, `(n,)`.

A term that looks at the other texts of the offer pays differently with one text a step and with many."""

reward_terms: Registry[RewardTerm] = Registry("reward term")


class RewardError(ValueError):
    """A reward that is not well described, or a term that returned something unusable; the message says which."""


@reward_terms.register("signal")
def signal(candidates: Candidates) -> NDArray[np.float64]:
    """The paper's reward, the acquisition score s_x of the text (Algorithm 1, line 12)."""
    return acquisition.contrast(
        candidates.prediction.probabilities, candidates.labeled.probabilities, candidates.neighbors
    )


@reward_terms.register("informativeness")
def informativeness(candidates: Candidates) -> NDArray[np.float64]:
    """The numerator of s_x: mean KL(p(x) || p(x_l)) over the labeled neighbours, in nats (section 4.2)."""
    return acquisition.contrast(
        candidates.prediction.probabilities,
        candidates.labeled.probabilities,
        candidates.neighbors,
        divide_by_distance=False,
    )


@reward_terms.register("entropy")
def entropy(candidates: Candidates) -> NDArray[np.float64]:
    """Entropy of the predicted distribution in nats."""
    return acquisition.entropy(candidates.prediction.probabilities)


@reward_terms.register("margin")
def margin(candidates: Candidates) -> NDArray[np.float64]:
    """1 minus the lead of the likeliest class over the second, from 0 to 1."""
    return acquisition.margin(candidates.prediction.probabilities)


class Reward:
    """A weighted sum of reward terms.

    Args:
        reward: A term's name, a mapping from names to weights, or a function of `Candidates`.

    Raises:
        UnknownName: If a name is not registered.
        RewardError: If a weight is not a finite number, or there is no term.

    Example:
        >>> sorted(Reward({"signal": 1.0, "entropy": 0.1}).terms)
        ['entropy', 'signal']
    """

    def __init__(self, reward: str | Mapping[str, float] | RewardTerm) -> None:
        self.terms: dict[str, RewardTerm] = {}
        self.weights: dict[str, float] = {}
        if isinstance(reward, str):
            reward = {reward: 1.0}
        if isinstance(reward, Mapping):
            for name, weight in reward.items():
                if isinstance(weight, bool) or not isinstance(weight, Real) or not np.isfinite(weight):
                    raise RewardError(f"The weight of the reward term {name!r} is a finite number; got {weight!r}.")
                self.terms[name], self.weights[name] = reward_terms[name], float(weight)
        elif callable(reward):
            name = getattr(reward, "__name__", type(reward).__name__)
            self.terms[name], self.weights[name] = reward, 1.0
        if "invalid" in self.terms:
            raise RewardError("A reward term cannot be called 'invalid': that is what invalid texts are paid.")
        if not self.terms:
            raise RewardError(
                f"A reward is a term's name, a mapping from names to weights, or a function; got {reward!r}."
            )

    def __call__(self, candidates: Candidates) -> dict[str, NDArray[np.float64]]:
        """Every term's value, times its weight, for each text: `(n,)` per term.

        Raises:
            RewardError: If a term returns the wrong shape or a value that is not finite.
        """
        values = {}
        for name, term in self.terms.items():
            value = np.asarray(term(candidates), dtype=np.float64)
            if value.shape != (len(candidates.texts),):
                raise RewardError(
                    f"The reward term {name!r} returned the shape {value.shape}; expected {(len(candidates.texts),)}."
                )
            for text, one in zip(candidates.texts, value, strict=True):
                if not np.isfinite(one):
                    raise RewardError(f"The reward term {name!r} returned {one} for the text {text!r}.")
            values[name] = self.weights[name] * value
        return values
