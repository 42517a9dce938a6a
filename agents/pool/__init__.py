"""Agents that choose real texts."""

from agents.pool.random import RandomAgent

__all__ = ["RandomAgent"]
