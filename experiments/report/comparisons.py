"""Comparisons of methods: tables of scores with their intervals, by setting and over all settings."""

from typing import Any

import numpy as np

from experiments.metric import ACCURACY, Metric
from experiments.names import SIGNAL
from experiments.report.statistics import (
    BESIDE,
    DIGITS,
    holm,
    iqm,
    paired_p_value,
    probability_of_improvement,
    stratified,
    student,
)
from experiments.runs import KEYS
from signal_env.utils.extras import require

pandas = require("pandas", "plots")

SUMMED = ("first", "at_50", "at_100", "at_200", "area_100", "area_end", "end")
"""The scores in the table of means."""

COMPARED = ("area_100", "at_100", "end")
"""The scores that methods are compared by: the first two at equal label budgets, the last as the paper does."""

FEWEST = 5
"""Runs in each setting for an interval of the probability of improvement. Of three runs against three one method often
wins all, and then it does so in each draw."""

BEST_POOL = "best pool-based"
"""The baseline that is, in each setting, the pool-based method with the best mean."""

NOTHING = (np.nan,) * 3


def summary(table: Any) -> Any:
    """Return a row for each setting and method: for each score the mean and its 95 % interval (Student's t)."""
    groups = table.assign(share=table["synthetic"] / table["labeled"]).groupby(["setting", "method"])
    named = {"seeds": ("seed", "size"), "pool": ("pool", "max"), "labels": ("labeled", "mean")}
    rows = groups.agg(**named, synthetic=("share", "mean"))
    if (rows["labels"] % 1 == 0).all():  # a criterion that ends runs leaves means between whole numbers
        rows["labels"] = rows["labels"].astype(int)
    beside = [name for name in table if name not in SUMMED and name.endswith(tuple(f"_{score}" for score in BESIDE))]
    return rows.join([student(groups[name], name) for name in (*SUMMED, *beside)]).reset_index()


def best_pool_based(table: Any, measure: str) -> dict[str, str]:
    """Return the pool-based method with the highest mean in each setting, where one has the measure.

    Means are over the seeds that all pool-based methods of the setting have; where there is none, there is no best.
    """
    wide = table[table["pool_based"]].pivot(index=["setting", "seed"], columns="method", values=measure)
    means = {
        setting: of_setting.dropna(axis="columns", how="all").dropna().mean().dropna()
        for setting, of_setting in wide.groupby(level="setting")
    }
    return {str(setting): str(of_setting.idxmax()) for setting, of_setting in means.items() if len(of_setting)}


def oriented(table: Any, metric: Metric) -> Any:
    """Return a table of scores in which more is better, whatever the metric."""
    return table.assign(**{name: metric.sign * table[name] for name in COMPARED})


def baselines(table: Any, measure: str) -> dict[str, dict[str, str]]:
    """Return for each baseline its method in each setting: random, the best pool-based one, and SIGnAL."""
    random, signal = (dict.fromkeys(table.loc[table["method"] == name, "setting"], name) for name in ("random", SIGNAL))
    return {"random": random, BEST_POOL: best_pool_based(table, measure), SIGNAL: signal}


def aggregate(table: Any, metric: Metric = ACCURACY) -> Any:
    """Compare each method with the baselines over all settings, by each compared score.

    The interquartile mean is that of the differences to `random` on equal seeds and settings. Of the scores themselves
    it would not do: tasks differ by more than methods, so that to trim a quarter would be to drop whole tasks.
    Intervals are 95 % stratified bootstrap intervals: runs, and pairs of runs, are drawn within settings. Methods may
    have different seeds: in each setting two methods are compared on those that both have.

    Returns:
        A table with `measure`, `method`, `settings`, `runs`, the `pairs` with runs of `random`, `iqm` of the pairs'
        differences, `iqm_low` and `iqm_high`, and the probability of improvement over the baselines, `random` and
        `pool`, with `_low` and `_high`, and `pool_pairs`, the pairs with runs of the latter. Above zero is better. NaN
        where a method would be compared with itself or has no runs in common.
    """
    rows, table = [], oriented(table, metric)
    for measure in COMPARED:
        groups = table.dropna(subset=[measure]).set_index("seed").groupby(["method", "setting"])[measure]
        runs, against = dict(iter(groups)), baselines(table, measure)
        for method in dict.fromkeys(method for method, _ in runs):
            own = {setting: values for (of, setting), values in runs.items() if of == method}
            ours, randoms = _paired(own, runs, against["random"])
            gains = [(one - other).round(DIGITS) for one, other in zip(ours, randoms, strict=True)]
            row = [measure, method, len(own), sum(map(len, own.values())), sum(map(len, gains))]
            row += NOTHING if method == "random" or not gains else stratified(gains, iqm)
            for baseline in (against["random"], against[BEST_POOL]):
                one, other = _paired(own, runs, baseline)
                itself = {baseline[s] for s in own if s in baseline} <= {method}
                row += NOTHING if itself or not one else stratified(one + other, probability_of_improvement, FEWEST)
            rows.append([*row, sum(map(len, one))])
    bounds = [f"{name}{end}" for name in ("iqm", "random", "pool") for end in ("", "_low", "_high")]
    return pandas.DataFrame(rows, columns=["measure", "method", "settings", "runs", "pairs", *bounds, "pool_pairs"])


def _paired(own: dict[str, Any], runs: dict[tuple[str, str], Any], baseline: dict[str, str]) -> tuple[list[Any], ...]:
    """Return a method's values and those of its baseline in each setting, on the seeds that both have."""
    both = [(own[s], runs[baseline[s], s]) for s in own if s in baseline and (baseline[s], s) in runs]
    pairs = [pandas.concat(pair, axis=1, join="inner").to_numpy().T for pair in both]
    return tuple([pair[i] for pair in pairs if pair.size] for i in (0, 1))


def differences(table: Any, metric: Metric = ACCURACY) -> Any:
    """Return how much better a method is than a baseline on equal seeds: mean, 95 % interval (Student's t) and pairs.

    Equal seeds have the same pool and the same first labels, so a difference holds what the method makes of them. A
    method that is SIGnAL without one part is below SIGnAL by what that part is worth. The best pool-based method is
    chosen by the same runs, so it looks a little better than it is.

    Returns:
        A table with `measure`, `setting`, `method`, `baseline`, `against` (its method in this setting), `pairs`,
        `mean`, `low`, `high`, the `p` value of the paired t test, and `p_holm`, that value corrected for the number of
        comparisons with this baseline by this measure, over all methods and settings (Holm 1979). Above zero is better.
        `p` is NaN for one pair, and where all pairs are equal: there is nothing to test.
    """
    parts, table = [], oriented(table, metric)
    for measure in COMPARED:
        own = table[[*KEYS, measure]].rename(columns={measure: "own"})
        theirs = own.rename(columns={"method": "against", "own": "theirs"})
        for baseline, of_setting in baselines(table, measure).items():
            beside = theirs[theirs["against"] == theirs["setting"].map(of_setting)]
            pairs = own.merge(beside, on=["setting", "seed"]).assign(measure=measure, baseline=baseline)
            parts.append(pairs[pairs["method"] != pairs["against"]])
    pairs = pandas.concat(parts)
    pairs = pairs.assign(difference=(pairs["own"] - pairs["theirs"]).round(DIGITS)).dropna(subset=["difference"])
    groups = pairs.groupby(["measure", "setting", "method", "baseline", "against"])["difference"]
    found = groups.size().to_frame("pairs").join(student(groups))
    found["p"] = groups.agg(paired_p_value).astype(float)
    tested = found["p"].dropna()
    found["p_holm"] = tested.groupby(level=["measure", "baseline"]).transform(lambda p: holm(p.to_numpy()))
    return found.reset_index()
