"""A shared experiment in this process, over one learner."""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar, cast

import gymnasium as gym
import numpy as np
from gymnasium.utils.seeding import np_random

from signal_env.config import make_config
from signal_env.env import (
    LearnerAccess,
    episode_state,
    experiment_seed,
    offer_info,
    require_running,
    require_text,
    reset_info,
    restore_episode,
)
from signal_env.learner.learner import Learner
from signal_env.learner.outcomes import Offer, Round
from signal_env.shared.verbs import ExperimentEnded, Info, Offered, Prompts, Scored, State
from signal_env.utils.errors import in_round

Result = TypeVar("Result")


class Observer(Protocol):
    """A log of an experiment."""

    def offer(self, text: str, reward: float, info: Info) -> None:
        """Record one offered text and its info."""

    def round(self, info: Info) -> None:
        """Record a closed round; the first one is the training on the initial labels."""


class LocalExperiment(LearnerAccess):
    """A shared experiment in this process; see `signal_env.shared.verbs.SharedExperiment`.

    The same texts in the same order earn the same rewards as in `SignalEnv` after `reset(seed=seed)`. Threads may
    share it: batches take effect one after the other.

    Attributes:
        learner: The learner.
        seed: The seed.
        observers: The logs of the offers and rounds.

    Args:
        env: A registered id, such as "SignalEnv-sst2-v0".
        seed: The seed of the experiment.
        observers: Logs of the offers and rounds, told of each in order.
        options: The fields of `signal_env.config.SignalConfig`.

    Raises:
        ConfigError: If the options do not fit together.

    Example:
        >>> import signal_env
        >>> experiment = LocalExperiment("SignalEnv-reviews-v0", seed=0, pool_size=20, round_size=2)
        >>> len(experiment.prompts(3).texts)
        3
        >>> offered = experiment.offer(["a warm film", "a dull plot", "a warm film"])
        >>> offered.invalid[2], [closed["index"] for closed in offered.rounds], experiment.state().offers_made
        ('duplicate', [1], 1)
    """

    def __init__(self, env: str, seed: int = 0, observers: Sequence[Observer] = (), **options: Any) -> None:
        self.learner = Learner(make_config({**gym.spec(env).kwargs, **options}))
        self.seed, self.observers = seed, list(observers)
        self._lock = threading.RLock()
        self._answers: dict[str, tuple[Any, Any]] = {}  # by key: the request and its result
        self._random, _ = np_random(seed)
        with in_round(0):
            self._last_round = self.learner.reset(experiment_seed(self._random))
        self._drawn = self._offered = 0
        self._state = self._now(self._last_round)
        for observer in self.observers:
            observer.round(reset_info(self._last_round)["round"])

    def prompts(self, n: int, key: str | None = None) -> Prompts:
        """Draw the next n prompts; see `SharedExperiment.prompts`."""

        def draw() -> Prompts:
            prompts = Prompts(self._drawn, tuple(self.learner.prompts(n)))
            self._drawn += n
            self._state = self._now(require_running(self._last_round, False))
            return prompts

        return self._once(key, ("prompts", n), draw)

    def offer(self, texts: Sequence[str], prompts: Sequence[str] = (), key: str | None = None) -> Offered:
        """Offer texts; see `SharedExperiment.offer`.

        Raises:
            ExperimentEnded: If the experiment is over.
            ActionError: If a text is no `str`.
            ValueError: If there are prompts, but not one for each text.
            gymnasium.error.ResetNeeded: If an earlier offer has failed to close a round.
        """
        texts, prompts = _checked(texts, prompts)
        return self._once(key, ("offer", texts, prompts), lambda: self._play(texts, prompts))

    def score(self, texts: Sequence[str], prompts: Sequence[str] = ()) -> Scored:
        """Return what texts would earn as the round's first ones; see `SharedExperiment.score`."""
        texts, prompts = _checked(texts, prompts)
        with self._lock:
            last = require_running(self._last_round, False)
            offer = self.learner.score(texts, prompts)
            return Scored(offer.rewards.copy(), tuple(offer_info(offer, i, last, None) for i in range(len(texts))))

    def state(self) -> State:
        """Return the state; see `SharedExperiment.state`."""
        return self._state

    def state_dict(self) -> dict[str, Any]:
        """Return the experiment between two rounds, as plain data that survives JSON to the bit.

        Raises:
            RuntimeError: In the middle of a round.
        """
        with self._lock:
            kept = episode_state(self.learner, self._last_round, self._random)
            return kept | {"drawn": self._drawn, "offered": self._offered}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned, in an experiment of the same options and seed."""
        with self._lock:
            self._last_round = restore_episode(self.learner, state, self._random)
            self._drawn, self._offered = state["drawn"], state["offered"]
            self._state = self._now(self._last_round)

    def _once(self, key: str | None, request: Any, answer: Callable[[], Result]) -> Result:
        """Answer a request, or repeat the answer to the request that had its key."""
        with self._lock:
            known, result = self._answers.get(key, (None, None)) if key is not None else (None, None)
            if known is None:
                result = answer()
                if key is not None:
                    self._answers[key] = (request, result)
            elif known != request:
                raise ValueError(f"The key {key!r} belongs to another request: give each request a key of its own.")
            return cast(Result, result)

    def _play(self, texts: tuple[str, ...], prompts: tuple[str, ...]) -> Offered:
        """Offer a batch in parts, none of which crosses a round's end."""
        if self.learner.finished:
            reason = self.learner.end_reason
            raise ExperimentEnded(f"The experiment is over: {reason}. Begin a new one, with another seed or budget.")
        first, rewards, infos = self._offered, [np.zeros(0)], []
        for offer, last, closed in self._parts(texts, prompts):
            n = len(offer.texts)
            part = [offer_info(offer, i, last, closed if i == n - 1 else None) for i in range(n)]
            rewards.append(offer.rewards)
            infos += part
            self._record(offer, part, closed)
        offered = len(infos)
        if offered < len(texts):
            rest = self.score(texts[offered:], prompts[offered:])
            rewards.append(rest.rewards)
            infos += rest.infos
        return Offered(np.concatenate(rewards), tuple(infos), first, offered, self.learner.finished)

    def _parts(self, texts: tuple[str, ...], prompts: tuple[str, ...]) -> Iterator[tuple[Offer, Round, Round | None]]:
        """Yield each part's offer, the round before it and the round that it closed."""
        done = 0
        while done < len(texts) and not self.learner.finished:
            last = require_running(self._last_round, False)
            end = done + self.learner.sizes.offers - self.learner.offers_made
            offer, closed = self._offer(texts[done:end], prompts[done:end])
            yield offer, last, closed
            done = end

    def _record(self, offer: Offer, infos: Sequence[Info], closed: Round | None) -> None:
        self._offered += len(infos)
        self._state = self._now(require_running(self._last_round, False))
        for observer in self.observers:
            for info, reward in zip(infos, offer.rewards.tolist(), strict=True):
                observer.offer(info["text"], reward, info)
            if closed is not None:
                observer.round(infos[-1]["round"])

    def _now(self, last: Round) -> State:
        learner = self.learner
        return State(
            round=last.measured(),
            drawn=self._drawn,
            offered=self._offered,
            offers_made=learner.offers_made,
            offers_per_round=learner.sizes.offers,
            classifier=learner.state(learner.offers_made),
            feature_names=learner.feature_names,
            field_names=learner.task.field_names,
            weights={**learner.episode.reward.weights, "invalid": float(learner.config.invalid_reward)},
            terminated=learner.terminated,
            truncated=learner.truncated,
        )


def _checked(texts: Sequence[str], prompts: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return texts and prompts as tuples, before anything is offered."""
    for text in [texts] if isinstance(texts, str) else [*texts, *prompts]:
        require_text(text)
    if isinstance(texts, str) or isinstance(prompts, str) or len(prompts) not in (0, len(texts)):
        raise ValueError(
            f"Expected a list of texts, and one prompt for each or none; got {texts!r:.80}, {prompts!r:.80}."
        )
    return tuple(texts), tuple(prompts)
