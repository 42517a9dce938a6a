"""Comparisons of methods: tables of scores with their intervals, by setting and over all settings."""

from typing import Any

import numpy as np

from experiments.names import SIGNAL
from experiments.report.statistics import iqm, probability_of_improvement, stratified, student
from experiments.runs import KEYS
from signal_env.utils.extras import require

pandas = require("pandas", "plots")

SUMMED = ("first", "at_50", "at_100", "at_200", "area_100", "area_end", "end")
"""The scores in the table of accuracies."""

COMPARED = ("area_100", "at_100", "end")
"""The scores that methods are compared by: the first two at equal label budgets, the last as the paper does."""

FEWEST = 5
"""Runs in each setting for an interval of the probability of improvement. Of three runs against three one method often
wins all, and then it does so in each draw."""

BEST_POOL = "best pool-based"
"""The baseline that is, in each setting, the pool-based method with the highest mean."""

NOTHING = (np.nan,) * 3


def summary(table: Any) -> Any:
    """Return a row for each setting and method: for each score the mean and its 95 % interval (Student's t)."""
    groups = table.assign(share=table["synthetic"] / table["labeled"]).groupby(["setting", "method"])
    named = {"seeds": ("seed", "size"), "pool": ("pool", "max"), "labels": ("labeled", "max")}
    rows = groups.agg(**named, synthetic=("share", "mean"))
    return rows.join([student(groups[name], name) for name in SUMMED]).reset_index()


def best_pool_based(table: Any, measure: str) -> dict[str, str]:
    """Return the pool-based method with the highest mean in each setting, where one has the measure."""
    means = table[table["pool_based"]].groupby(["setting", "method"])[measure].mean().dropna()
    return {setting: best for setting, best in means.groupby(level="setting").idxmax().str[1].items()}


def baselines(table: Any, measure: str) -> dict[str, dict[str, str]]:
    """Return for each baseline its method in each setting: random, the best pool-based one, and SIGnAL."""
    random, signal = (dict.fromkeys(table.loc[table["method"] == name, "setting"], name) for name in ("random", SIGNAL))
    return {"random": random, BEST_POOL: best_pool_based(table, measure), SIGNAL: signal}


def aggregate(table: Any) -> Any:
    """Compare each method with the baselines over all settings, by each compared score.

    The interquartile mean is that of the differences to `random` on equal seeds and settings. Of the scores themselves
    it would not do: tasks differ by more than methods, so that to trim a quarter would be to drop whole tasks.
    Intervals are 95 % stratified bootstrap intervals: runs, and pairs of runs, are drawn within settings.

    Returns:
        A table with `measure`, `method`, `settings`, `runs`, the `pairs` with runs of `random`, `iqm` of the pairs'
        differences, `iqm_low` and `iqm_high`, and the probability of improvement over the baselines, `random` and
        `pool`, with `_low` and `_high`. NaN where a method would be compared with itself or has no runs in common.
    """
    rows = []
    for measure in COMPARED:
        groups = table.dropna(subset=[measure]).set_index("seed").groupby(["method", "setting"])[measure]
        runs, against = dict(iter(groups)), baselines(table, measure)
        for method in dict.fromkeys(method for method, _ in runs):
            own = {setting: values for (of, setting), values in runs.items() if of == method}
            pairs = [(own[s] - runs["random", s]).dropna() for s in own if ("random", s) in runs]
            gains = [gain.to_numpy() for gain in pairs if len(gain)]
            row = [measure, method, len(own), sum(map(len, own.values())), sum(map(len, gains))]
            row += NOTHING if method == "random" or not gains else stratified(gains, iqm)
            for baseline in (against["random"], against[BEST_POOL]):
                both = [s for s in own if s in baseline and (baseline[s], s) in runs]
                samples = [x.to_numpy() for x in (*(own[s] for s in both), *(runs[baseline[s], s] for s in both))]
                itself = {baseline[s] for s in both} <= {method}
                row += NOTHING if itself else stratified(samples, probability_of_improvement, FEWEST)
            rows.append(row)
    bounds = [f"{name}{end}" for name in ("iqm", "random", "pool") for end in ("", "_low", "_high")]
    return pandas.DataFrame(rows, columns=["measure", "method", "settings", "runs", "pairs", *bounds])


def differences(table: Any) -> Any:
    """Return how much better a method is than a baseline on equal seeds: mean, 95 % interval (Student's t) and pairs.

    Equal seeds have the same pool and the same first labels, so a difference holds what the method makes of them. A
    method that is SIGnAL without one part is below SIGnAL by what that part is worth. The best pool-based method is
    chosen by the same runs, so it looks a little better than it is.

    Returns:
        A table with `measure`, `setting`, `method`, `baseline`, `against` (its method in this setting), `pairs`,
        `mean`, `low`, `high`.
    """
    parts = []
    for measure in COMPARED:
        own = table[[*KEYS, measure]].rename(columns={measure: "own"})
        theirs = own.rename(columns={"method": "against", "own": "theirs"})
        for baseline, of_setting in baselines(table, measure).items():
            beside = theirs[theirs["against"] == theirs["setting"].map(of_setting)]
            pairs = own.merge(beside, on=["setting", "seed"]).assign(measure=measure, baseline=baseline)
            parts.append(pairs[pairs["method"] != pairs["against"]])
    pairs = pandas.concat(parts)
    pairs = pairs.assign(difference=pairs["own"] - pairs["theirs"]).dropna(subset=["difference"])
    groups = pairs.groupby(["measure", "setting", "method", "baseline", "against"])["difference"]
    return groups.size().to_frame("pairs").join(student(groups)).reset_index()
