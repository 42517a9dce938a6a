"""The environments under their wrappers."""

from typing import Any

import gymnasium as gym
from gymnasium.vector import VectorEnv

from signal_env.env import SignalEnv
from signal_env.vector_env import SignalVectorEnv


def signal_env_of(env: gym.Env[Any, Any]) -> SignalEnv:
    """Return the `SignalEnv` under its wrappers.

    Raises:
        TypeError: If it is another environment.
    """
    if not isinstance(env.unwrapped, SignalEnv):
        raise TypeError(f"Expected a SignalEnv, such as gym.make('SignalEnv-...') returns; got {env.unwrapped!r}.")
    return env.unwrapped


def signal_vector_env_of(envs: VectorEnv[Any, Any, Any]) -> SignalVectorEnv:
    """Return the `SignalVectorEnv` under its wrappers.

    Raises:
        TypeError: If it is another environment.
    """
    if not isinstance(envs.unwrapped, SignalVectorEnv):
        raise TypeError(
            f"Expected a SignalVectorEnv, as gym.make_vec('SignalEnv-...', num_envs=...) makes it; got "
            f"{envs.unwrapped!r}. Take each of several independent experiments by itself."
        )
    return envs.unwrapped
