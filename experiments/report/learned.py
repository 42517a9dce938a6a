"""The table of what agents that write have learned."""

from typing import Any

from experiments.report.contents import cells
from experiments.report.page import Part
from experiments.report.statistics import second_half, student
from experiments.runs import KEYS, Runs
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
    pandas, keys = require("pandas", "plots"), ["setting", "method"]
    if "lift/policy" in metrics:
        metrics = metrics.assign(ratio=metrics["lift/policy"] / metrics["lift/reference"])
    late = second_half(metrics)
    means = late.groupby(list(KEYS)).mean(numeric_only=True)
    groups, rounds = means.groupby(keys), late.groupby(keys)["round"]
    rows = {"seeds": groups.size(), "rounds": rounds.min().map("{:.0f}-".format) + rounds.max().map("{:.0f}".format)}
    for title, name in METRICS.items():
        form = "{:+.3f}" if title == "lift" else "{:.3f}"
        numbers = student(groups[name]) if name in means else ()
        table = pandas.DataFrame(dict(zip(("mean", "mean_low", "mean_high"), numbers, strict=False)))
        rows[title] = cells(table, "mean", form, " ± {half:.3f}") if numbers else ""
    minutes = metrics.groupby(list(KEYS))["speed/seconds"].sum().groupby(keys).mean() / 60
    return pandas.DataFrame(rows | {"minutes": minutes.map("{:.1f}".format)}).reset_index()
