"""Agents that write texts with a language model."""

from agents.llm.asal import ASALAgent
from agents.llm.bgadl import BGADLAgent
from agents.llm.frozen import FrozenGenerator
from agents.llm.gaal import GAALAgent
from agents.llm.generator import GeneratorAgent
from agents.llm.grpo import GRPOAgent
from agents.llm.ppo import PPOAgent
from agents.llm.rloo import RLOOAgent

__all__ = [
    "ASALAgent",
    "BGADLAgent",
    "FrozenGenerator",
    "GAALAgent",
    "GRPOAgent",
    "GeneratorAgent",
    "PPOAgent",
    "RLOOAgent",
]
