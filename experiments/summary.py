"""`python -m experiments summary RUN...`: one table over finished runs, means with 95 % intervals over their seeds."""

import dataclasses
from pathlib import Path

import tyro

from experiments.progress import console
from experiments.results import learning_table, read_metrics, read_rounds, summary_table


@dataclasses.dataclass(frozen=True)
class SummaryConfig:
    """Reads run folders and prints accuracies, and what was learned, by environment and agent."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of runs; those of one environment and agent count as seeds of one experiment."""


def main(config: SummaryConfig) -> None:
    """Prints the table, and what the agents that write have learned, if there are any."""
    console.print(summary_table(read_rounds(config.runs)))
    metrics = read_metrics(config.runs)
    if {"reward/mean", "speed/seconds"} <= set(metrics):
        console.print(learning_table(metrics))
