"""A new agent: it shortlists uncertain texts, and submits those of them that are the least alike.

Usage: python examples/new_agent.py [SEEDS]
"""

import sys

import gymnasium as gym
import numpy as np

import signal_env  # noqa: F401  (registers the environments)
from agents.agent import Agent, get_agent
from agents.rollout import rollout


class ShortlistAgent(Agent):
    """Submits the most spread-out of the most uncertain texts."""

    stateless = True  # nothing to keep for a run that is resumed

    def reset(self, envs, seed):
        """Begin an episode."""
        self.envs = envs

    def act(self, observations):
        """Return one text for each prompt; the empty text passes."""
        unlabeled, n = self.envs.unwrapped.unlabeled, len(observations["prompt"])
        uncertain = np.argsort(unlabeled.probabilities.max(axis=1), kind="stable")[: 4 * n]
        points = unlabeled.embeddings[uncertain]
        chosen = list(range(min(1, len(uncertain))))
        while chosen and len(chosen) < min(n, len(uncertain)):
            distances = np.linalg.norm(points[:, None] - points[chosen], axis=2).min(axis=1)
            chosen.append(int(distances.argmax()))
        texts = [unlabeled.texts[uncertain[i]] for i in chosen]
        return texts + [""] * (n - len(texts))


def play(agent, seed):
    """Play one episode; return its accuracies, one a round."""
    envs = gym.make_vec("SignalEnv-reviews-v0", num_envs=50, selection="submitted")
    return [step.round["accuracy"] for step in rollout(envs, agent, seed) if step.round is not None]


def main(seeds):
    """Compare the agent with `random` on the same seeds."""
    agents = {"shortlist": ShortlistAgent, "random": get_agent("random")}
    for name, make in agents.items():
        curves = np.array([play(make(), seed) for seed in range(seeds)])
        print(f"{name:<10} area {curves.mean():.3f}   rounds {' '.join(f'{x:.3f}' for x in curves.mean(axis=0))}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
