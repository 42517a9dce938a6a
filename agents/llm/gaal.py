"""Generative adversarial active learning: a generator that learns to write what the classifier is uncertain of."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from agents.agent import Envs, agents, submitting
from agents.llm.exchange import Exchange
from agents.llm.ppo import PPOAgent


@agents.register("gaal")
@dataclasses.dataclass
class GAALAgent(PPOAgent):
    """GAAL (Zhu & Bento 2017, Generative Adversarial Active Learning) in text: what it writes is labeled as written.

    Kept: the generator is tuned to write texts near the current classifier's decision boundary, and these themselves
    are the queries. No real text is chosen after the initial ones (only a copy of an unlabeled one *is* that one), and
    neither distance nor diversity plays a part.

    What the medium changed: GAAL descends |w·Φ(G(z)) + b| in the latent space of a GAN, anew for each query, with the
    GAN as it was. A language model's tokens have no gradient, so that here the generator itself learns, by `ppo`, from
    the reward "margin", the text's nearness to the boundary between the two likeliest classes. It is paid for nothing
    else, but keeps near what it wrote before (`kl_coef`) and is not paid for duplicates.

    All of a round's offers train it. With more `offers_per_round` than `round_size` the first valid ones are labeled,
    that is texts of the policy as the rounds before have left it; the others are practice, and stay unlabeled.

    The environment's options, unless given: selection="submitted", reward="margin", budget_fraction=2.0.
    """

    env_options: ClassVar[Mapping[str, Any]] = {
        "selection": "submitted",
        "reward": "margin",
        "budget_fraction": 2.0,
    }

    def reset(self, envs: Envs, seed: int, exchange: Exchange | None = None) -> None:
        """As `TrainedGenerator.reset`.

        Raises:
            ValueError: If the environment does not let the agent choose what is labeled, too.
        """
        submitting(envs, "gaal")
        super().reset(envs, seed, exchange)
