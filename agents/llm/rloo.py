"""REINFORCE with a leave-one-out baseline, with TRL's own RLOOTrainer."""

import dataclasses

from agents.agent import agents
from agents.llm.grouped import GroupedAgent


@agents.register("rloo")
@dataclasses.dataclass
class RLOOAgent(GroupedAgent):
    """Each text's reward against the mean of the others of its prompt (Kool et al. 2019; Ahmadian et al. 2024).

    There is no value model, and the KL penalty is part of the reward.
    """

    trainer_name = "RLOO"
