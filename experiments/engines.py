"""The places where the runs of a sweep are played: this process, processes of this machine, or a Ray cluster."""

import multiprocessing
import os
import platform
import signal
import threading
import time
import traceback
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from experiments.config import RunConfig, RunError, make_config
from experiments.run import RunBusy, play
from experiments.spawning import refuse_unguarded, start_error
from signal_env.utils.errors import SignalError, origin_of
from signal_env.utils.extras import require
from signal_env.utils.storage import write_text

BUSY = "busy"
"""The outcome of a run that another process plays at the moment."""

ERROR = "error.txt"
"""The file in a run's folder that holds the error that ended it."""

VARIABLES = ("SIGNAL_ENV_DATA", "SIGNAL_ENV_CACHE")
"""The environment variables with the folders of data and models, which tasks of Ray receive."""

Outcome = str | None
"""The text of the error that ended a run, or None."""


class LostWorker(SignalError, RuntimeError):
    """The process that played a run has died, or its machine has."""


def play_run(run: RunConfig) -> Outcome:
    """Play a run, or the rest of it. An error goes to `error.txt` too, until the run is tried again."""
    error = run.folder / ERROR
    try:
        error.unlink(missing_ok=True)
        play(run, resume=None)
    except RunBusy:
        return BUSY
    except Exception as failure:  # one failing run does not stop the others, whatever it is
        return failed(run.folder, failure)
    return None


def play_plain(values: dict[str, Any]) -> Outcome:
    """Play the run of these plain values as `play_run` does, in a process that has to import its plugins first."""
    try:
        run = make_config(**values)
    except Exception as failure:
        return failed(Path(values["out"]), failure)
    return play_run(run)


def failed(folder: Path, failure: Exception, keep: bool = False) -> Outcome:
    """Write an error with its traceback to a run's folder; return it in one line, with what was at work.

    An earlier error stays there if it is to be kept.
    """
    if not (keep and (folder / ERROR).exists()):
        write_text(folder / ERROR, "".join(traceback.format_exception(failure)))
    origin = origin_of(failure)
    return f"{type(failure).__name__}: {failure}" + (f" ({origin[0].lower()}{origin[1:]})" if origin else "")


def play_there(values: dict[str, Any], study: Path) -> Outcome:
    """Play a run as `play_plain` does on a machine that may not be the sweep's, if the study's file is there."""
    return missing_here(study) or play_plain(values)


def missing_here(study: Path) -> Outcome:
    """Return the error of a machine that does not have the study's file."""
    if study.is_file():
        return None
    return (
        f"{platform.node()} does not have {study}: the machines of a cluster share the folder of a sweep, at the "
        "same path. Give --out a folder that all of them have."
    )


class Inline:
    """This process, with one run at a time. Agents, terms and functions registered in it are known to its runs.

    The other engines play runs elsewhere and have the same methods.

    Attributes:
        slots: The number of runs at a time.
    """

    slots = 1

    def submit(self, run: RunConfig) -> Future[Outcome]:
        """Begin a run."""
        played = Future[Outcome]()
        played.set_result(play_run(run))
        return played

    def outcome(self, over: Future[Outcome]) -> Outcome:
        """Return the outcome of a run that is over; raise `LostWorker` if its worker died."""
        return over.result()

    def close(self) -> None:
        """Stop the runs that are still being played; they can be resumed."""


class Local(Inline):
    """Processes of this machine, each with one run at a time, on one core unless OMP_NUM_THREADS is set.

    One core each keeps a run's numbers independent of how many are played beside it.

    Args:
        slots: The number of processes.
    """

    def __init__(self, slots: int) -> None:
        refuse_unguarded()
        self.slots = slots
        self._workers: list[_Worker] = []
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # the processes that are spawned inherit it

    def submit(self, run: RunConfig) -> Future[Outcome]:
        """Begin a run."""
        worker = next((worker for worker in self._workers if worker.last.done()), None)
        if worker is None:
            worker = _Worker()
            self._workers.append(worker)
        try:
            return worker.play(run)
        except BrokenProcessPool:  # it has died
            self._workers.remove(worker)
            return self.submit(run)

    def outcome(self, over: Future[Outcome]) -> Outcome:
        """Return the outcome of a run; raise a `StartError` if its process could not start."""
        try:
            return over.result()
        except BrokenProcessPool:
            code = next(worker.failed_start() for worker in self._workers if worker.last is over)
            if code:
                raise start_error(code) from None
            raise LostWorker("the process that played it died: was it killed, or out of memory?") from None

    def close(self) -> None:
        """Stop the processes."""
        for worker in self._workers:
            worker.stop()


class _Worker:
    """A process that plays one run at a time.

    Attributes:
        last: The run that it plays, or the last one that it played.
    """

    def __init__(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.last = Future[Outcome]()
        self._ready = spawn.Event()
        self._pool = ProcessPoolExecutor(1, spawn, _begin, (self._ready,))
        self._process: Any = None

    def play(self, run: RunConfig) -> Future[Outcome]:
        """Begin a run; raise a BrokenProcessPool if the process has died."""
        self.last = self._pool.submit(play_plain, run.absolute().plain())
        if processes := self._pool._processes:  # there is no public way to the process
            (self._process,) = processes.values()
        return self.last

    def failed_start(self) -> int:
        """Return the exit code of a process that ended by itself before it was ready, else 0; a signal is negative."""
        while (code := self._process.exitcode) is None:  # the pool's own thread may be the one that learns it
            time.sleep(0.01)
        return 0 if self._ready.is_set() else max(0, code)

    def stop(self) -> None:
        """Stop the process."""
        if self._process is not None:
            self._process.terminate()
        self._pool.shutdown(wait=True, cancel_futures=True)


def _begin(ready: Event) -> None:
    """Say that this process has started, and end it with its parent, even if that is killed."""
    ready.set()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


class Ray(Inline):
    """A Ray cluster, or a Ray on this machine: each run is a task with resources of its own.

    The machines share the study's folder, and those of data, models and plugins, at the same paths, and have
    signal_env installed. A task whose worker is lost is begun again and resumes the run.

    Args:
        study: The study's file in the folder of the runs; a task that finds it has the same folder.
        address: The cluster's address, "auto" for the one that this machine belongs to; None: a Ray that this process
            starts on this machine and stops again.
        slots: The number of runs at a time; default: as many as the cluster has cores and GPUs for.
        cpus: CPU cores of a run.
        gpus: GPUs of a run, or the fraction of one.
    """

    def __init__(self, study: Path, address: str | None, slots: int | None, cpus: float = 1, gpus: float = 0) -> None:
        self._ray: Any = require("ray", "ray")
        self._study = study.resolve()
        places = {name: Path(os.environ[name]).expanduser().resolve() for name in VARIABLES if os.environ.get(name)}
        variables = {name: str(place) for name, place in places.items()}
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "warning"}
        if address is None:
            options["include_dashboard"] = False
        try:
            self._ray.init(address=address or "local", runtime_env={"env_vars": variables}, **options)
        except ConnectionError as error:
            raise RunError(f"No Ray cluster at {address!r}: {error} Start one with `ray start --head`.") from error
        found = self._ray.cluster_resources()
        room = [found.get(kind, 0) / share for kind, share in (("CPU", cpus), ("GPU", gpus)) if share > 0]
        self.slots = slots or max(1, int(min(room, default=1)))
        self._task = self._ray.remote(play_there).options(num_cpus=cpus, num_gpus=gpus, max_retries=0)

    def submit(self, run: RunConfig) -> Future[Outcome]:
        """Begin a run; its paths are those of this process, wherever the task is."""
        played: Future[Outcome] = self._task.remote(run.absolute().plain(), self._study).future()
        return played

    def outcome(self, over: Future[Outcome]) -> Outcome:
        """Return the outcome of a run."""
        errors = self._ray.exceptions
        try:
            return over.result()
        except errors.RayTaskError as failure:  # before `play_run` could return it, e.g. without signal_env
            return str(failure).splitlines()[-1]
        except errors.RayError as loss:  # of the worker, its node or its memory
            raise LostWorker(str(loss).splitlines()[0]) from None

    def close(self) -> None:
        """Stop the tasks, and the Ray that this process started."""
        self._ray.shutdown()
