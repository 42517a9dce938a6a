"""A served experiment in its run folder: requests are accepted, played and answered, and a crash loses none."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from experiments.checkpoint import load_checkpoint, save_checkpoint
from experiments.config import RunConfig, check_seed
from experiments.content import FILE as CONTENT
from experiments.content import record_content
from experiments.cost import Meter
from experiments.identity import accept_plugins, refusal
from experiments.logs import LOGS, complete
from experiments.player import RunError, fresh
from experiments.preflight import preflight
from experiments.run import ASIDE, FINISHED, WRITER, begun, finished, lengths, locked, set_aside
from experiments.serve.journal import ANSWERS, REQUESTS, Journal
from experiments.serve.logs import ServedLogs
from experiments.serve.request import Request
from signal_env.shared import LocalExperiment, Offered
from signal_env.shared.verbs import Info
from signal_env.utils.installed import load_installed
from signal_env.utils.storage import remove, sync, write_text


class ServedRun:
    """One experiment, its logs, and the journal of its requests. One thread at a time uses it.

    The folder is that of a run. A new one is begun; one of the same experiment goes on behind its last accepted
    request: the state of the last closed round is restored, and the requests since then are played again.

    Attributes:
        config: The run.
        experiment: The experiment.
        journal: The accepted requests and their answers.
        closing: Whether a round is being closed.

    Args:
        config: The run.
        one_writer: Whether one writer plays it, which keeps its own state in the folder after each round, and begins
            again whenever the service does. The experiment then goes back to the last round that the writer has kept,
            and drops later requests.

    Raises:
        RunError: If the folder holds another run, and `overwrite` is not set; or one that was not served.
    """

    def __init__(self, config: RunConfig, one_writer: bool = False) -> None:
        check_seed(config.seed)
        self.config, self._folder, self.closing, self._one_writer = config, config.folder, False, one_writer
        is_new = self._is_new()
        load_installed()
        preflight(config)
        options = {name: fresh(name, value) for name, value in vars(config.options).items()}
        self.experiment = LocalExperiment(config.env, config.seed, **options)
        if is_new:
            self._begin()
        self._logs: ServedLogs | None = None
        checkpoint = self._restored()
        if checkpoint is None or not complete(self._folder, checkpoint["logs"]):
            anew = (REQUESTS, WRITER) if one_writer else ()
            remove(self._folder, (FINISHED, *LOGS, ANSWERS, "checkpoints", *anew))
            checkpoint = {"logs": None, "answered": 0, "done": 0, "parts": ()}
        else:
            self.experiment.load_state_dict(checkpoint["experiment"])
        over = finished(config) and self.experiment.state().ended
        remove(self._folder, () if over else (FINISHED,))
        self._done, self._parts = checkpoint["done"], [Offered.from_dict(part) for part in checkpoint["parts"]]
        under_way = int(self._done > 0)  # the request whose texts closed the round, which has no answer yet
        self.journal = Journal(self._folder, checkpoint["answered"], under_way if one_writer else None)
        if not over:
            self._open(checkpoint["logs"])
        for order, request in self.journal.since(self.journal.answered):
            self._answer(order, request)
        self._finish()

    def _restored(self) -> dict[str, Any] | None:
        """Return the checkpoint to go on from; None if there is none, and everything is played anew."""
        index = None
        if self._one_writer:
            written = load_checkpoint(self._folder / WRITER)
            index = 0 if written is None else int(written["round"])
        checkpoint = load_checkpoint(self._folder, index)
        if checkpoint is not None and "experiment" not in checkpoint:
            raise RunError(
                f"The run in {self._folder} was begun without a service: go on with it by `run --resume` or `sweep`."
            )
        return checkpoint

    def _is_new(self) -> bool:
        """Return whether a run is to be begun; raise a RunError if the folder holds another one that is to be kept."""
        config = self.config
        if not (self._folder / "config.yaml").exists():
            return True
        if begun(config):
            accept_plugins(config)
            if not (self._folder / CONTENT).exists():  # killed as it began
                record_content(config)
            return False
        if not config.overwrite:
            raise RunError(refusal(config))
        return True

    def _begin(self) -> None:
        """Write what identifies the run."""
        set_aside(self._folder, self.config.overwrite)
        write_text(self._folder / "config.yaml", self.config.as_yaml())
        record_content(self.config)

    def _open(self, state: Any) -> None:
        """Open the logs, as they were at the last closed round."""
        self._logs = ServedLogs(self.experiment.learner, self.config, Meter(), state)
        self.experiment.observers.append(self._logs)
        if state is None:
            self._logs.round(self.experiment.state().round)
            self._checkpoint()
        shutil.rmtree(self._folder / ASIDE, ignore_errors=True)  # the run that is replaced is no longer needed

    def play(self, order: int) -> dict[str, Any]:
        """Return the answer to an accepted request, after playing it if it has none yet."""
        if order < self.journal.answered:
            return self.journal.answer_of(order)
        return self._answer(order, self.journal.request(order))

    def _answer(self, order: int, request: Request) -> dict[str, Any]:
        if request.verb == "prompts":
            answer = self.experiment.prompts(request.n).to_dict()
        elif self.experiment.state().ended and not self._done:
            answer = {"ended": self.reason}
        else:
            answer = self._offer(request).to_dict()
        self.journal.answer(order, answer)
        return answer

    @property
    def reason(self) -> str:
        """The reason why no text can be offered any more."""
        return f"The experiment is over: {self.experiment.state().round.get('end_reason')}. Begin another one."

    def _offer(self, request: Request) -> Offered:
        """Play an offer in parts that end with a round, from the part at which a crash interrupted it."""
        experiment, texts, prompts = self.experiment, request.texts, request.prompts
        while self._done < len(texts) and not experiment.state().ended:
            state = experiment.state()
            end = self._done + state.offers_per_round - state.offers_made
            self.closing = end <= len(texts)
            part = experiment.offer(texts[self._done : end], prompts[self._done : end])
            self._parts.append(part)
            self._done += part.offered
            if part.rounds:
                self._checkpoint()
                self._finish()
            self.closing = False
        done, parts, ended = self._done, self._parts, experiment.state().ended
        self._done, self._parts = 0, []
        first = parts[0].first if parts else experiment.state().offered
        rest = [experiment.score(texts[done:], prompts[done:])] if done < len(texts) else []
        rewards = np.concatenate([np.zeros(0), *(part.rewards for part in (*parts, *rest))])
        infos: tuple[Info, ...] = tuple(info for part in (*parts, *rest) for info in part.infos)
        return Offered(rewards, infos, first, done, ended)

    def _checkpoint(self) -> None:
        """Write the state at a round's close."""
        if self._logs is None:
            return
        state = self.experiment.state()
        self.journal.sync()
        kept: dict[str, Any] = {"logs": self._logs.state_dict(), "experiment": self.experiment.state_dict()}
        kept |= {"answered": self.journal.size, "done": self._done, "parts": [part.to_dict() for part in self._parts]}
        save_checkpoint(self._folder, int(state.round["index"]), kept, keep=2 if self._one_writer else 1)

    def _finish(self) -> None:
        """Finish the run's folder if the experiment is over, also where a kill came between that and its end."""
        if self._logs is None or not self.experiment.state().ended:
            return
        self._logs.end()
        self._logs = None
        self.experiment.observers.clear()
        sync(self._folder)
        write_text(self._folder / FINISHED, lengths(self._folder))

    def close(self) -> None:
        """Close the logs and the journal."""
        if self._logs is not None:
            self._logs.close()
        self.journal.close()


@contextmanager
def served(config: RunConfig, one_writer: bool = False) -> Iterator[ServedRun]:
    """Open a served run, whose folder is locked meanwhile, and close it; see `ServedRun`."""
    with locked(config.folder):
        run = ServedRun(config, one_writer)
        try:
            yield run
        finally:
            run.close()
