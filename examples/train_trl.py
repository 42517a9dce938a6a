"""Train the paper's agent: PPO tunes the embedded generator on a fixed classifier.

Usage: python examples/train_trl.py [ROUNDS] [OFFERS]
"""

import sys

import gymnasium as gym

import signal_env  # noqa: F401  (registers the environments)
from agents.agent import get_agent
from agents.rollout import rollout

TEXTS = 64  # a step, which is one batch of the trainer


def main(rounds, offers):
    """Print, for each round, what the policy's texts earn above those of the frozen generator."""
    envs = gym.make_vec(
        "SignalEnv-reviews-v0",
        num_envs=min(TEXTS, offers),
        offers_per_round=offers,
        budget=50 + 50 * rounds,
        retrain=False,
        n_examples=1,
    )
    agent = get_agent("ppo")(max_new_tokens=40, lift_texts=min(128, offers))
    for step in rollout(envs, agent, seed=0):
        if step.round is not None and step.metrics:
            metrics = step.metrics
            print(
                f"round {step.round['index']:>2}   reward {metrics['reward/mean']:.3f}   "
                f"lift {metrics['lift/mean']:+.3f} ± {metrics['lift/half']:.3f}   "
                f"KL {metrics['policy/kl']:.1f}   {step.texts[-1]}"
            )


if __name__ == "__main__":
    main(*(int(number) for number in (sys.argv[1:] + ["10", "256"][len(sys.argv) - 1 :])))
