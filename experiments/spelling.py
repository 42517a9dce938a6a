"""How messages spell an option: as on the command line, or as in Python."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_in_python = ContextVar("_in_python", default=False)


@contextmanager
def python_spelling() -> Iterator[None]:
    """Spell the options in messages as Python does, in this block.

    Example:
        >>> with python_spelling():
        ...     spelled("--overwrite", "overwrite=True")
        'overwrite=True'
    """
    token = _in_python.set(True)
    try:
        yield
    finally:
        _in_python.reset(token)


def spelled(shell: str, python: str) -> str:
    """Return how the user spells an option: on the command line, or in Python.

    Example:
        >>> spelled("--overwrite", "overwrite=True")
        '--overwrite'
    """
    return python if _in_python.get() else shell


def elsewhere() -> str:
    """Return how the user gives a run another folder."""
    return spelled("--out another folder", "out=FOLDER")


def anew(replaceable: bool = True) -> str:
    """Return how the user plays a run anew whose folder holds another.

    Args:
        replaceable: Whether the command has an option that replaces the run: `sweep` has none.
    """
    overwrite = f"{spelled('--overwrite', 'overwrite=True')} to replace it"
    return f"{elsewhere()}, or {overwrite if replaceable else 'remove it'}"
