"""The tables of the texts of runs: those offered, and those labeled."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from experiments.run_folder import KEYS, read_run_log
from signal_env.utils.extras import require

OFFERS = ("round", "offer", "text", "reward", "real", "invalid", "passed")
"""The columns of `Runs.offers` after those of the run, before those of the reward terms."""

LABELS = ("round", "text", "label", "class_name", "real")
"""The columns of `Runs.labels` after those of the run."""


def offers_table(rounds: Any) -> Any:
    """Return the table of the texts offered in the runs of `Runs.rounds`; a run without a log of them has no rows."""
    rows = []
    for run, line in _lines(rounds, "offers.jsonl"):
        terms = line.get("reward_terms", {})
        raw = {f"term/{name}": term.get("raw") for name, term in terms.items()}
        contributions = {f"contribution/{name}": term.get("contribution") for name, term in terms.items()}
        rows.append(run | {name: line.get(name) for name in OFFERS} | raw | contributions)
    table = require("pandas", "plots").DataFrame(rows, columns=None if rows else [*KEYS, *OFFERS])
    of_terms = sorted(name for name in table if name not in (*KEYS, *OFFERS))
    return table[[*KEYS, *OFFERS, *sorted(of_terms, key=lambda name: name.startswith("contribution/"))]]


def labels_table(rounds: Any) -> Any:
    """Return the table of the texts labeled in the runs of `Runs.rounds`; a run without a log of them has no rows."""
    rows = [
        run | line | {"label": line.get("class_index"), "class_name": line.get("label")}
        for run, line in _lines(rounds, "labels.jsonl")
    ]
    return require("pandas", "plots").DataFrame(rows, columns=[*KEYS, *LABELS]).astype({"label": "Int64"})


def _lines(rounds: Any, name: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield the keys of a run and a line of its log, up to the last round that it closed."""
    for folder, of_run in rounds.groupby("folder", sort=False):
        keys, last = dict(zip(KEYS, of_run.iloc[0][list(KEYS)], strict=True)), of_run["index"].max()
        try:
            lines, _ = read_run_log(Path(folder), name)
        except FileNotFoundError:
            continue
        for line in lines:
            if line.get("round", 0) <= last:
                yield keys, line
