"""The report's tables by name: scores, comparisons, curves along the labels, and costs."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from experiments.metric import ACCURACY, Metric
from experiments.report.comparisons import COMPARED, aggregate, differences, summary
from experiments.report.statistics import Array, band, half_width, methods_of, scores, settings_of, student
from experiments.report.stopping import stopping
from experiments.runs import KEYS, Runs
from signal_env.tasks import TaskError, get_task
from signal_env.utils.extras import require

pandas = require("pandas", "plots")

LEARNING = ("reward/mean", "lift/mean", "policy/kl", "texts/distinct_2", "texts/invalid", "labels/imbalance")
"""The metrics of agents that are followed over the rounds."""

ALONG = ["setting", "method", "share", "seeds", "mean", "low", "high"]
"""The columns of curves along the labels; `share` is labeled instances over |R|."""

MEMORY = ["memory", "memory_added", "gpu_memory"]
"""The columns of memory in the table of costs."""


def build(runs: Runs, metric: Metric = ACCURACY) -> dict[str, Any]:
    """Return all tables of the runs by name, sorted by measure or metric, setting and method.

    The table of means has the name of the metric that methods are compared by. All tables but `cost` depend only on
    the runs' rounds and options, so equal runs have equal tables.
    """
    rounds = runs.rounds
    table = scores(rounds, metric)
    tables = {
        "runs": table,
        metric.name: summary(table),
        "differences": differences(table, metric),
        "aggregate": aggregate(table, metric),
        "curves": curves(rounds, metric),
        "learning": learning(runs),
        "balance": balance(rounds, _classes(runs)),
        "cost": cost(runs),
        "stopping": stopping(runs, metric),
    }
    if tables["stopping"].empty:  # an earlier version played the runs
        del tables["stopping"]
    orders = {"measure": COMPARED, "metric": LEARNING, "setting": settings_of(rounds), "method": methods_of(rounds)}
    places = {column: {name: i for i, name in enumerate(order)} for column, order in orders.items()}
    return {
        name: table.sort_values(
            [column for column in table if column in orders],
            key=lambda column: column.map(places[column.name]),
            kind="stable",
            ignore_index=True,
        )
        for name, table in tables.items()
    }


def _classes(runs: Runs) -> dict[str, tuple[str, ...]]:
    """Return the names of each task's classes, where the task can be found."""
    classes = {}
    for task, folder in runs.rounds.drop_duplicates("task")[["task", "folder"]].to_numpy():
        own = runs.configs[folder]["options"].get("task") or task
        try:
            described = isinstance(own, Mapping)  # a `Task` from Python
            classes[task] = tuple(own["class_names"]) if described else get_task(own).class_names
        except (TaskError, ValueError):  # the task's own file has moved: its classes are numbered
            continue
    return classes


def curves(rounds: Any, metric: Metric = ACCURACY) -> Any:
    """Return the mean of a metric along the labels, with its 95 % bootstrap band over seeds; one seed has no band."""
    return pandas.DataFrame(_along_shares(rounds, metric.name, band), columns=ALONG)


def learning(runs: Runs) -> Any:
    """Return the metrics of the agents along the labels, by `metric`: means over seeds with 95 % t intervals."""

    def interval(values: Array) -> tuple[Array, Array]:
        half = half_width(pandas.DataFrame(values).std().to_numpy(), len(values))
        return values.mean(axis=0) - half, values.mean(axis=0) + half

    shares, rows = runs.rounds.rename(columns={"index": "round"})[[*KEYS, "round", "share"]], []
    for metric in [name for name in LEARNING if name in runs.metrics]:
        logged = runs.metrics[[*KEYS, "round", metric]].dropna().merge(shares)
        rows += [(metric, *row) for row in _along_shares(logged, metric, interval)]
    return pandas.DataFrame(rows, columns=["metric", *ALONG])


def _along_shares(table: Any, column: str, interval: Callable[[Array], tuple[Array, Array]]) -> list[tuple[Any, ...]]:
    """Return the rows `ALONG` of a column, with all runs of a setting and method read at the same shares of the pool.

    Seeds may differ in their rounds. Each run is linear between its rounds. It is read at all shares at which one of
    the runs has a round, from the first to the last that all of them have: there the mean of the runs has its corners.

    Args:
        table: `setting`, `method`, `seed`, `share` rising in each run, and the column.
        column: The column.
        interval: Returns the ends of the interval of the mean of values `(seeds, n)`.
    """
    rows: list[tuple[Any, ...]] = []
    for keys, group in table.groupby(["setting", "method"]):
        runs = [run[["share", column]].to_numpy(np.float64).T for _, run in group.groupby("seed")]
        first, last = max(share[0] for share, _ in runs), min(share[-1] for share, _ in runs)
        share = np.unique(np.concatenate([share for share, _ in runs]))
        share = share[(first <= share) & (share <= last)]
        values = np.array([np.interp(share, *run) for run in runs])
        for at, mean, low, high in zip(share, values.mean(axis=0), *interval(values), strict=True):
            rows.append((*keys, at, len(runs), mean, low, high))
    return rows


def balance(rounds: Any, classes: Mapping[str, tuple[str, ...]]) -> Any:
    """Return the mean share of each class in the labels of each round's synthetic texts, with its 95 % interval.

    A seed counts in the rounds in which it labeled a synthetic text; the interval is Student's t, within [0, 1].
    `share` is the labeled instances over |R| then, on average over these seeds; `texts` are those of all seeds.
    """
    written = rounds[rounds["selected_synthetic"] > 0]
    counts = written["synthetic_label_counts"]
    names = [
        classes.get(task) or [str(i) for i in range(len(c))] for task, c in zip(written["task"], counts, strict=True)
    ]
    long = written[["setting", "method", "index", "share"]].assign(**{"class": names, "texts": counts})
    long = long.explode(["class", "texts"]).rename(columns={"index": "round"})
    of_class = long["texts"] / long.groupby(level=0)["texts"].transform("sum")
    long = long.assign(texts=long["texts"].astype(int), of_class=of_class.astype(float))
    groups = long.groupby(["setting", "method", "round", "class"], sort=False)
    table = groups.agg(share=("share", "mean"), seeds=("share", "size"), texts=("texts", "sum"))
    limits = student(groups["of_class"])
    limits[["low", "high"]] = limits[["low", "high"]].clip(0, 1)
    return table.join(limits).reset_index()


def cost(runs: Runs) -> Any:
    """Return the mean costs of a run: labels, texts, tokens and seconds, and the most memory that any of them took.

    `memory` is all that its process held, `memory_added` what it held beyond what it did when the run began. Numbers
    that no log has are NaN. Tokens are those of the texts written; where a log does not count these, of as many as were
    offered.
    """
    keys, rounds = list(KEYS), runs.rounds
    table = rounds.groupby(keys)[["selected_real", "selected_synthetic", "offers"]].sum()
    table.columns = ["real_labels", "synthetic_labels", "texts"]
    metrics = runs.metrics.reindex(columns=[*keys, "round", "texts/tokens", "texts/written"])
    metrics = metrics.merge(rounds.rename(columns={"index": "round"})[[*keys, "round", "offers"]])
    tokens = metrics["texts/tokens"] * metrics["texts/written"].fillna(metrics["offers"])
    table["tokens"] = metrics.assign(tokens=tokens).groupby(keys)["tokens"].sum(min_count=1)
    spent = runs.cost.assign(memory_added=runs.cost["memory"] - runs.cost["memory_before"]).groupby(keys)
    table = table.join(spent[["seconds", "cpu_seconds"]].sum()).join(spent[MEMORY].max())
    by_method = table.groupby(level=["setting", "method"])
    means = by_method.mean().assign(**by_method[MEMORY].max())
    means.insert(0, "seeds", by_method.size())
    return means.reset_index()
