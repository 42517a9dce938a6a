"""The wrappers that hand the results of an environment to a `Board`."""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import gymnasium as gym
from gymnasium.vector import VectorEnv, VectorWrapper

from signal_env.learner.learner import Learner
from signal_env.vector_env import closed_round, offer_of
from signal_env.wrappers.tensorboard.board import Board


class TensorBoard(gym.Wrapper[Any, str, Any, str]):
    """A wrapper that writes the events of a `SignalEnv` for TensorBoard. The arguments are those of `Board`.

    Attributes:
        board: The `Board`, for an agent's own metrics.

    Example:
        >>> import tempfile
        >>> import gymnasium as gym
        >>> import signal_env
        >>> folder = tempfile.mkdtemp()
        >>> env = TensorBoard(gym.make("SignalEnv-reviews-v0", pool_size=40, round_size=1), folder)
        >>> _ = env.reset(seed=0)
        >>> _ = env.step("a warm film that never quite drags")
        >>> env.board.metrics({"trainer/loss": 0.5})
        >>> env.close()  # tensorboard --logdir FOLDER
        >>> len(list(Path(folder).glob("events.out.tfevents.*")))
        1
    """

    def __init__(self, env: gym.Env[Any, str], folder: str | Path, **options: Any) -> None:
        super().__init__(env)
        self.board = Board(learner_of(env), folder, **options)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """Return a copy of the environment without this wrapper, so that a look ahead leaves the logs as they are."""
        return deepcopy(self.env, memo)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset the environment and begin an episode."""
        observation, info = self.env.reset(seed=seed, options=options)
        self.board.reset(info["round"])
        return observation, info

    def step(self, action: str) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take a step; write its offers, and the round if it closed."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        self.board.offer(info["text"], float(reward), info)
        if "round" in info:
            self.board.round(info["round"])
        if terminated or truncated:
            self.board.end(success=True)
        return observation, reward, terminated, truncated, info

    def close(self) -> None:
        """Close the board and the environment."""
        self.board.close()
        super().close()


class VectorTensorBoard(VectorWrapper):
    """A wrapper that writes the events of a `SignalVectorEnv`, the same ones as `TensorBoard` for the same texts."""

    def __init__(self, envs: VectorEnv[Any, Any, Any], folder: str | Path, **options: Any) -> None:
        super().__init__(envs)
        self.board = Board(learner_of(envs), folder, **options)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """Return a copy of the environment without this wrapper, so that a look ahead leaves the logs as they are."""
        return deepcopy(self.env, memo)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset the environment and begin an episode."""
        observations, infos = self.env.reset(seed=seed, options=options)
        self.board.reset(closed_round(infos) or {})
        return observations, infos

    def step(self, actions: Sequence[str]) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Take a step; write its offers, and the round if it closed."""
        observations, rewards, terminated, truncated, infos = self.env.step(actions)
        for i in range(self.num_envs):
            info = offer_of(infos, i)
            self.board.offer(info["text"], float(rewards[i]), info)
        closed = closed_round(infos)
        if closed is not None:
            self.board.round(closed)
        if terminated[0] or truncated[0]:
            self.board.end(success=True)
        return observations, rewards, terminated, truncated, infos

    def close(self, **kwargs: Any) -> None:
        """Close the board and the environments."""
        self.board.close()
        super().close(**kwargs)


def learner_of(env: Any) -> Learner:
    """Return the learner of an environment under its wrappers.

    Raises:
        TypeError: If it has none.
    """
    learner = getattr(env.unwrapped, "learner", None)
    if not isinstance(learner, Learner):
        raise TypeError(
            f"Expected a SignalEnv for TensorBoard, or a SignalVectorEnv for VectorTensorBoard; got "
            f"{type(env.unwrapped).__name__}. Wrap each of several independent experiments in a TensorBoard."
        )
    return learner
