"""Policies for Stable-Baselines3 that score each candidate of `CandidateSelection` by the same small network.

    MaskablePPO(MaskableCandidatePolicy, env)     PPO(CandidatePolicy, env)
    A2C(CandidatePolicy, env)                     DQN(CandidateQPolicy, env)

The weights do not depend on K, and the choice does not depend on the order of the candidates. A place without a
candidate is never chosen, even by algorithms without masks; the exception is DQN's random exploration.
"""

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import nn

from agents.sb3.network import Layout, Pool, Scorer
from signal_env.utils.extras import require
from signal_env.wrappers.candidate_draw import CandidateBox

require("stable_baselines3", "sb3")
require("sb3_contrib", "sb3")

from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy  # noqa: E402  (after the check that it is installed)
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy  # noqa: E402  (likewise)
from stable_baselines3.common.torch_layers import FlattenExtractor  # noqa: E402  (likewise)
from stable_baselines3.dqn.policies import DQNPolicy  # noqa: E402  (likewise)

MLP_POLICIES = (ActorCriticPolicy, MaskableActorCriticPolicy, DQNPolicy)
"""SB3's own policies of the name "MlpPolicy"."""


class CandidatePolicy(ActorCriticPolicy):  # type: ignore[misc]  # SB3 is not followed by mypy
    """The policy for PPO and A2C. The value is computed from the pooled encodings of all candidates.

    The arguments are those of `ActorCriticPolicy`; `net_arch` holds the widths of the hidden layers, by default
    `{"pi": [64, 64], "vf": [64, 64]}`.
    """

    def _build(self, lr_schedule: Any) -> None:
        build_actor_critic(self, lr_schedule)


class MaskableCandidatePolicy(MaskableActorCriticPolicy):  # type: ignore[misc]  # SB3 is not followed by mypy
    """The policy for sb3-contrib's MaskablePPO, otherwise like `CandidatePolicy`."""

    def _build(self, lr_schedule: Any) -> None:
        build_actor_critic(self, lr_schedule)


class CandidateQPolicy(DQNPolicy):  # type: ignore[misc]  # SB3 is not followed by mypy
    """The policy for DQN. A candidate's score is its action value."""

    def make_q_net(self) -> Any:
        """Return SB3's network around a `Scorer`."""
        network = super().make_q_net()
        network.q_net = Scorer(layout(self.observation_space), self.net_arch, self.activation_fn)
        return network.to(self.device)


class ActorCritic(nn.Module):
    """The extractor in SB3's terms: from observations to the candidates' scores and the input of the value layer."""

    def __init__(self, actor: Scorer, critic: Pool) -> None:
        super().__init__()
        self.actor, self.critic = actor, critic

    def forward(self, observations: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the scores `(n, K)` and the pooled encodings `(n, 2 H)`."""
        return self.actor(observations), self.critic(observations)

    def forward_actor(self, observations: torch.Tensor) -> torch.Tensor:
        """Return the scores `(n, K)`."""
        scores: torch.Tensor = self.actor(observations)
        return scores

    def forward_critic(self, observations: torch.Tensor) -> torch.Tensor:
        """Return the pooled encodings `(n, 2 H)`."""
        pooled: torch.Tensor = self.critic(observations)
        return pooled


def build_actor_critic(policy: Any, lr_schedule: Any) -> None:
    """Give an actor-critic policy of SB3 its networks and its optimizer, as its own `_build` does."""
    widths = policy.net_arch if isinstance(policy.net_arch, dict) else {"pi": policy.net_arch, "vf": policy.net_arch}
    where = layout(policy.observation_space)
    actor, critic = Scorer(where, widths["pi"], policy.activation_fn), Pool(where, widths["vf"], policy.activation_fn)
    policy.mlp_extractor = ActorCritic(actor, critic)
    policy.action_net = nn.Identity()  # the scores are the logits
    policy.value_net = nn.Linear(critic.size, 1)
    if policy.ortho_init:
        gains = {policy.mlp_extractor: np.sqrt(2), actor.score: 0.01, policy.value_net: 1.0}
        for module, gain in gains.items():
            module.apply(lambda layer, gain=gain: BasePolicy.init_weights(layer, gain))
    policy.optimizer = policy.optimizer_class(policy.parameters(), lr=lr_schedule(1), **policy.optimizer_kwargs)


def extracts_nothing(policy: Any) -> bool:
    """Return whether a policy of SB3 reads observations as they are, without an extractor of a user's own."""
    return policy.features_extractor_class is FlattenExtractor


def layout(space: spaces.Space[Any]) -> Layout:
    """Return the layout of the observations of `CandidateSelection`.

    Raises:
        ValueError: If the space is another one.
    """
    if not isinstance(space, CandidateBox):
        raise ValueError(
            f"Expected the observation space of signal_env.wrappers.CandidateSelection; got {space}. "
            "Remove wrappers that change observations, or use SB3's own 'MlpPolicy'."
        )
    return Layout(len(space.features), len(space.state_features))
