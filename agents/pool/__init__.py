"""Agents that choose real texts: the paper's baselines (section 5.2) and those of its related work."""

import dataclasses

from agents.agent import agents
from agents.pool.agent import PoolAgent

STRATEGIES = {
    "random": "Texts drawn uniformly, without replacement: the paper's baseline without active learning (section 5.2).",
    "entropy": "The highest entropy of the predicted distribution (Shannon 1948; Luo et al. 2013).",
    "least_confidence": "The lowest probability of the likeliest class (Lewis & Catlett 1994).",
    "margin": "The smallest lead of the likeliest class over the second (Joshi et al. 2009).",
    "bald": "The highest mutual information of label and weights (Houlsby et al. 2011), by dropout (Gal et al. 2017). "
    "It needs a classifier with dropout: 'finetune' with an encoder whose configuration has it. The environment's "
    "`dropout_samples` is the number of forward passes.",
    "bertkm": "The nearest text to each k-means center of the pretrained encoder's embeddings (Yuan et al. 2020).",
    "ft_bertkm": "BERT-KM on the embeddings of the fine-tuned classifier (Yuan et al. 2020). With the 'linear' "
    "classifier, whose encoder is never tuned, it is `bertkm`.",
    "coreset": "The farthest texts from the labeled and chosen ones, by k-center greedy (Sener & Savarese 2017).",
    "badge": "k-means++ seeds among the texts' hypothetical gradients, which are long and far apart (Ash et al. 2019).",
    "cal": "Texts predicted unlike their labeled neighbors, mean KL(neighbor || text) (Margatina et al. 2021).",
    "learning_loss": "The largest loss that a module of the classifier predicts (Yoo & Kweon 2019). It needs "
    "`classifier='finetune'` with `classifier_options={'loss_prediction': True}`. The module is trained jointly, and "
    "changes the classifier too.",
    "expected_error_reduction": "The texts whose label is expected to lower the mean entropy of the unlabeled set most "
    "(Roy & McCallum 2001), by one Newton step of the last layer.",
    "typicality": "The texts nearest to their neighbors in the unlabeled set (Hacohen et al. 2022), without the "
    "clusters of that paper's TypiClust.",
    "class_balanced": "The highest s_x in the class with the fewest labels, one text after another; the classes of "
    "chosen texts count as predicted.",
    "signal": "The paper's acquisition score s_x on real texts alone (SIGnAL, section 4.2), without a generator.",
}
"""The agents by name, with their descriptions. Each plays the acquisition function of the same name."""


def pool_agent(strategy: str, about: str = "") -> type[PoolAgent]:
    """Return the agent class that plays an acquisition function, and register it under the same name if it is new.

    Args:
        strategy: The name of a registered acquisition function.
        about: The class's docstring, for an agent that is not registered yet.

    Raises:
        TypeError: If the name is that of an agent of another kind.

    Example:
        >>> pool_agent("entropy")()
        entropy()
    """
    if not agents.has(strategy):
        made = type(strategy, (PoolAgent,), {"strategy": strategy, "__doc__": about, "__module__": __name__})
        agents.register(strategy)(dataclasses.dataclass(made))
    found = agents[strategy]
    if not issubclass(found, PoolAgent):
        raise TypeError(f"Expected the name of an acquisition function; {strategy!r} is the agent {found.__name__}.")
    return found


for name, about in STRATEGIES.items():
    pool_agent(name, about)

__all__ = ["STRATEGIES", "PoolAgent", "pool_agent"]
