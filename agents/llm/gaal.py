"""Generative adversarial active learning: a generator that learns to write texts of uncertain class."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from agents.agent import Envs, agents, submitting
from agents.llm.exchange import Exchange
from agents.llm.ppo import PPOAgent


@agents.register("gaal")
@dataclasses.dataclass
class GAALAgent(PPOAgent):
    """GAAL (Zhu & Bento 2017, Generative Adversarial Active Learning) for texts: the texts it writes are labeled.

    As in GAAL, the generator is tuned to write texts near the current classifier's decision boundary, and these texts
    are the queries. No real text is chosen after the initial ones, though a copy of an unlabeled real text *is* that
    text. Neither distance nor diversity plays a part.

    Unlike in GAAL, the generator itself learns. GAAL descends |w·Φ(G(z)) + b| in the latent space of a GAN, anew for
    each query, and leaves the GAN as it is. A language model's tokens have no gradient. Here the generator learns by
    `ppo` from the reward "margin", the text's nearness to the boundary between the two likeliest classes. Nothing else
    is rewarded; the KL penalty (`kl_coef`) keeps the generator near its reference, and duplicates earn nothing.

    All of a round's offers train the generator. With more `offers_per_round` than `round_size` the first valid ones are
    labeled, which are texts of the policy as the earlier rounds left it. The others are practice and stay unlabeled.

    The environment's options, unless given: selection="submitted", reward="margin", budget_fraction=2.0.
    """

    env_options: ClassVar[Mapping[str, Any]] = {
        "selection": "submitted",
        "reward": "margin",
        "budget_fraction": 2.0,
    }

    def reset(self, envs: Envs, seed: int, exchange: Exchange | None = None) -> None:
        """Begin an episode, as `TrainedGenerator.reset` does.

        Raises:
            ValueError: Also if the acquisition function chooses the texts to label.
        """
        submitting(envs, "gaal")
        super().reset(envs, seed, exchange)
