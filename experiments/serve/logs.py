"""The logs of a served experiment: those of a run, for texts that come in batches of any size."""

from collections.abc import Mapping
from typing import Any

from experiments.config import RunConfig
from experiments.cost import Meter
from experiments.logs import Logs, board_options
from signal_env.learner.learner import Learner
from signal_env.wrappers.recording import LineLog, RunLog
from signal_env.wrappers.tensorboard.board import Board


class ServedLogs(Logs):
    """The files of `Logs`, written as an observer of a `LocalExperiment`; see `signal_env.shared.local.Observer`.

    Args:
        learner: The experiment's learner.
        config: The run.
        meter: The meter of the run's cost, from its beginning on.
        state: The result of `state_dict` at a round's close; the logs continue from there. None: they must be new.
    """

    def __init__(
        self, learner: Learner, config: RunConfig, meter: Meter, state: Mapping[str, Any] | None = None
    ) -> None:
        known = state or dict.fromkeys(("record", "board", "metrics", "cost"))
        self._folder, self._meter, self._learner, self._begun = config.folder, meter, learner, state is not None
        self._record = RunLog(config.folder, known["record"])
        self._board = Board(learner, state=known["board"], **board_options(config)) if config.tensorboard else None
        self._metrics, self._cost = (
            LineLog(config.folder / f"{name}.jsonl", known[name]) for name in ("metrics", "cost")
        )

    def offer(self, text: str, reward: float, info: dict[str, Any]) -> None:
        """Record one offered text and its info."""
        self._record.offer(text, reward, info)
        if self._board is not None:
            self._board.offer(text, reward, info)

    def round(self, info: dict[str, Any]) -> None:  # type: ignore[override]  # an observer's, in place of an agent's
        """Record a closed round; the first one is the training on the initial labels."""
        self._record.round(info, self._learner)
        if self._board is not None:
            (self._board.round if self._begun else self._board.reset)(info)
        self._begun = True
        self._cost.write({"round": int(info["index"]), **self._meter.read()})

    def end(self) -> None:
        """End the episode, which was played to its end, and close the logs."""
        if self._board is not None:
            self._board.end(success=True)
        self.close()

    def close(self) -> None:
        """Close the logs."""
        for log in (self._metrics, self._cost, self._record, *([self._board] if self._board is not None else [])):
            log.close()
