"""The report's tables, by name, and their CSV files."""

from pathlib import Path
from typing import Any

from experiments.report.comparisons import COMPARED, aggregate, differences, summary
from experiments.report.costs import cost
from experiments.report.curves import LEARNING, balance, curves, learning
from experiments.report.statistics import methods_of, scores, settings_of
from experiments.runs import Runs
from signal_env.tasks import TaskError, get_task
from signal_env.utils.extras import require
from signal_env.utils.storage import write_text


def build(runs: Runs) -> dict[str, Any]:
    """Return all tables of the runs by name, sorted by setting and method.

    All but `cost` depend only on the runs' rounds, so equal runs have equal tables.
    """
    rounds = runs.rounds
    table = scores(rounds)
    tables = {
        "runs": table,
        "accuracy": summary(table),
        "differences": differences(table),
        "aggregate": aggregate(table),
        "curves": curves(rounds),
        "learning": learning(runs),
        "balance": balance(rounds, _classes(rounds, runs)),
        "cost": cost(runs),
    }
    return {name: _sorted(table, settings_of(rounds), methods_of(rounds)) for name, table in tables.items()}


def _classes(rounds: Any, runs: Runs) -> dict[str, tuple[str, ...]]:
    """Return the names of each task's classes, where the task can be found."""
    classes = {}
    for task, folder in rounds.drop_duplicates("task")[["task", "folder"]].to_numpy():
        named = runs.configs[folder]["options"].get("task") or task
        try:
            classes[task] = get_task(named).class_names
        except (TaskError, ValueError):  # the task's own file has moved: its classes are numbered
            continue
    return classes


def _sorted(table: Any, settings: list[str], methods: list[str]) -> Any:
    """Return the table with its rows in the order of measures, settings and methods."""
    pandas = require("pandas", "plots")
    orders = {"measure": list(COMPARED), "metric": list(LEARNING), "setting": settings, "method": methods}
    by = [name for name in table if name in orders]
    ranks = pandas.DataFrame({name: table[name].map(orders[name].index) for name in by})
    return table.loc[ranks.sort_values(by, kind="stable").index].reset_index(drop=True)


def write_csv(tables: dict[str, Any], folder: Path) -> None:
    """Write each table as a file of its name."""
    for name, table in tables.items():
        write_text(folder / f"{name}.csv", table.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
