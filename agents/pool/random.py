"""Labels real texts at random: no active learning."""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from agents.agent import Agent, Envs, agents, base


@agents.register("random")
@dataclasses.dataclass
class RandomAgent(Agent):
    """Submits unlabeled texts drawn uniformly, without replacement: the paper's baseline without active learning."""

    selection: ClassVar[Literal["acquisition", "submitted"]] = "submitted"

    def reset(self, envs: Envs, seed: int) -> None:
        """Begins an episode.

        Raises:
            ValueError: If the environment does not let the agent choose what is labeled.
        """
        self._envs = base(envs)
        if self._envs.learner.config.selection != self.selection:
            raise ValueError(f"This agent chooses what is labeled: it wants selection={self.selection!r}.")
        self._rng = np.random.default_rng(seed)
        self._offered: set[str] = set()

    def act(self, observations: dict[str, Any]) -> Sequence[str]:
        """Draws as many texts as there are prompts; passes where none is left."""
        left = [text for text in self._envs.unlabeled if text not in self._offered]
        n = self._envs.num_envs
        chosen = [left[i] for i in self._rng.permutation(len(left))[:n]]
        self._offered.update(chosen)
        return chosen + [""] * (n - len(chosen))

    def learn(self, rewards: NDArray[np.float64], infos: dict[str, Any]) -> dict[str, float]:
        """Forgets at a round's close what was offered: what was not labeled may be offered again."""
        if "round" in infos:
            self._offered = set()
        return {}

    def state_dict(self) -> dict[str, Any]:
        """The state of the random numbers and the texts offered so far."""
        return {"rng": self._rng.bit_generator.state, "offered": sorted(self._offered)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what `state_dict` returned."""
        self._rng.bit_generator.state = state["rng"]
        self._offered = set(state["offered"])
