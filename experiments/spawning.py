"""What new processes know: they import the script that started them again, and nothing of a notebook."""

import multiprocessing
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from agents.agent import agents
from experiments.config import RunConfig, RunError
from signal_env.acquisition import acquisitions
from signal_env.annotators import annotators
from signal_env.classifiers import classifiers
from signal_env.rewards import reward_terms
from signal_env.stopping import stopping_criteria
from signal_env.tasks import tasks
from signal_env.utils.registry import Registry
from signal_env.wrappers.shaping import potentials

UNGUARDED = 97
"""The exit code of a new process in which the script starts processes while it is imported."""

REGISTRIES: tuple[Registry[Any], ...] = (
    *(agents, reward_terms, acquisitions, classifiers, annotators),
    *(stopping_criteria, tasks, potentials),
)
"""The registries whose names a run may have."""


class StartError(RunError):
    """New processes that cannot start; the message says why and what to write."""


def refuse_unguarded() -> None:
    """End this process if it is a new one that is still importing the script that started it.

    Such a script starts processes wherever it is imported, and so it lacks the guard that `start_error` asks for.
    """
    # Set while the script is imported; the same mark makes `multiprocessing` refuse to start a process there.
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        sys.exit(UNGUARDED)


def start_error(exitcode: int) -> StartError:
    """Return the error of a new process that ended with an exit code before it could play."""
    script = getattr(sys.modules["__main__"], "__file__", None) or "the script"
    again = f"New processes play the runs, and each imports {script} again"
    if exitcode == UNGUARDED:
        return StartError(
            f"{again}, where runs are started without a guard. Put the calls that start them under it:\n\n"
            '    if __name__ == "__main__":\n'
            "        main()\n\n"
            "or play in one process, with workers=0."
        )
    return StartError(
        f"{again}, which failed with exit code {exitcode}: its error is printed above. Put what only the first process "
        'should do under `if __name__ == "__main__":`, or play in one process, with workers=0.'
    )


def bound_to_process(runs: Iterable[RunConfig]) -> str:
    """Return why runs can be played in this process alone, or "" if new processes can play them.

    Objects from Python stay in this process, and so do names that are registered in a notebook or at a prompt, whose
    code no new process can import.
    """
    runs = list(runs)
    for run in runs:
        if run.objects:
            return f"{run.method or run.agent} is given objects of this process ({', '.join(run.objects)})"
    if getattr(sys.modules["__main__"], "__file__", None) is None:
        here = {name: of.kind for of in REGISTRIES for name in of if getattr(of[name], "__module__", "") == "__main__"}
        for name in here.keys() & {word for run in runs for word in _words(run.data())}:
            return f"the {here[name]} {name!r} is registered in this process, which has no file"
    return ""


def _words(value: Any) -> Iterator[str]:
    """Yield the words of all strings in plain data, and the keys of mappings."""
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list):
        for inner in value:
            yield from _words(inner)
    elif isinstance(value, str):
        yield value
        yield from re.findall(r"[\w-]+", value)
