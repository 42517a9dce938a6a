"""Runs and studies, from the command line (`python -m experiments`, also installed as `signal-env`) and from Python.

Example:
    >>> from experiments import Experiment, Study, run_study
    >>> Experiment("SignalEnv-reviews-v0", "entropy", seed=1, pool_size=100).config.options.pool_size
    100
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.api import Experiment, run_study
    from experiments.runs import Runs, read_runs
    from experiments.study import Study

__all__ = ["Experiment", "Runs", "Study", "read_runs", "run_study"]

HOMES = {"Experiment": "api", "Runs": "runs", "Study": "study", "read_runs": "runs", "run_study": "api"}
"""The module of each public name. It is imported on first use, so that `signal-env --help` is fast."""


def __getattr__(name: str) -> Any:
    """Return a public name."""
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{HOMES[name]}"), name)
