"""A new reward: terms get what they ask for, by the names of their parameters.

Usage: python examples/new_reward.py
"""

import gymnasium as gym
import numpy as np

import signal_env  # noqa: F401  (registers the environments)
from signal_env.rewards import at_close, reward_terms


@reward_terms.register("hesitation")
def hesitation(probabilities, distances):
    """Return uncertainty times distance to the labeled texts, one number a text."""
    return (1 - probabilities.max(axis=1)) * distances.mean(axis=1)


@reward_terms.register("politeness")
def politeness(texts):
    """Return 1 for a text that says please."""
    return [float("please" in text.split()) for text in texts]


@reward_terms.register("variety")
@at_close
def variety(batch_labels):
    """Return the number of classes in the batch just labeled; it comes once a round."""
    return float(len(set(np.asarray(batch_labels).tolist())))


def main():
    """Offer a round of texts; print each reward and its parts."""
    reward = "signal + 0.5*clip(hesitation, 0, 1) + 0.1*politeness + 0.2*variety"
    env = gym.make("SignalEnv-reviews-v0", pool_size=100, round_size=4, reward=reward)
    env.reset(seed=0)
    texts = ("a dull and lifeless plot", "please see this film", "it never quite drags", "a bright , warm comedy")
    for text in texts:
        _, total, _, _, info = env.step(text)
        parts = ", ".join(f"{name} {term['contribution']:+.3f}" for name, term in info["reward_terms"].items())
        print(f"{total:.3f}  {text:<26} {parts}")
    print(f"accuracy {info['round']['accuracy']:.3f} with {info['round']['labeled']} labels")


if __name__ == "__main__":
    main()
