"""The texts of a round with their rewards."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from signal_env.rewards import RewardError

Values = NDArray[np.float64]


class Offered(NamedTuple):
    """A text that was offered.

    Attributes:
        text: The text.
        reward: Its reward.
        origin: "real", "synthetic", "pass", or the reason why it is not valid.
        terms: For each reward term `raw`, `weight` and `contribution`.
    """

    text: str
    reward: float
    origin: str
    terms: Mapping[str, Mapping[str, float]]

    @classmethod
    def of(cls, text: str, reward: float, info: Mapping[str, Any]) -> "Offered":
        """Return the text with the values of the environment's info."""
        origin = info["invalid"] or ("pass" if info["passed"] else "real" if info["real"] else "synthetic")
        return cls(text, reward, origin, info["reward_terms"])

    @property
    def valid(self) -> bool:
        """Whether the text entered the unlabeled set, or was in it."""
        return self.origin in ("real", "synthetic")


class Rewards(NamedTuple):
    """The rewards of texts, by term.

    Attributes:
        contributions: For "total" the rewards `(n,)`, and for each term whose weight is not 0 its contributions, `(n,)`
            as well: 0 for texts that it does not reward, such as those before the one that closes a round. They sum to
            the rewards.
        raws: For each term its own values, of the texts that it rewards.
        scaled: The terms whose values differ from their contributions.
    """

    contributions: dict[str, Values]
    raws: dict[str, Values]
    scaled: set[str]

    @classmethod
    def of(cls, offered: Sequence[Offered]) -> "Rewards":
        """Collect the rewards of texts.

        Raises:
            RewardError: If a term is called "total".
        """
        contributions, raws, scaled = dict[str, Values](), defaultdict[str, list[float]](list), set[str]()
        for i, one in enumerate(offered):
            for name, term in one.terms.items():
                raws[name].append(term["raw"])
                if term["weight"]:
                    contributions.setdefault(name, np.zeros(len(offered)))[i] = term["contribution"]
                if term["weight"] != 1 or term["raw"] != term["contribution"]:
                    scaled.add(name)
        if "total" in raws:
            raise RewardError(
                "A reward term cannot be called 'total', TensorBoard's name of the whole reward: rename it."
            )
        total = {"total": np.array([one.reward for one in offered])}
        return cls(total | contributions, {name: np.array(values) for name, values in raws.items()}, scaled)
