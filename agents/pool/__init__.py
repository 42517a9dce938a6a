"""Agents that choose real texts: the paper's baselines (section 5.2) and those that its related work names."""

from agents.pool.agent import PoolAgent
from agents.pool.diversity import BertKMAgent, CoresetAgent, FtBertKMAgent, RandomAgent
from agents.pool.mixed import BadgeAgent, CalAgent, SignalAgent
from agents.pool.uncertainty import BaldAgent, EntropyAgent, LeastConfidenceAgent, MarginAgent

__all__ = [
    "BadgeAgent",
    "BaldAgent",
    "BertKMAgent",
    "CalAgent",
    "CoresetAgent",
    "EntropyAgent",
    "FtBertKMAgent",
    "LeastConfidenceAgent",
    "MarginAgent",
    "PoolAgent",
    "RandomAgent",
    "SignalAgent",
]
