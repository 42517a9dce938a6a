"""REINFORCE with a leave-one-out baseline, with TRL's own RLOOTrainer."""

import dataclasses
from typing import ClassVar

from agents.agent import agents
from agents.llm.grouped import GroupedAgent


@agents.register("rloo")
@dataclasses.dataclass
class RLOOAgent(GroupedAgent):
    """REINFORCE with the mean reward of a prompt's other texts as baseline (Kool et al. 2019; Ahmadian et al. 2024).

    There is no value model, and the KL penalty is part of the reward.
    """

    trainer_name: ClassVar[str] = "RLOO"
