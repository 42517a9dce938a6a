"""A frozen language model that answers the environment's prompts."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.agent import Agent, Envs, agents, base
from agents.llm.language_model import GeneratorOptions, frozen_language_model
from agents.llm.report import RoundReport
from signal_env.classifiers.pretrained import blocks


@agents.register("generator")
@dataclasses.dataclass
class GeneratorAgent(GeneratorOptions, Agent):
    """Samples one text per prompt from a frozen language model: the paper's G without its reinforcement learning."""

    top_p: float = 1.0
    """Nucleus sampling: the smallest set of tokens with this probability."""
    top_k: int = 0
    """Samples among the k likeliest tokens; 0: among all."""

    def reset(self, envs: Envs, seed: int) -> None:
        """Load the model (once per process) and seed the sampling."""
        self._rng = np.random.default_rng(seed)
        learner = base(envs).learner
        name = self.model_name(learner, seed)
        self._model = frozen_language_model(name, self.generator_device, self.generator_precision)
        self._model.check_context(learner, self.max_new_tokens)
        self._report = RoundReport(learner)
        self._counted: NDArray[np.bool_] | None = None  # the offers of the step that the report counts; None: all

    def act(self, observations: dict[str, Any]) -> Sequence[str]:
        """Return the first line of the model's answer to each prompt."""
        return self._write(observations["prompt"])

    def _write(self, prompts: Sequence[str]) -> list[str]:
        """Write a text for each prompt, and record it in the round's report."""
        responses = []
        with self._report.generating():
            for block in blocks(self._model.encode(prompts), self.generation_batch):
                seed = int(self._rng.integers(2**31))
                sampling = {"temperature": self.temperature, "top_p": self.top_p, "top_k": self.top_k}
                responses += self._model.respond(block, seed, max_new_tokens=self.max_new_tokens, **sampling)
        texts = [self._model.text(response) for response in responses]
        self._report.wrote(prompts, texts, responses)
        return texts

    def learn(self, rewards: NDArray[np.float64], infos: dict[str, Any]) -> dict[str, float]:
        """Learn nothing; at a round's close, return metrics of its texts."""
        return self._report.rewarded(rewards, infos, self._counted)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the random numbers."""
        return {"rng": self._rng.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._rng.bit_generator.state = state["rng"]
