"""The environment: a session's episode on a shared experiment, or on one of its own."""

import logging
import math
import threading
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import gymnasium as gym
from gymnasium.error import ResetNeeded
from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.types import EnvironmentMetadata

from signal_env.config import ConfigError, make_config
from signal_env.shared import ExperimentEnded, LocalExperiment, Scored, SharedExperiment
from signal_env.shared.client import Client
from signal_env.shared.verbs import plain
from signal_env.trainers.openenv.models import SignalAction, SignalObservation, SignalState

LOG = logging.getLogger(__name__)

STATE_TIMEOUT = 10.0
"""Seconds that a served experiment may take to answer with its state, which blocks the server's other sessions."""


class Experiments:
    """The experiments that the sessions of a server play.

    With `shared`, all sessions offer their texts to one experiment and train one classifier; an episode is one prompt
    and one text. `reset(seed=s)` shows the prompt of that number, the same in every session, so that the sessions of
    one group answer one prompt. Without a seed, each reset shows the experiment's next prompt.

    Without `shared`, every episode is an experiment of its own, from its first text to its end, with a classifier of
    its own. `reset(seed=s)` begins the experiment of that seed; without one, the next of the seeds from `seed` on.

    Args:
        target: A registered id, such as "SignalEnv-sst2-v0", for experiments in this process; or the URL of a served
            experiment, which is shared.
        seed: The seed of the shared experiment, or of the first one.
        shared: Whether all sessions play one experiment.
        texts: The texts of an episode, at least 1; 0: until the experiment is over. Default: 1 if it is shared, else 0.
        token: The token of a served experiment; default: the environment variable SIGNAL_ENV_TOKEN.
        timeout: Seconds that a served experiment may take to answer an offer, and to retrain its classifier.
        options: The options of experiments in this process, fields of `signal_env.config.SignalConfig`.

    Raises:
        ConfigError: If the settings do not fit together.
        TypeError: If an option is not known.

    Example:
        >>> import signal_env
        >>> experiments = Experiments("SignalEnv-reviews-v0", pool_size=20, round_size=2)
        >>> (one, first), (other, second) = experiments.begin(seed=7), experiments.begin(seed=7)
        >>> one is other, first == second
        (True, True)
    """

    def __init__(
        self,
        target: str,
        *,
        seed: int = 0,
        shared: bool = True,
        texts: int | None = None,
        token: str | None = None,
        timeout: float = 600.0,
        **options: Any,
    ) -> None:
        served = "://" in target
        if served and (options or not shared):
            what = f"got {', '.join(options)}" if options else "cannot give each session one of its own"
            raise ConfigError(f"A served experiment is shared and has its options; {what}. Give them to `serve`.")
        self.texts = (1 if shared else 0) if texts is None else texts
        if self.texts < 0:
            raise ConfigError(f"An episode has 1 text or more, or 0 for all of an experiment; got texts={texts}.")
        self.target, self.options = target, options
        self._lock, self._next_seed = threading.Lock(), seed
        self.shared: SharedExperiment | None = None
        self._status: SharedExperiment | None = None
        if served:
            self.shared, self._status = Client(target, token, timeout), Client(target, token, STATE_TIMEOUT)
            self._status.state()
        elif shared:
            self.shared = self._status = LocalExperiment(target, seed, **options)
        else:
            make_config({**gym.spec(target).kwargs, **options})  # what is wrong is said now, not at the first reset

    def begin(self, seed: int | None) -> tuple[SharedExperiment, str]:
        """Return the experiment of an episode, and its first prompt."""
        if self.shared is not None:
            key = None if seed is None else f"openenv/prompt/{seed}"
            return self.shared, self.shared.prompts(1, key=key).texts[0]
        if seed is None:
            with self._lock:
                seed, self._next_seed = self._next_seed, self._next_seed + 1
        own = LocalExperiment(self.target, seed, **self.options)
        return own, own.prompts(1).texts[0]

    def status(self, experiment: SharedExperiment | None) -> SharedExperiment | None:
        """Return what to ask for the state of an experiment; None if a session has none yet."""
        return self._status if experiment is None or experiment is self.shared else experiment


class SignalEnvironment(Environment):  # type: ignore[misc]  # it has no types
    """One session: the action is a text, the reward is how much it would teach a classifier; see `SignalEnv`.

    Args:
        experiments: The experiments that the server's sessions play.

    Example:
        >>> import signal_env
        >>> env = SignalEnvironment(Experiments("SignalEnv-reviews-v0", pool_size=20, round_size=2))
        >>> env.reset(seed=0).done
        False
        >>> observation = env.step(SignalAction(text=""))
        >>> observation.done, observation.reward, observation.metadata["invalid"]
        (True, 0.0, 'empty')
    """

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self, experiments: Experiments) -> None:
        super().__init__()
        self._experiments = experiments
        self._experiment: SharedExperiment | None = None
        self._episode_id: str | None = None
        self._prompt, self._steps, self._done = "", 0, False

    def reset(self, seed: int | None = None, episode_id: str | None = None, **options: Any) -> SignalObservation:
        """Begin an episode; see `Experiments` for what a seed means.

        Args:
            seed: The number of the prompt, or the seed of the experiment.
            episode_id: The episode's name in the state; default: a new one.
            options: None are known.

        Raises:
            ValueError: If there are other options.
        """
        if options:
            raise ValueError(f"reset takes seed and episode_id; got {', '.join(options)}.")
        self._experiment, self._prompt = self._experiments.begin(seed)
        self._episode_id, self._steps, self._done = episode_id or str(uuid4()), 0, False
        return SignalObservation(prompt=self._prompt)

    def step(self, action: SignalAction, timeout_s: float | None = None, **options: Any) -> SignalObservation:
        """Offer a text.

        Args:
            action: The text.
            timeout_s: Has no effect: an offer that closes a round takes as long as the classifier's training.
            options: None are known; they have no effect.

        Raises:
            gymnasium.error.ResetNeeded: If the episode is done, or an experiment of the session's own has not begun.
        """
        experiment = self._experiment or self._experiments.shared  # a single request over HTTP has no reset before it
        if self._done or experiment is None:
            raise ResetNeeded("The episode has not begun, or is done: call reset before step.")
        result, offered, ended = self._offer(experiment, action.text)
        self._steps += 1
        self._done = ended or self._steps == self._experiments.texts
        self._prompt = "" if self._done else experiment.prompts(1).texts[0]
        return SignalObservation(
            prompt=self._prompt,
            done=self._done,
            reward=float(result.rewards[0]),
            metadata=finite(plain(result.infos[0])) | {"offered": offered},
        )

    def _offer(self, experiment: SharedExperiment, text: str) -> tuple[Scored, bool, bool]:
        """Offer a text; return the result, whether it was offered, and whether the experiment is over."""
        prompts = [self._prompt] if self._prompt else []
        try:
            offered = experiment.offer([text], prompts)
        except ExperimentEnded:
            LOG.warning("The experiment is over: texts are scored, and no longer offered.")
            return experiment.score([text], prompts), False, True
        return offered, True, offered.ended

    @property
    def state(self) -> SignalState:
        """The session's episode, and the state of its experiment."""
        session = {"episode_id": self._episode_id, "step_count": self._steps}
        status = self._experiments.status(self._experiment)
        if status is None:
            return SignalState(**session)
        known = status.state()
        numbers = {name: getattr(known, name) for name in ("offered", "offers_made", "offers_per_round", "ended")}
        numbers |= {name: known.round[name] for name in ("accuracy", "labeled", "budget")}
        features = dict(zip(known.feature_names, known.classifier.tolist(), strict=True))
        return SignalState(**session, **numbers, round=known.round["index"], classifier=features)

    def get_metadata(self) -> EnvironmentMetadata:
        """Return the environment's name and description."""
        return EnvironmentMetadata(
            name=self._experiments.target,
            description="Generative active learning: the action is a text, the reward is how much it would teach a "
            "classifier.",
        )

    def close(self) -> None:
        """Release the session's experiment."""
        self._experiment = None


def finite(value: Any) -> Any:
    """Return plain data in which numbers that JSON cannot hold are None.

    Example:
        >>> finite({"raw": float("nan"), "values": [1.0, float("inf")]})
        {'raw': None, 'values': [1.0, None]}
    """
    if isinstance(value, Mapping):
        return {name: finite(each) for name, each in value.items()}
    if isinstance(value, list):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
