"""Importing the package registers the ids and loads no heavy dependencies."""

import subprocess
import sys

import gymnasium as gym

from signal_env.registration import ENVIRONMENTS, register_environments


def test_every_id_of_the_table_is_registered_once():
    before = dict(gym.registry)
    register_environments()
    assert dict(gym.registry) == before
    assert set(ENVIRONMENTS) <= set(gym.registry)


def test_importing_loads_neither_torch_nor_transformers():
    code = (
        "import sys, signal_env\n"
        "import signal_env.env, signal_env.vector_env, agents.rollout, agents.pool, agents.llm\n"
        "heavy = {'torch', 'transformers', 'datasets', 'faiss', 'pandas', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
