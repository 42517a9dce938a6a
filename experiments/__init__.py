"""Runs and studies, from the command line (`python -m experiments`, also installed as `signal-env`) and from Python.

Example:
    >>> import tempfile
    >>> from experiments import play
    >>> options = {"pool_size": 40, "round_size": 20, "tensorboard": False}
    >>> run = play("SignalEnv-reviews-v0", "entropy", seed=0, out=tempfile.mkdtemp(), **options)
    >>> run.rounds["labeled"].tolist()
    [20, 40]
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.api import compare, play, report, sweep
    from experiments.runs import Runs, read_runs
    from experiments.study import Study

__all__ = ["Runs", "Study", "compare", "play", "read_runs", "report", "sweep"]

HOMES = {name: "api" for name in ("play", "compare", "sweep", "report")}
HOMES |= {"Runs": "runs", "read_runs": "runs", "Study": "study"}
"""The module of each public name. It is imported on first use, so that `signal-env --help` is fast."""


def _require_agents() -> None:
    """Raise an error if `agents` is another package; `signal_env`, which knows, is imported only if that may be."""
    spec = None if "agents" in sys.modules else find_spec("agents")
    if spec is None or spec.origin != str(Path(__file__).parents[1] / "agents" / "__init__.py"):
        from signal_env.utils.ownership import require_ours

        require_ours("agents")


if sys.argv[:1] != ["-m"]:  # `python -m` finds this package first; `experiments.__main__` prints the error in one line
    _require_agents()


def __getattr__(name: str) -> Any:
    """Return a public name."""
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from signal_env.utils.ownership import require_ours

    require_ours("agents")
    return getattr(import_module(f"{__name__}.{HOMES[name]}"), name)


class _Package(ModuleType):
    """This package. `compare`, `report` and `sweep` are its functions, and modules of the same names hold the commands.

    Importing a module makes it an attribute of its package. Here that would hide the function, so it is left out:
    `from experiments.sweep import ...` reaches the module, `from experiments import sweep` the function.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in HOMES or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
