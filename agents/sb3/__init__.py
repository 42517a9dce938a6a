"""Policies of Stable-Baselines3 that choose among candidate texts, and the agents that play trained ones."""

from agents.sb3.agent import ModelAgent, SB3Agent
from agents.sb3.errors import PolicyError

__all__ = ["ModelAgent", "PolicyError", "SB3Agent"]
