"""A plugin: a random policy of one's own."""

import dataclasses

import numpy as np

from agents.agent import Agent, agents


@agents.register("coin")
@dataclasses.dataclass
class CoinAgent(Agent):
    """Texts drawn at random."""

    env_options = {"selection": "submitted"}

    def reset(self, envs, seed):
        self.envs, self.rng = envs, np.random.default_rng(seed)

    def act(self, observations):
        texts, n = self.envs.unwrapped.unlabeled.texts, len(observations["prompt"])
        chosen = [texts[i] for i in self.rng.permutation(len(texts))[:n]]
        return chosen + [""] * (n - len(chosen))

    def state_dict(self):
        return {"rng": self.rng.bit_generator.state}

    def load_state_dict(self, state):
        self.rng.bit_generator.state = state["rng"]
