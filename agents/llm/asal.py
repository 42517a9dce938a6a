"""Adversarial sampling for active learning: the real texts nearest to written ones are labeled."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.agent import Envs, agents, submitting
from agents.llm.generator import GeneratorAgent
from signal_env.acquisition import Strategy, acquisitions, top
from signal_env.acquisition.neighbors import nearest
from signal_env.config import ConfigError
from signal_env.utils.prediction import Floats, Prediction, scaled


@agents.register("asal")
@dataclasses.dataclass
class ASALAgent(GeneratorAgent):
    """ASAL (Mayer & Timofte 2020, Adversarial Sampling for Active Learning) for texts: real neighbors are labeled.

    As in ASAL, a generator writes samples, and those with the highest entropy under the classifier are kept. Each is
    replaced by its nearest unlabeled real text, which is labeled with its gold label. The generator does not learn. No
    written text is ever labeled, so that the episode ends at 100 % of the pool.

    Unlike in ASAL, uncertain samples are not searched for by gradients. ASAL ascends the entropy in the latent space of
    a GAN, which a language model does not have. Here the generator writes `n_candidates` texts for each prompt, and the
    most uncertain ones are kept, as many as the step has prompts. ASAL matches samples in a fixed feature space. Here
    the space is the environment's Φ, the current classifier's encoding, l2-normalized with `normalize`. A real text
    replaces one sample at most, and the more uncertain sample takes its nearest text first.

    The metrics are those of `RoundReport`, with `texts/invalid` and `reward/...` over the real texts offered, and

    - `matches/distance`: mean distance in Φ from a sample to the real text that replaces it.
    - `matches/written`, `matches/real`: mean uncertainty of these samples, and of these real texts.

    The environment's option, unless given: selection="submitted".
    """

    env_options: ClassVar[Mapping[str, Any]] = {"selection": "submitted"}
    stateless: ClassVar[bool] = True  # beside the state of its base
    offers_written: ClassVar[bool] = False

    n_candidates: int = 4
    """Texts written for each prompt."""
    uncertainty: str = "entropy"
    """The measure of uncertainty: an acquisition function of probabilities alone, such as "margin"."""

    def reset(self, envs: Envs, seed: int) -> None:
        """Load the model (once per process) and seed the sampling.

        Raises:
            ConfigError: If an option does not fit, or the acquisition function chooses the texts to label.
        """
        self._learner = submitting(envs, "asal")
        if self.n_candidates < 1:
            raise ConfigError(f"n_candidates must be at least 1; got {self.n_candidates}.")
        if Strategy(self.uncertainty).asks != {"probabilities"}:
            raise ConfigError(
                "uncertainty must be an acquisition function that asks for probabilities alone, such as 'entropy' or "
                f"'margin'; got {self.uncertainty!r}."
            )
        super().reset(envs, seed)
        self._open()

    def _open(self) -> None:
        self._matches: list[tuple[float, float, float]] = []  # the round's distances and uncertainties

    def act(self, observations: dict[str, Any]) -> Sequence[str]:
        """Return the real texts nearest to the most uncertain texts written for the prompts."""
        n = len(observations["prompt"])
        prompts = observations["prompt"][: self._learner.labels_left]
        texts: list[str] = []
        if prompts:
            written = self._write([prompt for prompt in prompts for _ in range(self.n_candidates)])
            texts = self._replace(self._most_uncertain(written, len(prompts)))
        self._counted = np.arange(n) < len(texts)
        return texts + [""] * (n - len(texts))

    def _most_uncertain(self, texts: Sequence[str], n: int) -> Prediction:
        """Return the predictions for the n most uncertain valid texts, the most uncertain first."""
        prediction = self._learner.check_texts(texts).valid.prediction
        return prediction.rows(top(self._uncertainty(prediction.probabilities), n))

    def _replace(self, samples: Prediction) -> list[str]:
        """Return each sample's nearest unlabeled real text that neither an earlier sample nor the round has taken."""
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
        found = nearest(queries, points, n)  # at most n - 1 earlier samples have taken one
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
        """Learn nothing; at a round's close, return metrics of its texts and of their real neighbors."""
        metrics = super().learn(rewards, infos)
        if metrics:
            if self._matches:
                means = np.mean(self._matches, axis=0)
                names = ("matches/distance", "matches/written", "matches/real")
                metrics |= {name: float(mean) for name, mean in zip(names, means, strict=True)}
            self._open()
        return metrics
