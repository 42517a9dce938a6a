"""Agents that weigh uncertainty and diversity, or set a text against its labeled neighbours."""

import dataclasses

from agents.agent import agents
from agents.pool.agent import PoolAgent


@agents.register("badge")
@dataclasses.dataclass
class BadgeAgent(PoolAgent):
    """k-means++ seeds among the texts' hypothetical gradients, long and far apart (Ash et al. 2019)."""

    strategy = "badge"


@agents.register("cal")
@dataclasses.dataclass
class CalAgent(PoolAgent):
    """Texts predicted unlike their labeled neighbours, mean KL(neighbour || text) (Margatina et al. 2021)."""

    strategy = "cal"


@agents.register("signal")
@dataclasses.dataclass
class SignalAgent(PoolAgent):
    """The paper's acquisition score s_x on real texts alone (SIGnAL, section 4.2): its worth without a generator."""

    strategy = "signal"
