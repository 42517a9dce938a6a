"""The logs of a run."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.config import RunConfig
from experiments.cost import Meter
from signal_env.utils.storage import sync
from signal_env.wrappers import VectorRecord, VectorTensorBoard
from signal_env.wrappers.recording import LineLog

LOGS = ("rounds.jsonl", "offers.jsonl", "labels.jsonl", "metrics.jsonl", "cost.jsonl", "tensorboard")
"""The files and folders that `Logs` writes."""


class Logs:
    """The environment's records (`RunLog`), `metrics.jsonl` and `cost.jsonl`, all for TensorBoard too if it is on.

    Attributes:
        envs: The environment in the wrappers that write its records.

    Args:
        envs: The environment.
        config: The run.
        meter: The meter of the run's cost, from its beginning on.
        state: The result of `state_dict` at a round's close; the logs continue from there.

    Raises:
        FileExistsError: If there are logs already, and no state is given.
    """

    def __init__(self, envs: Any, config: RunConfig, meter: Meter, state: Mapping[str, Any] | None = None) -> None:
        state = state or {"record": None, "board": None, "metrics": None, "cost": None}
        recorded = VectorRecord(envs, config.folder, state["record"])
        self._folder, self._record, self._board = config.folder, recorded.log, None
        self.envs: VectorRecord | VectorTensorBoard = recorded
        if config.tensorboard:
            hparams = {"env": config.env, "agent": config.agent, "seed": config.seed}
            hparams |= {f"agent/{name}": value for name, value in dataclasses.asdict(config.agent_options).items()}
            shown = VectorTensorBoard(recorded, config.folder / "tensorboard", state=state["board"], hparams=hparams)
            self.envs, self._board = shown, shown.board
        self._metrics = LineLog(config.folder / "metrics.jsonl", state["metrics"])
        self._cost = LineLog(config.folder / "cost.jsonl", state["cost"])
        self._meter = meter

    def round(self, index: int, metrics: Mapping[str, float]) -> None:
        """Write the cost of a round, and the agent's metrics at its close."""
        self._cost.write({"round": index, **self._meter.read()})
        if metrics:
            self._metrics.write({"round": index, **metrics})
            if self._board is not None:
                self._board.metrics(metrics)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the logs at a round's close, after writing them to the disk."""
        state = {
            "record": self._record.state_dict(),
            "board": None if self._board is None else self._board.state_dict(),
            "metrics": self._metrics.size,
            "cost": self._cost.size,
        }
        for name in _sizes(state):
            sync(self._folder / name)
        return state

    def close(self) -> None:
        """Close the logs and the environment."""
        self._metrics.close()
        self._cost.close()
        self.envs.close()


def complete(folder: Path, state: Mapping[str, Any]) -> bool:
    """Return whether the logs in a run's folder still hold everything that they held in this state."""
    files = {folder / name: size for name, size in _sizes(state).items()}
    return all(file.is_file() and file.stat().st_size >= size for file, size in files.items())


def _sizes(state: Mapping[str, Any]) -> dict[str, int]:
    """Return the size in bytes of each log in this state, by its path in the run's folder."""
    sizes = {"metrics.jsonl": state["metrics"], "cost.jsonl": state["cost"]}
    sizes |= {f"{name}.jsonl": state["record"][name] for name in ("offers", "labels", "rounds")}
    if state["board"] is not None:
        sizes |= {f"tensorboard/{name}": size for name, size in state["board"]["files"].items()}
    return sizes
