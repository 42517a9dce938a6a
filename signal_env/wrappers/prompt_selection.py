"""Choice among K sets of in-context examples as a `Discrete` action; a frozen generator answers the prompt."""

from operator import index
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Discrete
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import NDArray

from signal_env.config import ConfigError
from signal_env.learner.prompts import prompt
from signal_env.utils.copying import deep_copy
from signal_env.wrappers.candidate_draw import (
    CandidateBox,
    Generator,
    check_generator,
    check_whole,
    describe,
    written,
)
from signal_env.wrappers.unwrapping import signal_env_of

FEATURES = ("present", "labeled", "entropy", "margin", "distance", "score")
"""The features of a set of examples: 1, the fraction of labeled texts, and means over the set's texts of the features
that `signal_env.wrappers.candidate_draw.candidate_features` describes under the same names."""


class PromptSelection(gym.Wrapper[Any, Any, Any, str], RecordConstructorArgs):
    """A wrapper that shows K sets of in-context examples as numbers. A generator answers the prompt of the chosen set.

    A set has `n_examples` texts of R, labeled or unlabeled. The observation is a flat box: the features of each
    set (`FEATURES`), one set after another, and the classifier's state (`env.unwrapped.feature_names`). The generator's
    text is offered, and its reward is the step's. The prompts that the environment itself draws are not used.

    The seed of `reset` also seeds the draws. For reproducible episodes the generator's texts must depend on the prompts
    alone, as with `agents.llm.FrozenGenerator`.

    Args:
        env: A `SignalEnv` with `selection="acquisition"`, wrapped or not.
        generator: A function from a list of prompts to one text for each.
        n_sets: K.

    Raises:
        TypeError: If the environment is no `SignalEnv`.
        ValueError: If the environment has another selection, prompts have no examples, or K is under 1.

    Example: a generator that changes the last example of its prompt.
        >>> import signal_env
        >>> def generator(prompts):
        ...     return [prompt.splitlines()[-2].partition(": ")[2] + " in the end" for prompt in prompts]
        >>> env = PromptSelection(gym.make("SignalEnv-reviews-v0"), generator, n_sets=8)
        >>> observation, info = env.reset(seed=0)
        >>> shown = env.prompts
        >>> observation, reward, terminated, truncated, info = env.step(3)
        >>> info["text"] == shown[3].splitlines()[-2].partition(": ")[2] + " in the end"
        True
    """

    def __init__(self, env: gym.Env[Any, str], generator: Generator, n_sets: int = 8) -> None:
        RecordConstructorArgs.__init__(self, _disable_deepcopy=True, generator=generator, n_sets=n_sets)
        gym.Wrapper.__init__(self, env)
        self.signal_env = signal_env_of(env)
        learner = self.signal_env.learner
        learner.selection.require("acquisition function", "PromptSelection")
        check_whole("n_sets", n_sets, 1)
        check_generator(generator)
        if learner.config.n_examples < 1:
            raise ConfigError("PromptSelection chooses examples: give n_examples of at least 1; got 0.")
        self.generator, self.n_sets = generator, n_sets
        self.observation_space = CandidateBox(n_sets, FEATURES, learner.feature_names)
        self.action_space = Discrete(n_sets)
        self.prompts: tuple[str, ...] = ()
        self._random: np.random.Generator | None = None
        self._ended = False
        self._features: NDArray[np.float32]

    def __deepcopy__(self, memo: dict[int, Any]) -> "PromptSelection":
        """Return a copy in the same state with the same generator, whose texts depend on prompts alone."""
        return deep_copy(self, memo, [self._saved_kwargs, self.generator])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin a new experiment and draw the first sets."""
        _, info = self.env.reset(seed=seed, options=options)
        if seed is not None or self._random is None:
            self._random = np.random.default_rng(seed)
        self._ended = False
        return self._shown(self._random), info

    def step(self, action: int) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Offer the generator's text for the set in a place, from 0.

        Raises:
            ValueError: If there is no such place, or the generator does not return one text.
            gymnasium.error.ResetNeeded: Before the first reset and after the end.
        """
        if self._random is None or self._ended:
            raise gym.error.ResetNeeded("The episode has not begun, or is over: call reset before step.")
        place = index(action)
        if not 0 <= place < self.n_sets:
            raise ValueError(f"A place must be from 0 to {self.n_sets - 1}; got {place}.")
        shown = self.prompts[place]
        self.signal_env.prompt = shown
        (text,) = written(self.generator, [shown])
        _, reward, terminated, truncated, info = self.env.step(text)
        self._ended = terminated or truncated
        return self._shown(self._random), float(reward), terminated, truncated, info

    def _shown(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """Draw the sets of the next step."""
        learner = self.signal_env.learner
        if learner.offers_made == 0:
            self._features = self._described()
        p = min(learner.config.n_examples, len(learner.pool))
        sets = [rng.choice(len(learner.pool), size=p, replace=False) for _ in range(self.n_sets)]
        self.prompts = tuple(prompt(learner.task, [learner.pool[row] for row in rows]) for rows in sets)
        means = [self._features[rows].mean(axis=0) for rows in sets]
        return np.concatenate([*means, learner.state(learner.offers_made)])

    def _described(self) -> NDArray[np.float32]:
        """Compute the features `(|R|, 6)` of all texts of R under the current classifier."""
        learner = self.signal_env.learner
        is_labeled = np.array([text in learner.episode.labeled for text in learner.pool])
        return describe(learner.opened.pool, is_labeled, embedding_size=0)
