"""`python -m experiments summary DIR...`: the report's tables in the terminal."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tyro

from experiments.config import RunError
from experiments.metric import ACCURACY, METRICS, Metric, MetricName, with_metric
from experiments.progress import console
from experiments.report.contents import early_ends, learned_part, rich_table, table_parts
from experiments.report.figures import draw_learning
from experiments.report.stopping import stopping_part
from experiments.report.tables import build, curves, learning
from experiments.runs import KEYS, Runs, read_runs


@dataclasses.dataclass(frozen=True)
class SummaryConfig:
    """Prints the tables of a report: means, paired differences, aggregates, costs, and what agents have learned.

    Runs that are not finished are shown as far as they are.
    """

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of runs, or folders that have such folders anywhere below them."""
    metric: MetricName = "accuracy"
    """What methods are compared by."""


def main(config: SummaryConfig) -> None:
    """Print the tables."""
    if not config.runs:
        raise RunError("Summarize which runs? Give their folders, or a folder above them.")
    metric = METRICS[config.metric]
    show(with_metric(read_runs(config.runs, unfinished=True), metric), metric=metric)


def show(
    runs: Runs, names: str | Sequence[str] = (), tables: dict[str, Any] | None = None, metric: Metric = ACCURACY
) -> None:
    """Print a report's tables, all or those named, the table of what agents have learned, and the problems."""
    tables = tables or build(runs, metric)
    parts = [*table_parts(tables, metric), *stopping_part(tables, metric)]
    parts = [part for part in parts if not names or part.name in names] + learned_part(runs)
    console.print(*(rich_table(part) for part in parts if len(part.content)), sep="\n")
    for line in early_ends(runs):
        console.print(line, style="yellow", markup=False, highlight=False)
    for folder, reason in runs.problems:
        console.print(f"{folder}: {reason}", style="yellow", markup=False, highlight=False)


def draw(runs: Runs, file: Path, metric: Metric = ACCURACY, tables: dict[str, Any] | None = None) -> dict[str, Any]:
    """Draw the learning curves of all settings into one PNG file; return the tables, all of them by default.

    A setting has a panel of the metric if its classifier is retrained, and one of lift if that was measured.
    """
    tables = tables or build(runs, metric)
    retrained = runs.rounds["folder"].map(lambda folder: runs.configs[folder]["options"].get("retrain", True))
    panels = [(setting, metric.title) for setting in dict.fromkeys(runs.rounds["setting"][retrained])]
    lifted = tables["learning"][tables["learning"]["metric"] == "lift/mean"]
    panels += [(setting, "lift") for setting in dict.fromkeys(lifted["setting"])]
    draw_learning(runs.rounds, tables, panels or [(runs.rounds["setting"].iloc[0], metric.title)], file, metric)
    return tables


def draw_each(runs: Runs) -> None:
    """Draw the curve of each run into `curve.png` in its folder, unless it is there and newer than the run's rounds."""
    for folder, rounds in runs.rounds.groupby("folder", sort=False):
        file, log = Path(folder) / "curve.png", Path(folder) / "rounds.jsonl"
        if file.is_file() and file.stat().st_mtime_ns > log.stat().st_mtime_ns:
            continue
        keys = rounds[list(KEYS)].head(1)
        own = {"rounds": rounds, "metrics": runs.metrics.merge(keys), "cost": runs.cost.merge(keys)}
        run = dataclasses.replace(runs, **own)
        draw(run, file, tables={"curves": curves(rounds), "learning": learning(run)})
