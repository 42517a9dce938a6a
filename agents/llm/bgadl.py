"""Bayesian generative active deep learning: the most informative real texts, and variations of them."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.agent import Envs, agents, submitting
from agents.llm.generator import GeneratorAgent
from signal_env.acquisition import Strategy
from signal_env.config import ConfigError
from signal_env.learner.prompts import prompt


@agents.register("bgadl")
@dataclasses.dataclass
class BGADLAgent(GeneratorAgent):
    """BGADL (Tran et al. 2019, Bayesian Generative Active Deep Learning) for texts: real texts and variations of them.

    As in BGADL, an acquisition function finds the most informative unlabeled real texts in each round, a generator
    writes variations of them, and both are labeled and learned from.

    Unlike in BGADL, variations are not labeled for free. BGADL's generator, a VAE-ACGAN trained along with the
    classifier, encodes an informative sample and decodes a variation of the same label. Here the generator is a frozen
    language model, whose prompt shows informative texts, drawn anew for each prompt, in the place of the environment's
    in-context examples. Its texts may be of another class: the annotator labels them, at the price of a label of the
    budget. In BGADL a round has as many variations as real samples beside them. Here both share the round's labels,
    half and half by default (`real_share`), and the real texts are offered first. BGADL acquires by BALD under dropout;
    the default here is entropy, which works with every classifier.

    When the real texts run out, before 200 % of the pool, all of a round's texts are written, after the last
    informative ones. The metrics are those of `RoundReport`, over the texts written.

    The environment's options, unless given: selection="submitted", budget_fraction=2.0.
    """

    env_options: ClassVar[Mapping[str, Any]] = {"selection": "submitted", "budget_fraction": 2.0}

    strategy: str = "entropy"
    """The acquisition function that finds the most informative texts; "bald" needs a classifier with dropout."""
    real_share: float = 0.5
    """The fraction of a round's labels, rounded to a whole number, for the informative texts themselves."""

    def reset(self, envs: Envs, seed: int) -> None:
        """Load the model (once per process) and seed the sampling.

        Raises:
            ConfigError: If an option does not fit, or the acquisition function chooses the texts to label.
        """
        self._learner = submitting(envs, "bgadl")
        if not 0 <= self.real_share <= 1:
            raise ConfigError(f"real_share must be from 0 to 1; got {self.real_share}.")
        if self._learner.config.n_examples < 1:
            raise ConfigError("n_examples must be at least 1, to show informative texts as in-context examples; got 0.")
        if self._learner.sizes.initial == self._learner.sizes.pool:
            raise ConfigError(
                "All real texts are labeled from the start, and none is left to choose: lower initial_labeled."
            )
        self._choose = Strategy(self.strategy)
        super().reset(envs, seed)
        self._informative: list[str] = []  # the texts that prompts show
        self._batch: list[str] | None = None  # real texts left to submit in this round; None: not chosen yet

    def act(self, observations: dict[str, Any]) -> Sequence[str]:
        """Return the round's informative texts, then variations of them; the environment's own prompts are ignored."""
        if self._batch is None:
            self._batch = self._chosen()
        places = len(observations["prompt"])
        n = min(places, self._learner.labels_left)
        real, self._batch = self._batch[:n], self._batch[n:]
        written = self._write(self._prompts(n - len(real))) if n > len(real) else []
        self._counted = (np.arange(places) >= len(real)) & (np.arange(places) < n)
        return [*real, *written, *[""] * (places - n)]

    def _chosen(self) -> list[str]:
        """Find the round's informative texts; return those to label."""
        unlabeled = self._learner.unlabeled
        n = round(self.real_share * self._learner.batch_size)
        shown = max(n, self._learner.config.n_examples)
        choice = self._choose(unlabeled, len(unlabeled), self._rng, min(shown, len(unlabeled)))
        found = [unlabeled.texts[i] for i in choice.indices]
        self._informative = [*found, *(text for text in self._informative if text not in found)][:shown]
        return found[:n]

    def _prompts(self, n: int) -> list[str]:
        """Return n prompts whose examples are drawn from the informative texts."""
        p = min(self._learner.config.n_examples, len(self._informative))
        draws = [self._rng.choice(len(self._informative), size=p, replace=False) for _ in range(n)]
        return [prompt(self._learner.task, [self._informative[i] for i in draw]) for draw in draws]

    def learn(self, rewards: NDArray[np.float64], infos: dict[str, Any]) -> dict[str, float]:
        """Learn nothing; after a round's close, choose anew and return metrics of its texts."""
        if "round" in infos:
            self._batch = None
        return super().learn(rewards, infos)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the random numbers, the informative texts and the rest of the round's batch."""
        return super().state_dict() | {"informative": self._informative, "batch": self._batch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        super().load_state_dict(state)
        self._informative, self._batch = state["informative"], state["batch"]
