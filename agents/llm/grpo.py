"""Group-relative policy optimisation, with TRL's own GRPOTrainer."""

import dataclasses

from agents.agent import agents
from agents.llm.grouped import GroupedAgent


@agents.register("grpo")
@dataclasses.dataclass
class GRPOAgent(GroupedAgent):
    """Each text's reward against the mean of its prompt's texts, over their standard deviation (Shao et al. 2024).

    There is no value model, and the KL penalty is part of the loss.
    """

    trainer_name = "GRPO"
