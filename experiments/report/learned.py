"""The table of what agents that write have learned."""

from typing import Any

from experiments.report.page import Part
from experiments.report.statistics import student
from experiments.runs import Runs
from signal_env.utils.extras import require

METRICS = {
    "reward": "reward/mean",
    "lift": "lift/mean",
    "ratio": "ratio",
    "KL": "policy/kl",
    "distinct-2": "texts/distinct_2",
    "invalid": "texts/invalid",
}
"""The columns of the table and their metrics."""

CAPTION = (
    "Means over the second half of the rounds, with 95 % intervals over seeds (Student's t). Lift is the mean reward "
    "of the policy's texts minus that of the reference's on the same prompts, ratio the one over the other; KL is in "
    "nats a text, distinct-2 the share of distinct pairs of words; minutes are those of the whole run."
)


def learned_part(runs: Runs) -> list[Part]:
    """Return the table, or nothing if no agent has metrics of its texts."""
    if not {"reward/mean", "speed/seconds"} <= set(runs.metrics):
        return []
    return [Part("learned", "What was learned", learned(runs.metrics), CAPTION)]


def learned(metrics: Any) -> Any:
    """Return a row of cells for each setting and method.

    Args:
        metrics: `Runs.metrics`.
    """
    pandas = require("pandas", "plots")
    if "lift/policy" in metrics:
        metrics = metrics.assign(ratio=metrics["lift/policy"] / metrics["lift/reference"])
    rows = []
    for (setting, method), group in metrics.groupby(["setting", "method"]):
        late = group[group["round"] > group.groupby("seed")["round"].transform("max") / 2]
        means = late.groupby("seed").mean(numeric_only=True)
        row = {"setting": setting, "method": method, "seeds": len(means)}
        row["rounds"] = f"{late['round'].min():.0f}-{late['round'].max():.0f}"
        for title, name in METRICS.items():
            row[title] = _cell(means[name], "+" if title == "lift" else "") if name in means else ""
        minutes = group.groupby("seed")["speed/seconds"].sum().mean() / 60
        rows.append(row | {"minutes": f"{minutes:.1f}"})
    return pandas.DataFrame(rows)


def _cell(values: Any, sign: str) -> str:
    """Format the mean of a value over seeds and its interval; return nothing where a value is missing."""
    mean, low, high = (bound.iloc[0] for bound in student(values.groupby(lambda _: 0)))
    cell = "" if mean != mean else f"{mean:{sign}.3f}"
    return cell if low != low else f"{cell} ± {(high - low) / 2:.3f}"
