"""The statistics of a report: scores of runs, intervals over seeds, bootstraps over settings, corrected p values."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.agent import agents
from agents.pool import PoolAgent
from experiments.config import RunError
from experiments.metric import ACCURACY, METRICS, Metric
from experiments.names import PAPER, TASKS
from experiments.runs import KEYS
from signal_env.utils.extras import require

pandas, stats = require("pandas", "plots"), require("scipy.stats", "plots")

Array = NDArray[np.float64]

MEASURES = {
    "first": "first round",
    "at_50": "at 50 %",
    "at_100": "at 100 %",
    "at_200": "at 200 %",
    "area_30": "area to 30 %",
    "area_100": "area to 100 %",
    "area_200": "area to 200 %",
    "area_end": "area to the end",
    "end": "at the end",
}
"""The scores of a run and their titles. Percentages are labeled instances over |R|."""

BESIDE = ("area_100", "end")
"""The scores of the metrics that methods are not compared by."""

ALPHA = 0.05
"""1 minus the confidence of all intervals."""

DIGITS = 12
"""Decimals of a difference. Further ones are rounding errors, which must decide nothing."""

RESAMPLES = 2000
"""Draws of a bootstrap, with a fixed seed, so that equal runs have equal intervals."""

_bootstrap = partial(stats.bootstrap, n_resamples=RESAMPLES, batch=200, method="percentile", vectorized=True, rng=0)


def methods_of(rounds: Any) -> list[str]:
    """Return the methods: the paper's in its order, then the others by name."""
    names = set(rounds["method"])
    return [name for name in PAPER if name in names] + sorted(names - set(PAPER), key=str.lower)


def settings_of(rounds: Any) -> list[str]:
    """Return the settings by task, the paper's first, then by the pool's share of the split, then by name."""
    first = rounds.drop_duplicates("setting")
    place = first["task"].map({task: i for i, task in enumerate(TASKS)})
    ordered = first.assign(place=place).sort_values(["place", "task", "fraction", "setting"])
    return list(ordered["setting"])


def run_scores(share: Array, values: Array) -> dict[str, float]:
    """Return the scores of one run, named as in `MEASURES`; NaN where it has not gone so far.

    The metric is linear between two rounds, so that methods whose rounds end at slightly different numbers of labels
    are read at the same number. An area is the mean of the metric from the first round on.

    Args:
        share: `(n,)` labeled instances over |R| at each round, rising.
        values: `(n,)` the metric.

    Example:
        >>> scores = run_scores(np.array([0.2, 0.6, 1.2]), np.array([0.5, 0.7, 0.9]))
        >>> [round(scores[name], 3) for name in ("at_50", "at_100", "at_200", "area_100", "area_end")]
        [0.65, 0.833, nan, 0.683, 0.72]
    """

    fits = share.ndim == 1 and share.shape == values.shape and len(share)
    if not fits or not np.isfinite(share).all() or (np.diff(share) < 0).any():
        raise RunError(
            "Expected shares and values of the same n >= 1 rounds, the shares finite and rising; got "
            f"{share!r:.80} and values of the shape {values.shape}."
        )

    def area(until: float) -> float:
        within = share < until
        x, y = np.append(share[within], until), np.append(values[within], np.interp(until, share, values))
        reached = share[0] < until <= share[-1]
        return float(np.trapezoid(y, x) / (until - share[0])) if reached else np.nan

    ends = {"first": values[0], "end": values[-1], "area_end": area(share[-1])}
    at = {f"at_{at}": np.interp(at / 100, share, values, np.nan, np.nan) for at in (50, 100, 200)}
    scores = ends | at | {f"area_{until}": area(until / 100) for until in (30, 100, 200)}
    return {name: float(scores[name]) for name in MEASURES}


def curve_scores(rounds: Any, metric: Metric = ACCURACY) -> Any:
    """Return a pandas table with the scores of each run by a metric, indexed by setting, method and seed."""
    rows = {
        keys: run_scores(run["share"].to_numpy(np.float64), run[metric.name].to_numpy(np.float64))
        for keys, run in rounds.groupby(list(KEYS), sort=True)
    }
    return pandas.DataFrame.from_dict(rows, orient="index").rename_axis(list(KEYS))


def pool_agents() -> list[str]:
    """Return the names of the agents that choose among real texts and write none."""
    return [name for name in agents if issubclass(agents[name], PoolAgent)]


def scores(rounds: Any, metric: Metric = ACCURACY) -> Any:
    """Return a pandas table with a row for each run: its setting, method and seed, its labels, and its scores.

    Scores by the other metrics, where runs have them, are in columns METRIC_SCORE. `pool_based` is whether the run's
    agent is one of `agents.pool`. A run that is not finished has no scores at the end.
    """
    runs = rounds.groupby(list(KEYS), sort=True)
    about = runs[["agent", "task", "fraction", "pool", "labeled"]].last()
    about.insert(0, "pool_based", about.pop("agent").isin(pool_agents()))
    table = about.assign(synthetic=runs["selected_synthetic"].sum()).join(curve_scores(rounds, metric))
    for other in METRICS.values():
        if other is not metric and other.name in rounds and rounds[other.name].notna().any():
            beside = curve_scores(rounds, other)[list(BESIDE)]
            table = table.join(beside.add_prefix(f"{other.name}_"))
    if "finished" in rounds:
        ends = [name for name in table if name.endswith("end")]
        table.loc[~runs["finished"].last().astype(bool), ends] = np.nan
    return table.reset_index()


def title_of(score: str) -> str:
    """Return the title of a score, or of one by another metric.

    Example:
        >>> title_of("at_100"), title_of("macro_f1_area_100")
        ('at 100 %', 'macro-F1, area to 100 %')
    """
    if score in MEASURES:
        return MEASURES[score]
    name = next(name for name in METRICS if score.startswith(f"{name}_"))
    return f"{METRICS[name].title}, {MEASURES[score.removeprefix(f'{name}_')]}"


class Measures:
    """The scores of all runs as arrays over seeds, NaN where a run is missing or has not gone so far.

    More is better: scores by a metric of which less is better are negative.
    """

    def __init__(self, rounds: Any, metric: Metric = ACCURACY) -> None:
        self.metric = metric
        table = (metric.sign * curve_scores(rounds, metric)).stack().unstack("seed")
        self._by_seed = dict(zip(table.index, table.to_numpy(), strict=True))
        self._missing = np.full(table.shape[1], np.nan)
        self._played = {method: set(of_method["setting"]) for method, of_method in rounds.groupby("method")}
        self.methods = list(self._played)

    def settings(self, *methods: str) -> list[str]:
        """Return the settings in which all of these methods have played."""
        return sorted(set.intersection(*(self._played.get(method, set()) for method in methods)))

    def of(self, setting: str, method: str, measure: str) -> Array:
        """Return a score by seed."""
        by_seed: Array = self._by_seed.get((setting, method, measure), self._missing)
        return by_seed

    def over(self, setting: str, method: str, others: Sequence[str], measure: str, of_others: str = "") -> Array:
        """Return a method's score minus the mean score of others, by seed; `of_others` is theirs if it is another."""
        theirs = [self.of(setting, other, of_others or measure) for other in others]
        return np.asarray(self.of(setting, method, measure) - np.mean(theirs, axis=0))

    def lacking(self, settings: Sequence[str], needed: Mapping[str, str]) -> str:
        """Return which methods have no seed with the score `needed` of them, and where; empty if there are none."""
        lacks: dict[tuple[str, ...], list[str]] = {}
        for method, measure in needed.items():
            where = tuple(setting for setting in settings if np.isnan(self.of(setting, method, measure)).all())
            if where:
                lacks.setdefault(where, []).append(f"{method} {MEASURES[measure]}")
        return "; ".join(f"{', '.join(methods)} on {', '.join(where)}" for where, methods in lacks.items())


def second_half(metrics: Any) -> Any:
    """Return the metrics of the second half of each run's rounds."""
    return metrics[metrics["round"] > metrics.groupby(list(KEYS))["round"].transform("max") / 2]


def half_width(deviation: Any, n: Any) -> Any:
    """Return half the width of the 95 % interval of a mean of n values (Student's t); NaN for under two values."""
    quantile = stats.t.ppf(1 - ALPHA / 2, np.maximum(n - 1, 1))
    return np.where(n > 1, quantile, np.nan) * (deviation / np.sqrt(n))


def student(groups: Any, name: str = "") -> Any:
    """Return the mean of each group of values and its 95 % interval (Student's t), as `mean`, `low` and `high`.

    The interval of a single value is NaN, and so is the mean of values of which one is missing. With a name the columns
    are NAME, NAME_low and NAME_high.
    """
    count = groups.count()
    mean, half = groups.mean().where(count == groups.size()), half_width(groups.std(), count)
    columns = (name, f"{name}_low", f"{name}_high") if name else ("mean", "low", "high")
    return pandas.DataFrame(dict(zip(columns, (mean, mean - half, mean + half), strict=True)))


def paired_p_value(differences: Any) -> float:
    """Return the two-sided p value of the t test of paired differences; NaN for one, and where all are zero."""
    values = np.asarray(differences, dtype=np.float64)
    if len(values) < 2 or not values.any():
        return float("nan")
    return 0.0 if (values == values[0]).all() else float(stats.ttest_1samp(values, 0.0).pvalue)


def holm(p: Array) -> Array:
    """Return Holm's adjusted p values along the last axis (Holm 1979).

    Args:
        p: p values from 0 to 1, or NaN.

    Raises:
        RunError: If one is out of its range.

    Example: the smallest counts three times, the second twice, and none less than one before it.
        >>> holm(np.array([0.03, 0.01, 0.02])).round(3)
        array([0.04, 0.03, 0.04])
    """
    if ((p < 0) | (p > 1)).any():
        raise RunError(f"p values are from 0 to 1; got {p.min()} to {p.max()}.")
    order = np.argsort(p, axis=-1, kind="stable")
    weights = np.arange(p.shape[-1], 0, -1)
    ascending = np.maximum.accumulate(np.take_along_axis(p, order, axis=-1) * weights, axis=-1)
    return np.asarray(np.take_along_axis(np.minimum(ascending, 1.0), np.argsort(order, axis=-1), axis=-1))


def band(values: Array) -> tuple[Array, Array]:
    """Return the 95 % percentile bootstrap interval of the mean over the first axis; NaN for a single row.

    Rows are drawn as wholes, so that the band of a curve is one of curves.
    """
    if len(values) < 2:
        return (np.full(values.shape[1], np.nan),) * 2
    low, high = _bootstrap([values], np.mean, axis=0).confidence_interval
    return low, high


def iqm(*samples: Array, axis: int = -1) -> Any:
    """Return the interquartile mean of all samples together: the mean of their middle half (Agarwal et al. 2021).

    Raises:
        RunError: If there are no values.
    """
    if not sum(sample.shape[axis] for sample in samples):
        raise RunError("An interquartile mean needs one value or more; got none.")
    return stats.trim_mean(np.concatenate(samples, axis=axis), 0.25, axis=axis)


def probability_of_improvement(*samples: Array, axis: int = -1) -> Any:
    """Return the probability that a run of one method is better than one of another, averaged over settings.

    This is Mann and Whitney's U over the number of pairs (Agarwal et al. 2021, section 4.3). A tie counts half. Samples
    are the runs of the first method in each setting, along the last axis, then those of the second.

    Example: two of four pairs are won and one is a tie.
        >>> float(probability_of_improvement(np.array([0.7, 0.9]), np.array([0.7, 0.8])))
        0.625
    """
    if len(samples) < 2 or len(samples) % 2 or not all(sample.shape[-1] for sample in samples):
        raise RunError(
            "A probability of improvement needs runs of both methods in each setting, those of the first method before "
            f"those of the second; got samples of {[sample.shape[-1] for sample in samples]} runs."
        )
    half = len(samples) // 2
    pairs = zip(samples[:half], samples[half:], strict=True)
    won = [np.sign(x[..., :, None] - y[..., None, :]).mean(axis=(-2, -1)) for x, y in pairs]
    return 0.5 + np.mean(won, axis=0) / 2


def stratified(samples: Sequence[Array], statistic: Any, fewest: int = 2) -> tuple[float, float, float]:
    """Return a statistic of several samples, and its 95 % interval by a bootstrap that draws within each sample.

    The interval is NaN where a sample has fewer values than `fewest`.
    """
    value = float(statistic(*samples))
    if min(map(len, samples)) < fewest:
        return value, np.nan, np.nan
    low, high = _bootstrap(samples, statistic, axis=-1).confidence_interval
    return value, float(low), float(high)
