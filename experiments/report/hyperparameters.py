"""What the paper leaves open, what these runs took for it, and why."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from experiments.report.runs import KEYS, Runs
from signal_env.utils.extras import require

COLUMNS = ("hyperparameter", "the paper", "option", "these runs", "why")


class Run(NamedTuple):
    """What a run was played with.

    Attributes:
        setting: Its setting.
        method: Its method.
        seed: Its seed.
        config: What its `config.yaml` says.
        rounds: Its rounds, as in `Runs.rounds`.
    """

    setting: str
    method: str
    seed: int
    config: dict[str, Any]
    rounds: Any

    @property
    def options(self) -> dict[str, Any]:
        """The options of the run, of the environment and of the agent, by their names, which are distinct."""
        return self.config | (self.config.get("options") or {}) | (self.config.get("agent_options") or {})

    @property
    def writes(self) -> bool:
        """Whether the agent writes texts, with a generator."""
        return "generator" in self.options


@dataclasses.dataclass(frozen=True)
class Hyperparameter:
    """A row of the table.

    Attributes:
        name: What it is, in the paper's symbols.
        paper: What the paper says of it, and where.
        option: Our option for it, or none.
        why: Why it is what it is.
        value: Reads the value off a run; None where a run has none. By default it is the option's.
        unset: What it means that the option is not set.
        summary: Reads the value off all runs of a setting and a method at once, instead of `value`.
    """

    name: str
    paper: str
    option: str
    why: str
    value: Callable[[Run], Any] | None = None
    unset: str | None = None
    summary: Callable[[Sequence[Run]], Any] | None = None

    def of(self, run: Run) -> str | None:
        """The value in a run, as text."""
        try:
            found = self.value(run) if self.value else run.options.get(self.option)
        except KeyError:  # an earlier version had no such option to write
            return None
        if found is None:
            return self.unset if self.option in run.options else None
        return as_text(found)


def hyperparameters(runs: Runs) -> Any:
    """A pandas table with the columns of `COLUMNS`: each hyperparameter that the paper leaves open, or that differs.

    Where methods or settings differ, each value comes with those that have it. What no run has is left out.
    """
    from experiments.report.hyperparameter_list import HYPERPARAMETERS

    pandas = require("pandas", "plots")
    read = [
        Run(setting, method, seed, runs.configs[rounds["folder"].iloc[0]], rounds)
        for (setting, method, seed), rounds in runs.rounds.groupby(list(KEYS), sort=False)
    ]
    values = [_values(row, read) for row in HYPERPARAMETERS]
    rows = [
        (row.name, row.paper, row.option, value, row.why)
        for row, value in zip(HYPERPARAMETERS, values, strict=True)
        if value
    ]
    return pandas.DataFrame(rows, columns=COLUMNS)


def _values(row: Hyperparameter, runs: Sequence[Run]) -> str:
    """The values of a hyperparameter: one, or each with the methods, settings, or pairs of them that have it."""
    if row.summary is None:
        found = [(run, value) for run in runs if (value := row.of(run)) is not None]
    else:
        alike: dict[tuple[str, str], list[Run]] = {}
        for run in runs:
            alike.setdefault((run.setting, run.method), []).append(run)
        summaries = [(group[0], row.summary(group)) for group in alike.values()]
        found = [(run, as_text(value)) for run, value in summaries if value is not None]
    if len({value for _, value in found}) < 2:
        return found[0][1] if found else ""
    labels: tuple[Callable[[Run], str], ...] = (
        lambda run: run.method,
        lambda run: run.setting,
        lambda run: f"{run.method} on {run.setting}",
    )
    for label in labels:
        of_label: dict[str, dict[str, None]] = {}  # distinct values, in order
        for run, value in found:
            of_label.setdefault(label(run), {})[value] = None
        if all(len(values) == 1 for values in of_label.values()):
            break
    whose: dict[str, list[str]] = {}
    for name, values in of_label.items():
        whose.setdefault(" or ".join(values), []).append(name)
    for value, names in whose.items():
        if len(names) > max(3, len(of_label) // 2):
            whose[value] = ["all others"]
    return "; ".join(f"{value} ({', '.join(names)})" for value, names in whose.items())


def as_text(value: Any) -> str:
    """A value in words and digits.

    Example:
        >>> as_text({"epochs": 20, "learning_rate": 5e-5}), as_text(True)
        ('epochs 20, learning_rate 5e-05', 'yes')
    """
    if isinstance(value, dict):
        return ", ".join(f"{name} {as_text(each)}" for name, each in value.items()) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
