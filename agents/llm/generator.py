"""A frozen language model that answers the environment's prompts."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.agent import Agent, Envs, agents, base
from agents.llm.language_model import GeneratorOptions, frozen_language_model
from agents.llm.patience import Patience
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
        """Loads the model (once per process) and seeds the sampling."""
        self._rng = np.random.default_rng(seed)
        learner = base(envs).learner
        name = self.model_name(learner, seed)
        self._model = frozen_language_model(name, self.generator_device, self.generator_precision)
        self._model.check_context(learner, self.max_new_tokens)
        self._report, self._patience = RoundReport(learner), Patience()
        self._counted: NDArray[np.bool_] | None = None  # the offers of the step that the report is about; None: all

    def act(self, observations: dict[str, Any]) -> Sequence[str]:
        """The first line of the model's answer to each prompt."""
        return self._write(observations["prompt"])

    def _write(self, prompts: Sequence[str]) -> list[str]:
        """A text for each prompt, which the round's report takes note of."""
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
        """Learns nothing; at a round's close, says what its texts were like.

        Raises:
            CollapseError: If nothing has been labeled for many rounds.
        """
        metrics = self._report.paid(rewards, infos, self._counted)
        self._patience.note(infos)
        return metrics

    def state_dict(self) -> dict[str, Any]:
        """The state of the random numbers, and the rounds without a label."""
        return {"rng": self._rng.bit_generator.state, "barren": self._patience.rounds}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what `state_dict` returned."""
        self._rng.bit_generator.state = state["rng"]
        self._patience.rounds = state.get("barren", 0)
