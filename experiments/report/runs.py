"""Reads run folders into tables, and says of every folder that cannot be used what is wrong with it."""

import dataclasses
import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml

from experiments.config import LOADER
from experiments.results import complete_lines
from signal_env.learner.outcomes import Round
from signal_env.utils.extras import require

FIELDS = tuple(field.name for field in dataclasses.fields(Round))
"""What a line of `rounds.jsonl` says."""

NUMBERS = (
    "index",
    "pool",
    "budget",
    "accuracy",
    "labeled",
    "selected_real",
    "selected_synthetic",
    "offers",
    "finished",
)
COUNTS = ("label_counts", "synthetic_label_counts")
"""Those without which there is no report, numbers and lists; what an earlier version did not write is empty."""

KEYS = ("setting", "method", "seed")
"""What tells one run from another."""

SPENT = ("seconds", "cpu_seconds", "memory", "memory_before", "gpu_memory", "gpu_memory_before")
"""What a line of `cost.jsonl` says; earlier versions said less."""


@dataclasses.dataclass
class Runs:
    """The finished runs of one or more folders, each one told by its setting, its method and its seed.

    Attributes:
        rounds: A pandas table with a row for each round: `setting`, `method`, `seed`, `task`, `fraction` (of the
            training split that the pool is, or not a number), `agent`, `folder` (a str), the fields of
            `signal_env.learner.outcomes.Round`, and `share`, labeled instances over |R|. Sorted by setting, method
            and seed.
        metrics: What the agents said: `setting`, `method`, `seed`, `round`, and a column for each metric.
        cost: What the rounds took: `setting`, `method`, `seed`, `round`, and what `experiments.cost.Meter` reads.
        configs: What `config.yaml` says, by the run's folder as it is in `rounds`.
        problems: Folders that were left out, or parts of them, and why.
    """

    rounds: Any
    metrics: Any
    cost: Any
    configs: dict[str, dict[str, Any]]
    problems: list[tuple[str, str]]


class Unusable(ValueError):
    """A folder whose run cannot be used; the message says why."""


@dataclasses.dataclass(frozen=True)
class _Run:
    folder: Path
    config: dict[str, Any]
    rounds: list[dict[str, Any]]
    keys: dict[str, Any]


def read_runs(places: Iterable[Path]) -> Runs:
    """Reads all finished runs in and below some folders.

    A folder that cannot be used never stops the others: it is left out and listed in `problems`. That is one that is
    half written or torn, is not finished, was written by an earlier version, or holds the same setting, method and
    seed as another one (then both are left out: nothing says which of them is meant; but of copies, with one
    configuration and the same rounds, the first is used). A log other than `rounds.jsonl` that is torn is used up to
    there.

    Args:
        places: Folders of runs, or folders that have such folders anywhere below them.

    Raises:
        ValueError: If a place is no folder, or nothing can be used.
    """
    runs: list[_Run] = []
    problems: list[tuple[str, str]] = []
    for folder in _folders(places):
        try:
            runs.append(_read_run(folder))
        except Unusable as error:
            problems.append((str(folder), str(error)))
    runs.sort(key=lambda run: (*run.keys.values(), str(run.folder)))
    runs = _without_twins(runs, problems)
    problems += _unlike(runs)
    if not runs:
        found = "".join(f"\n  {folder}: {what}" for folder, what in problems)
        raise ValueError(f"No finished run to read. Give folders of runs, or a folder above them.{found}")
    pandas = require("pandas", "plots")
    rounds = pandas.DataFrame([_about(run) | line for run in runs for line in run.rounds])
    rounds = rounds.reindex(columns=[*rounds, *(name for name in FIELDS if name not in rounds)])
    rounds["share"] = rounds["labeled"] / rounds["pool"]
    logs = {}
    for name, columns in (("metrics", ()), ("cost", SPENT)):
        rows = [run.keys | line for run in runs for line in _log(run.folder / f"{name}.jsonl", problems)]
        log = pandas.DataFrame(rows, columns=None if rows else [*KEYS, "round", *columns])
        log = log.reindex(columns=[*log, *(column for column in columns if column not in log)])
        log = log.astype(dict.fromkeys(columns, float))  # where all is None, too
        logs[name] = log.drop_duplicates([*KEYS, "round"], keep="last")
    return Runs(rounds, logs["metrics"], logs["cost"], {str(run.folder): run.config for run in runs}, problems)


def _folders(places: Iterable[Path]) -> Iterator[Path]:
    """The folders at and below some places that hold a run or a part of one, each once."""
    seen = set()
    for place in places:
        if not place.is_dir():
            raise ValueError(f"{place} is no folder. Give folders of runs, or a folder above them.")
        for folder, inside, files in os.walk(place):
            inside[:] = sorted(name for name in inside if not name.startswith("."))  # .replaced: an earlier run
            if not {"config.yaml", "rounds.jsonl"} & set(files):
                continue
            inside.clear()  # checkpoints and the like
            if (resolved := os.path.realpath(folder)) not in seen:
                seen.add(resolved)
                yield Path(folder)


def _read_run(folder: Path) -> _Run:
    """The run in a folder.

    Raises:
        Unusable: If there is no finished run of this version.
    """
    config = _config(folder / "config.yaml")
    try:
        rounds, torn = complete_lines(folder / "rounds.jsonl")
    except OSError as error:
        raise Unusable(f"rounds.jsonl cannot be read: {error.strerror}; it was left out") from error
    for i, line in enumerate(rounds):
        missing = [name for name in (*NUMBERS, *COUNTS) if name not in line]
        if missing:
            raise Unusable(f"an earlier version wrote it: its rounds lack {', '.join(missing)}; play it again")
        good = all(_number(line[name]) for name in NUMBERS) and all(isinstance(line[name], list) for name in COUNTS)
        if not good or line["index"] != i or line["pool"] <= 0:
            raise Unusable(f"line {i + 1} of rounds.jsonl is not what a run writes of round {i}; play it again")
    if torn:
        raise Unusable(f"rounds.jsonl is torn after {len(rounds)} rounds; resume the run")
    if not rounds or not rounds[-1]["finished"]:
        last = f"{rounds[-1]['labeled']} of {rounds[-1]['budget']} labels" if rounds else "no round yet"
        failed = (folder / "error.txt").is_file()
        raise Unusable(f"not finished ({last}); {'its error.txt says why' if failed else 'resume it, or wait for it'}")
    setting, method = config.get("setting") or config["env"], config.get("method") or config["agent"]
    keys = {"setting": str(setting), "method": str(method), "seed": config["seed"]}
    return _Run(folder, config, rounds, keys)


def _config(file: Path) -> dict[str, Any]:
    try:
        config = yaml.load(file.read_text(encoding="utf-8"), LOADER)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Unusable(f"config.yaml cannot be read: {str(error).splitlines()[0]}") from error
    wanted = {"env": str, "agent": str, "seed": int}
    if not isinstance(config, dict) or not all(isinstance(config.get(name), form) for name, form in wanted.items()):
        raise Unusable(f"config.yaml is not that of a run: it should say {', '.join(wanted)}, the seed a whole number")
    options = config.setdefault("options", {})
    if not isinstance(options, dict) or not isinstance(options.get("pool_fraction"), int | float | None):
        raise Unusable("config.yaml is not that of a run: its options are no mapping with a number as pool_fraction")
    return config


def _log(file: Path, problems: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """The lines of a log that not every run has."""
    try:
        lines, torn = complete_lines(file)
    except FileNotFoundError:
        return []
    except OSError as error:
        problems.append((str(file.parent), f"{file.name} cannot be read: {error.strerror}; it was left out"))
        return []
    if torn:
        problems.append((str(file.parent), f"{file.name} is torn after {len(lines)} lines; the rest was left out"))
    good = [line for line in lines if "round" in line and all(v is None or _number(v) for v in line.values())]
    if len(good) < len(lines):
        problems.append(
            (str(file.parent), f"{file.name} has lines that are not numbers of a round; they were left out")
        )
    return good


def _without_twins(runs: list[_Run], problems: list[tuple[str, str]]) -> list[_Run]:
    """The runs that are alone with their setting, method and seed, and the first of copies."""
    alone = []
    for _, group in groupby(runs, key=lambda run: tuple(run.keys.values())):
        first, *others = twins = list(group)
        if all(other.rounds == first.rounds and not _unlike_parts(other, first) for other in others):
            alone.append(first)
            continue
        for run in twins:
            places = ", ".join(str(other.folder) for other in twins if other is not run)
            what = f"{', '.join(map(str, run.keys.values()))} is also what {places} holds, and they are not copies"
            problems.append((str(run.folder), f"{what}; none of them was used"))
    return alone


def _unlike(runs: list[_Run]) -> Iterator[tuple[str, str]]:
    """Runs that differ from the first one of their setting and method in more than the seed."""
    first: dict[tuple[str, str], _Run] = {}
    for run in runs:
        other = first.setdefault((run.keys["setting"], run.keys["method"]), run)
        if names := _unlike_parts(run, other):
            yield (
                str(run.folder),
                f"its {', '.join(names)} is not that of {other.folder}; both are used as seeds of one",
            )


def _unlike_parts(one: _Run, other: _Run) -> list[str]:
    """What two runs' configurations say otherwise, but for the seed and what changes no number."""
    return [name for name in _differing(one.config, other.config) if name not in ("seed", "tensorboard")]


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    for name in dict.fromkeys([*one, *other]):
        ours, theirs = one.get(name), other.get(name)
        if isinstance(ours, dict) and isinstance(theirs, dict):
            yield from (f"{name}.{inner}" for inner in _differing(ours, theirs))
        elif ours != theirs:
            yield name


def _about(run: _Run) -> dict[str, Any]:
    """What the rounds' table says of the run itself."""
    options = run.config["options"]
    fraction = options.get("pool_fraction")
    return run.keys | {
        "task": _task(run.config["env"], options),
        "fraction": float("nan") if fraction is None else float(fraction),
        "agent": run.config["agent"],
        "folder": str(run.folder),
    }


def _task(env: str, options: Mapping[str, Any]) -> str:
    """The task's name: the options', the name of its file, or what the environment's id says."""
    if options.get("task"):
        return Path(str(options["task"])).stem
    return env.rpartition(":")[2].removeprefix("SignalEnv-").rpartition("-")[0] or env


def _number(value: Any) -> bool:
    return isinstance(value, int | float)
