"""The metrics of a classifier that methods can be compared by.

Tables and curves show a metric as it was measured. Differences, ranks and claims are oriented: above zero is better,
also for the negative log-likelihood, of which less is better.
"""

import dataclasses
from typing import Literal, NamedTuple

from experiments.config import RunError
from experiments.runs import Runs

MetricName = Literal["accuracy", "macro_f1", "nll"]


class Metric(NamedTuple):
    """A metric, and how it is shown.

    Attributes:
        name: Its column in `Runs.rounds`.
        title: Its name in words.
        unit: The unit of differences as they are shown.
        scale: Shown differences over measured ones.
        digits: Their decimals.
        sign: 1 if more is better, -1 if less is.
    """

    name: MetricName
    title: str
    unit: str = "percentage points"
    scale: int = 100
    digits: int = 2
    sign: int = 1

    @property
    def in_points(self) -> bool:
        """Whether differences are shown in points, which are hundredths."""
        return self.scale == 100

    @property
    def words(self) -> dict[str, str]:
        """The words that titles and captions have for a metric."""
        points = "points" if self.in_points else self.unit
        return {
            "metric": self.title,
            "Metric": self.title[0].upper() + self.title[1:],
            "Unit": self.unit.capitalize(),
            "points": f"{points} of {self.title}",
            "orientation": "" if self.sign > 0 else " Less is better; a difference above zero is better, too.",
        }


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "accuracy"),
        Metric("macro_f1", "macro-F1"),
        Metric("nll", "negative log-likelihood", unit="nats", scale=1, digits=4, sign=-1),
    )
}

ACCURACY = METRICS["accuracy"]


def with_metric(runs: Runs, metric: Metric) -> Runs:
    """Return the runs whose rounds all have a metric; the others are listed in `problems`.

    Raises:
        RunError: If no run has it.
    """
    measured = runs.rounds[metric.name].notna() if metric.name in runs.rounds else runs.rounds["seed"].isna()
    lacking = list(dict.fromkeys(runs.rounds.loc[~measured, "folder"]))
    if not lacking:
        return runs
    kept = runs.rounds[~runs.rounds["folder"].isin(lacking)].reset_index(drop=True)
    if kept.empty:
        raise RunError(
            f"No run has the {metric.title} ({metric.name}) of its rounds: an earlier version wrote {lacking[0]}. Play "
            "the runs again, or compare them by accuracy."
        )
    reason = f"an earlier version wrote it, without the {metric.title}; it was left out"
    keys = kept[["setting", "method", "seed"]].drop_duplicates()
    return dataclasses.replace(
        runs,
        rounds=kept,
        metrics=runs.metrics.merge(keys),
        cost=runs.cost.merge(keys),
        problems=[*runs.problems, *((folder, reason) for folder in lacking)],
    )
