"""The scale of a trainer's rewards, independent of the classifier's."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class RewardScale:
    """Division of rewards by the standard deviation of all rewards so far (Welford 1962, Chan et al. 1979).

    Example:
        >>> scale = RewardScale()
        >>> scale(np.array([0.0, 4.0]))
        array([0., 2.])
        >>> scale(np.array([2.0, 2.0])).round(3)
        array([1.414, 1.414])
    """

    def __init__(self) -> None:
        self._count, self._mean, self._squares = 0, 0.0, 0.0

    def __call__(self, rewards: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the scaled rewards `(n,)`. As long as all rewards are equal they stay as they are."""
        n, mean = len(rewards), float(rewards.mean())
        total = self._count + n
        difference = mean - self._mean
        self._squares += float(((rewards - mean) ** 2).sum()) + difference**2 * self._count * n / total
        self._mean += difference * n / total
        self._count = total
        deviation = (self._squares / self._count) ** 0.5
        return rewards / deviation if deviation > 1e-8 else rewards

    def state_dict(self) -> dict[str, float]:
        """Return count, mean, and sum of squared deviations."""
        return {"count": self._count, "mean": self._mean, "squares": self._squares}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._count, self._mean, self._squares = state["count"], state["mean"], state["squares"]
