"""Rewards: named terms over the texts offered, and their composition."""

from signal_env.rewards import terms as _terms  # noqa: F401  (registers the built-in ones)
from signal_env.rewards.composition import Reward
from signal_env.rewards.term import (
    Candidates,
    Closing,
    Potential,
    RewardError,
    RewardTerm,
    at_close,
    potentials,
    reward_terms,
)

__all__ = [
    "Candidates",
    "Closing",
    "Potential",
    "Reward",
    "RewardError",
    "RewardTerm",
    "at_close",
    "potentials",
    "reward_terms",
]
