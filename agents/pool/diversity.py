"""Agents that submit texts unlike each other, or unlike the labeled ones."""

import dataclasses

from agents.agent import agents
from agents.pool.agent import PoolAgent


@agents.register("random")
@dataclasses.dataclass
class RandomAgent(PoolAgent):
    """Texts drawn uniformly, without replacement: the paper's baseline without active learning (section 5.2)."""

    strategy = "random"


@agents.register("bertkm")
@dataclasses.dataclass
class BertKMAgent(PoolAgent):
    """The nearest text to each k-means centre of the pretrained encoder's embeddings (Yuan et al. 2020)."""

    strategy = "bertkm"


@agents.register("ft_bertkm")
@dataclasses.dataclass
class FtBertKMAgent(PoolAgent):
    """BERT-KM on the embeddings of the fine-tuned classifier (Yuan et al. 2020).

    With the "linear" classifier, whose encoder is never tuned, it is `bertkm`.
    """

    strategy = "ft_bertkm"


@agents.register("coreset")
@dataclasses.dataclass
class CoresetAgent(PoolAgent):
    """Each text the farthest from the labeled and the chosen ones: k-center greedy (Sener & Savarese 2017)."""

    strategy = "coreset"
