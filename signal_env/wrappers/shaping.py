"""Potential-based reward shaping, which leaves the optimal policy unchanged."""

from collections.abc import Callable, Sequence
from functools import partial
from numbers import Real
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import VectorEnv, VectorWrapper
from numpy.typing import NDArray

from signal_env.learner.learner import Learner
from signal_env.rewards import RewardError
from signal_env.utils.plugins import Plugin
from signal_env.utils.prediction import read_only
from signal_env.utils.registry import Registry
from signal_env.vector_env import closed_round
from signal_env.wrappers.unwrapping import signal_env_of, signal_vector_env_of

Values = NDArray[np.float64]

Potential = Callable[..., float]
"""Maps features of the classifier's state, given by parameter name, to a finite number.

`label_share` and `predicted_share` are `(C,)` arrays, all other features numbers; see `signal_env.learner.state`.
"""

potentials: Registry[Potential] = Registry("potential")
"""The potentials by name. The name of each feature is a potential too."""


class Shaping:
    """The shaping of steps: gamma times the potential after a step minus the potential before it.

    Args:
        learner: The environment's learner.
        potential: The name of a registered potential or of a feature, or a function.
        gamma: Discount factor, from 0 to 1.
        weight: Factor of the shaping.

    Raises:
        UnknownName: If no potential and no feature has this name.
        RewardError: If a number is out of its range, or the function has a parameter that is no feature.
    """

    def __init__(self, learner: Learner, potential: str | Potential, gamma: float, weight: float) -> None:
        numbers = all(isinstance(value, Real) and np.isfinite(float(value)) for value in (gamma, weight))
        if not numbers or not 0 <= gamma <= 1:
            raise RewardError(f"gamma must be from 0 to 1 and weight a finite number; got {gamma!r} and {weight!r}.")
        self.gamma, self.weight, self._learner = float(gamma), float(weight), learner
        names = learner.feature_names
        if callable(potential):
            function, name = potential, getattr(potential, "__name__", type(potential).__name__)
        elif potential in potentials:
            function, name = potentials[potential], potential
        else:
            features: Registry[Potential] = Registry("potential")
            for feature in {*names, *potentials}:
                features.register(feature)(partial(_feature, place=names.index(feature) if feature in names else 0))
            function, name = features[potential], potential
        self.term = f"potential({name})"
        self._of_round = 0.0  # the contributions since the round opened
        groups = {one.partition("/")[0] for one in names}
        self._plugin = Plugin(function, name, "potential", {*groups, "state"}, RewardError)

    def before(self, n: int) -> list[float]:
        """Return the potentials before each of the next n offers of the open round."""
        if not self._learner.begun:
            raise gym.error.ResetNeeded("The episode has not begun: call reset before step.")
        made = self._learner.offers_made
        if made == 0:
            self._of_round = 0.0
        return [self._height(self._learner.state(made + i)) for i in range(n)]

    def of_steps(self, before: Sequence[float]) -> Values:
        """Compute the shaping `(n,)` of the last n offers, without the weight."""
        ended = self._learner.terminated
        last = 0.0 if ended else self._height(self._learner.state(self._learner.offers_made))
        raw: Values = self.gamma * np.array([*before[1:], last]) - np.array(before)
        return raw

    def in_round(self, contributions: float, offers: int | None) -> float:
        """Add contributions to those of the round; return their mean over its offers if it has closed with so many.

        Args:
            contributions: Their sum in a step.
            offers: The number of the closed round's offers; None: the round is still open.
        """
        self._of_round += contributions
        if offers is None:
            return 0.0
        total, self._of_round = self._of_round, 0.0
        return total / offers if offers else 0.0

    def _height(self, state: NDArray[np.float32]) -> float:
        """Compute the potential of a state."""
        values: dict[str, Any] = {"state": read_only(state)}
        for name, value in zip(self._learner.feature_names, state.tolist(), strict=True):
            group, _, of_class = name.partition("/")
            values.setdefault(group, []).append(value) if of_class else values.update({name: value})
        arrays = {name: read_only(np.array(value)) for name, value in values.items() if isinstance(value, list)}
        height = self._plugin(SimpleNamespace(**values | arrays))
        if not isinstance(height, Real) or not np.isfinite(float(height)):
            raise RewardError(f"The potential {self._plugin.name!r} returned {height!r}; expected a finite number.")
        return float(height)


def _feature(state: NDArray[np.float32], place: int) -> float:
    """Return one feature of the state."""
    return float(state[place])


def refuse_twice(env: Any, shaping: Shaping) -> None:
    """Raise a `RewardError` if an environment has a shaping of this name already, which infos could not tell apart."""
    while isinstance(env, gym.Wrapper | VectorWrapper):
        if getattr(getattr(env, "_shaping", None), "term", None) == shaping.term:
            raise RewardError(
                f"The environment has the shaping {shaping.term!r} already: add up the weights, or give the function "
                "another name."
            )
        env = env.env


class PotentialShaping(gym.Wrapper[Any, str, Any, str], RecordConstructorArgs):
    """A wrapper that adds to each reward gamma times the potential after the step minus the potential before it.

    A terminal state has the potential 0 (Ng, Harada & Russell 1999). The optimal policy is unchanged for
    an agent whose own discount factor is gamma and whose step is an offer. The info has the shaping among its
    `reward_terms`; `Record` and `TensorBoard` outside this wrapper log it. A round's `reward_mean` has it too.

    Args:
        env: A `SignalEnv`, wrapped or not.
        potential: The name of a feature (`env.unwrapped.feature_names`), of a registered potential, or a function whose
            parameters name features.
        gamma: Discount factor, from 0 to 1.
        weight: Factor of the shaping.

    Raises:
        TypeError: If the environment is no `SignalEnv`.
        UnknownName: If no potential and no feature has this name.
        RewardError: If a number is out of its range, the function has a parameter that is no feature, or the
            environment has a shaping of this name already.

    Example:
        >>> import signal_env
        >>> def progress(labeled_share, train_accuracy):
        ...     return labeled_share * train_accuracy
        >>> env = PotentialShaping(gym.make("SignalEnv-reviews-v0", pool_size=40, round_size=4), progress, gamma=0.99)
        >>> _ = env.reset(seed=0)
        >>> info = env.step("a warm film that never quite drags")[4]
        >>> sorted(info["reward_terms"])
        ['invalid', 'potential(progress)', 'signal']
    """

    def __init__(
        self, env: gym.Env[Any, str], potential: str | Potential, gamma: float = 1.0, weight: float = 1.0
    ) -> None:
        RecordConstructorArgs.__init__(self, potential=potential, gamma=gamma, weight=weight)
        gym.Wrapper.__init__(self, env)
        self._shaping = Shaping(signal_env_of(env).learner, potential, gamma, weight)
        refuse_twice(env, self._shaping)

    def step(self, action: str) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take a step; add the shaping to the reward."""
        shaping = self._shaping
        before = shaping.before(1)
        observation, reward, terminated, truncated, info = self.env.step(action)
        (raw,) = shaping.of_steps(before).tolist()
        term = {"raw": raw, "weight": shaping.weight, "contribution": shaping.weight * raw}
        info["reward_terms"] = info["reward_terms"] | {shaping.term: term}
        mean = shaping.in_round(term["contribution"], info["round"]["offers"] if "round" in info else None)
        if "round" in info:
            info["round"] = info["round"] | {"reward_mean": info["round"]["reward_mean"] + mean}
        return observation, float(reward) + term["contribution"], terminated, truncated, info


class VectorPotentialShaping(VectorWrapper):
    """`PotentialShaping` of a `SignalVectorEnv`, whose offers are the steps, one after the other."""

    def __init__(
        self, envs: VectorEnv[Any, Any, Any], potential: str | Potential, gamma: float = 1.0, weight: float = 1.0
    ) -> None:
        super().__init__(envs)
        self._shaping = Shaping(signal_vector_env_of(envs).learner, potential, gamma, weight)
        refuse_twice(envs, self._shaping)

    def step(self, actions: Sequence[str]) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Take a step; add the shaping to the rewards."""
        shaping = self._shaping
        before = shaping.before(self.num_envs)
        observations, rewards, terminated, truncated, infos = self.env.step(actions)
        raw = shaping.of_steps(before)
        values = {"raw": raw, "weight": np.full(len(raw), shaping.weight), "contribution": shaping.weight * raw}
        there = np.ones(len(raw), dtype=bool)
        term = values | {f"_{name}": there for name in values}
        infos["reward_terms"] = infos["reward_terms"] | {shaping.term: term, f"_{shaping.term}": there}
        closed = closed_round(infos)
        mean = shaping.in_round(float(values["contribution"].sum()), None if closed is None else closed["offers"])
        if closed is not None:
            means = infos["round"]["reward_mean"].copy()
            means[-1] += mean
            infos["round"] = infos["round"] | {"reward_mean": means}
        return observations, rewards + values["contribution"], terminated, truncated, infos
