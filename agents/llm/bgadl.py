"""Bayesian generative active deep learning: the most informative real texts, and variations of them."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.agent import Envs, agents, submitting
from agents.llm.generator import GeneratorAgent
from signal_env.acquisition import Strategy
from signal_env.learner.prompts import prompt


@agents.register("bgadl")
@dataclasses.dataclass
class BGADLAgent(GeneratorAgent):
    """BGADL (Tran et al. 2019, Bayesian Generative Active Deep Learning) in text: informative texts and their like.

    Kept: in each round an acquisition function finds the most informative unlabeled real texts, a generator makes
    variations of them, and both are labeled and learned from.

    What the medium changed: BGADL's generator, a VAE-ACGAN trained along with the classifier, encodes an informative
    sample and decodes a variation, which has its label for free. Here the generator is a frozen language model whose
    prompt has the informative texts, drawn anew for each prompt, in the place of the environment's in-context examples.
    What it writes need not have their label: the annotator labels it, and it costs a label of the budget like a real
    one. A round, in BGADL real samples and as many variations beside them, is therefore split between both, half and
    half by default (`real_share`); it offers the real ones first. BGADL acquires by BALD under dropout; the default
    here is entropy, which every classifier has.

    When the real texts run out, before 200 % of the pool, rounds are written as a whole, after the last informative
    ones. The metrics are those of `RoundReport`, over what it writes.

    The environment's options, unless given: selection="submitted", budget_fraction=2.0.
    """

    env_options: ClassVar[Mapping[str, Any]] = {"selection": "submitted", "budget_fraction": 2.0}

    strategy: str = "entropy"
    """The acquisition function that finds the most informative texts; "bald" wants a classifier with dropout."""
    real_share: float = 0.5
    """The share of a round's labels, rounded to a whole number, that goes to the informative texts themselves."""

    def reset(self, envs: Envs, seed: int) -> None:
        """Loads the model (once per process) and seeds the sampling.

        Raises:
            ValueError: If an option does not fit, or the acquisition function chooses what is labeled.
        """
        self._learner = submitting(envs, "bgadl")
        if not 0 <= self.real_share <= 1:
            raise ValueError(f"real_share is from 0 to 1; got {self.real_share}.")
        if self._learner.config.n_examples < 1:
            raise ValueError("Informative texts are shown as in-context examples: n_examples is at least 1; got 0.")
        if self._learner.sizes.initial == self._learner.sizes.pool:
            raise ValueError(
                "All real texts are labeled from the start, and none is left to find: lower initial_labeled."
            )
        self._choose = Strategy(self.strategy)
        super().reset(envs, seed)
        self._informative: list[str] = []  # the most informative texts, of which prompts are made
        self._batch: list[str] | None = None  # the real texts that are left to submit in this round

    def act(self, observations: dict[str, Any]) -> Sequence[str]:
        """The round's informative texts, then variations of them; the environment's own prompts are ignored."""
        if self._batch is None:
            self._batch = self._chosen()
        places = len(observations["prompt"])
        n = min(places, self._learner.labels_left)
        real, self._batch = self._batch[:n], self._batch[n:]
        written = self._write(self._prompts(n - len(real))) if n > len(real) else []
        self._counted = (np.arange(places) >= len(real)) & (np.arange(places) < n)
        return [*real, *written, *[""] * (places - n)]

    def _chosen(self) -> list[str]:
        """Finds the round's informative texts; returns those to label."""
        unlabeled = self._learner.unlabeled
        n = round(self.real_share * self._learner.batch_size)
        shown = max(n, self._learner.config.n_examples)
        choice = self._choose(unlabeled, len(unlabeled), self._rng, min(shown, len(unlabeled)))
        found = [unlabeled.texts[i] for i in choice.indices]
        self._informative = [*found, *(text for text in self._informative if text not in found)][:shown]
        return found[:n]

    def _prompts(self, n: int) -> list[str]:
        """Prompts whose examples are drawn from the informative texts."""
        p = min(self._learner.config.n_examples, len(self._informative))
        draws = [self._rng.choice(len(self._informative), size=p, replace=False) for _ in range(n)]
        return [prompt(self._learner.task, [self._informative[i] for i in draw]) for draw in draws]

    def learn(self, rewards: NDArray[np.float64], infos: dict[str, Any]) -> dict[str, float]:
        """Learn nothing; after a round's close, choose anew and return metrics of its texts."""
        if "round" in infos:
            self._batch = None
        return super().learn(rewards, infos)

    def state_dict(self) -> dict[str, Any]:
        """As `GeneratorAgent.state_dict`, with the informative texts and what is left of the batch."""
        return super().state_dict() | {"informative": self._informative, "batch": self._batch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what `state_dict` returned."""
        super().load_state_dict(state)
        self._informative, self._batch = state["informative"], state["batch"]
