"""The logs of a run."""

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
        state: The result of `state_dict` at a round's close; the logs continue from there. None: they must be new.
    """

    def __init__(self, envs: Any, config: RunConfig, meter: Meter, state: Mapping[str, Any] | None = None) -> None:
        state = state or dict.fromkeys(("record", "board", "metrics", "cost"))
        self._folder, self._meter, self._board = config.folder, meter, None
        recorded = VectorRecord(envs, config.folder, state["record"])
        self.envs: Any = recorded
        self._record = recorded.log
        if config.tensorboard:
            self.envs = VectorTensorBoard(recorded, state=state["board"], **board_options(config))
            self._board = self.envs.board
        self._metrics, self._cost = (
            LineLog(config.folder / f"{name}.jsonl", state[name]) for name in ("metrics", "cost")
        )

    def round(self, index: int, metrics: Mapping[str, float]) -> None:
        """Write the cost of a round, and the agent's metrics at its close."""
        self._cost.write({"round": index, **self._meter.read()})
        if metrics:
            self._metrics.write({"round": index, **metrics})
            if self._board is not None:
                self._board.metrics(metrics)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the logs at a round's close, after writing them to the disk."""
        board = None if self._board is None else self._board.state_dict()
        sizes = {"metrics": self._metrics.size, "cost": self._cost.size}
        state = {"record": self._record.state_dict(), "board": board, **sizes}
        for name in _sizes(state):
            sync(self._folder / name)
        return state

    def close(self) -> None:
        """Close the logs and the environment."""
        for log in (self._metrics, self._cost, self.envs):
            log.close()


def board_options(config: RunConfig) -> dict[str, Any]:
    """Return the arguments of a run's `Board`, without its learner and its state."""
    hparams = {"env": config.env, "agent": config.agent, "seed": config.seed}
    hparams |= {f"agent/{name}": value for name, value in config.data()["agent_options"].items()}
    return {"folder": config.folder / "tensorboard", "hparams": hparams, "references": _references(config)}


def _references(config: RunConfig) -> dict[str, list[tuple[int, float]]]:
    """Return the curves of the references that a run names."""
    if not config.references:
        return {}
    from experiments.scoreboard.behind import reference_curves  # which needs pandas

    return reference_curves(config, config.references)


def complete(folder: Path, state: Mapping[str, Any]) -> bool:
    """Return whether the logs in a run's folder still hold everything that they held in this state."""
    files = {folder / name: size for name, size in _sizes(state).items()}
    return all(file.is_file() and file.stat().st_size >= size for file, size in files.items())


def _sizes(state: Mapping[str, Any]) -> dict[str, int]:
    """Return the size in bytes of each log in this state, by its path in the run's folder."""
    logs = {**state["record"], "metrics": state["metrics"], "cost": state["cost"]}
    events = {} if state["board"] is None else state["board"]["files"]
    sizes = {name: logs[name.removesuffix(".jsonl")] for name in LOGS if name.endswith(".jsonl")}
    return sizes | {f"tensorboard/{name}": size for name, size in events.items()}
