"""Agents that submit the texts of which the classifier is least certain."""

import dataclasses

from agents.agent import agents
from agents.pool.agent import PoolAgent


@agents.register("entropy")
@dataclasses.dataclass
class EntropyAgent(PoolAgent):
    """The highest entropy of the predicted distribution (Shannon 1948; Luo et al. 2013)."""

    strategy = "entropy"


@agents.register("least_confidence")
@dataclasses.dataclass
class LeastConfidenceAgent(PoolAgent):
    """The lowest probability of the likeliest class (Lewis & Catlett 1994)."""

    strategy = "least_confidence"


@agents.register("margin")
@dataclasses.dataclass
class MarginAgent(PoolAgent):
    """The smallest lead of the likeliest class over the second (Joshi et al. 2009)."""

    strategy = "margin"


@agents.register("bald")
@dataclasses.dataclass
class BaldAgent(PoolAgent):
    """The highest mutual information of label and weights (Houlsby et al. 2011), by dropout (Gal et al. 2017).

    It wants a classifier with dropout: "finetune" with an encoder whose configuration has it. The number of forward
    passes is the environment's `dropout_samples`.
    """

    strategy = "bald"
