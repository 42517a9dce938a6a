"""A study: every method plays every setting on the same seeds. It is a file, and becomes a list of runs."""

import dataclasses
from collections.abc import Mapping
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from experiments.config import RunConfig, RunError, make_config

STUDIES = Path(__file__).parent / "studies"
"""The studies that come with the package."""

RUN = ("env", "agent", "num_envs", "tensorboard", "options", "agent_options")
"""What a part of a study may say of its runs; the last two are mappings, and are merged."""

PARTS = {"caption": str, "seeds": list, "defaults": dict, "settings": dict, "methods": dict, "overrides": list}
"""The parts of a study, and what each is."""


@dataclasses.dataclass(frozen=True)
class Study:
    """What a study's file says.

    Attributes:
        name: The file's name without its ending.
        text: The file.
        runs: The runs, each with its folder; those of one seed and setting follow each other.
    """

    name: str
    text: str
    runs: tuple[RunConfig, ...]


def read_study(study: str, out: Path | None = None) -> Study:
    """Reads a study.

    The file has `settings` and `methods`, both mappings from a name to what it says of a run (`env`, `agent`,
    `num_envs`, `tensorboard`, `options` of the environment, `agent_options`), a list of `seeds`, and if need be a
    `caption` for figures, `defaults` for all runs, and `overrides`, a list of what holds for those settings and
    methods that match its patterns. What is more special goes before: defaults, setting, method, overrides.

    Args:
        study: A file, or the name of a study that comes with the package.
        out: The folder of the runs; default: runs/NAME.

    Raises:
        RunError: If there is no such study, or it says something that a run does not know.

    Example: a study that comes with the package.
        >>> runs = read_study("demo").runs
        >>> runs[0].folder.as_posix(), runs[0].method
        ('runs/demo/reviews/random/seed-0', 'random')
    """
    file = Path(study)
    if not file.is_file() and file.name == study:
        file = STUDIES / f"{study}.yaml"
    if not file.is_file():
        known = ", ".join(sorted(place.stem for place in STUDIES.glob("*.yaml")))
        raise RunError(f"No study {study!r}: give a .yaml file, or one of {known}.")
    text = file.read_text(encoding="utf-8")
    try:
        said = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RunError(f"The study {file} cannot be read: {error}") from error
    try:
        return Study(file.stem, text, _runs(said, out or Path("runs") / file.stem))
    except (TypeError, ValueError) as error:
        raise RunError(f"The study {file}: {error}") from error


def _runs(said: Any, out: Path) -> tuple[RunConfig, ...]:
    _expect(isinstance(said, dict), f"it is a mapping with {', '.join(PARTS)}; got {said!r:.80}.")
    unknown = sorted(map(str, set(said) - set(PARTS)))
    _expect(not unknown, f"it has no {', '.join(unknown)}. Its parts are: {', '.join(PARTS)}.")
    for part, value in said.items():
        _expect(isinstance(value, PARTS[part]), f"{part} is a {PARTS[part].__name__}; got {value!r:.80}.")
    for part in ("settings", "methods", "seeds"):
        _expect(bool(said.get(part)), f"it needs {part}.")
    seeds = said["seeds"]
    _expect(all(isinstance(seed, int) and seed >= 0 for seed in seeds), f"seeds are whole numbers from 0; got {seeds}.")
    _expect(len(set(seeds)) == len(seeds), f"seeds are different; got {seeds}.")
    for override in said.get("overrides", []):
        _expect(isinstance(override, dict), f"an override is a mapping; got {override!r:.80}.")
        for part in ("settings", "methods"):
            patterns = override.get(part, ["*"])
            good = isinstance(patterns, list) and all(isinstance(pattern, str) for pattern in patterns)
            _expect(good, f"an override has a list of names as {part}; got {patterns!r:.80}.")
    runs = tuple(
        _run(said, setting, method, seed, out)
        for seed, setting, method in product(seeds, said["settings"], said["methods"])
    )
    for part, override in product(("settings", "methods"), said.get("overrides", [])):
        for pattern in override.get(part, ["*"]):
            met = any(fnmatchcase(name, pattern) for name in said[part])
            _expect(met, f"an override is for {pattern!r}, and none of the {part} is called so.")
    return runs


def _run(said: Mapping[str, Any], setting: str, method: str, seed: int, out: Path) -> RunConfig:
    """The run of a method in a setting."""
    for name in (setting, method):
        fits = isinstance(name, str) and name not in ("", ".", "..") and not set(name) & set("/\\")
        _expect(fits, f"the names of settings and methods are names of folders too; got {name!r}.")
    values: dict[str, Any] = {"options": {}, "agent_options": {}}
    layers = [said.get("defaults", {}), said["settings"][setting], said["methods"][method]]
    for override in said.get("overrides", []):
        where = {"settings": override.get("settings", ["*"]), "methods": override.get("methods", ["*"])}
        named = zip(where.values(), (setting, method), strict=True)
        if all(any(fnmatchcase(name, pattern) for pattern in patterns) for patterns, name in named):
            layers.append({key: value for key, value in override.items() if key not in where})
    for layer in layers:
        layer = layer or {}
        _expect(isinstance(layer, dict), f"what is said of a run is a mapping; got {layer!r:.80}.")
        unknown = sorted(set(layer) - set(RUN))
        _expect(not unknown, f"a run has no {', '.join(unknown)}. What can be said of it: {', '.join(RUN)}.")
        for name, value in layer.items():
            merged = name in ("options", "agent_options")
            _expect(not merged or isinstance(value, dict), f"{name} is a mapping; got {value!r:.80}.")
            values[name] = values[name] | value if merged else value
    _expect("env" in values, f"{setting} names no env.")
    _expect("agent" in values, f"{method} names no agent.")
    folder = out / setting / method / f"seed-{seed}"
    return make_config(**values, seed=seed, setting=setting, method=method, out=folder)


def _expect(condition: bool, message: str) -> None:
    if not condition:
        raise RunError(message)
