"""The reader of run folders: logs become tables, and every folder that cannot be used is named with the reason."""

import dataclasses
import os
from collections.abc import Iterable, Mapping
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

from experiments.config import RunError
from experiments.run_folder import KEYS as KEYS
from experiments.run_folder import NUMBERS as NUMBERS
from experiments.run_folder import RunFolder, is_number, read_folder, run_folders
from experiments.run_folder import read_log as read_log
from experiments.run_folder import task_of as task_of
from experiments.spelling import spelled
from signal_env.learner.outcomes import Round
from signal_env.utils.extras import require

FIELDS = tuple(field.name for field in dataclasses.fields(Round))
"""The fields of a line of `rounds.jsonl`."""

SPENT = ("seconds", "cpu_seconds", "memory", "memory_before", "gpu_memory", "gpu_memory_before")
"""The fields of a line of `cost.jsonl`."""

NO_NUMBER_CHANGES = ("seed", "tensorboard", "references")
"""The parts of a configuration in which seeds of one method may differ."""


@dataclasses.dataclass(repr=False)
class Runs:
    """The runs of one or more folders, each identified by its setting, its method and its seed.

    Attributes:
        rounds: A pandas table with a row for each round: `setting`, `method`, `seed`, `task`, `fraction` (of the
            training split that the pool is, or not a number), `agent`, `folder` (a str), the fields of
            `signal_env.learner.outcomes.Round`, and `share`, labeled instances over |R|. Sorted by setting, method
            and seed.
        metrics: The agents' metrics: `setting`, `method`, `seed`, `round`, and a column for each metric.
        cost: The cost of the rounds: `setting`, `method`, `seed`, `round`, and the fields of `experiments.cost.Meter`.
        configs: The content of `config.yaml`, by the run's folder as it is in `rounds`.
        problems: Folders that were left out, or parts of them, and the reasons.
        folder: The folder of the run, or the one that all runs lie in.
        metric: What methods are compared by, from the comparison or the study that returned the runs; else accuracy.
        offers: Every text offered: `setting`, `method`, `seed`, `round`, `offer` (from 0 in each round), `text`,
            `reward`, `real`, `invalid`, `passed`, and for each reward term its raw value and its contribution to the
            reward, as `term/NAME` and `contribution/NAME`. Read when it is asked for.
        labels: Every text labeled: `setting`, `method`, `seed`, `round`, `text`, `label` (the number of the class; not
            there in runs of an earlier version), `class_name`, and `real`. Read when it is asked for.
    """

    rounds: Any
    metrics: Any
    cost: Any
    configs: dict[str, dict[str, Any]]
    problems: list[tuple[str, str]]
    folder: Path = Path()
    metric: str = "accuracy"

    def __repr__(self) -> str:
        """Return the numbers of runs and rounds, and the folder."""
        runs = len(self.rounds[list(KEYS)].drop_duplicates())
        counts = [f"{n} {noun}{'s' * (n != 1)}" for n, noun in ((runs, "run"), (len(self.rounds), "round"))]
        return f"Runs({', '.join(counts)}, in {str(self.folder)!r})"

    @cached_property
    def offers(self) -> Any:
        """The table of the texts offered."""
        from experiments.texts import offers_table

        return offers_table(self.rounds)

    @cached_property
    def labels(self) -> Any:
        """The table of the texts labeled."""
        from experiments.texts import labels_table

        return labels_table(self.rounds)

    def tables(self, metric: str | None = None) -> dict[str, Any]:
        """Return the report's tables by name, on a metric ("accuracy", "macro_f1" or "nll"); default: `metric`.

        `accuracy` (or the other metric) has the means with their intervals, `differences` the paired differences to
        baselines, `aggregate` the interquartile means over all settings; see `experiments.report.tables.build`.
        """
        from experiments.metric import METRICS, with_metric
        from experiments.report.tables import build

        name = metric or self.metric
        if name not in METRICS:
            raise RunError(f"Expected a metric among {', '.join(METRICS)}; got {name!r}.")
        chosen = METRICS[name]
        return build(with_metric(self, chosen), chosen)


def read_runs(places: str | Path | Iterable[str | Path], unfinished: bool = False) -> Runs:
    """Read all finished runs in and below some folders.

    A folder that cannot be used never stops the others: it is left out and listed in `problems`. Such a folder is half
    written or torn, is not finished, was written by an earlier version, or holds the same setting, method and seed as
    another one. In the last case both are left out, unless they are copies with one configuration and the same rounds:
    then the first is used. A torn log other than `rounds.jsonl` is read up to the tear.

    Args:
        places: Folders of runs, or folders that have such folders anywhere below them; or one of them.
        unfinished: Whether to keep runs that are not finished; they are listed in `problems` all the same.

    Raises:
        RunError: If a place is no folder, or nothing can be used.
    """
    runs: list[RunFolder] = []
    problems: list[tuple[str, str]] = []
    for folder in run_folders(places):
        try:
            inside = list(read_folder(folder, problems))
        except RunError as error:
            problems.append((str(folder), str(error).splitlines()[0]))
            continue
        problems += [(str(run.folder), run.state) for run in inside if run.state]
        runs += [run for run in inside if not run.state or (unfinished and run.rounds)]
    runs.sort(key=lambda run: (*run.keys.values(), str(run.folder)))
    runs = _without_twins(runs, problems)
    first: dict[tuple[str, str], RunFolder] = {}
    for run in runs:
        other = first.setdefault((run.keys["setting"], run.keys["method"]), run)
        if names := _differing(run, other):
            reason = f"its {', '.join(names)} is not that of {other.folder}; both are used as seeds of one method"
            problems.append((str(run.folder), reason))
    if not runs:
        found = "".join(f"\n  {folder}: {reason}" for folder, reason in problems)
        raise RunError(f"No finished run to read. Give folders of runs, or a folder above them.{found}")
    configs = {str(run.folder): run.config for run in runs}
    metrics, cost = _logs(runs, "metrics", (), problems), _logs(runs, "cost", SPENT, problems)
    folder = Path(os.path.commonpath([run.folder.resolve() for run in runs]))
    return Runs(_rounds(runs), metrics, cost, configs, problems, folder)


def _rounds(runs: Iterable[RunFolder]) -> Any:
    """Return the table of all rounds."""
    rows = []
    for run in runs:
        options = run.config["options"]
        about = run.keys | {"task": task_of(run.config["env"], options), "fraction": options.get("pool_fraction")}
        rows += [about | {"agent": run.config["agent"], "folder": str(run.folder)} | line for line in run.rounds]
    rounds = require("pandas", "plots").DataFrame(rows)
    rounds = rounds.reindex(columns=[*rounds, *(name for name in FIELDS if name not in rounds)])
    return rounds.assign(fraction=rounds["fraction"].astype(float), share=rounds["labeled"] / rounds["pool"])


def _logs(runs: Iterable[RunFolder], name: str, columns: tuple[str, ...], problems: list[tuple[str, str]]) -> Any:
    """Return the table of a log that not every run has, with these columns of floats even if none has it.

    A round that was played twice counts as it was the last time. `problems` receives the logs that cannot be read.
    """
    rows = [run.keys | line for run in runs for line in _log(run.folder, f"{name}.jsonl", problems)]
    log = require("pandas", "plots").DataFrame(rows, columns=None if rows else [*KEYS, "round", *columns])
    log = log.reindex(columns=[*log, *(column for column in columns if column not in log)])
    log = log.astype(dict.fromkeys(columns, float))  # also where all values are None
    return log.drop_duplicates([*KEYS, "round"], keep="last")


def _log(folder: Path, name: str, problems: list[tuple[str, str]]) -> list[dict[str, Any]]:
    file = folder / name
    try:
        lines, torn = read_log(file)
    except FileNotFoundError:
        return []
    except OSError as error:
        problems.append((str(file.parent), f"{file.name} cannot be read: {error.strerror}; it was left out"))
        return []
    if torn:
        problems.append((str(file.parent), f"{file.name} is torn after {len(lines)} lines; the rest was left out"))
    good = [line for line in lines if "round" in line and all(v is None or is_number(v) for v in line.values())]
    if len(good) < len(lines):
        reason = f"{file.name} has lines that are not numbers of a round; they were left out"
        problems.append((str(file.parent), reason))
    return good


def _without_twins(runs: list[RunFolder], problems: list[tuple[str, str]]) -> list[RunFolder]:
    """Return the runs whose setting, method and seed no other run has, and the first of copies."""
    alone = []
    for keys, group in groupby(runs, key=lambda run: run.keys):
        first, *others = twins = list(group)
        if all(other.rounds == first.rounds and not _differing(other, first) for other in others):
            alone.append(first)
            continue
        for run in twins:
            places = ", ".join(str(other.folder) for other in twins if other is not run)
            what = f"{', '.join(map(str, keys.values()))} is also the run in {places}, and they are not copies"
            options = dict.fromkeys(name for other in twins for name in _differing(run, other) if name != "method")
            name = spelled("--method NAME", "method=NAME")
            why = f". {', '.join(options)} differ: play one of them with {name}" if options else ""
            problems.append((str(run.folder), f"{what}; none of them was used{why}"))
    return alone


def _differing(run: RunFolder, other: RunFolder) -> list[str]:
    """Return the names of the options that differ, but for the seed and those that change no number."""
    one, two = (_flat(one.config | {"plugins": _hashes(one.config)}) for one in (run, other))
    return [name for name in one | two if one.get(name) != two.get(name) and name not in NO_NUMBER_CHANGES]


def _hashes(config: Mapping[str, Any]) -> list[str]:
    """Return the hashes of a run's plugins, wherever these lay."""
    return sorted(record["sha256"] for record in config.get("plugins") or () if "sha256" in record)


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping without mappings in it; the names inside those are joined by dots."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{key}": inner for key, inner in _flat(value).items()}
        else:
            flat[name] = value
    return flat
