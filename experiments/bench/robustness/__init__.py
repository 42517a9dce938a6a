"""`python -m experiments bench robustness`: hostile texts, kills, full disks, code that fails, and what then holds."""

import dataclasses
import json
import platform
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from rich.box import SIMPLE
from rich.table import Table

from experiments.bench.robustness.check import Check
from experiments.config import RunError
from experiments.progress import console
from signal_env import __version__
from signal_env.utils.storage import write_text

Part = Literal["actions", "kills", "places", "code"]


@dataclasses.dataclass(frozen=True)
class RobustnessConfig:
    """Tries what should not break the environment, a run or a sweep, and says where a guarantee does not hold.

    The actions and the moments of the kills follow from the seed, and so do all results but those of the moments at
    which a process really dies. Tasks whose data is not on this machine are left out, and said to be.
    """

    parts: tuple[Part, ...] = ("actions", "kills", "places", "code")
    """What is tried: hostile actions; SIGKILLs of a run and of a sweep; full disks, folders that cannot be written to,
    and caches; classifiers, annotators, terms and agents that fail."""
    actions: int = 100_000
    """Hostile actions in all, in equal parts over the tasks. Each is played in both environments."""
    tasks: tuple[str, ...] = ("reviews", "sst2", "agnews", "qnli", "trec", "banking77")
    """Tasks of the hostile actions."""
    offers: int = 500
    """Texts offered per round there."""
    kills: int = 20
    """SIGKILLs of a PPO run, and as many of a sweep."""
    workers: int = 1
    """Processes of the sweep that is killed; 0: it plays in its own process."""
    seed: int = 0
    """Seed of the actions, of the moments of the kills, and of the experiments."""
    out: Path | None = None
    """A .json file for the results."""


def main(config: RobustnessConfig) -> list[Check]:
    """Print a table with a row for each check, write the results, and return them.

    Raises:
        RunError: If a check has found a problem, or an option is out of its range.
    """
    if min(config.actions, config.offers) < 1 or min(config.kills, config.workers) < 0:
        raise RunError("actions and offers must be at least 1, kills and workers at least 0.")
    checks = []
    with tempfile.TemporaryDirectory(prefix="robustness.") as folder:
        for part in config.parts:
            for check in _tried(part, Path(folder) / part, config):
                console.print(f"{check.name}: {check.count:,} times, {check.outcome}", markup=False, highlight=False)
                checks.append(check)
                if config.out is not None:  # now, as the rest may take long
                    write_text(config.out, json.dumps(results(config, checks), indent=2) + "\n")
    console.print(as_table(checks))
    if wrong := [check.name for check in checks if check.problems]:
        raise RunError(f"{len(wrong)} of {len(checks)} checks found problems: {', '.join(wrong)}.")
    return checks


def _tried(part: Part, folder: Path, config: RobustnessConfig) -> Iterator[Check]:
    """Try one part; its module is imported only then."""
    module: Any = import_module(f"experiments.bench.robustness.{part}")
    if part == "actions":
        yield from module.try_actions(folder, config.actions, config.seed, config.offers, config.tasks)
    elif part == "kills":
        yield from module.try_kills(folder, config.kills, config.seed, config.workers)
    else:
        yield from getattr(module, f"try_{part}")(folder, config.seed)


def results(config: RobustnessConfig, checks: list[Check]) -> dict[str, Any]:
    """Return the results as plain data: the options, the versions, and each check with its counts and problems."""
    options = {name: value for name, value in vars(config).items() if name != "out"}
    versions = {"signal_env": __version__, "python": platform.python_version()}
    return {"options": options, "versions": versions, "checks": [dataclasses.asdict(check) for check in checks]}


def as_table(checks: list[Check]) -> Table:
    """Return the checks as a table."""
    table = Table("part", "tried", "times", "outcome", box=SIMPLE)
    for check in checks:
        table.add_row(check.part, check.name, f"{check.count:,}", check.outcome)
    return table
