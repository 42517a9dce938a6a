"""The loop in which every agent plays."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.agent import Agent, Envs, base, checked_metrics, keeps_state, require_state
from signal_env.utils.errors import ORIGIN, ActionError, at_work, in_round
from signal_env.vector_env import closed_round


class Step(NamedTuple):
    """The results of one step of all sub-environments. The first one is the reset, without texts.

    Attributes:
        texts: The texts offered.
        rewards: `(num_envs,)` rewards.
        infos: The environment's infos.
        metrics: The metrics that the agent's `learn` returned.
        round: The round that the step closed, or None.
    """

    texts: Sequence[str]
    rewards: NDArray[np.float64]
    infos: dict[str, Any]
    metrics: dict[str, float]
    round: dict[str, Any] | None


def state_of(envs: Envs, agent: Agent) -> dict[str, Any]:
    """Return the state between two rounds from which `rollout` goes on: plain data and the agent's tensors.

    Raises:
        AgentError: If the agent has no state methods and is not stateless.
    """
    require_state(agent)
    with _at_work(envs, agent, "state_dict"):
        state = agent.state_dict()
    return {"env": base(envs).state_dict(), "agent": state}


@contextmanager
def _at_work(envs: Envs, agent: Agent, method: str, texts: Sequence[str] = (), closed: bool = False) -> Iterator[None]:
    """Add to an error in the block a note with the agent, its method, the texts, and the open or just closed round."""
    index = base(envs).learner.episode.round + (not closed)
    with in_round(index), at_work(f"the agent {type(agent).__name__} ({method})", texts):
        yield


def _step(envs: Envs, agent: Agent, texts: Sequence[str]) -> Any:
    """Take a step; an error in the agent's texts themselves gets a note with the agent."""
    try:
        return envs.step(texts)
    except ActionError as error:
        error.add_note(f"{ORIGIN}the agent {type(agent).__name__} (act).")
        raise


def rollout(envs: Envs, agent: Agent, seed: int, state: dict[str, Any] | None = None) -> Iterator[Step]:
    """Play one episode and yield each step, so that the caller can log it, show progress, or stop.

    Args:
        envs: A vector environment whose sub-environments end together, such as `gym.make_vec("SignalEnv-...", n)`.
        agent: The agent.
        seed: Seed of the environment and of the agent.
        state: The result of `state_of` in an episode of the same environment, agent and seed. The episode goes on from
            there as if it had not been interrupted.

    Raises:
        MetricsError: If what `learn` returns is no mapping of finite numbers.
        AgentError: If the agent has one state method without the other, or a state is given and it has none and is not
            stateless.

    Example:
        >>> import gymnasium as gym
        >>> import signal_env
        >>> from agents.pool import pool_agent
        >>> options = {"pool_size": 100, "round_size": 50, "selection": "submitted"}
        >>> envs = gym.make_vec("SignalEnv-reviews-v0", num_envs=50, **options)
        >>> [step.round["labeled"] for step in rollout(envs, pool_agent("random")(), seed=0)]
        [50, 100]
    """
    if isinstance(agent, type):
        raise TypeError(f"rollout needs an agent, not its class: write {agent.__name__}().")
    base(envs)
    if not keeps_state(agent) and state is not None:
        require_state(agent)
    try:
        observations, infos = (envs if state is None else base(envs)).reset(seed=seed)
        with _at_work(envs, agent, "reset"):
            agent.reset(envs, seed)
        if state is None:
            yield Step((), np.zeros(0), infos, {}, closed_round(infos))
        else:  # without the wrappers, in whose logs the episode has begun already
            observations = base(envs).load_state_dict(state["env"])
            with _at_work(envs, agent, "load_state_dict"):
                agent.load_state_dict(state["agent"])
        ended = base(envs).ended
        while not ended:
            with _at_work(envs, agent, "act"):
                texts = agent.act(observations)
            observations, rewards, terminated, truncated, infos = _step(envs, agent, texts)
            closed = closed_round(infos)
            with _at_work(envs, agent, "learn", texts, closed is not None):
                metrics = checked_metrics(agent.learn(rewards, infos), type(agent).__name__)
            yield Step(texts, rewards, infos, metrics, closed)
            ended = bool(np.all(terminated | truncated))
    finally:
        agent.close()
