"""The state of an episode, in one place."""

import dataclasses
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np

from signal_env.learner.allocation import Allocation
from signal_env.learner.labeling import Labeling
from signal_env.learner.prompts import Prompts
from signal_env.rewards import Reward
from signal_env.stopping import Stopping
from signal_env.utils.copying import deep_copy
from signal_env.utils.errors import StateError

Rng = np.random.Generator


@dataclasses.dataclass
class Episode:
    """The state of an episode between two rounds. `state_dict` has every field but R, which depends on the seed.

    Attributes:
        seed: The seed.
        gold: R: its texts with their gold labels, which stay hidden until a text is labeled.
        prompts: The prompts.
        allocation: The budget allocation.
        labeling: The labels of a batch, and who gives them.
        reward: The reward composition, with the memory of its terms.
        stopping: What the stopping criteria have measured.
        selection_rng, training_rng, dropout_rng, closing_rng: Random numbers, one generator for each use.
        unlabeled: U, real texts first. The values mean nothing.
        labeled: L, each text with its label, in the order of labeling.
        n_trained: The number of them that M was trained on: all, or the initial ones if M is not retrained.
        n_synthetic: The number of synthetic texts among them.
        offered: The valid texts offered in earlier rounds. The values mean nothing.
        round: The index of the last closed round; 0 for the initial labels.
        idle_rounds: Rounds in a row, up to this one, that labeled nothing.
        training_seed, dropout_seed: Seeds of M's last training and of its dropout.
    """

    seed: int
    gold: Mapping[str, int]
    prompts: Prompts
    allocation: Allocation
    labeling: Labeling
    reward: Reward
    stopping: Stopping
    selection_rng: Rng
    training_rng: Rng
    dropout_rng: Rng
    closing_rng: Rng
    unlabeled: dict[str, None]
    labeled: dict[str, int] = dataclasses.field(default_factory=dict)
    n_trained: int = 0
    n_synthetic: int = 0
    offered: dict[str, None] = dataclasses.field(default_factory=dict)
    round: int = -1
    idle_rounds: int = 0
    training_seed: int = 0
    dropout_seed: int = 0

    def __post_init__(self) -> None:
        self.pool = tuple(self.gold)
        """The texts of R."""

    def is_real(self, text: str) -> bool:
        """Return whether a text is one of R."""
        return text in self.gold

    def __deepcopy__(self, memo: dict[int, Any]) -> "Episode":
        """Return a copy that shares R."""
        return deep_copy(self, memo, [self.gold, self.pool])

    @property
    def real_left(self) -> bool:
        """Whether U has real texts."""
        return any(map(self.is_real, self.unlabeled))

    def label(self, labels: Mapping[str, int]) -> None:
        """Move texts with their labels from U to L (line 9)."""
        for text in labels:
            del self.unlabeled[text]
        self.labeled |= labels
        self.n_synthetic += sum(not self.is_real(text) for text in labels)
        self.idle_rounds = 0 if labels else self.idle_rounds + 1

    def state_dict(self) -> dict[str, Any]:
        """Return the state as plain data that survives JSON to the bit."""
        return {name: _plain(getattr(self, name)) for name in self._kept()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned, in an episode of the same seed.

        Raises:
            StateError: If another version of signal_env made it, or an episode of another seed.
        """
        if state.keys() != set(self._kept()):
            raise StateError("The state was made by another version of signal_env: begin a new episode.")
        if state["seed"] != self.seed:
            raise StateError(
                f"The state is of an episode of the seed {state['seed']}; this one has {self.seed}. Reset with the "
                "same seed first."
            )
        for name, kept in state.items():
            value = getattr(self, name)
            if isinstance(value, Rng):
                value.bit_generator.state = kept
            elif hasattr(value, "load_state_dict"):
                value.load_state_dict(kept)
            else:
                setattr(self, name, deepcopy(kept))

    def _kept(self) -> list[str]:
        return [field.name for field in dataclasses.fields(self) if field.name != "gold"]


def _plain(value: Any) -> Any:
    if isinstance(value, Rng):
        return value.bit_generator.state
    return value.state_dict() if hasattr(value, "state_dict") else deepcopy(value)
