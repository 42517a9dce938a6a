"""Adversarial sampling for active learning: written texts say which real ones to label."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.agent import Envs, agents, submitting
from agents.llm.generator import GeneratorAgent
from signal_env.acquisition import Strategy, acquisitions, top
from signal_env.acquisition.neighbors import nearest
from signal_env.utils.prediction import Floats, Prediction, scaled


@agents.register("asal")
@dataclasses.dataclass
class ASALAgent(GeneratorAgent):
    """ASAL (Mayer & Timofte 2020, Adversarial Sampling for Active Learning) in text: real neighbours are labeled.

    Kept: a generator makes samples, those of which the classifier is uncertain are found by entropy, each is replaced
    by its nearest unlabeled real one, and that one is labeled, with its gold label. The generator is fixed before and
    no written text is ever labeled, so that the episode ends at 100 % of the pool.

    What the medium changed: ASAL ascends the entropy in the latent space of a GAN. A language model has none: of
    `n_candidates` texts a prompt, the most uncertain are taken, as many as the step has prompts. ASAL matches samples
    in a feature space fixed before; here it is the environment's own, Φ of the current classifier, l2-normalised with
    `normalize`. A real text stands for one sample at most: the more uncertain sample takes its nearest first.

    The metrics are those of `RoundReport` over all that was written, with `texts/invalid` and `reward/...` over the
    real texts offered in their place, and

    - `matches/distance`: mean distance in Φ from a sample to the real text in its place;
    - `matches/written`, `matches/real`: mean uncertainty of those samples, and of those real texts.

    The environment's option, unless given: selection="submitted".
    """

    env_options: ClassVar[Mapping[str, Any]] = {"selection": "submitted"}

    n_candidates: int = 4
    """Texts written for each prompt."""
    uncertainty: str = "entropy"
    """How uncertain the classifier is, by an acquisition function of probabilities alone, such as "margin"."""

    def reset(self, envs: Envs, seed: int) -> None:
        """Loads the model (once per process) and seeds the sampling.

        Raises:
            ValueError: If an option does not fit, or the acquisition function chooses what is labeled.
        """
        self._learner = submitting(envs, "asal")
        if self.n_candidates < 1:
            raise ValueError(f"n_candidates is at least 1; got {self.n_candidates}.")
        if Strategy(self.uncertainty).asks != {"probabilities"}:
            raise ValueError(
                "uncertainty is an acquisition function that asks for probabilities alone, such as 'entropy' or "
                f"'margin'; got {self.uncertainty!r}."
            )
        super().reset(envs, seed)
        self._open()

    def _open(self) -> None:
        self._matches: list[tuple[float, float, float]] = []  # the round's distances and uncertainties

    def act(self, observations: dict[str, Any]) -> Sequence[str]:
        """The real texts nearest to the most uncertain of what is written for the prompts."""
        n = len(observations["prompt"])
        prompts = observations["prompt"][: self._learner.labels_left]
        texts: list[str] = []
        if prompts:
            written = self._write([prompt for prompt in prompts for _ in range(self.n_candidates)])
            texts = self._replace(self._most_uncertain(written, len(prompts)))
        self._counted = np.arange(n) < len(texts)
        return texts + [""] * (n - len(texts))

    def _most_uncertain(self, texts: Sequence[str], n: int) -> Prediction:
        """Return the predictions for the n valid texts of which the classifier is the least certain, these first."""
        prediction = self._learner.look(texts).valid.prediction
        return prediction.rows(top(self._uncertainty(prediction.probabilities), n))

    def _replace(self, samples: Prediction) -> list[str]:
        """The nearest unlabeled real text of each sample that those before it have left, and the round's offers."""
        learner, unlabeled = self._learner, self._learner.unlabeled
        offered = np.array([text in learner.opened.seen for text in unlabeled.texts], dtype=bool)
        free = np.flatnonzero(unlabeled.real & ~offered)
        n = min(len(samples.embeddings), len(free))
        if n == 0:
            return []
        queries, points = (
            scaled(embeddings, learner.config.normalize)
            for embeddings in (samples.embeddings[:n], unlabeled.embeddings[free])
        )
        found = nearest(queries, points, n)  # of n neighbours, the n - 1 samples before leave one
        taken: list[int] = []
        distances: list[float] = []
        for indices, apart in zip(*found, strict=True):
            j = next(j for j, place in enumerate(indices) if place not in taken)
            taken.append(int(indices[j]))
            distances.append(float(apart[j]))
        rows = free[taken]
        uncertain = (self._uncertainty(p) for p in (samples.probabilities[:n], unlabeled.probabilities[rows]))
        self._matches += zip(distances, *uncertain, strict=True)
        return [unlabeled.texts[row] for row in rows]

    def _uncertainty(self, probabilities: Floats) -> NDArray[np.float64]:
        return acquisitions[self.uncertainty](probabilities)

    def learn(self, rewards: NDArray[np.float64], infos: dict[str, Any]) -> dict[str, float]:
        """Learn nothing; at a round's close, return metrics of its texts and of how near the real ones were."""
        metrics = super().learn(rewards, infos)
        if metrics:
            if self._matches:
                means = np.mean(self._matches, axis=0)
                names = ("matches/distance", "matches/written", "matches/real")
                metrics |= {name: float(mean) for name, mean in zip(names, means, strict=True)}
            self._open()
        return metrics
