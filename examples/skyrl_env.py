"""The environment of a SkyRL training: each response is a text that is offered to a served experiment.

Usage: in the training's entry point, where the environments are registered,
    skyrl_gym.register("signal_env", entry_point="skyrl_env:ServedTextEnv")

The environment variable SIGNAL_ENV_URL names the service.
"""

import os
from functools import cache

from skyrl_gym.envs.base_text_env import BaseTextEnv, BaseTextEnvStepOutput

from signal_env.shared.client import Client
from signal_env.utils.answers import Answer


@cache
def connected():
    """Return the service's client, the rule for answers, and the names of the reward terms."""
    experiment = Client(os.environ.get("SIGNAL_ENV_URL", "http://127.0.0.1:8000"))
    state = experiment.state()
    return experiment, Answer(fields=state.field_names), tuple(state.weights)


class ServedTextEnv(BaseTextEnv):
    """One text that answers one prompt."""

    def __init__(self, env_config=None, extras=None):
        super().__init__()
        self.experiment, self.answer, self.terms = connected()

    def init(self, prompt):
        """Keep the prompt, for reward terms that read it."""
        self.prompt = prompt[-1]["content"]
        return prompt, {}

    def step(self, action):
        """Offer the text; its contributions are the step's metadata."""
        offered = self.experiment.offer([self.answer.text(action)], [self.prompt])
        terms = {name: float(offered.term(name)[0]) for name in self.terms}
        return BaseTextEnvStepOutput(observations=[], reward=float(offered.rewards[0]), done=True, metadata=terms)
