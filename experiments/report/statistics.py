"""What the runs say together: scores and comparisons with their intervals, over seeds and over settings."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.agent import agents
from agents.pool import PoolAgent
from experiments.names import PAPER, SIGNAL, TASKS
from experiments.report.runs import KEYS
from experiments.scores import run_scores
from signal_env.utils.extras import require

Array = NDArray[np.float64]

MEASURES = {
    "first": "first round",
    "at_50": "at 50 %",
    "at_100": "at 100 %",
    "at_200": "at 200 %",
    "area_100": "area to 100 %",
    "area_end": "area to the end",
    "end": "at the end",
}
"""The scores of a run and what they are called."""

COMPARED = ("area_100", "at_100", "end")
"""The scores that methods are compared by: the first two at equal label budgets, the last as the paper does."""

RESAMPLES = 2000
"""How often a bootstrap draws; always with the same seed, so that equal runs have equal intervals."""

FEWEST = 5
"""The runs in each setting that an interval of the probability of improvement takes: of three against three one method
often wins all, and then so it does in each draw."""

BEST_POOL = "best pool-based"
"""The name of a baseline: in each setting the pool-based method with the highest mean."""


def methods_of(rounds: Any) -> list[str]:
    """The methods: the paper's in its order, then the others by name."""
    names = set(rounds["method"])
    return [name for name in PAPER if name in names] + sorted(names - set(PAPER), key=str.lower)


def settings_of(rounds: Any) -> list[str]:
    """The settings: by task, the paper's first, then by the share of the split that the pool is, then by name."""
    first, tasks = rounds.drop_duplicates("setting"), [*TASKS]
    keys = {
        setting: (tasks.index(task) if task in tasks else len(tasks), task, np.nan_to_num(fraction, nan=2.0), setting)
        for setting, task, fraction in zip(first["setting"], first["task"], first["fraction"], strict=True)
    }
    return sorted(keys, key=keys.__getitem__)


def scores(rounds: Any) -> Any:
    """A table with a row for each run: what it is, its labels, and its scores.

    `pool_based` says that the run's agent is one of `agents.pool`, which choose among real texts and write none.
    """
    pandas = require("pandas", "plots")
    choosing = {name for name in agents if issubclass(agents[name], PoolAgent)}
    rows = []
    for keys, run in rounds.groupby(list(KEYS), sort=True):
        row = dict(zip(KEYS, keys, strict=True)) | {"pool_based": run["agent"].iloc[0] in choosing}
        row |= {name: run[name].iloc[-1] for name in ("task", "fraction", "pool", "labeled")}
        row["synthetic"] = int(run["selected_synthetic"].sum())
        rows.append(row | run_scores(run["share"].to_numpy(np.float64), run["accuracy"].to_numpy(np.float64)))
    return pandas.DataFrame(rows)


def summary(table: Any) -> Any:
    """A table with a row for each setting and method: for each score the mean, and its 95 % interval (Student's t).

    Args:
        table: What `scores` returned.
    """
    keys = ["setting", "method"]
    groups = table.assign(share=table["synthetic"] / table["labeled"]).groupby(keys)
    rows = groups.agg(
        seeds=("seed", "size"), pool=("pool", "max"), labels=("labeled", "max"), synthetic=("share", "mean")
    )
    for name in MEASURES:
        mean, low, high = student(groups[name])
        rows = rows.assign(**{name: mean, f"{name}_low": low, f"{name}_high": high})
    return rows.reset_index()


def student(groups: Any) -> tuple[Any, Any, Any]:
    """The mean of each group of values with its 95 % interval (Student's t).

    The interval of a single value is not a number, and neither is a mean in which a value is missing.
    """
    count = groups.count()
    mean, error = groups.mean().where(count == groups.size()), groups.sem()
    half = error * require("scipy.stats", "plots").t.ppf(0.975, np.maximum(count - 1, 1))
    return mean, mean - half, mean + half


def band(values: Array) -> tuple[Array, Array]:
    """The 95 % percentile bootstrap interval of the mean over the first axis; not a number for a single row.

    Rows are drawn as wholes, so that the band of a curve is one of curves.
    """
    if len(values) < 2:
        nothing = np.full(values.shape[1], np.nan)
        return nothing, nothing
    return _bootstrap([values], lambda sample, axis: np.mean(sample, axis=axis), axis=0)


def iqm(*samples: Array, axis: int = -1) -> Any:
    """The interquartile mean of all samples together: the mean of their middle half (Agarwal et al. 2021)."""
    return require("scipy.stats", "plots").trim_mean(np.concatenate(samples, axis=axis), 0.25, axis=axis)


def probability_of_improvement(*samples: Array, axis: int = -1) -> Any:
    """How probably a run of one method is better than one of another, a tie counting half, averaged over settings.

    This is Mann and Whitney's U over the number of pairs (Agarwal et al. 2021, section 4.3).

    Args:
        samples: The runs of the first method in each setting, along the last axis, then those of the second.
        axis: The axis of the runs, the last.

    Example: two of four pairs are won and one is a tie.
        >>> float(probability_of_improvement(np.array([0.7, 0.9]), np.array([0.7, 0.8])))
        0.625
    """
    half = len(samples) // 2
    pairs = zip(samples[:half], samples[half:], strict=True)
    won = [np.sign(x[..., :, None] - y[..., None, :]).mean(axis=(-2, -1)) for x, y in pairs]
    return 0.5 + np.mean(won, axis=0) / 2


def stratified(samples: list[Array], statistic: Any, fewest: int = 2) -> tuple[float, float, float]:
    """A statistic of several samples, and its 95 % interval by a bootstrap that draws within each sample.

    There is no interval where a sample has fewer values than `fewest`.
    """
    value = float(statistic(*samples))
    if min(map(len, samples)) < fewest:
        return value, np.nan, np.nan
    low, high = _bootstrap(samples, statistic, axis=-1)
    return value, float(low), float(high)


def _bootstrap(samples: list[Array], statistic: Any, axis: int) -> tuple[Any, Any]:
    found = require("scipy.stats", "plots").bootstrap(
        samples,
        statistic,
        axis=axis,
        vectorized=True,
        batch=200,  # all at once would take gigabytes
        n_resamples=RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    return found.confidence_interval.low, found.confidence_interval.high


def best_pool_based(table: Any, measure: str) -> dict[str, str]:
    """For each setting the pool-based method with the highest mean; none where no pool-based run has the measure."""
    means = table[table["pool_based"]].groupby(["setting", "method"])[measure].mean().dropna()
    return {setting: best for setting, best in means.groupby(level="setting").idxmax().str[1].items()}


def baselines(table: Any, measure: str) -> dict[str, dict[str, str]]:
    """For each baseline the method that it is in each setting: random, the best pool-based one, and SIGnAL."""
    played = {name: table.loc[table["method"] == name, "setting"].unique() for name in ("random", SIGNAL)}
    fixed = {name: dict.fromkeys(settings, name) for name, settings in played.items()}
    return {"random": fixed["random"], BEST_POOL: best_pool_based(table, measure), SIGNAL: fixed[SIGNAL]}


def aggregate(table: Any) -> Any:
    """For each compared score and method, over all settings: how far it is above `random`, and how probably better.

    The interquartile mean is that of the differences to `random` on equal seeds and settings. Of the scores themselves
    it would not do: tasks differ by more than methods, so that to trim a quarter would be to drop whole tasks.
    Intervals are 95 % stratified bootstrap intervals: runs, and pairs of runs, are drawn within settings.

    Returns:
        A table with `measure`, `method`, `settings`, `runs`, the `pairs` that these make with runs of `random`, `iqm`
        of the pairs' differences, `iqm_low` and `iqm_high` (not a number where `random` has not played, and of
        itself), and for each of the baselines `random` and `pool` the probability of improvement over it, `_low` and
        `_high`. Where a method is the best pool-based one itself, it is compared with itself.
    """
    pandas = require("pandas", "plots")
    rows = []
    for measure in COMPARED:
        runs = _values(table, measure)
        against = baselines(table, measure)
        for method in dict.fromkeys(method for method, _ in runs):
            own = {setting: values for (of, setting), values in runs.items() if of == method}
            pairs = {s: (own[s] - runs["random", s]).dropna() for s in own if ("random", s) in runs}
            gains = [gain.to_numpy() for gain in pairs.values() if len(gain)]
            row = {"measure": measure, "method": method, "settings": len(own)}
            row |= {"runs": sum(map(len, own.values())), "pairs": sum(map(len, gains))}
            found = (np.nan,) * 3 if method == "random" or not gains else stratified(gains, iqm)
            row |= dict(zip(("iqm", "iqm_low", "iqm_high"), found, strict=True))
            for name, baseline in (("random", against["random"]), ("pool", against[BEST_POOL])):
                both = [s for s in own if s in baseline and (baseline[s], s) in runs]
                samples = [x.to_numpy() for x in (*(own[s] for s in both), *(runs[baseline[s], s] for s in both))]
                itself = {baseline[s] for s in both} <= {method}
                found = (np.nan,) * 3 if itself else stratified(samples, probability_of_improvement, FEWEST)
                row |= dict(zip((name, f"{name}_low", f"{name}_high"), found, strict=True))
            rows.append(row)
    return pandas.DataFrame(rows)


def _values(table: Any, measure: str) -> dict[tuple[str, str], Any]:
    """The runs' scores by method and setting, where there are any, each a series by seed."""
    groups = table.dropna(subset=[measure]).set_index("seed").groupby(["method", "setting"])[measure]
    return dict(iter(groups))


def differences(table: Any) -> Any:
    """How much better a method is than a baseline on equal seeds: mean, 95 % interval (Student's t) and pairs.

    Of a method that is SIGnAL but for one part, what is below zero against SIGnAL is what that part is worth.

    Equal seeds have the same pool and the same first labels, so a difference holds what the method makes of them. The
    best pool-based method is chosen by the same runs, which makes it look a little better than it is.

    Returns:
        A table with `measure`, `setting`, `method`, `baseline`, `against` (the method that it is in this setting),
        `pairs`, `mean`, `low`, `high`.
    """
    pandas = require("pandas", "plots")
    keys = ["measure", "setting", "method", "baseline", "against"]
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
    groups = pairs.groupby(keys)["difference"]
    mean, low, high = student(groups)
    return pandas.DataFrame({"pairs": groups.size(), "mean": mean, "low": low, "high": high}).reset_index()
