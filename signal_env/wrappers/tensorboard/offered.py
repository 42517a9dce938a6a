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
        contributions: For "total" the rewards `(n,)`, and for each term whose weight is not 0 its contributions.
        raws: For each term its own values.
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
        contributions, raws, scaled = defaultdict(list), defaultdict(list), set()
        for one in offered:
            for name, term in one.terms.items():
                raws[name].append(term["raw"])
                if term["weight"]:
                    contributions[name].append(term["contribution"])
                if term["weight"] != 1 or term["raw"] != term["contribution"]:
                    scaled.add(name)
        if "total" in raws:
            raise RewardError(
                "A reward term cannot be called 'total', TensorBoard's name of the whole reward: rename it."
            )
        total = {"total": np.array([one.reward for one in offered])}
        return cls(total | _arrays(contributions), _arrays(raws), scaled)


def _arrays(values: Mapping[str, list[float]]) -> dict[str, Values]:
    return {name: np.array(value, dtype=np.float64) for name, value in values.items()}
