"""Choice among K candidate texts as a `Discrete` action, for agents that cannot handle texts."""

from operator import index
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Discrete
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import NDArray

from signal_env.utils.copying import deep_copy
from signal_env.wrappers.candidate_draw import CandidateDraw, Generator
from signal_env.wrappers.unwrapping import signal_env_of

Floats = NDArray[np.float32]


class CandidateSelection(gym.Wrapper[Any, Any, Any, str], RecordConstructorArgs):
    """A wrapper that shows K unlabeled texts as numbers. The action chooses one of them to be offered, and so labeled.

    The observation is a flat box: the features of each candidate (see `candidate_features`), one candidate after
    another, and the classifier's state (`env.unwrapped.feature_names`). `action_masks()` has the places that hold a
    candidate. When fewer than K texts are left, the last places are empty. Choosing an empty place passes.

    When a round has no candidates left, because its labels are taken or no text is left, the wrapper itself passes
    until the round closes. The step's reward is then the sum of its offers' rewards. Put `Record` and `TensorBoard`
    inside this wrapper, where they see every offer.

    The seed of `reset` also seeds the draws. With a generator some of the candidates are texts that it writes for the
    environment's prompt, which the annotator labels if they are chosen. For reproducible episodes its texts must depend
    on the prompts alone, as with `agents.llm.FrozenGenerator`.

    Args:
        env: A `SignalEnv` with `selection="submitted"`, wrapped or not.
        n_candidates: K.
        embedding_size: Directions in which the candidates' encodings are shown; 0: none.
        generator: A function from prompts to texts, for synthetic candidates; default: all candidates are real.
        synthetic_candidates: The fraction of the K places for them, rounded to a whole number.

    Raises:
        TypeError: If the environment is no `SignalEnv`.
        ValueError: If the environment has another selection, or a number is out of its range.

    Example:
        >>> import signal_env
        >>> env = CandidateSelection(gym.make("SignalEnv-reviews-v0", selection="submitted"), n_candidates=16)
        >>> observation, info = env.reset(seed=0)
        >>> observation.shape, env.action_space
        ((173,), Discrete(16))
        >>> observation, reward, terminated, truncated, info = env.step(3)
        >>> info["real"], int(env.action_masks().sum())
        (True, 16)
    """

    def __init__(
        self,
        env: gym.Env[Any, str],
        n_candidates: int = 16,
        embedding_size: int = 4,
        generator: Generator | None = None,
        synthetic_candidates: float = 0.5,
    ) -> None:
        RecordConstructorArgs.__init__(
            self,
            _disable_deepcopy=True,
            n_candidates=n_candidates,
            embedding_size=embedding_size,
            generator=generator,
            synthetic_candidates=synthetic_candidates,
        )
        gym.Wrapper.__init__(self, env)
        self.learner = signal_env_of(env).learner
        self._draw = CandidateDraw(self.learner, n_candidates, embedding_size, generator, synthetic_candidates)
        self.observation_space = self._draw.space
        self.action_space = Discrete(n_candidates)
        self._random: np.random.Generator | None = None
        self._ended = False

    def __deepcopy__(self, memo: dict[int, Any]) -> "CandidateSelection":
        """Return a copy in the same state with the same generator, whose texts depend on prompts alone."""
        return deep_copy(self, memo, [self._saved_kwargs, self._draw._generator])

    @property
    def candidates(self) -> tuple[str, ...]:
        """The K texts of the last observation, "" in places without one."""
        return self._draw.texts

    def action_masks(self) -> NDArray[np.bool_]:
        """Return the mask `(K,)` of the places that hold a candidate."""
        return self._draw.mask.copy()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Floats, dict[str, Any]]:
        """Begin a new experiment and draw the first candidates."""
        observation, info = self.env.reset(seed=seed, options=options)
        if seed is not None or self._random is None:
            self._random = np.random.default_rng(seed)
        self._draw.reset(self._random)
        self._ended = False
        return self._draw.draw(self.learner.offers_made, observation["prompt"]), info

    def step(self, action: int) -> tuple[Floats, float, bool, bool, dict[str, Any]]:
        """Offer the text in a place, from 0, and pass while the round has no candidates left.

        Raises:
            ValueError: If there is no such place.
            gymnasium.error.ResetNeeded: Before the first reset and after the end.
        """
        if self._random is None or self._ended:
            raise gym.error.ResetNeeded("The episode has not begun, or is over: call reset before step.")
        observation, reward, terminated, truncated, info = self.env.step(self._draw.take(index(action)))
        total = float(reward)
        shown = self._draw.draw(self.learner.offers_made, observation["prompt"])
        while not (terminated or truncated or self._draw.mask.any()):
            observation, reward, terminated, truncated, passed = self.env.step("")
            total += float(reward)
            info = with_pass(info, passed)
            shown = self._draw.draw(self.learner.offers_made, observation["prompt"])
        self._ended = terminated or truncated
        return shown, total, terminated, truncated, info


def with_pass(info: dict[str, Any], passed: dict[str, Any]) -> dict[str, Any]:
    """Return the info of a step with that of a pass after it: reward terms, accuracy, and the round that it closed."""
    terms = {name: dict(term) for name, term in info["reward_terms"].items()}
    for name, term in passed["reward_terms"].items():
        before = terms.get(name, {"raw": 0.0, "contribution": 0.0})
        terms[name] = term | {part: before[part] + term[part] for part in ("raw", "contribution")}
    return info | {"reward_terms": terms} | {name: passed[name] for name in ("accuracy", "round") if name in passed}
