"""Where the runs of a sweep are played: in processes of this machine, or on a Ray cluster.

Both engines have the same verbs: `submit` a run, `wait` until one is over, and what became of it. A run is over with
None, or with the text of the error that ended it; a worker that died, whatever killed it, raises `LostWorker`.
"""

import multiprocessing
import os
import platform
import threading
import traceback
from collections.abc import Callable, Collection
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Protocol

from experiments.config import RunConfig, RunError
from experiments.run import RunBusy, play
from signal_env.utils.extras import require
from signal_env.utils.storage import write_text

BUSY = "busy"
"""What becomes of a run that another process plays at the moment."""

ERROR = "error.txt"
"""The file in a run's folder that holds the error that ended it."""


PLACES = ("SIGNAL_ENV_DATA", "SIGNAL_ENV_CACHE")
"""The variables that say where a run finds its data and models."""


class LostWorker(RuntimeError):
    """The process that played a run has died, or its machine has."""


class Engine(Protocol):
    """A place for runs.

    Attributes:
        slots: How many runs it plays at a time.
    """

    slots: int

    def submit(self, run: RunConfig) -> Any:
        """Begins a run, and returns its ticket."""

    def wait(self, tickets: Collection[Any], seconds: float) -> list[Any]:
        """The tickets of those runs that are over; waits so long for the first."""

    def outcome(self, ticket: Any) -> str | None:
        """What became of a run that is over.

        Raises:
            LostWorker: If its worker died.
        """

    def close(self) -> None:
        """Stops at once what is still played; runs bear that."""


def play_run(run: RunConfig) -> str | None:
    """Plays a run, or the rest of it; returns the error that ended it, or None.

    The error goes to `error.txt` in the run's folder too, until the run is tried again.
    """
    error = run.folder / ERROR
    try:
        error.unlink(missing_ok=True)
        play(run, lambda done, total, status: None, resume=None)
    except RunBusy:
        return BUSY
    except Exception as failure:  # one failing run does not stop the others, whatever it is
        write_text(error, traceback.format_exc())
        return f"{type(failure).__name__}: {failure}"
    return None


def play_there(run: RunConfig, study: Path) -> str | None:
    """Plays a run on a machine that may not be the sweep's, as `play_run` does, if the study's file is there."""
    if not study.is_file():
        return (
            f"{platform.node()} does not have {study}: the machines of a cluster share the folder of a sweep, at the "
            "same path. Give --out a folder that all of them have."
        )
    return play_run(run)


class Local:
    """Processes of this machine, each with one run at a time, on one core unless OMP_NUM_THREADS says otherwise.

    So a run's numbers do not depend on how many are played beside it.

    Args:
        workers: How many processes.
    """

    def __init__(self, workers: int) -> None:
        self.slots = workers
        self._idle: list[ProcessPoolExecutor] = []
        self._at: dict[Future[str | None], ProcessPoolExecutor] = {}
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # the processes that are spawned inherit it

    def submit(self, run: RunConfig) -> Future[str | None]:
        """Begins a run."""
        process = self._idle.pop() if self._idle else _process()
        try:
            ticket = process.submit(play_run, run)
        except BrokenProcessPool:  # it died with nothing to do
            return self.submit(run)
        self._at[ticket] = process
        return ticket

    def wait(self, tickets: Collection[Future[str | None]], seconds: float) -> list[Future[str | None]]:
        """The tickets of the runs that are over."""
        return list(wait(tickets, seconds, FIRST_COMPLETED).done)

    def outcome(self, ticket: Future[str | None]) -> str | None:
        """What became of a run."""
        process = self._at.pop(ticket)
        try:
            error = ticket.result()
        except BrokenProcessPool:
            raise LostWorker("the process that played it died: was it killed, or out of memory?") from None
        self._idle.append(process)
        return error

    def close(self) -> None:
        """Stops the processes."""
        for process in (*self._idle, *self._at.values()):
            for worker in list((process._processes or {}).values()):  # there is no public way to stop one at work
                worker.terminate()
            process.shutdown(wait=True, cancel_futures=True)


def _process() -> ProcessPoolExecutor:
    """One process that plays runs, until its parent is no more."""
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=_stay_with_parent)


def _stay_with_parent() -> None:
    """Ends this process with its parent, even if that is killed; Ctrl-C is the parent's to answer."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


class Ray:
    """A Ray cluster, or a Ray on this machine: each run is a task with resources of its own.

    The machines share the study's folder, and those of data and models, at the same paths, and have signal_env
    installed. A task whose worker is lost is begun again where the run was.

    Args:
        study: The study's file in the folder of the runs, by which a task knows that it has this folder before it.
        address: The cluster's address, "auto" for the one that this machine belongs to; None: a Ray of this machine's
            own, for as long as the sweep.
        workers: How many runs at a time; default: as many as the cluster has cores and GPUs for.
        cpus: CPU cores of a run.
        gpus: GPUs of a run, or the share of one.

    Raises:
        MissingExtra: If Ray is not installed.
        RunError: If there is no cluster at the address.
    """

    def __init__(self, study: Path, address: str | None, workers: int | None, cpus: float = 1, gpus: float = 0) -> None:
        self._ray = ray = require("ray", "ray")
        self._study = study.resolve()
        own = {} if address else {"include_dashboard": False}
        said = {name: str(Path(os.environ[name]).expanduser().resolve()) for name in PLACES if os.environ.get(name)}
        quiet = {"log_to_driver": False, "logging_level": "warning"}
        try:
            ray.init(address=address or "local", runtime_env={"env_vars": said}, **quiet, **own)
        except ConnectionError as error:
            raise RunError(f"No Ray cluster at {address!r}: {error} Start one with `ray start --head`.") from error
        there = ray.cluster_resources()
        room = [there.get(kind, 0) / share for kind, share in (("CPU", cpus), ("GPU", gpus)) if share > 0]
        self.slots = workers or max(1, int(min(room, default=1)))
        task: Callable[..., Any] = ray.remote(play_there)
        self._task = task.options(num_cpus=cpus, num_gpus=gpus, max_retries=0)  # type: ignore[attr-defined]  # Ray's

    def submit(self, run: RunConfig) -> Any:
        """Begins a run; its paths are those of this process, wherever the task is."""
        return self._task.remote(run.absolute(), self._study)

    def wait(self, tickets: Collection[Any], seconds: float) -> list[Any]:
        """The tickets of the runs that are over."""
        over, _ = self._ray.wait(list(tickets), num_returns=1, timeout=seconds)
        return list(over)

    def outcome(self, ticket: Any) -> str | None:
        """What became of a run."""
        try:
            error: str | None = self._ray.get(ticket)
        except self._ray.exceptions.RayTaskError as failure:  # before `play_run` could say so, e.g. if it is not there
            return str(failure).splitlines()[-1]
        except self._ray.exceptions.RayError as loss:  # of the worker, its node or its memory
            raise LostWorker(str(loss).splitlines()[0]) from None
        return error

    def close(self) -> None:
        """Stops the tasks, and the Ray of this machine's own."""
        self._ray.shutdown()
