"""A frozen language model that answers the environment's prompts."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.agent import Agent, Envs, agents, base
from agents.llm.language_model import frozen_language_model, seeds
from agents.llm.options import GeneratorOptions
from agents.llm.report import RoundReport


@agents.register("generator")
@dataclasses.dataclass
class GeneratorAgent(GeneratorOptions, Agent):
    """A frozen language model that writes one text per prompt: the paper's G without its reinforcement learning."""

    top_p: float = 1.0
    """Nucleus sampling among the smallest set of tokens with this probability; 1: among all tokens."""
    top_k: int = 0
    """Sampling among the k likeliest tokens; 0: among all."""

    def reset(self, envs: Envs, seed: int) -> None:
        """Load the model (once per process) and seed the sampling."""
        self._rng = np.random.default_rng(seed)
        learner = base(envs).learner
        name = self.model_name(learner, seed)
        self._model = frozen_language_model(name, self.generator_device, self.generator_precision, self.form(learner))
        self._model.check_context(learner, self.max_new_tokens)
        self._report = RoundReport(learner)
        self._counted: NDArray[np.bool_] | None = None  # mask of the step's offers in the report; None: all

    def act(self, observations: dict[str, Any]) -> Sequence[str]:
        """Return the text in the model's answer to each prompt."""
        return self._write(observations["prompt"])

    def _write(self, prompts: Sequence[str]) -> list[str]:
        """Write a text for each prompt, and record it in the round's report."""
        sampling = {"temperature": self.temperature, "top_p": self.top_p, "top_k": self.top_k}
        sampling |= {"max_new_tokens": self.max_new_tokens}
        with self._report.generating():
            responses = self._model.respond_all(prompts, self.generation_batch, seeds(self._rng), **sampling)
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
