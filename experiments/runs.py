"""The reader of run folders: logs become tables, and every folder that cannot be used is named with the reason."""

import dataclasses
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from experiments.config import RunError, read_yaml
from signal_env.learner.outcomes import Round
from signal_env.utils.extras import require

FIELDS = tuple(field.name for field in dataclasses.fields(Round))
"""The fields of a line of `rounds.jsonl`."""

NUMBERS = (
    *("index", "pool", "budget", "accuracy", "labeled"),
    *("selected_real", "selected_synthetic", "offers", "finished"),
)
COUNTS = ("label_counts", "synthetic_label_counts")
"""The fields that every line must have, numbers and lists. A field that an earlier version did not write is empty."""

KEYS = ("setting", "method", "seed")
"""The columns that identify a run."""

SPENT = ("seconds", "cpu_seconds", "memory", "memory_before", "gpu_memory", "gpu_memory_before")
"""The fields of a line of `cost.jsonl`."""

NO_NUMBER_CHANGES = ("seed", "tensorboard")
"""The parts of a configuration in which seeds of one method may differ."""


@dataclasses.dataclass
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
    """

    rounds: Any
    metrics: Any
    cost: Any
    configs: dict[str, dict[str, Any]]
    problems: list[tuple[str, str]]


@dataclasses.dataclass(frozen=True)
class _Run:
    folder: Path
    config: dict[str, Any]
    rounds: list[dict[str, Any]]

    @property
    def keys(self) -> dict[str, Any]:
        """The values of `KEYS`."""
        setting, method = self.config.get("setting") or self.config["env"], self.config.get("method")
        return {"setting": str(setting), "method": str(method or self.config["agent"]), "seed": self.config["seed"]}

    @property
    def state(self) -> str:
        """The state of a run that is not finished; empty for a finished one."""
        if self.rounds and self.rounds[-1]["finished"]:
            return ""
        last = f"{self.rounds[-1]['labeled']} of {self.rounds[-1]['budget']} labels" if self.rounds else "no round yet"
        failed = (self.folder / "error.txt").is_file()
        return f"not finished ({last}); {'its error.txt says why' if failed else 'resume it, or wait for it'}"


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
    runs: list[_Run] = []
    problems: list[tuple[str, str]] = []
    for folder in _folders(places):
        try:
            run = _read_run(folder)
        except RunError as error:
            problems.append((str(folder), str(error).splitlines()[0]))
            continue
        if run.state:
            problems.append((str(folder), run.state))
        if not run.state or (unfinished and run.rounds):
            runs.append(run)
    runs.sort(key=lambda run: (*run.keys.values(), str(run.folder)))
    runs = _without_twins(runs, problems)
    first: dict[tuple[str, str], _Run] = {}
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
    return Runs(_rounds(runs), metrics, cost, configs, problems)


def read_log(file: Path) -> tuple[list[dict[str, Any]], bool]:
    """Return the objects of a log up to the first line that is none, and whether there is such a line.

    A line without its end is still being written and counts as torn.

    Raises:
        OSError: If the file cannot be read.
    """
    lines: list[dict[str, Any]] = []
    *whole, rest = file.read_bytes().split(b"\n")
    for line in whole:
        try:
            value = json.loads(line)
        except ValueError:
            return lines, True
        if not isinstance(value, dict):
            return lines, True
        lines.append(value)
    return lines, bool(rest)


def task_of(env: str, options: Mapping[str, Any]) -> str:
    """Return the name of a run's task: the option, the name of its file, or the middle part of the environment's id.

    Example:
        >>> task_of("SignalEnv-sst2-v0", {}), task_of("SignalEnv-v0", {"task": "stars/stars.yaml"})
        ('sst2', 'stars')
    """
    if options.get("task"):
        return Path(str(options["task"])).stem
    return env.rpartition(":")[2].removeprefix("SignalEnv-").rpartition("-")[0] or env


def _folders(places: str | Path | Iterable[str | Path]) -> Iterator[Path]:
    """Yield the folders at and below some places that hold a run or a part of one, each once."""
    seen = set()
    for place in map(Path, [places] if isinstance(places, str | Path) else places):
        if not place.is_dir():
            raise RunError(f"{place} is no folder. Give folders of runs, or a folder above them.")
        for folder, inside, files in os.walk(place):
            inside[:] = sorted(name for name in inside if not name.startswith("."))  # .replaced: an earlier run
            if not {"config.yaml", "rounds.jsonl"} & set(files):
                continue
            inside.clear()  # checkpoints and the like
            if (resolved := os.path.realpath(folder)) not in seen:
                seen.add(resolved)
                yield Path(folder)


def _read_run(folder: Path) -> _Run:
    """Read the run in a folder; raise a RunError if there is no whole run of this version."""
    config = _config(folder / "config.yaml")
    try:
        rounds, torn = read_log(folder / "rounds.jsonl")
    except OSError as error:
        raise RunError(f"rounds.jsonl cannot be read: {error.strerror}; it was left out") from error
    for i, line in enumerate(rounds):
        missing = [name for name in (*NUMBERS, *COUNTS) if name not in line]
        if missing:
            raise RunError(f"an earlier version wrote it: its rounds lack {', '.join(missing)}; play it again")
        good = all(_is_number(line[name]) for name in NUMBERS) and all(isinstance(line[name], list) for name in COUNTS)
        if not good or line["index"] != i or line["pool"] <= 0:
            raise RunError(f"line {i + 1} of rounds.jsonl is not that of round {i}; play it again")
    if torn:
        raise RunError(f"rounds.jsonl is torn after {len(rounds)} rounds; resume the run")
    return _Run(folder, config, rounds)


def _config(file: Path) -> dict[str, Any]:
    config = read_yaml(file)
    wanted = {"env": str, "agent": str, "seed": int}
    if not all(isinstance(config.get(name), form) for name, form in wanted.items()):
        raise RunError(f"config.yaml is not that of a run: it needs {', '.join(wanted)}, the seed a whole number")
    options = config.setdefault("options", {})
    if not isinstance(options, dict) or not isinstance(options.get("pool_fraction"), int | float | None):
        raise RunError("config.yaml is not that of a run: its options are no mapping with a number as pool_fraction")
    return config


def _rounds(runs: Iterable[_Run]) -> Any:
    """Return the table of all rounds."""
    rows = []
    for run in runs:
        options = run.config["options"]
        about = run.keys | {"task": task_of(run.config["env"], options), "fraction": options.get("pool_fraction")}
        rows += [about | {"agent": run.config["agent"], "folder": str(run.folder)} | line for line in run.rounds]
    rounds = require("pandas", "plots").DataFrame(rows)
    rounds = rounds.reindex(columns=[*rounds, *(name for name in FIELDS if name not in rounds)])
    return rounds.assign(fraction=rounds["fraction"].astype(float), share=rounds["labeled"] / rounds["pool"])


def _logs(runs: Iterable[_Run], name: str, columns: tuple[str, ...], problems: list[tuple[str, str]]) -> Any:
    """Return the table of a log that not every run has, with these columns of floats even if none has it.

    A round that was played twice counts as it was the last time. `problems` receives the logs that cannot be read.
    """
    rows = [run.keys | line for run in runs for line in _log(run.folder / f"{name}.jsonl", problems)]
    log = require("pandas", "plots").DataFrame(rows, columns=None if rows else [*KEYS, "round", *columns])
    log = log.reindex(columns=[*log, *(column for column in columns if column not in log)])
    log = log.astype(dict.fromkeys(columns, float))  # also where all values are None
    return log.drop_duplicates([*KEYS, "round"], keep="last")


def _log(file: Path, problems: list[tuple[str, str]]) -> list[dict[str, Any]]:
    try:
        lines, torn = read_log(file)
    except FileNotFoundError:
        return []
    except OSError as error:
        problems.append((str(file.parent), f"{file.name} cannot be read: {error.strerror}; it was left out"))
        return []
    if torn:
        problems.append((str(file.parent), f"{file.name} is torn after {len(lines)} lines; the rest was left out"))
    good = [line for line in lines if "round" in line and all(v is None or _is_number(v) for v in line.values())]
    if len(good) < len(lines):
        reason = f"{file.name} has lines that are not numbers of a round; they were left out"
        problems.append((str(file.parent), reason))
    return good


def _without_twins(runs: list[_Run], problems: list[tuple[str, str]]) -> list[_Run]:
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
            problems.append((str(run.folder), f"{what}; none of them was used"))
    return alone


def _differing(run: _Run, other: _Run) -> list[str]:
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


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)
