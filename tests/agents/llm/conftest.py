"""Shared fixtures of agents that train a language model."""

import gc
import importlib.util

import pytest


@pytest.fixture(scope="session", autouse=True)
def _imports_are_no_garbage():
    """Exempt imported modules from garbage collection, which TRL's PPO runs twice in every update."""
    if importlib.util.find_spec("trl"):
        import peft  # noqa: F401
        from trl import GRPOTrainer, RLOOTrainer  # noqa: F401
    gc.collect()
    gc.freeze()
