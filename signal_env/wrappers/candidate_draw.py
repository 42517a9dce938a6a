"""Draws of K candidate texts with their features, for the wrapper and for agents that play trained policies."""

from collections.abc import Callable, Iterable, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from signal_env.acquisition import entropy, margin
from signal_env.config import ConfigError
from signal_env.learner.learner import Learner
from signal_env.learner.view import View
from signal_env.utils.copying import deep_copy
from signal_env.utils.errors import at_work
from signal_env.utils.prediction import unit

Generator = Callable[[Sequence[str]], Sequence[str]]
"""Writes one text for each prompt. For reproducible episodes its texts must depend on the prompts alone."""


class CandidateBox(Box):
    """A flat box of K candidates' features and of the state, with their names.

    Args:
        n_candidates: K.
        features: The names of a candidate's features; the first is "present".
        state: The names of the state's features.

    Example:
        >>> space = CandidateBox(16, candidate_features(embedding_size=2), ("round_progress", "labeled_share"))
        >>> space.shape, space.n_candidates, space.features[-2:]
        ((130,), 16, ('embedding/0', 'embedding/1'))
    """

    def __init__(self, n_candidates: int, features: Sequence[str], state: Sequence[str]) -> None:
        self.n_candidates, self.features, self.state_features = n_candidates, tuple(features), tuple(state)
        signed = [name.startswith("embedding/") for name in self.features]
        low = np.concatenate([np.tile(-np.array(signed, dtype=np.float32), n_candidates), np.zeros(len(state))])
        super().__init__(low.astype(np.float32), 1.0, dtype=np.float32)


def candidate_features(embedding_size: int) -> tuple[str, ...]:
    """Return the names of a candidate's features, in order.

    All lie between 0 and 1, those of the embedding between -1 and 1.

    - `present`: 1. A place without a candidate has 0 in all features.
    - `real`: 1 for an unlabeled text of R, 0 for a synthetic one.
    - `entropy`: of the classifier's prediction, over log C.
    - `margin`: 1 minus the lead of the likeliest class.
    - `distance`, `score`: the distance d to the nearest labeled neighbor, and s_x, each mapped to v / (1 + v).
    - `embedding/0`, ...: tanh of the l2-normalized encoding's projections on fixed random directions. Those of a random
      encoding have variance 1 before tanh.

    Example:
        >>> candidate_features(embedding_size=1)
        ('present', 'real', 'entropy', 'margin', 'distance', 'score', 'embedding/0')
    """
    return (
        *("present", "real", "entropy", "margin", "distance", "score"),
        *(f"embedding/{i}" for i in range(embedding_size)),
    )


def describe(view: View, marked: NDArray[np.bool_], embedding_size: int) -> NDArray[np.float32]:
    """Compute the features `(n, F)` of texts, in the order of `candidate_features`.

    Args:
        view: The `n` texts under the current classifier.
        marked: `(n,)` whether each is a real text; in `PromptSelection` whether it is labeled.
        embedding_size: The number of directions that the encodings are projected on.
    """
    probabilities, distance, score = view.probabilities, view.distances[:, 0], view.scores
    columns = [
        np.ones(len(marked)),
        marked,
        entropy(probabilities) / np.log(probabilities.shape[1]),
        margin(probabilities),
        distance / (1 + distance),
        score / (1 + score),
    ]
    features = np.clip(np.stack(columns, axis=1), 0.0, 1.0)
    directions = np.random.default_rng(0).normal(size=(view.embeddings.shape[1], embedding_size))
    return np.hstack([features, np.tanh(unit(view.embeddings) @ directions)]).astype(np.float32)


def written(generator: Generator, prompts: Sequence[str]) -> list[str]:
    """Return the texts that a generator writes.

    Raises:
        ConfigError: If it does not return one text for each prompt.
    """
    with at_work(f"the generator {getattr(generator, '__name__', type(generator).__name__)!r}", prompts):
        returned = generator(prompts)
    texts = [*returned] if isinstance(returned, Iterable) and not isinstance(returned, str) else None
    if texts is None or len(texts) != len(prompts) or not all(isinstance(text, str) for text in texts):
        raise ConfigError(
            f"A generator must return one text per prompt; for {len(prompts)} it returned {returned!r:.200}."
        )
    return texts


def check_generator(generator: Any) -> None:
    """Raise a ConfigError if a generator cannot be called."""
    if not callable(generator):
        raise ConfigError(f"A generator is a function from prompts to texts; got {generator!r:.80}.")


def check_whole(name: str, value: Any, least: int) -> None:
    """Raise a ConfigError if a number is not whole, or below a limit."""
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise ConfigError(f"{name} must be a whole number; got {value!r}.")
    if value < least:
        raise ConfigError(f"{name} must be at least {least}; got {value}.")


def check_fraction(name: str, value: Any) -> None:
    """Raise a ConfigError if a number is not from 0 to 1."""
    if not isinstance(value, Real) or not 0 <= float(value) <= 1:
        raise ConfigError(f"{name} must be a number from 0 to 1; got {value!r}.")


class CandidateDraw:
    """The draws of an episode: the candidates of each offer, with the features that an agent sees.

    Real candidates come first: unlabeled texts that have not been taken in this round. After them come the valid texts
    that a generator wrote for the step's prompt. No candidates are left once all labels of the round are taken. A draw
    depends on the random numbers, on the texts taken and, with a generator, on the prompts. It does not depend on
    the number of offers per step.

    Attributes:
        space: The space of an agent's observations.
        texts: The K candidates of the last draw, "" in places without one.
        mask: `(K,)` mask of the places with a candidate.

    Args:
        learner: The learner of an experiment with selection="submitted".
        n_candidates: K.
        embedding_size: See `candidate_features`; 0 leaves the embedding out.
        generator: The generator of synthetic candidates; default: none.
        synthetic_candidates: The fraction of the K places, rounded to a whole number, for synthetic candidates.

    Raises:
        ConfigError: If a number is out of its range, or the experiment has another selection.
    """

    def __init__(
        self,
        learner: Learner,
        n_candidates: int = 16,
        embedding_size: int = 4,
        generator: Generator | None = None,
        synthetic_candidates: float = 0.5,
    ) -> None:
        learner.selection.require("agent", "Choosing among candidates")
        check_whole("n_candidates", n_candidates, 1)
        check_whole("embedding_size", embedding_size, 0)
        check_fraction("synthetic_candidates", synthetic_candidates)
        if generator is not None:
            check_generator(generator)
        self.space = CandidateBox(n_candidates, candidate_features(embedding_size), learner.feature_names)
        self.texts: tuple[str, ...] = ()
        self.mask = np.zeros(n_candidates, dtype=bool)
        self._learner, self._embedding_size, self._generator = learner, embedding_size, generator
        self._n_written = 0 if generator is None else round(synthetic_candidates * n_candidates)
        self._left: NDArray[np.int64]  # rows of the two arrays below that may still be drawn
        self._real: tuple[str, ...]
        self._features: NDArray[np.float32]

    def __deepcopy__(self, memo: dict[int, Any]) -> "CandidateDraw":
        """Return a copy in the same state with the same generator, whose texts depend on prompts alone."""
        return deep_copy(self, memo, [self.space, self._generator])

    def reset(self, rng: np.random.Generator) -> None:
        """Begin an episode, after the learner's reset."""
        self._rng = rng

    def draw(self, offer: int, prompt: str) -> NDArray[np.float32]:
        """Draw the candidates for one of the round's offers and return the agent's observation.

        Args:
            offer: The offer's number in its round, from 0.
            prompt: The prompt for a generator.
        """
        if offer == 0:
            self._open_round()
        k = self.space.n_candidates
        features = np.zeros((k, len(self.space.features)), dtype=np.float32)
        n = min(len(self._left), k - self._n_written) if self._labels_left else 0
        self._rows = self._rng.choice(self._left, size=n, replace=False)
        features[:n] = self._features[self._rows]
        texts = [self._real[row] for row in self._rows]
        if self._generator is not None and self._n_written and self._labels_left:
            synthetic, described = self._write(self._generator, prompt)
            features[n : n + len(synthetic)] = described
            texts += synthetic
        self.texts = (*texts, *[""] * (k - len(texts)))
        self.mask = features[:, 0] > 0
        return np.concatenate([features.ravel(), self._learner.state(offer)])

    def take(self, place: int) -> str:
        """Take the candidate in a place, from 0, and return its text; "" if there is none.

        Raises:
            ConfigError: If there is no such place.
        """
        if not 0 <= place < len(self.texts):
            raise ConfigError(f"A place must be from 0 to {len(self.texts) - 1}; got {place}.")
        if self.mask[place]:
            self._labels_left -= 1
            self._taken.add(self.texts[place])
        if place < len(self._rows):
            self._left = self._left[self._left != self._rows[place]]
        return self.texts[place]

    def _open_round(self) -> None:
        """Compute the features of all real texts of U, once for the new round."""
        unlabeled = self._learner.unlabeled
        n = int(unlabeled.real.sum())
        self._labels_left = self._learner.batch_size
        self._left, self._real = np.arange(n), unlabeled.texts[:n]
        self._taken: set[str] = set()
        self._features = np.zeros((0, len(self.space.features)), dtype=np.float32)
        if n:
            self._features = describe(unlabeled, unlabeled.real, self._embedding_size)[:n]

    def _write(self, generator: Generator, prompt: str) -> tuple[list[str], NDArray[np.float32]]:
        """Return synthetic candidates for a prompt, valid and not taken yet, and their features."""
        checked = self._learner.check_texts(written(generator, [prompt] * self._n_written))
        valid = checked.valid
        new = [i for i, text in enumerate(valid.texts) if not valid.real[i] and text not in self._taken]
        return [valid.texts[i] for i in new], describe(valid, valid.real, self._embedding_size)[new]
