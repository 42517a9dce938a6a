"""The replay of reference runs, which shows whether a machine has the numbers of the references."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.run import play
from experiments.runs import read_runs
from experiments.scoreboard.protocol import Protocol
from experiments.scoreboard.references import MEASURED, References, rounds_table
from experiments.study import Study

EXACT = 1e-9
"""The largest difference of numbers that have six significant digits and are equal."""


def replay(protocol: Protocol, references: References, study: Study, out: Path) -> list[dict[str, Any]]:
    """Play the protocol's reference runs again; return how far their rounds are from those of the references.

    Args:
        protocol: The protocol.
        references: Its references.
        study: The runs of a method, in whose settings they are played, with its places of data.
        out: The folder of the runs.

    Returns:
        For each run its `setting`, `method` and `seed`; `equal`, whether all rounds are those of the references, to six
        significant digits; and `largest`, the largest difference of a metric, None if the numbers of labels differ.
    """
    method, seed = protocol.replay.method, protocol.replay.seed
    places = {name: getattr(study.runs[0].options, name) for name in ("data_dir", "device")}
    values = {**references.methods[method]["values"], "options": places}
    found = []
    for run in protocol.study(method, values, [*study.settings], [seed], out).runs:
        play(dataclasses.replace(run, overwrite=True))
        one = rounds_table(read_runs([run.folder]).rounds)
        keys = {"setting": run.setting, "method": method, "seed": seed}
        found.append(keys | compared(one, references.rounds))
    return found


def compared(rounds: Any, references: Any) -> dict[str, Any]:
    """Return whether the rounds of one run are those of the references, and the largest difference."""
    keys = rounds[["setting", "method", "seed"]].drop_duplicates()
    other = references.merge(keys)
    if rounds["labeled"].tolist() != other["labeled"].tolist():
        return {"equal": False, "largest": None}
    names = list(MEASURED)
    largest = float((rounds[names].reset_index(drop=True) - other[names]).abs().max().max())
    return {"equal": largest <= EXACT, "largest": largest if largest > EXACT else 0.0}


def sentence(found: Sequence[dict[str, Any]]) -> str:
    """Return the result of a replay in words.

    Example:
        >>> sentence([{"setting": "reviews", "method": "random", "seed": 0, "equal": True, "largest": 0.0}])
        'This machine has the numbers of the references: random, seed 0, was played again on reviews.'
    """
    names = ", ".join(each["setting"] for each in found)
    again = f"{found[0]['method']}, seed {found[0]['seed']}, was played again on {names}"
    if all(each["equal"] for each in found):
        return f"This machine has the numbers of the references: {again}."
    said = []
    for each in (each for each in found if not each["equal"]):
        much = "other labels" if each["largest"] is None else f"numbers that differ by up to {each['largest']:.2g}"
        said.append(f"{each['setting']} has {much}")
    return (
        f"This machine has other numbers than the references: {again}, and {'; '.join(said)}. Other data, other "
        "versions of packages or another processor do this. Pairs with the references are then not exact."
    )
