"""Train Stable-Baselines3 to choose texts, and play the policy on seeds that it has not seen.

Usage: python examples/train_sb3.py [TIMESTEPS] [FOLDER]
"""

import sys

import gymnasium as gym
import numpy as np
from sb3_contrib import MaskablePPO

import signal_env  # noqa: F401  (registers the environments)
from agents.agent import get_agent
from agents.rollout import rollout
from agents.sb3 import SB3Agent
from agents.sb3.policies import MaskableCandidatePolicy
from agents.sb3.saved import save_policy
from signal_env.wrappers import CandidateSelection

SMALL = {"selection": "submitted", "pool_size": 200, "round_size": 20}


def train(timesteps, folder):
    """Train a policy on the reward "entropy", and save it as safetensors and JSON."""
    env = CandidateSelection(gym.make("SignalEnv-reviews-v0", reward="entropy", **SMALL), n_candidates=16)
    env.reset(seed=1_000_000)
    model = MaskablePPO(
        MaskableCandidatePolicy, env, n_steps=256, batch_size=256, gamma=0.0, learning_rate=1e-3, seed=0
    )
    save_policy(model.learn(timesteps), folder)


def area(agent, seed):
    """Play one episode; return the mean accuracy along its curve."""
    envs = gym.make_vec("SignalEnv-reviews-v0", num_envs=20, **SMALL)
    return np.mean([step.round["accuracy"] for step in rollout(envs, agent, seed) if step.round is not None])


def main(timesteps, folder, seeds=3):
    """Train, and compare with `random` on the same seeds."""
    train(timesteps, folder)
    for name, make in (("sb3", lambda: SB3Agent(policy=folder)), ("random", get_agent("random"))):
        print(f"{name:<8} area {np.mean([area(make(), seed) for seed in range(seeds)]):.3f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000, sys.argv[2] if len(sys.argv) > 2 else "runs/sb3-policy")
