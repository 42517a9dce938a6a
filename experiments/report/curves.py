"""Curves along the labels: accuracy, the metrics of agents, and the classes of synthetic texts."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments.report.statistics import Array, band, student
from experiments.runs import KEYS, Runs
from signal_env.utils.extras import require

LEARNING = {
    "reward/mean": "mean reward",
    "lift/mean": "mean reward above the reference's",
    "policy/kl": "KL from the reference, nats a text",
    "texts/distinct_2": "distinct pairs of words",
    "texts/invalid": "texts that are not valid",
    "labels/imbalance": "imbalance of the synthetic labels",
}
"""The metrics that are followed over the rounds, and their titles."""


def curves(rounds: Any) -> Any:
    """Return the mean accuracy along the labels, with its 95 % bootstrap band over seeds; one seed has no band.

    Returns:
        A table with `setting`, `method`, `share`, `seeds`, `mean`, `low`, `high`; see `on_common_shares` for `share`.
    """
    pandas = require("pandas", "plots")
    groups = on_common_shares(rounds, "accuracy")
    parts = []
    for seeds in sorted({len(values) for _, values in groups.values()}):
        alike = {keys: group for keys, group in groups.items() if len(group[1]) == seeds}
        together = np.concatenate([values for _, values in alike.values()], axis=1)
        low, high = band(together)
        rows = pandas.concat(
            pandas.DataFrame({"setting": setting, "method": method, "share": share})
            for (setting, method), (share, _) in alike.items()
        )
        parts.append(rows.assign(seeds=seeds, mean=together.mean(axis=0), low=low, high=high))
    return pandas.concat(parts, ignore_index=True)


def learning(runs: Runs) -> Any:
    """Return the metrics of the agents along the labels: means over seeds with 95 % intervals (Student's t).

    Returns:
        A table with `metric`, one of `LEARNING`, `setting`, `method`, `share`, `seeds`, `mean`, `low`, `high`; see
        `on_common_shares` for `share`.
    """
    pandas = require("pandas", "plots")
    keys = ["metric", "setting", "method", "share"]
    shares = runs.rounds.rename(columns={"index": "round"})[[*KEYS, "round", "share"]]
    parts = [pandas.DataFrame(columns=[*keys, "value"])]
    for metric in [name for name in LEARNING if name in runs.metrics]:
        said = runs.metrics[[*KEYS, "round", metric]].dropna().merge(shares)
        for (setting, method), (share, values) in on_common_shares(said, metric).items():
            of_group = {"metric": metric, "setting": setting, "method": method, "share": np.tile(share, len(values))}
            parts.append(pandas.DataFrame(of_group | {"value": values.ravel()}))
    groups = pandas.concat(parts[1:] or parts).groupby(keys)["value"]
    mean, low, high = student(groups)
    return pandas.DataFrame({"seeds": groups.size(), "mean": mean, "low": low, "high": high}).reset_index()


def on_common_shares(table: Any, column: str) -> dict[tuple[str, str], tuple[Array, Array]]:
    """Read all runs of a setting and method at the same shares of the pool, as seeds may differ in their rounds.

    Each run is linear between its rounds. It is read at all shares at which one of the runs has a round, from the first
    to the last that all of them have: there the mean of the runs has its corners.

    Args:
        table: `setting`, `method`, `seed`, `share` rising in each run, and the column.
        column: The column.

    Returns:
        By setting and method the shares `(n,)` and the values `(seeds, n)`.
    """
    found = {}
    for keys, group in table.groupby(["setting", "method"]):
        runs = [run[["share", column]].to_numpy(np.float64).T for _, run in group.groupby("seed")]
        first, last = max(share[0] for share, _ in runs), min(share[-1] for share, _ in runs)
        share = np.unique(np.concatenate([share for share, _ in runs]))
        share = share[(first <= share) & (share <= last)]
        found[keys] = share, np.array([np.interp(share, *run) for run in runs])
    return found


def balance(rounds: Any, classes: Mapping[str, tuple[str, ...]]) -> Any:
    """Return the mean share of each class in the labels of each round's synthetic texts, with its 95 % interval.

    A seed counts in the rounds in which it labeled a synthetic text; the interval is Student's t, within [0, 1].
    `share` is the labeled instances over |R| then, on average over these seeds.

    Args:
        rounds: The rounds.
        classes: The names of each task's classes.

    Returns:
        A table with `setting`, `method`, `round`, `class`, `share`, `seeds`, `texts` (over all seeds), `mean`, `low`,
        `high`.
    """
    pandas = require("pandas", "plots")
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
    mean, low, high = student(groups["of_class"])
    counted = {"share": groups["share"].mean(), "seeds": groups.size(), "texts": groups["texts"].sum()}
    limits = {"mean": mean, "low": low.clip(lower=0), "high": high.clip(upper=1)}
    return pandas.DataFrame(counted | limits).reset_index()
