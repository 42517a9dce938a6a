"""Group-relative policy optimization, with TRL's own GRPOTrainer."""

import dataclasses
from typing import ClassVar

from agents.agent import agents
from agents.llm.grouped import GroupedAgent


@agents.register("grpo")
@dataclasses.dataclass
class GRPOAgent(GroupedAgent):
    """Group-relative policy optimization (Shao et al. 2024).

    A text's advantage is its reward minus the mean over its prompt's texts, divided by their standard deviation. There
    is no value model, and the KL penalty is part of the loss.
    """

    trainer_name: ClassVar[str] = "GRPO"
