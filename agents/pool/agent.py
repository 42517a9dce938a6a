"""The agent that submits the batch of an acquisition function."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.agent import Agent, Envs, submitting
from signal_env.acquisition import Strategy


class PoolAgent(Agent):
    """An agent that submits in each round the batch of real texts that its acquisition function chooses.

    A subclass names the function. The agent passes (submits the empty text) once the round's labels are taken, or when
    no text is left.

    Attributes:
        strategy: The name of a registered acquisition function.

    Example: an agent of your own, from a function of your own.
        >>> from agents.pool import pool_agent
        >>> from signal_env.acquisition import acquisitions
        >>> @acquisitions.register("lengthy")
        ... def lengthy(texts):
        ...     return np.array([len(text) for text in texts])
        >>> agent = pool_agent("lengthy", "The longest texts.")()
    """

    env_options: ClassVar[Mapping[str, Any]] = {"selection": "submitted"}
    strategy: ClassVar[str]

    def reset(self, envs: Envs, seed: int) -> None:
        """Begin an episode.

        Raises:
            ConfigError: If the environment's acquisition function chooses the texts to label.
            UnknownName: If no acquisition function has the agent's name.
        """
        self._learner = submitting(envs, type(self).__name__)
        self._choose = Strategy(self.strategy)
        self._rng = np.random.default_rng(seed)
        self._batch: list[str] | None = None  # texts left to submit in this round; None: not chosen yet

    def act(self, observations: dict[str, Any]) -> Sequence[str]:
        """Return the next texts of the round's batch, which is chosen as a whole at the first step."""
        if self._batch is None:
            self._batch = self._chosen()
        n = len(observations["prompt"])
        texts, self._batch = self._batch[:n], self._batch[n:]
        return texts + [""] * (n - len(texts))

    def _chosen(self) -> list[str]:
        unlabeled = self._learner.unlabeled
        return [unlabeled.texts[i] for i in self._choose(unlabeled, len(unlabeled), self._rng).indices]

    def learn(self, rewards: NDArray[np.float64], infos: dict[str, Any]) -> dict[str, float]:
        """Learn nothing; drop the batch at a round's close."""
        if "round" in infos:
            self._batch = None
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the random numbers and the rest of the round's batch."""
        return {"rng": self._rng.bit_generator.state, "batch": self._batch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._rng.bit_generator.state = state["rng"]
        self._batch = state["batch"]
