"""Agents that write texts with a language model."""

from agents.llm.generator import GeneratorAgent

__all__ = ["GeneratorAgent"]
