"""What an agent is, and the registry of agents."""

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol, cast

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from signal_env.learner.learner import Learner
from signal_env.utils.registry import Registry
from signal_env.vector_env import SignalVectorEnv

Envs = VectorEnv[Any, Any, Any]


class Agent(Protocol):
    """A policy over texts. Subclass it and write `act`; the other methods have defaults that do nothing.

    A registered agent is a dataclass: its fields are its options, on the command line and in a configuration file.

    Attributes:
        env_options: The environment's options (fields of `SignalConfig`) for a run in which this agent plays, where
            they are other than the environment's own. An option that the user gives goes before them.

    Example: an agent that always offers the first unlabeled texts.
        >>> class FirstAgent(Agent):
        ...     env_options = {"selection": "submitted"}
        ...     def reset(self, envs, seed):
        ...         self.envs = envs
        ...     def act(self, observations):
        ...         texts = self.envs.unwrapped.unlabeled.texts[: self.envs.num_envs]
        ...         return texts + ("",) * (self.envs.num_envs - len(texts))
        >>> FirstAgent().learn(np.zeros(1), {})
        {}
    """

    env_options: ClassVar[Mapping[str, Any]] = {}

    def reset(self, envs: Envs, seed: int) -> None:
        """Begins an episode. What the agent does is a function of the seed and of what it sees."""

    def act(self, observations: dict[str, Any]) -> Sequence[str]:
        """One text for each of the `num_envs` prompts. The empty text passes."""
        ...

    def learn(self, rewards: NDArray[np.float64], infos: dict[str, Any]) -> dict[str, float]:
        """Learns from the rewards `(num_envs,)` of the last act; returns metrics by name."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs to go on from here."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what `state_dict` returned, after a reset with the same seed."""

    def save(self, folder: Path) -> None:
        """Saves what the agent has learned to a run's folder, for use elsewhere."""

    def close(self) -> None:
        """Lets go of what the agent holds; the rollout calls it at the end, and when something fails."""


def base(envs: Envs) -> SignalVectorEnv:
    """The vector environment under its wrappers."""
    return cast(SignalVectorEnv, envs.unwrapped)


def submitting(envs: Envs) -> Learner:
    """The learner of an experiment in which the agent says what is labeled.

    Raises:
        ValueError: If it is the acquisition function that says so.
    """
    learner = base(envs).learner
    if learner.config.selection != "submitted":
        raise ValueError(
            "This agent chooses what is labeled: it wants selection='submitted'; the environment has "
            f"{learner.config.selection!r}."
        )
    return learner


agents: Registry[type[Agent]] = Registry("agent")
"""The agents by name; importing `agents.pool`, `agents.llm` and `agents.sb3` registers the built-in ones."""


def get_agent(name: str) -> type[Agent]:
    """The agent class of that name.

    Raises:
        UnknownName: If no agent has this name.

    Example:
        >>> get_agent("random").env_options
        {'selection': 'submitted'}
    """
    for package in ("agents.pool", "agents.llm", "agents.sb3"):
        importlib.import_module(package)
    return agents[name]
