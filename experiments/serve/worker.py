"""The one thread that uses a served run: requests of many clients take effect in one order."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from experiments.serve.request import BadRequest, Request
from experiments.serve.served_run import ServedRun
from signal_env.shared import ExperimentEnded
from signal_env.utils.errors import SignalError


class Busy(SignalError, RuntimeError):
    """A request that is to be repeated later.

    Attributes:
        kind: "retraining" while a round closes, else "busy".
    """

    def __init__(self, message: str, kind: str = "busy") -> None:
        super().__init__(message)
        self.kind = kind


class Stopped(SignalError, RuntimeError):
    """A service that is about to end, or has stopped after an error.

    Attributes:
        failed: Whether it has stopped after an error.
    """

    def __init__(self, message: str, failed: bool) -> None:
        super().__init__(message)
        self.failed = failed


Job = tuple[Request | Callable[[ServedRun], Any], "Future[Any]", bool]
"""A request that changes the experiment, or a function of it; the place of the result; whether an error stops all."""


class Worker:
    """Plays the requests of a served run, one after the other, in a thread.

    All requests that wait are written to the journal together, which waits for the disk once.

    Attributes:
        run: The run.
        failure: The error that stopped the worker; None if there is none.

    Args:
        run: The run.
        waiting: The number of requests that may wait.
        on_failure: Called after an error has stopped the worker.
    """

    def __init__(self, run: ServedRun, waiting: int, on_failure: Callable[[], None] = lambda: None) -> None:
        self.run = run
        self.failure: BaseException | None = None
        self._jobs: queue.Queue[Job | None] = queue.Queue(waiting)
        self._lock, self._stopping, self._on_failure = threading.Lock(), False, on_failure
        self._thread = threading.Thread(target=self._work, name="experiment", daemon=True)
        self._thread.start()

    def submit(self, job: Request | Callable[[ServedRun], Any], only_reads: bool = False) -> "Future[Any]":
        """Put a request into the queue; return the future of its result.

        A request's result is its answer, see `ServedRun.play`; that of a function is what it returns.

        Args:
            job: A request that changes the experiment, or a function of the run.
            only_reads: Whether a function leaves the experiment as it is in every case. Its error is then its result
                and does not stop the worker.

        Raises:
            Busy: If the queue is full.
            Stopped: If the worker has stopped.
        """
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()  # a client that goes away cancels nothing
        with self._lock:
            if self._stopping:
                raise Stopped(self.reason, self.failure is not None)
            try:
                self._jobs.put_nowait((job, future, only_reads))
            except queue.Full:
                raise Busy(
                    f"{self._jobs.maxsize} requests are waiting, as many as may wait: repeat the request."
                ) from None
        return future

    @property
    def reason(self) -> str:
        """The reason why the worker has stopped."""
        if self.failure is None:
            return "The service is about to end: repeat the request when it has started again."
        return f"The service has stopped after an error: {type(self.failure).__name__}: {self.failure}"

    def stop(self) -> None:
        """End the thread after the request that is at work; those that wait are told so, and may be repeated."""
        with self._lock:
            self._stopping = True
        with suppress(queue.Full):  # then it is not idle, and sees the mark above
            self._jobs.put_nowait(None)
        self._thread.join()

    def _work(self) -> None:
        jobs: list[Job] = []
        try:
            while not self._stopping:
                jobs = self._waiting()
                self._play(jobs)
        except BaseException as error:  # it reaches the clients, and `main`, which raises it
            self.failure = error
        with self._lock:
            self._stopping = True
        for _, future, _ in [*jobs, *self._waiting(block=False)]:
            if not future.done():
                future.set_exception(Stopped(self.reason, self.failure is not None))
        if self.failure is not None:
            self._on_failure()

    def _waiting(self, block: bool = True) -> list[Job]:
        """Return the jobs in the queue, at least one if it blocks, unless it is to stop."""
        jobs = [self._jobs.get()] if block else []
        while True:
            try:
                jobs.append(self._jobs.get_nowait())
            except queue.Empty:
                return [job for job in jobs if job is not None]

    def _play(self, jobs: list[Job]) -> None:
        orders = self._accept(jobs)
        for (job, future, only_reads), order in zip(jobs, orders, strict=True):
            if self._stopping:  # the journal has the rest
                return
            if future.done():
                continue
            if isinstance(job, Request):
                future.set_result(self.run.play(order))
                continue
            try:
                result = job(self.run)
            except Exception as error:
                if not only_reads:
                    raise
                future.set_exception(error)
            else:
                future.set_result(result)

    def _accept(self, jobs: list[Job]) -> list[int]:
        """Accept the requests among the jobs; return their numbers, -1 for the others."""
        orders, run, journal = [], self.run, self.run.journal
        before = journal.accepted
        for job, future, _ in jobs:
            order = -1
            if isinstance(job, Request):
                try:
                    known = journal.known(job)
                    if known is None and job.verb == "offer" and run.experiment.state().ended:
                        raise ExperimentEnded(run.reason)
                    order = journal.accept(job) if known is None else known
                except (BadRequest, ExperimentEnded) as error:
                    future.set_exception(error)
            orders.append(order)
        if journal.accepted > before:
            journal.commit()
        return orders
