"""The vector environment: `num_envs` texts a step, all on one shared learner."""

from collections.abc import Sequence, Sized
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from signal_env.config import ConfigError, make_config
from signal_env.env import (
    LearnerAccess,
    episode_state,
    experiment_seed,
    make_spaces,
    offer_info,
    refuse_options,
    render,
    require_running,
    require_text,
    reset_info,
    restore_episode,
)
from signal_env.learner.learner import Learner
from signal_env.utils.copying import deep_copy
from signal_env.utils.errors import ActionError, in_round

Bools = NDArray[np.bool_]


class SignalVectorEnv(LearnerAccess, VectorEnv[dict[str, Any], Sequence[str], NDArray[Any]]):
    """`SignalEnv` with `num_envs` prompts of one round at a time: each step offers `num_envs` texts.

    Row i of the first step has the observation and the reward of `SignalEnv`'s step i, and so on: the sub-environments
    are the offers of one experiment, not experiments of their own (for those, `gym.make_vec(...,
    vectorization_mode="sync")`). With `num_envs == offers_per_round` a step is a round. The sub-environments end
    together; there is no automatic reset, and a step after the end raises `gymnasium.error.ResetNeeded`.

    `infos` holds `SignalEnv`'s info with one row per text: `infos["accuracy"]` is an array `(num_envs,)`. A closed
    round is in the last row, the offer that closed it: `infos["round"]["accuracy"][-1]`. `closed_round(infos)` reads
    it.

    Args:
        num_envs: Texts per step; a divisor of `offers_per_round`.
        max_episode_steps: The steps after which the episode is truncated.
        render_mode: "ansi", "human" or None.
        options: The fields of `signal_env.config.SignalConfig`.

    Raises:
        ConfigError: If `num_envs` does not divide `offers_per_round`.
    """

    metadata = {"render_modes": ["ansi", "human"], "render_fps": 4, "autoreset_mode": AutoresetMode.DISABLED}

    def __init__(
        self, num_envs: int = 1, max_episode_steps: int | None = None, render_mode: str | None = None, **options: Any
    ) -> None:
        self.num_envs = num_envs
        self.max_episode_steps = max_episode_steps
        self.render_mode = render_mode
        self.learner = Learner(make_config(options))
        offers = self.learner.sizes.offers
        if num_envs < 1 or offers % num_envs:
            divisors = [n for n in range(1, offers + 1) if offers % n == 0]
            raise ConfigError(f"num_envs must divide offers_per_round = {offers}: one of {divisors}; got {num_envs}.")
        self.single_observation_space, self.single_action_space = make_spaces(self.learner)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._steps = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> "SignalVectorEnv":
        """Return an environment in the same state, as a copy of a `SignalEnv` is."""
        return deep_copy(self, memo, [self.spec])

    @property
    def ended(self) -> bool:
        """Whether the episode is over."""
        return self._last_round is not None and (self.learner.finished or self._steps == self.max_episode_steps)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin a new experiment, as `SignalEnv.reset` with the same seed does."""
        super().reset(seed=seed)
        refuse_options(options)
        with in_round(0):
            self._last_round = self.learner.reset(experiment_seed(self.np_random))
        self.last_offer = None
        self._steps = 0
        round_infos: dict[str, Any] = {}
        for i in range(self.num_envs):
            round_infos = self._add_info(round_infos, reset_info(self._last_round), i)
        return self._observations(), round_infos

    def step(self, actions: Sequence[str]) -> tuple[dict[str, Any], NDArray[np.float64], Bools, Bools, dict[str, Any]]:
        """Offer `num_envs` texts.

        Raises:
            ActionError: If there are more or fewer texts, or one is no `str`.
            gymnasium.error.ResetNeeded: Before the first reset and after the end.
        """
        last = require_running(self._last_round, self.ended)
        count = len(actions) if isinstance(actions, Sized) and not isinstance(actions, str) else None
        if count != self.num_envs:
            came = f"{count}: {actions!r:.80}" if count is not None else f"{actions!r:.80}"
            forgotten = " Does the agent's act return them?" if actions is None else ""
            raise ActionError(
                f"Expected a sequence of {self.num_envs} texts, one per sub-environment; got {came}.{forgotten}"
            )
        for action in actions:
            require_text(action)
        offer, closed = self._offer(actions, self._prompts)
        self._steps += 1
        infos: dict[str, Any] = {}
        for i in range(self.num_envs):
            info = offer_info(offer, i, last, closed if i == self.num_envs - 1 else None)
            infos = self._add_info(infos, info, i)
        terminated = np.full(self.num_envs, self.learner.terminated)
        truncated = np.full(self.num_envs, self.learner.truncated or self._steps == self.max_episode_steps)
        if self.render_mode == "human":
            self.render()
        return self._observations(), offer.rewards.copy(), terminated, truncated, infos

    def render(self) -> tuple[str, ...] | None:
        """Return one frame, of the learner that all sub-environments share, in a tuple."""
        frame = render(self.render_mode, self.learner, self._last_round, self.last_offer)
        return None if frame is None else (frame,)

    def state_dict(self) -> dict[str, Any]:
        """Return the state, as `SignalEnv.state_dict` does."""
        kept = episode_state(self.learner, self._last_round, self.np_random)
        return kept | {"prompts": list(self._prompts), "steps": self._steps}

    def load_state_dict(self, state: dict[str, Any]) -> dict[str, Any]:
        """Restore the state, as `SignalEnv.load_state_dict` does; return the observations."""
        self._last_round = restore_episode(self.learner, state, self.np_random)
        self.last_offer = None
        self._prompts, self._steps = tuple(state["prompts"]), state["steps"]
        return self._shown()

    def _observations(self) -> dict[str, Any]:
        self._prompts = tuple(self.learner.prompts(self.num_envs))
        return self._shown()

    def _shown(self) -> dict[str, Any]:
        made = self.learner.offers_made
        states = [self.learner.state(made + i) for i in range(self.num_envs)]
        return {"prompt": self._prompts, "classifier": np.stack(states)}


def terms_of(infos: dict[str, Any], index: int) -> dict[str, dict[str, float]]:
    """Return each reward term's values for one text of a step of a vector environment, as in `SignalEnv`'s info."""
    terms, parts = infos["reward_terms"], ("raw", "weight", "contribution")
    there = [name for name in terms if f"_{name}" in terms and terms[f"_{name}"][index]]
    return {name: {part: float(terms[name][part][index]) for part in parts} for name in there}


def offer_of(infos: dict[str, Any], index: int) -> dict[str, Any]:
    """Return `SignalEnv`'s info of one text of a step of a vector environment, without the round."""
    values = {name: infos[name][index] for name in ("text", "real", "invalid", "passed")}
    return {name: v.item() if isinstance(v, np.generic) else v for name, v in values.items()} | {
        "reward_terms": terms_of(infos, index)
    }


def closed_round(infos: dict[str, Any]) -> dict[str, Any] | None:
    """Return the last round that a step of a vector environment closed, in plain numbers and arrays, or None.

    Example:
        >>> closed_round({"text": ["a", "b"]}) is None
        True
    """
    if "round" not in infos:
        return None
    return _row(infos["round"], int(np.flatnonzero(infos["_round"])[-1]))


def _row(infos: dict[str, Any], index: int) -> dict[str, Any]:
    """Return a row of vector infos, without what it does not have."""
    there = [name for name in infos if not name.startswith("_") and infos[f"_{name}"][index]]
    row = {name: _row(infos[name], index) if isinstance(infos[name], dict) else infos[name][index] for name in there}
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in row.items()}
