"""Results that join the scoreboard: one JSON file each, with the rounds of all runs, so that scores are recomputed."""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from experiments.config import RunError
from experiments.runs import KEYS
from experiments.scoreboard.protocol import FOLDER, PROTOCOL, read_protocol
from experiments.scoreboard.references import COLUMNS, MEASURED, read_references, with_share
from experiments.scoreboard.scores import Scoreboard
from signal_env.utils.extras import require
from signal_env.utils.reading import read_json

RESULTS = FOLDER / "results"
"""The folder of the results that have joined."""

TEXTS = ("protocol", "method", "description", "author", "agent", "command")
"""The parts of a result that are texts."""

PARTS = (*TEXTS, "generator", "commit", "versions", "plugins", "values", "replay", "runs", "scores")
"""The parts of a result; `generator` and `commit` are texts or None."""

LOGGED = tuple(name for name in COLUMNS if name not in KEYS)
"""The lists of each run: a value for each round."""


def runs_of(rounds: Any) -> dict[str, dict[str, dict[str, list[Any]]]]:
    """Return a table of rounds as plain data: the lists `LOGGED` of each run, by setting and seed."""
    runs: dict[str, dict[str, dict[str, list[Any]]]] = {}
    for (setting, seed), run in rounds.groupby(["setting", "seed"]):
        runs.setdefault(str(setting), {})[str(seed)] = {name: run[name].tolist() for name in LOGGED}
    return runs


def rounds_of(method: str, runs: Mapping[str, Mapping[str, Mapping[str, Sequence[Any]]]]) -> Any:
    """Return the table of rounds of the result of `runs_of`, with a column `share`."""
    parts = [
        require("pandas", "plots").DataFrame({**run, "setting": setting, "method": method, "seed": int(seed)})
        for setting, of_setting in runs.items()
        for seed, run in of_setting.items()
    ]
    return with_share(require("pandas", "plots").concat(parts)[list(COLUMNS)])


def text_of(result: Mapping[str, Any]) -> str:
    """Return a result as the text of its file: JSON, with each list of numbers on one line."""
    text = json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False)
    return re.sub(r"\[[-+.,\de\s]*\]", lambda numbers: " ".join(numbers[0].split()), text) + "\n"


@cache
def scoreboard(protocol: str = PROTOCOL) -> Scoreboard:
    """Return the scoreboard of a protocol, with its reference runs."""
    return Scoreboard(read_references(protocol).rounds, read_protocol(protocol))


def read_results(folder: Path = RESULTS) -> dict[str, dict[str, Any]]:
    """Return the results that have joined the scoreboard, by the names of their files."""
    return {file.stem: read_result(file) for file in sorted(folder.glob("*.json"))}


def read_result(file: Path) -> dict[str, Any]:
    """Return a result from its file.

    Raises:
        RunError: If it is not one: a part is missing, a run is none, or its scores are not those of its runs.
    """
    result = read_json(file, f"The result {file}", RunError)
    try:
        check(result)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"The result {file} cannot be used: {error}") from error
    found: dict[str, Any] = result
    return found


def check(result: Mapping[str, Any]) -> None:
    """Raise a RunError if a result is not well formed, or if its scores are not those of its runs."""
    _expect(isinstance(result, dict), f"it is an object with {', '.join(PARTS)}; got {result!r:.80}.")
    missing, others = [p for p in PARTS if p not in result], [p for p in result if p not in PARTS]
    _expect(not missing and not others, f"it lacks {', '.join(missing) or 'nothing'}, and has unknown {others}.")
    for name in TEXTS:
        _expect(isinstance(result[name], str), f"{name} is a text; got {result[name]!r:.80}.")
    _expect(bool(re.fullmatch(r"[\w.+-]+", result["method"])), f"method is a name; got {result['method']!r}.")
    for name in ("description", "author"):
        _expect(bool(result[name].strip()), f"it needs its {name}: give --{name} to the benchmark, or write it here.")
    protocol = read_protocol(result["protocol"])
    _expect(bool(result["runs"]), "it has no runs.")
    for setting, runs in result["runs"].items():
        _expect(setting in protocol.settings, f"{protocol.name} has no setting {setting!r}.")
        for seed, run in runs.items():
            _expect(seed.isdecimal() and int(seed) < protocol.seeds, f"{protocol.name} has no seed {seed!r}.")
            _check_run(run, setting, seed)
    seeds = {setting: sorted(runs) for setting, runs in result["runs"].items()}
    _expect(len({tuple(each) for each in seeds.values()}) == 1, "all settings have the same seeds.")
    own = scoreboard(protocol.name).score(rounds_of(result["method"], result["runs"]))
    _expect(
        same(_lasting(own), _lasting(result["scores"])),
        "its scores are not those of its runs: run the benchmark again.",
    )


def _lasting(scores: Mapping[str, Any]) -> dict[str, Any]:
    """Return the scores that further references (ranks, differences) and other versions (bootstraps) do not change."""
    settings = {
        name: {part: value for part, value in found.items() if part not in ("differences", "rank", "of")}
        for name, found in scores["settings"].items()
    }
    return {"settings": settings, "overall": {**scores["overall"], "score": scores["overall"]["score"]["iqm"]}}


def _check_run(run: Mapping[str, Any], setting: str, seed: str) -> None:
    name, first = f"{setting}, seed {seed}", scoreboard().first.loc[setting]
    _expect(set(run) == set(LOGGED), f"{name}: a run has {', '.join(LOGGED)}; got {', '.join(run)}.")
    lengths = {len(run[each]) for each in LOGGED}
    _expect(len(lengths) == 1 and min(lengths) > 1, f"{name}: a run has at least two rounds, with all of their values.")
    labeled, pool = np.array(run["labeled"]), set(run["pool"])
    whole = all(
        isinstance(value, int) and value >= 0 for each in ("pool", "labeled", "synthetic") for value in run[each]
    )
    _expect(whole and len(pool) == 1, f"{name}: pool, labeled and synthetic are whole numbers, and there is one pool.")
    _expect(bool((np.diff(labeled) >= 0).all()), f"{name}: the number of labels never falls.")
    begin = (int(first["pool"]), int(first["labeled"]))
    _expect((run["pool"][0], run["labeled"][0]) == begin, f"{name}: it begins with {begin[1]} of {begin[0]} texts.")
    _expect(labeled[-1] <= 2 * begin[0], f"{name}: at most {2 * begin[0]} texts are labeled; got {labeled[-1]}.")
    for each in MEASURED:
        values = np.array(run[each], dtype=np.float64)
        high = 1.0 if each != "nll" else np.inf
        _expect(bool((values >= 0).all() and (values <= high).all()), f"{name}: {each} is from 0 to {high}.")


def same(one: Any, other: Any, tolerance: float = 1e-9) -> bool:
    """Return whether plain data are equal, numbers up to a tolerance relative to 1 or to their size."""
    if isinstance(one, dict) and isinstance(other, dict):
        return set(one) == set(other) and all(same(one[name], other[name], tolerance) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(*pair, tolerance) for pair in zip(one, other, strict=True))
    if isinstance(one, float) and isinstance(other, float | int):
        return abs(one - other) <= tolerance * max(1.0, abs(one))
    return bool(one == other)


def _expect(condition: bool, message: str) -> None:
    if not condition:
        raise RunError(message)
