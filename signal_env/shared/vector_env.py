"""A vector environment over a shared experiment, so that agents play it as they play a local one."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from signal_env.config import ConfigError
from signal_env.env import make_spaces, refuse_options, require_running, require_text, reset_info
from signal_env.learner.learner import Learner
from signal_env.learner.outcomes import Round
from signal_env.shared.verbs import SharedExperiment, State
from signal_env.utils.errors import ActionError, StateError
from signal_env.vector_env import Bools, SignalVectorEnv


class ReadableExperiment(SharedExperiment, Protocol):
    """A shared experiment with a learner to read: `LocalExperiment`, `Client`."""

    @property
    def seed(self) -> int:
        """The seed."""
        ...

    @property
    def learner(self) -> Learner:
        """The learner."""
        ...


class SharedVectorEnv(SignalVectorEnv):
    """`SignalVectorEnv` over a shared experiment: each step offers `num_envs` texts to it.

    A single environment shows and earns what a `SignalVectorEnv` of the same options and seed does, to the bit. Several
    may play one experiment: then each sees the rounds that its own texts close and, in the first row of its next step,
    the last round that others have closed.

    `reset` joins the experiment as it is. An experiment is one episode: there is no second one.

    Args:
        experiment: The experiment: a `Client` or a `LocalExperiment`.
        num_envs: Texts per step; default: those of a round.

    Raises:
        ConfigError: If `num_envs` is no positive number.

    Example:
        >>> import signal_env
        >>> from signal_env.shared import LocalExperiment
        >>> envs = SharedVectorEnv(LocalExperiment("SignalEnv-reviews-v0", seed=0, pool_size=20, round_size=2))
        >>> _ = envs.reset(seed=0)
        >>> envs.step(["a warm film", "a dull plot"])[4]["round"]["labeled"]
        array([0, 4])
    """

    def __init__(self, experiment: ReadableExperiment, num_envs: int | None = None) -> None:
        self.experiment, self.learner = experiment, experiment.learner
        self.num_envs = self.learner.sizes.offers if num_envs is None else num_envs
        if self.num_envs < 1:
            raise ConfigError(f"num_envs must be at least 1; got {num_envs}.")
        self.render_mode = self.max_episode_steps = None
        self.single_observation_space, self.single_action_space = make_spaces(self.learner)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._steps = 0

    @property
    def ended(self) -> bool:
        """Whether the episode is over."""
        return self._last_round is not None and self._state.ended

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Join the experiment as it is; its infos are those of its last closed round.

        Raises:
            StateError: If a seed is given that is not the experiment's.
        """
        refuse_options(options)
        if seed not in (None, self.experiment.seed):
            raise StateError(
                f"The shared experiment has the seed {self.experiment.seed}; got {seed}. Begin one with that seed."
            )
        self._state = self.experiment.state()
        self._last_round = _round_of(self._state)
        self.last_offer = None
        infos: dict[str, Any] = {}
        for i in range(self.num_envs):
            infos = self._add_info(infos, reset_info(self._last_round), i)
        return self._observations(), infos

    def step(self, actions: Sequence[str]) -> tuple[dict[str, Any], NDArray[np.float64], Bools, Bools, dict[str, Any]]:
        """Offer `num_envs` texts; see `SignalVectorEnv.step`.

        Raises:
            ActionError: If there are more or fewer texts, or one is no `str`.
            ExperimentEnded: If other writers have ended the experiment.
            gymnasium.error.ResetNeeded: Before the first reset and after the end.
        """
        last = require_running(self._last_round, self.ended)
        if isinstance(actions, str) or len(actions) != self.num_envs:
            raise ActionError(f"Expected a sequence of {self.num_envs} texts; got {actions!r:.80}.")
        for action in actions:
            require_text(action)
        offered = self.experiment.offer(actions, self._prompts)
        self._state = self.experiment.state()
        self._last_round = _round_of(self._state)
        rows = [dict(info) for info in offered.infos]
        if not offered.rounds and self._last_round.index != last.index:
            rows[0] |= {"round": self._last_round.measured()}  # closed by others
        infos: dict[str, Any] = {}
        for i, info in enumerate(rows):
            infos = self._add_info(infos, info, i)
        ended = (np.full(self.num_envs, value) for value in (self._state.terminated, self._state.truncated))
        terminated, truncated = ended
        return self._observations(), offered.rewards.copy(), terminated, truncated, infos

    def state_dict(self) -> dict[str, Any]:
        """Refuse: the experiment's state is kept where it is.

        Raises:
            StateError: Always.
        """
        raise StateError("The state of a shared experiment is kept where it is: the service goes on from its folder.")

    def load_state_dict(self, state: dict[str, Any]) -> dict[str, Any]:
        """Refuse, as `state_dict` does."""
        return self.state_dict()

    def _observations(self) -> dict[str, Any]:
        self._prompts = self.experiment.prompts(self.num_envs).texts
        return self._shown()

    def _shown(self) -> dict[str, Any]:
        state = self._state
        vectors = np.repeat(state.classifier[None], self.num_envs, axis=0)
        vectors[:, 0] = [(state.offers_made + i) / state.offers_per_round for i in range(self.num_envs)]
        return {"prompt": tuple(self._prompts), "classifier": vectors}


def _round_of(state: State) -> Round:
    return Round.from_state_dict(state.round)
