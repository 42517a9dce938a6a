"""A run's folder: its logs, and who played what in it."""

import dataclasses
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from experiments.config import RunError, read_yaml
from experiments.places import PATHS, read, with_places

NUMBERS = (
    *("index", "pool", "budget", "accuracy", "labeled"),
    *("selected_real", "selected_synthetic", "offers", "finished"),
)
COUNTS = ("label_counts", "synthetic_label_counts")
"""The fields that every line must have, numbers and lists. A field that an earlier version did not write is empty."""

OWN_TASK = "SignalEnv-v0"
"""The id of environments with a task of one's own."""

EPISODES = "episodes.jsonl"
"""The file in which `Record` describes its episodes, in place of a run's `config.yaml`."""

DESCRIBED = ("env", "method", "seed", "options")
"""The parts of a line of it that are parts of a run's configuration."""

NUMBER = "#"
"""Between a folder with several episodes and an episode's number."""

KEYS = ("setting", "method", "seed")
"""The columns that identify a run."""


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """A run as its folder has it.

    Attributes:
        folder: The folder. One that `Record` wrote may hold several episodes: then each is a run, in FOLDER#NUMBER.
        config: The content of `config.yaml`, or of the episode's line in `episodes.jsonl`.
        rounds: The lines of `rounds.jsonl`.
    """

    folder: Path
    config: dict[str, Any]
    rounds: list[dict[str, Any]]

    @property
    def keys(self) -> dict[str, Any]:
        """The values of `KEYS`."""
        config = self.config
        setting = config.get("setting") or setting_of(config["env"], config["options"])
        method = config.get("method") or config["agent"]
        return {"setting": str(setting), "method": str(method), "seed": config["seed"]}

    @property
    def state(self) -> str:
        """The state of a run that is not finished; empty for a finished one."""
        if self.rounds and self.rounds[-1]["finished"]:
            return ""
        last = f"{self.rounds[-1]['labeled']} of {self.rounds[-1]['budget']} labels" if self.rounds else "no round yet"
        failed = (self.folder / "error.txt").is_file()
        served = (self.folder / "requests.jsonl").is_file()
        way = "repeat the command that began it" if served else "resume it"
        return f"not finished ({last}); {'its error.txt says why' if failed else f'{way}, or wait for it'}"


def read_log(file: Path, start: int = 0, stop: int | None = None) -> tuple[list[dict[str, Any]], bool]:
    """Return the objects of a log up to the first line that is none, and whether there is such a line.

    A line without its end is still being written and counts as torn.

    Args:
        file: The log.
        start: The byte to begin at.
        stop: The byte to stop at; default: the end.

    Raises:
        OSError: If the file cannot be read.
    """
    lines: list[dict[str, Any]] = []
    *whole, rest = file.read_bytes()[start:stop].split(b"\n")
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
    task = options.get("task")
    if isinstance(task, Mapping):  # a `Task` from Python, as a configuration describes it
        return str(task.get("name"))
    if task:
        return Path(str(getattr(task, "name", task))).stem
    return env.rpartition(":")[2].removeprefix("SignalEnv-").rpartition("-")[0] or env


def setting_of(env: str, options: Mapping[str, Any]) -> str:
    """Return the name of a run's setting that has no name of its own: the environment's id, or a task of one's own.

    Example:
        >>> setting_of("SignalEnv-sst2-v0", {"task": "sst2"}), setting_of("SignalEnv-v0", {"task": "stars/stars.yaml"})
        ('SignalEnv-sst2-v0', 'stars')
    """
    return task_of(env, options) if env.rpartition(":")[2] == OWN_TASK and options.get("task") else env


def run_folders(places: str | Path | Iterable[str | Path]) -> Iterator[Path]:
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


def read_folder(folder: Path, problems: list[tuple[str, str]]) -> Iterator[RunFolder]:
    """Yield the run in a folder, or the episodes that `Record` logged there; `problems` receives the others.

    Raises:
        RunError: If there is no whole run of this version.
    """
    if (folder / "config.yaml").exists() or not (folder / EPISODES).is_file():
        config = _config(folder / "config.yaml")
        yield RunFolder(folder, config, _read_rounds(folder))
        return
    episodes, _ = read_log(folder / EPISODES)
    for i, line in enumerate(episodes, 1):
        if missing := [name for name in (*DESCRIBED, "starts") if name not in line]:
            raise RunError(f"line {i} of {EPISODES} lacks {', '.join(missing)}; record the episodes again")
        place = Path(f"{folder}{NUMBER}{i}") if len(episodes) > 1 else folder
        if line["seed"] is None:
            reason = "its episode was reset without a seed, so it has no pair: write env.reset(seed=...)"
            problems.append((str(place), reason))
            continue
        try:
            yield RunFolder(
                place, {name: line[name] for name in DESCRIBED} | {"agent": line["method"]}, _read_rounds(place)
            )
        except RunError as error:
            problems.append((str(place), str(error)))


def read_run_log(folder: Path, name: str) -> tuple[list[dict[str, Any]], bool]:
    """Return what `read_log` returns of a run's log; its folder may be FOLDER#NUMBER, an episode of several.

    Raises:
        OSError: If the log cannot be read.
    """
    place, mark, number = str(folder).rpartition(NUMBER)
    if not mark or folder.is_dir():
        return read_log(folder / name)
    episodes, index = read_log(Path(place) / EPISODES)[0], int(number) - 1
    starts = [episode["starts"][Path(name).stem] for episode in episodes[index : index + 2]]
    return read_log(Path(place) / name, *starts)


def _read_rounds(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of `rounds.jsonl`; raise a RunError if they are not those of this version."""
    try:
        rounds, torn = read_run_log(folder, "rounds.jsonl")
    except OSError as error:
        raise RunError(f"rounds.jsonl cannot be read: {error.strerror}; it was left out") from error
    for i, line in enumerate(rounds):
        missing = [name for name in (*NUMBERS, *COUNTS) if name not in line]
        if missing:
            raise RunError(f"an earlier version wrote it: its rounds lack {', '.join(missing)}; play it again")
        good = all(is_number(line[name]) for name in NUMBERS) and all(isinstance(line[name], list) for name in COUNTS)
        if not good or line["index"] != i or line["pool"] <= 0:
            raise RunError(f"line {i + 1} of rounds.jsonl is not that of round {i}; play it again")
    if torn:
        raise RunError(f"rounds.jsonl is torn after {len(rounds)} rounds; resume the run")
    return rounds


def _config(file: Path) -> dict[str, Any]:
    config = with_places(read_yaml(file), PATHS, lambda path: read(path, file.parent))
    wanted = {"env": str, "agent": str, "seed": int}
    if not all(isinstance(config.get(name), form) for name, form in wanted.items()):
        raise RunError(f"config.yaml is not that of a run: it needs {', '.join(wanted)}, the seed a whole number")
    options = config.setdefault("options", {})
    if not isinstance(options, dict) or not isinstance(options.get("pool_fraction"), int | float | None):
        raise RunError("config.yaml is not that of a run: its options are no mapping with a number as pool_fraction")
    return config


def is_number(value: Any) -> bool:
    """Return whether a value of a log is a number, or True or False."""
    return isinstance(value, int | float)
