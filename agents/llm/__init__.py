"""Agents that write texts with a language model."""

from agents.llm.frozen import FrozenWriter
from agents.llm.generator import GeneratorAgent
from agents.llm.grpo import GRPOAgent
from agents.llm.ppo import PPOAgent
from agents.llm.rloo import RLOOAgent

__all__ = ["FrozenWriter", "GRPOAgent", "GeneratorAgent", "PPOAgent", "RLOOAgent"]
