"""Logs of every offered text and every round in a run's folder, one JSON object a line."""

import json
from collections.abc import Sequence
from copy import deepcopy
from numbers import Integral
from pathlib import Path
from typing import Any, TextIO, cast

import gymnasium as gym
import numpy as np
from gymnasium.vector import VectorEnv, VectorWrapper

from signal_env.learner.learner import Learner
from signal_env.utils.objects import described
from signal_env.utils.storage import cut
from signal_env.vector_env import SignalVectorEnv, closed_round, offer_of

OWN_TASK = "SignalEnv-v0"
"""The id of an environment that was made without one."""


class LineLog:
    """A file of JSON objects, one a line. Each line is flushed at once.

    Args:
        file: The file.
        size: Bytes to keep of an existing file; the rest is cut off. None: the file must be new.

    Raises:
        FileExistsError: If the file exists and no size is given, since no log is ever overwritten.
        ValueError: If the file is shorter than `size`.
    """

    def __init__(self, file: Path, size: int | None = None) -> None:
        self.file = file
        if size is not None:
            cut(file, size)
        mode = "x" if size is None else "a"
        self._lines: TextIO = file.open(mode, encoding="utf-8", errors="backslashreplace")  # type: ignore[assignment]

    @property
    def size(self) -> int:
        """The size of the file in bytes."""
        return self.file.stat().st_size

    def write(self, line: dict[str, Any]) -> None:
        """Append an object."""
        # UTF-8 has no lone surrogates: they are written as JSON escapes.
        self._lines.write(json.dumps(line, ensure_ascii=False, default=_plain) + "\n")
        self._lines.flush()

    def close(self) -> None:
        """Close the file."""
        self._lines.close()


class RunLog:
    """The logs of an episode: `offers.jsonl`, `labels.jsonl` and `rounds.jsonl` in a folder.

    A line of `offers.jsonl` has `round`, `offer` (from 0 in each round), `text`, `reward`, `real`, `invalid`, `passed`
    and `reward_terms`. A line of `labels.jsonl` has `round`, `text`, `label` (the name of the class), `class_index`
    (its number) and `real` of a labeled text. A line of `rounds.jsonl` has the fields of
    `signal_env.learner.outcomes.Round`.

    `episodes.jsonl` has a line for each episode: `env`, `method`, `seed` (null after a reset without one), `options`,
    and `starts`, the byte of each log at which the episode begins. By it `summary` and `report` read the folder. It is
    not written to a run's folder, which has its `config.yaml`.

    Args:
        folder: The folder to write to. It is made if it does not exist.
        state: The result of `state_dict` at a round's close, from which the logs go on.
        method: The name of the policy in tables; default: the folder's name.

    Raises:
        FileExistsError: If the folder holds a log already and no state is given, since no log is ever overwritten.
    """

    def __init__(self, folder: str | Path, state: dict[str, int] | None = None, method: str | None = None) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        state = state or {}
        self._offers = LineLog(self.folder / "offers.jsonl", state.get("offers"))
        self._labels = LineLog(self.folder / "labels.jsonl", state.get("labels"))
        self._rounds = LineLog(self.folder / "rounds.jsonl", state.get("rounds"))
        alone = not (self.folder / "config.yaml").exists()
        self._episodes = LineLog(self.folder / "episodes.jsonl", state.get("episodes")) if alone else None
        self._method = method or self.folder.resolve().name
        self._round, self._offer, self._labeled = state.get("round", 0), 0, state.get("labeled", 0)

    def state_dict(self) -> dict[str, int]:
        """Return the state at a round's close: the sizes of the logs in bytes, and counts."""
        sizes = {"offers": self._offers.size, "labels": self._labels.size, "rounds": self._rounds.size}
        if self._episodes is not None:
            sizes["episodes"] = self._episodes.size
        return sizes | {"round": self._round, "labeled": self._labeled}

    def episode(self, env: gym.Env[Any, Any] | VectorEnv[Any, Any, Any], seed: Any, learner: Learner) -> None:
        """Log the beginning of an episode: the environment and its seed, if that is a whole number."""
        if self._episodes is not None:
            name = OWN_TASK if env.spec is None else env.spec.id
            whole = int(seed) if isinstance(seed, Integral) else None
            about = {"env": name, "method": self._method, "seed": whole, "options": described(vars(learner.config))}
            logs = {"offers": self._offers, "labels": self._labels, "rounds": self._rounds}
            self._episodes.write(about | {"starts": {log: lines.size for log, lines in logs.items()}})

    def offer(self, text: str, reward: float, info: dict[str, Any]) -> None:
        """Log one offered text and its info."""
        kept = {name: info[name] for name in ("real", "invalid", "passed", "reward_terms")}
        line = {"round": self._round + 1, "offer": self._offer, "text": text, "reward": reward, **kept}
        self._offers.write(line)
        self._offer += 1

    def round(self, info: dict[str, Any], learner: Learner) -> None:
        """Log a closed round, or the state after a reset, and the texts that were labeled in it."""
        self._round, self._offer = int(info["index"]), 0
        if self._round == 0:  # the next episode
            self._labeled = 0
        for text, label in learner.labeled[self._labeled :]:
            line = {"round": self._round, "text": text, "label": learner.task.class_names[label]}
            self._labels.write(line | {"class_index": int(label), "real": learner.episode.is_real(text)})
        self._labeled = len(learner.labeled)
        self._rounds.write(info)

    def close(self) -> None:
        """Close the files."""
        for log in (self._offers, self._labels, self._rounds, self._episodes):
            if log is not None:
                log.close()


def _plain(value: Any) -> Any:
    """Return NumPy's numbers and arrays as Python's; raise a TypeError for other objects."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"Expected a value that JSON can hold; got {value!r}.")


class Record(gym.Wrapper[Any, str, Any, str]):
    """A wrapper that logs a `SignalEnv`'s offers and rounds to a folder; see `RunLog`.

    `summary`, `report` and `experiments.read_runs` read the folder as a run of the method `method`.

    Example:
        >>> import tempfile
        >>> env = gym.make("SignalEnv-reviews-v0", pool_size=20, round_size=2)
        >>> env = Record(env, tempfile.mkdtemp(), method="mine")
        >>> _ = env.reset(seed=0)
        >>> begun = json.loads((env.log.folder / "episodes.jsonl").read_text())
        >>> begun["env"], begun["method"], begun["seed"], begun["options"]["pool_size"]
        ('SignalEnv-reviews-v0', 'mine', 0, 20)
    """

    def __init__(
        self,
        env: gym.Env[Any, str],
        folder: str | Path,
        state: dict[str, int] | None = None,
        method: str | None = None,
    ) -> None:
        super().__init__(env)
        self.log = RunLog(folder, state, method)
        self._learner: Learner = env.get_wrapper_attr("learner")

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """Return a copy of the environment without this wrapper, so that a look ahead leaves the logs as they are."""
        return deepcopy(self.env, memo)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset the environment and log the initial round."""
        observation, info = self.env.reset(seed=seed, options=options)
        self.log.episode(self.env, seed, self._learner)
        self.log.round(info["round"], self._learner)
        return observation, info

    def step(self, action: str) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take a step; log the offer, and the round if it closed."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        self.log.offer(info["text"], float(reward), info)
        if "round" in info:
            self.log.round(info["round"], self._learner)
        return observation, reward, terminated, truncated, info

    def close(self) -> None:
        """Close the log and the environment."""
        self.log.close()
        super().close()


class VectorRecord(VectorWrapper):
    """A wrapper that logs a `SignalVectorEnv`'s offers and rounds to a folder; see `RunLog`."""

    def __init__(
        self,
        envs: VectorEnv[Any, Any, Any],
        folder: str | Path,
        state: dict[str, int] | None = None,
        method: str | None = None,
    ) -> None:
        super().__init__(envs)
        self.log = RunLog(folder, state, method)
        self._learner: Learner = cast(SignalVectorEnv, envs.unwrapped).learner

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """Return a copy of the environment without this wrapper, so that a look ahead leaves the logs as they are."""
        return deepcopy(self.env, memo)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset the environment and log the initial round."""
        observations, infos = self.env.reset(seed=seed, options=options)
        self.log.episode(self.env, seed, self._learner)
        self.log.round(closed_round(infos) or {}, self._learner)
        return observations, infos

    def step(self, actions: Sequence[str]) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Take a step; log the offers, and the round if it closed."""
        observations, rewards, terminated, truncated, infos = self.env.step(actions)
        for i in range(self.num_envs):
            info = offer_of(infos, i)
            self.log.offer(info["text"], float(rewards[i]), info)
        closed = closed_round(infos)
        if closed is not None:
            self.log.round(closed, self._learner)
        return observations, rewards, terminated, truncated, infos

    def close(self, **kwargs: Any) -> None:
        """Close the log and the environments."""
        self.log.close()
        super().close(**kwargs)
