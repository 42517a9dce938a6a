"""Reference curves to draw behind one's own runs, where these play a setting of the protocol."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from experiments.config import RunConfig, RunError, check_names
from experiments.metric import ACCURACY, Metric
from experiments.report.tables import curves
from experiments.runs import Runs
from experiments.scoreboard.protocol import read_protocol
from experiments.scoreboard.references import References, read_references
from signal_env.utils.extras import require


def reference_table(runs: Runs, names: Sequence[str], metric: Metric = ACCURACY) -> Any:
    """Return the curves of references in the settings of runs, a table as `report.tables.curves` returns it.

    A run plays a setting of the protocol if all options that the protocol fixes are its own, whatever its name.
    `runs.problems` receives the settings that do not, and why.

    Raises:
        RunError: If a reference is not known, or no run plays a setting of the protocol.
    """
    references, parts, refused = read_references(), [], {}
    check_names(names, references.methods, "The scoreboard")
    for setting, group in runs.rounds.groupby("setting"):
        try:
            found = {read_protocol().setting_of(runs.configs[folder]) for folder in group["folder"].unique()}
        except RunError as error:
            refused[str(setting)] = f"has no references: {error}"
            continue
        parts += [_of(references, names, known).assign(setting=setting) for known in found]
    if not parts:
        said = "; ".join(f"{setting} {why}" for setting, why in refused.items())
        raise RunError(f"No reference can be drawn. {said}")
    runs.problems.extend(refused.items())
    return curves(require("pandas", "plots").concat(parts), metric)


def reference_curves(config: RunConfig, names: Iterable[str]) -> dict[str, list[tuple[int, float]]]:
    """Return the mean accuracies of references along the labels, in the setting that a run plays.

    Args:
        config: The run.
        names: The references. Those that have not played the setting are refused.

    Returns:
        Pairs of labeled instances and accuracy, by reference, as the wrapper `TensorBoard` takes them.

    Raises:
        RunError: If a reference is not known or has not played the setting, or the run plays none of the protocol.

    Example:
        >>> from experiments.config import make_config
        >>> found = reference_curves(make_config("SignalEnv-reviews-v0", "entropy"), ["random"])
        >>> [labeled for labeled, _ in found["random"]][:3]
        [50, 100, 150]
    """
    references, names = read_references(), [*names]
    check_names(names, references.methods, "The scoreboard")
    try:
        setting = read_protocol().setting_of({"options": vars(config.options)})
    except RunError as error:
        raise RunError(f"No reference can be drawn: {error}") from error
    rounds = _of(references, names, setting)
    if lacking := [name for name in names if name not in set(rounds["method"])]:
        raise RunError(f"The references {', '.join(lacking)} have not played {setting}.")
    pool, table = rounds["pool"].iloc[0], curves(rounds)
    return {name: _pairs(table[table["method"] == name], pool) for name in names}


def _of(references: References, names: Sequence[str], setting: str) -> Any:
    rounds = references.rounds
    return rounds[rounds["method"].isin(names) & (rounds["setting"] == setting)]


def _pairs(curve: Mapping[str, Any], pool: int) -> list[tuple[int, float]]:
    labeled = np.rint(curve["share"] * pool).astype(int)
    return [(int(n), float(accuracy)) for n, accuracy in zip(labeled, curve["mean"], strict=True)]
