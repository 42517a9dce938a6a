"""Rewards: named terms over the texts offered, and their composition."""

from signal_env.rewards import terms as _terms  # noqa: F401  (registers the built-in ones)
from signal_env.rewards.composition import Reward
from signal_env.rewards.term import Closing, RewardError, RewardTerm, TermValues, at_close, reward_terms

__all__ = ["Closing", "Reward", "RewardError", "RewardTerm", "TermValues", "at_close", "reward_terms"]
