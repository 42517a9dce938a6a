"""Policies of Stable-Baselines3 that choose among candidate texts, and the agent that plays trained ones."""

from agents.sb3.agent import SB3Agent

__all__ = ["SB3Agent"]
