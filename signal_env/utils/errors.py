"""The base of the package's errors, and notes on errors that come out of a user's code."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

SHOWN, LONGEST = 3, 60
"""The number of texts that a note quotes, and the characters of each."""

ORIGIN = "This came out of "
"""The beginning of a note that names what was at work."""


guard: AbstractContextManager[None] = nullcontext()
"""The context around each call of a user's code, which `signal_env.utils.time_limit` sets."""


class SignalError(Exception):
    """An error whose message says what was expected, what came, and what to do.

    Every error class of the package for what a user can mend derives from it, and from the built-in class that fits.
    The command line prints it as one line. Every other error keeps its traceback.

    Example:
        >>> from signal_env.rewards import Reward
        >>> try:
        ...     Reward("signal +")
        ... except SignalError as error:
        ...     print(type(error).__name__, isinstance(error, ValueError))
        RewardError True
    """


class PluginError(SignalError, ImportError):
    """A plugin that cannot be imported. Its cause, if there is one, is the error of the plugin's own code."""


class StateError(SignalError, ValueError):
    """A kept state that this experiment cannot go on from."""


class FolderTaken(SignalError, FileExistsError):
    """A place for new files that holds others, which are not replaced."""


class ActionError(SignalError, ValueError, TypeError):
    """Actions that are not one text for each sub-environment."""


@contextmanager
def at_work(what: str, texts: Sequence[Any] = ()) -> Iterator[None]:
    """Add to an error in the block a note that names the user's code that was at work, and the first texts it had.

    Args:
        what: The code, such as "the agent Mine (act)".
        texts: The texts that it worked on.

    Example:
        >>> try:
        ...     with at_work("the annotator 'mine'", ["one text", "another"]):
        ...         1 / 0
        ... except ZeroDivisionError as error:
        ...     print(*error.__notes__)
        This came out of the annotator 'mine', on 2 texts: 'one text', 'another'.
    """
    try:
        with guard:
            yield
    except Exception as error:
        error.add_note(f"{ORIGIN}{what}{_quoted(texts)}.")
        raise


@contextmanager
def in_round(index: int) -> Iterator[None]:
    """Add the round's index to an error in the block that came out of a user's code.

    Example:
        >>> try:
        ...     with in_round(3), at_work("the agent Mine (act)"):
        ...         1 / 0
        ... except ZeroDivisionError as error:
        ...     print(*error.__notes__)
        This came out of the agent Mine (act). It was in round 3.
    """
    try:
        yield
    except Exception as error:
        if origin_of(error):
            error.add_note(f"It was in round {index}.")
        raise


def origin_of(error: BaseException) -> str:
    """Return the first note of an error that names the user's code that it came out of, without texts; "" if none.

    Example:
        >>> error = ValueError()
        >>> error.add_note("This came out of the annotator 'mine', on 2 texts: 'one text', 'another'.")
        >>> origin_of(error)
        "This came out of the annotator 'mine'"
    """
    notes = [note for note in getattr(error, "__notes__", ()) if note.startswith(ORIGIN)]
    return notes[0].partition(", on ")[0].removesuffix(".") if notes else ""


def _quoted(texts: Sequence[Any]) -> str:
    """Return the number of the texts and the first ones of them, shortened."""
    n = len(texts)
    if n == 0:
        return ""
    parts = [
        text if not isinstance(text, str) or len(text) <= LONGEST else text[:LONGEST] + "..." for text in texts[:SHOWN]
    ]
    more = f" and {n - SHOWN} more" if n > SHOWN else ""
    return f", on {n} text{'s' * (n > 1)}: {', '.join(map(repr, parts))}{more}"
