"""The places where the runs of a sweep are played: this process, processes of this machine, or a Ray cluster.

All engines have the same methods: `submit` a run, `wait` until one is over, and its `outcome`. The outcome is None, or
the text of the error that ended the run; if its worker died for whatever reason, `LostWorker` is raised.
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
"""The outcome of a run that another process plays at the moment."""

ERROR = "error.txt"
"""The file in a run's folder that holds the error that ended it."""

VARIABLES = ("SIGNAL_ENV_DATA", "SIGNAL_ENV_CACHE")
"""The environment variables with the folders of data and models, which tasks of Ray receive."""


class LostWorker(RuntimeError):
    """The process that played a run has died, or its machine has."""


class Engine(Protocol):
    """A place for runs.

    Attributes:
        slots: The number of runs that it plays at a time.
    """

    slots: int

    def submit(self, run: RunConfig) -> Any:
        """Begin a run; return its ticket."""

    def wait(self, tickets: Collection[Any], seconds: float) -> list[Any]:
        """Return the tickets of the runs that are over; wait so long for the first."""

    def outcome(self, ticket: Any) -> str | None:
        """Return the outcome of a run that is over.

        Raises:
            LostWorker: If its worker died.
        """

    def close(self) -> None:
        """Stop the runs that are still being played; they can be resumed."""


def play_run(run: RunConfig) -> str | None:
    """Play a run, or the rest of it; return the error that ended it, or None.

    The error is written to `error.txt` in the run's folder too, until the run is tried again.
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
    """Play a run as `play_run` does on a machine that may not be the sweep's, if the study's file is there."""
    if not study.is_file():
        return (
            f"{platform.node()} does not have {study}: the machines of a cluster share the folder of a sweep, at the "
            "same path. Give --out a folder that all of them have."
        )
    return play_run(run)


class Inline:
    """This process, with one run at a time. Agents, terms and functions registered in it are known to its runs."""

    slots = 1

    def __init__(self) -> None:
        self._runs = dict[Path, RunConfig]()

    def submit(self, run: RunConfig) -> Path:
        """Begin a run."""
        self._runs[run.folder] = run
        return run.folder

    def wait(self, tickets: Collection[Path], seconds: float) -> list[Path]:
        """Return the tickets; `outcome` plays the runs."""
        return list(tickets)

    def outcome(self, ticket: Path) -> str | None:
        """Play a run; return its outcome."""
        return play_run(self._runs.pop(ticket))

    def close(self) -> None:
        """Do nothing: no run is being played."""


class Local:
    """Processes of this machine, each with one run at a time, on one core unless OMP_NUM_THREADS is set.

    One core each keeps a run's numbers independent of how many are played beside it.

    Args:
        workers: The number of processes.
    """

    def __init__(self, workers: int) -> None:
        self.slots = workers
        self._idle: list[ProcessPoolExecutor] = []
        self._at: dict[Future[str | None], ProcessPoolExecutor] = {}
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # the processes that are spawned inherit it

    def submit(self, run: RunConfig) -> Future[str | None]:
        """Begin a run."""
        process = self._idle.pop() if self._idle else _process()
        try:
            ticket = process.submit(play_run, run)
        except BrokenProcessPool:  # the process died while it was idle
            return self.submit(run)
        self._at[ticket] = process
        return ticket

    def wait(self, tickets: Collection[Future[str | None]], seconds: float) -> list[Future[str | None]]:
        """Return the tickets of the runs that are over."""
        return list(wait(tickets, seconds, FIRST_COMPLETED).done)

    def outcome(self, ticket: Future[str | None]) -> str | None:
        """Return the outcome of a run."""
        process = self._at.pop(ticket)
        try:
            error = ticket.result()
        except BrokenProcessPool:
            raise LostWorker("the process that played it died: was it killed, or out of memory?") from None
        self._idle.append(process)
        return error

    def close(self) -> None:
        """Stop the processes."""
        for process in (*self._idle, *self._at.values()):
            for worker in list((process._processes or {}).values()):  # there is no public way to stop a busy one
                worker.terminate()
            process.shutdown(wait=True, cancel_futures=True)


def _process() -> ProcessPoolExecutor:
    """Return a pool of one process that plays runs and ends with its parent."""
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=_stay_with_parent)


def _stay_with_parent() -> None:
    """End this process with its parent, even if that is killed; the parent handles Ctrl-C."""
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
    installed. A task whose worker is lost is begun again and resumes the run.

    Args:
        study: The study's file in the folder of the runs; a task that finds it has the same folder.
        address: The cluster's address, "auto" for the one that this machine belongs to; None: a Ray that this process
            starts on this machine and stops again.
        workers: The number of runs at a time; default: as many as the cluster has cores and GPUs for.
        cpus: CPU cores of a run.
        gpus: GPUs of a run, or the fraction of one.

    Raises:
        MissingExtra: If Ray is not installed.
        RunError: If there is no cluster at the address.
    """

    def __init__(self, study: Path, address: str | None, workers: int | None, cpus: float = 1, gpus: float = 0) -> None:
        self._ray = ray = require("ray", "ray")
        self._study = study.resolve()
        own = {} if address else {"include_dashboard": False}
        variables = {
            name: str(Path(os.environ[name]).expanduser().resolve()) for name in VARIABLES if os.environ.get(name)
        }
        quiet = {"log_to_driver": False, "logging_level": "warning"}
        try:
            ray.init(address=address or "local", runtime_env={"env_vars": variables}, **quiet, **own)
        except ConnectionError as error:
            raise RunError(f"No Ray cluster at {address!r}: {error} Start one with `ray start --head`.") from error
        found = ray.cluster_resources()
        room = [found.get(kind, 0) / share for kind, share in (("CPU", cpus), ("GPU", gpus)) if share > 0]
        self.slots = workers or max(1, int(min(room, default=1)))
        task: Callable[..., Any] = ray.remote(play_there)
        self._task = task.options(num_cpus=cpus, num_gpus=gpus, max_retries=0)  # type: ignore[attr-defined]  # Ray's

    def submit(self, run: RunConfig) -> Any:
        """Begin a run; its paths are those of this process, wherever the task is."""
        return self._task.remote(run.absolute(), self._study)

    def wait(self, tickets: Collection[Any], seconds: float) -> list[Any]:
        """Return the tickets of the runs that are over."""
        over, _ = self._ray.wait(list(tickets), num_returns=1, timeout=seconds)
        return list(over)

    def outcome(self, ticket: Any) -> str | None:
        """Return the outcome of a run."""
        try:
            error: str | None = self._ray.get(ticket)
        except (
            self._ray.exceptions.RayTaskError
        ) as failure:  # before `play_run` could return it, e.g. without signal_env
            return str(failure).splitlines()[-1]
        except self._ray.exceptions.RayError as loss:  # of the worker, its node or its memory
            raise LostWorker(str(loss).splitlines()[0]) from None
        return error

    def close(self) -> None:
        """Stop the tasks, and the Ray that this process started."""
        self._ray.shutdown()
