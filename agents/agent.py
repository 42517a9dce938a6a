"""The agent protocol, and the registry of agents."""

import importlib
from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path
from types import MemberDescriptorType
from typing import Any, ClassVar, Protocol

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from signal_env.acquisition import acquisitions
from signal_env.config import SignalConfig
from signal_env.learner.learner import Learner
from signal_env.utils.errors import SignalError
from signal_env.utils.registry import Registry
from signal_env.vector_env import SignalVectorEnv
from signal_env.wrappers.unwrapping import signal_vector_env_of

Envs = VectorEnv[Any, Any, Any]


class Agent(Protocol):
    """A policy over texts. Subclass it and write `act`; the other methods have defaults that do nothing.

    A registered agent is a dataclass: its fields are its options, on the command line and in a configuration file.

    Attributes:
        env_options: Options of the environment (fields of `SignalConfig`) for a run in which this agent plays, where
            they differ from the environment's defaults. An option that the user gives overrides them.
        stateless: Whether the class keeps nothing from one round to the next but what `reset` sets and the state
            methods of its base keep. Subclasses with methods of their own (see `keeps_state`) say it again.

    `envs.unwrapped.unlabeled` is the unlabeled set as the round opened. Texts submitted earlier in the round are still
    in it; remember them if `num_envs` is less than `offers_per_round`. A text submitted twice is invalid.

    A run is resumed from `state_dict`. Without it and `load_state_dict`, and without `stateless = True`, the run is
    played anew from its beginning; see `keeps_state`.

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
    stateless: ClassVar[bool] = False

    def check_available(self, options: SignalConfig, seed: int) -> None:
        """Raise an error if something that an episode needs is missing, such as a model. Nothing is loaded.

        Runs and sweeps call it before anything is played.

        Args:
            options: The environment's options.
            seed: The seed of the episode.
        """

    def reset(self, envs: Envs, seed: int) -> None:
        """Begin an episode. The agent's actions must depend on nothing but the seed and its observations."""

    def act(self, observations: dict[str, Any]) -> Sequence[str]:
        """Return one text for each of the `num_envs` prompts. With selection="submitted" the empty text passes."""
        ...

    def learn(self, rewards: NDArray[np.float64], infos: dict[str, Any]) -> dict[str, float]:
        """Learn from the rewards `(num_envs,)` of the last texts; return metrics by name, finite numbers."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Return the state between two rounds for `load_state_dict`: plain data and tensors."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned, after a reset with the same seed."""

    def save(self, folder: Path) -> None:
        """Save what the agent has learned to a run's folder, for use elsewhere."""

    def close(self) -> None:
        """Release the agent's resources. The rollout calls it at the end and after an error."""


STATE_METHODS = ("state_dict", "load_state_dict")

OUTSIDE = ("check_available", "reset", "save", "close")
"""The methods that are not called from one round to the next."""


class AgentError(SignalError, TypeError):
    """An agent whose state cannot be kept as asked; the message says which methods to write."""


class MetricsError(SignalError, ValueError):
    """Metrics of an agent's `learn` that are not finite numbers by name; the message names the one."""


def checked_metrics(metrics: Any, who: str) -> dict[str, float]:
    """Return what an agent's `learn` returned as a dictionary; None counts as no metrics.

    Args:
        metrics: A mapping from names to finite numbers, or None.
        who: The agent's name, for the message.

    Raises:
        MetricsError: If it is anything else.

    Example:
        >>> checked_metrics({"mine/loss": float("nan")}, "Mine")
        Traceback (most recent call last):
        agents.agent.MetricsError: The agent Mine (learn) returned nan as 'mine/loss'; expected a finite number. ...
    """
    if metrics is None:
        return {}
    if not isinstance(metrics, Mapping):
        raise MetricsError(
            f"The agent {who} (learn) returned {metrics!r:.80}; expected a mapping from names to finite numbers, {{}} "
            "if there are none."
        )
    for name, value in metrics.items():
        if not isinstance(name, str):
            raise MetricsError(f"The agent {who} (learn) returned a metric called {name!r:.80}; expected a str.")
        if not isinstance(value, Real) or not np.isfinite(float(value)):
            raise MetricsError(
                f"The agent {who} (learn) returned {value!r:.80} as {name!r}; expected a finite number. Leave out what "
                "has no value."
            )
    return dict(metrics)


def keeps_state(agent: Agent) -> bool:
    """Return whether an episode can go on from the agent's `state_dict`.

    It can if each class with methods of its own has the state methods among them, or has `stateless = True`. The bases
    of a class that writes the state methods are not asked. Methods of its own are all, such as `act` or a hook of a
    base, but `check_available`, `reset`, `save`, `close` and those between double underscores. Properties count too.

    Raises:
        AgentError: If the agent has one of the two state methods without the other.

    Example:
        >>> class Counting(Agent):
        ...     def act(self, observations):
        ...         self.count = getattr(self, "count", 0) + 1
        ...         return [f"take {self.count}"]
        >>> class Constant(Agent):
        ...     stateless = True
        ...     def act(self, observations):
        ...         return ["a fine film"]
        >>> keeps_state(Counting()), keeps_state(Constant()), keeps_state(get_agent("random")())
        (False, True, True)
    """
    kind = type(agent)
    written = [name for name in STATE_METHODS if getattr(kind, name, None) not in (None, getattr(Agent, name))]
    if len(written) == 1:
        (missing,) = set(STATE_METHODS) - set(written)
        raise AgentError(f"The agent {kind.__name__} has {written[0]}, but no {missing}: write both, or neither.")
    for of in kind.__mro__:
        own = vars(of)
        if of is not Agent and any(name in own for name in STATE_METHODS):
            return True
        if of is not Agent and own.get("stateless") is not True and any(map(_is_method, own, own.values())):
            return False
    return True


def _is_method(name: str, value: object) -> bool:
    """Return whether an attribute of a class is a method or a property that may change an agent between two rounds."""
    if name in OUTSIDE or name.startswith("__") or isinstance(value, type | MemberDescriptorType):
        return False
    return callable(value) or hasattr(value, "__get__")


def require_state(agent: Agent) -> None:
    """Raise an `AgentError` if an episode cannot go on from the agent's state; see `keeps_state`."""
    if not keeps_state(agent):
        raise AgentError(
            f"The agent {type(agent).__name__} cannot go on from a state between two rounds, since it does not return "
            "one: write state_dict and load_state_dict, or set `stateless = True` in the class if it keeps nothing "
            "from one round to the next but what reset sets."
        )


def base(envs: Envs) -> SignalVectorEnv:
    """Return the vector environment under its wrappers.

    Raises:
        TypeError: If it is another environment.
    """
    return signal_vector_env_of(envs)


def submitting(envs: Envs, who: str = "This agent") -> Learner:
    """Return the learner of an experiment with selection="submitted", in which the agent chooses the texts to label.

    Args:
        envs: The environment.
        who: The name of the agent, for the message.

    Raises:
        ConfigError: If the experiment has another selection.
    """
    learner = base(envs).learner
    learner.selection.require("agent", who)
    return learner


agents: Registry[type[Agent]] = Registry("agent")
"""The agents by name. `agents.pool`, `agents.llm`, `agents.sb3` and `agents.served` register the built-in ones."""


def get_agent(name: str) -> type[Agent]:
    """Return the agent class of a name: a registered one, or the pool-based agent of an acquisition function.

    Raises:
        UnknownName: If no agent has this name.

    Example:
        >>> get_agent("random").env_options
        {'selection': 'submitted'}
    """
    for package in ("agents.pool", "agents.llm", "agents.sb3", "agents.served"):
        importlib.import_module(package)
    if name not in agents and name in acquisitions:
        made: type[Agent] = importlib.import_module("agents.pool").pool_agent(name)
        return made
    return agents[name]
