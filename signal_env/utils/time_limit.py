"""A time limit for each call of a user's code: agents, classifiers, annotators, reward terms and other functions."""

import faulthandler
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Real
from types import FrameType
from typing import Any

from signal_env.utils import errors
from signal_env.utils.errors import SignalError

GRACE = 5.0
"""Seconds beyond the limit after which a call that no Python error can interrupt ends the process."""

SHOWN = 3
"""The number of innermost lines of a hanging call that its error shows."""


class LimitError(SignalError, ValueError):
    """A time limit that cannot be kept; the message says why."""


class CallTimeout(SignalError, TimeoutError):
    """A call of a user's code that took longer than its limit; the message says on which lines it was."""


@contextmanager
def call_limit(seconds: float | None) -> Iterator[None]:
    """Limit the time of each call of an agent, a classifier, an annotator, a term or another function in the block.

    A call that takes longer is interrupted by a `CallTimeout`, which `at_work` marks with the code's name. A call that
    ignores it, or that waits inside a library where Python cannot interrupt it, ends the process `GRACE` seconds after
    the limit with exit code 1, and every thread's stack is printed to stderr. A limit of the outer call holds for the
    calls in it. It is kept by a signal, so it exists only in the main thread of a process and not on Windows.

    Args:
        seconds: The limit in seconds, above 0; None: none.

    Raises:
        LimitError: If the limit is no positive number, or cannot be kept here.

    Example:
        >>> import time
        >>> from signal_env.utils.errors import at_work
        >>> with call_limit(0.01):
        ...     with at_work("the annotator 'mine'"):
        ...         time.sleep(1)
        Traceback (most recent call last):
        signal_env.utils.time_limit.CallTimeout: A call did not return within 0.01 seconds. It was at ...
    """
    if seconds is None:
        yield
        return
    if isinstance(seconds, bool) or not isinstance(seconds, Real) or not 0 < seconds < 1e9:
        raise LimitError(f"A time limit must be a number of seconds above 0, or None; got {seconds!r}.")
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        raise LimitError(
            "A time limit for calls is kept by a signal, which only the main thread of a process can receive, and not "
            "on Windows. Play in the main thread, or without a limit."
        )
    outer, limit = errors.guard, _Limit(float(seconds))
    errors.guard = limit
    try:
        yield
    finally:
        errors.guard = outer
        limit.stop()


class _Limit:
    """A context that is entered around each call. The outermost call has the timer."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._thread = threading.get_ident()
        self._depth = 0
        self._before: Any = None

    def __enter__(self) -> None:
        if threading.get_ident() != self._thread:  # an agent's own thread, for which the main one waits in a call
            return
        self._depth += 1
        if self._depth == 1:
            self._before = signal.signal(signal.SIGALRM, self._interrupt)
            if sys.__stderr__ is not None:
                faulthandler.dump_traceback_later(self.seconds + GRACE, exit=True, file=sys.__stderr__)
            signal.setitimer(signal.ITIMER_REAL, self.seconds, self.seconds)  # again, if the first error is caught

    def __exit__(self, *_: object) -> None:
        if threading.get_ident() != self._thread:
            return
        self._depth -= 1
        if self._depth == 0:
            self.stop()

    def stop(self) -> None:
        """Stop the timer, also where a call ended at the very moment of its limit."""
        self._depth = 0
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        if self._before is not None:
            signal.signal(signal.SIGALRM, self._before)
            self._before = None

    def _interrupt(self, _: int, frame: FrameType | None) -> None:
        if self._depth == 0:  # the call has just returned
            return
        lines = traceback.extract_stack(frame)[-SHOWN:]
        places = ", called from ".join(f"{line.filename}:{line.lineno} ({line.name})" for line in reversed(lines))
        raise CallTimeout(f"A call did not return within {self.seconds:g} seconds. It was at {places}.")
