"""The table of stopping criteria: what each would have saved, and what it would have cost."""

from typing import Any

import numpy as np

from experiments.metric import ACCURACY, Metric
from experiments.report.contents import cells, titled
from experiments.report.page import Part
from experiments.report.statistics import student
from experiments.runs import KEYS, Runs
from signal_env.utils.extras import require

pandas = require("pandas", "plots")

NEEDED = (*KEYS, "folder", "budget", "labeled", "stopping", "finished")
"""The columns of rounds that the table is made of, beside the metric."""

GROUP = ["setting", "method", "criterion"]


def stopping(runs: Runs, metric: Metric = ACCURACY) -> Any:
    """Return what each stopping criterion would have saved and lost, a row for each setting, method and criterion.

    `runs` are the finished ones that measured the criterion, and `met` is the fraction of them that met it. The other
    columns are means over those: `labels` spent when it was first met, `saved`, the rest of the budget as a fraction of
    it, and `lost`, how much better the metric is at the run's end than at that round, with its 95 % interval (Student's
    t), `lost_low` to `lost_high`. A run that a criterion ended has no metric at the budget, and does not count in
    `lost`. Without a run that has measured a criterion the table is empty.
    """
    rounds = runs.rounds.reindex(columns=[*NEEDED, metric.name])
    rows = [row for _, run in rounds.groupby(list(KEYS), sort=True) for row in _of_run(run, runs, metric)]
    names = [*KEYS, "criterion", "met", "labels", "saved", "lost"]
    table = pandas.DataFrame(rows, columns=names).astype({"met": bool, **dict.fromkeys(names[-3:], float)})
    groups = table.groupby(GROUP)
    summary = groups.agg(runs=("met", "size"), met=("met", "mean"), labels=("labels", "mean"), saved=("saved", "mean"))
    return summary.join(student(table.dropna(subset=["lost"]).groupby(GROUP)["lost"], "lost")).reset_index()


def _of_run(run: Any, runs: Runs, metric: Metric) -> list[tuple[Any, ...]]:
    """Return the values of `stopping` of one run, a row for each criterion; none for one that is not finished."""
    last = run.iloc[-1]
    measured = [each for each in run["stopping"] if isinstance(each, dict)]  # an earlier version had no such field
    if not measured or not last["finished"]:
        return []
    met_at = {name: found["met_at"] for name, found in measured[-1].items() if "met_at" in found}
    ended = runs.configs[last["folder"]]["options"].get("stopping") is not None and last["labeled"] < last["budget"]
    rows = []
    for name in sorted({name for each in measured for name in each}):
        labels, saved, lost = np.nan, np.nan, np.nan
        if name in met_at:
            labels, saved = met_at[name], 1 - met_at[name] / last["budget"]
            then = run.loc[run["labeled"] == labels, metric.name].iloc[0]
            lost = np.nan if ended else metric.sign * (last[metric.name] - then)
        rows.append((*last[list(KEYS)], name, name in met_at, labels, saved, lost))
    return rows


def stopping_part(tables: dict[str, Any], metric: Metric = ACCURACY) -> list[Part]:
    """Return the table for reading, or nothing if no run has measured a criterion."""
    if "stopping" not in tables:
        return []
    table = tables["stopping"]
    rows = table[[*GROUP, "runs"]].assign(met=table["met"].map("{:.0%}".format))
    rows["labels"] = table["labels"].map("{:,.0f}".format, na_action="ignore").astype(object).fillna("")
    rows["labels saved"] = table["saved"].map("{:.0%}".format, na_action="ignore").astype(object).fillna("")
    form = f"{{:+.{metric.digits}f}}", f" ± {{half:.{metric.digits}f}}"
    rows[f"{metric.title} lost"] = cells(table, "lost", *form, scale=metric.scale)
    return [titled("tables", "stopping", rows, metric)]
