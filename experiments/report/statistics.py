"""What the runs say together: scores, curves and comparisons with their intervals, over seeds and over settings."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.agent import agents
from agents.pool import PoolAgent
from experiments.names import PAPER, SIGNAL, TASKS
from experiments.report.runs import KEYS, Runs
from signal_env.extras import require

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

LEARNING = {
    "reward/mean": "mean reward",
    "lift/mean": "mean reward above the reference's",
    "policy/kl": "KL from the reference, nats a text",
    "texts/distinct_2": "distinct pairs of words",
    "texts/invalid": "texts that are not valid",
    "labels/imbalance": "imbalance of the synthetic labels",
}
"""The metrics that are followed over the rounds, and what they are called."""

RESAMPLES = 2000
"""How often a bootstrap draws; always with the same seed, so that equal runs have equal intervals."""

FEWEST = 5
"""The runs in each setting that an interval of the probability of improvement takes: of three against three one method
often wins all, and then so it does in each draw."""

BEST_POOL = "best pool-based"
"""The name of a baseline: in each setting the pool-based method with the highest mean."""

MEMORY = ["memory", "memory_added", "gpu_memory"]
"""The columns of memory in the table of costs."""

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


def run_scores(share: Array, accuracy: Array) -> dict[str, float]:
    """The scores of one run; not a number what it has not reached.

    Between two rounds accuracy is taken to be linear, so that methods whose rounds end at slightly different numbers
    of labels are read at the same number. Areas are under the curve from the first round on, divided by its width.

    Args:
        share: `(n,)` labeled instances over |R| at each round, rising.
        accuracy: `(n,)` accuracy at each round.

    Example:
        >>> scores = run_scores(np.array([0.2, 0.6, 1.2]), np.array([0.5, 0.7, 0.9]))
        >>> {name: round(float(score), 3) for name, score in scores.items()}
        {'first': 0.5, 'at_50': 0.65, 'at_100': 0.833, 'at_200': nan, 'area_100': 0.683, 'area_end': 0.72, 'end': 0.9}
    """
    scores = {"first": accuracy[0]}
    scores |= {f"at_{round(100 * at)}": np.interp(at, share, accuracy, np.nan, np.nan) for at in (0.5, 1.0, 2.0)}
    for name, until in (("area_100", 1.0), ("area_end", share[-1])):
        within = share < until
        x, y = np.append(share[within], until), np.append(accuracy[within], np.interp(until, share, accuracy))
        reached = share[0] < until <= share[-1]
        scores[name] = np.trapezoid(y, x) / (until - share[0]) if reached else np.nan
    return {name: float(score) for name, score in (scores | {"end": accuracy[-1]}).items()}


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


def curves(rounds: Any) -> Any:
    """The mean accuracy in each round, with its 95 % bootstrap band over the seeds.

    Only rounds that all seeds of a method have are in it; one seed alone has no band.

    Returns:
        A table with `setting`, `method`, `round`, `seeds`, `mean`, `low`, `high`.
    """
    pandas = require("pandas", "plots")
    wide = rounds.set_index([*KEYS, "index"])["accuracy"].astype(np.float64).unstack()
    groups = {keys: group.dropna(axis=1) for keys, group in wide.groupby(level=["setting", "method"])}
    parts = []
    for seeds in sorted({len(group) for group in groups.values()}):
        alike = {keys: group for keys, group in groups.items() if len(group) == seeds}
        low, high = band(np.concatenate([group.to_numpy() for group in alike.values()], axis=1))
        rows = pandas.concat(
            pandas.DataFrame({"setting": setting, "method": method, "round": group.columns, "mean": group.mean().array})
            for (setting, method), group in alike.items()
        )
        parts.append(rows.assign(seeds=seeds, low=low, high=high))
    columns = ["setting", "method", "round", "seeds", "mean", "low", "high"]
    return pandas.concat(parts, ignore_index=True)[columns]


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


def learning(runs: Runs) -> Any:
    """What the agents say of their texts and their learning: means over seeds with 95 % intervals (Student's t).

    Only rounds that all seeds of a method speak of are in it.

    Returns:
        A table with `metric`, one of `LEARNING`, `setting`, `method`, `round`, `seeds`, `mean`, `low`, `high`.
    """
    pandas = require("pandas", "plots")
    keys = ["metric", "setting", "method", "round"]
    said = [name for name in LEARNING if name in runs.metrics]
    long = runs.metrics[[*KEYS, "round", *said]].melt([*KEYS, "round"], var_name="metric").dropna()
    groups = long.assign(value=long["value"].astype(np.float64)).groupby(keys)["value"]
    mean, low, high = student(groups)
    table = pandas.DataFrame({"seeds": groups.size(), "mean": mean, "low": low, "high": high}).reset_index()
    return table[table["seeds"] == table.groupby(keys[:3])["seeds"].transform("max")]


def balance(rounds: Any, classes: Mapping[str, tuple[str, ...]]) -> Any:
    """The annotator's labels of each round's synthetic texts: the mean share of each class, and its 95 % interval.

    A seed counts in the rounds in which it labeled a synthetic text; the interval is Student's t, within [0, 1].

    Args:
        rounds: The rounds.
        classes: The names of each task's classes.

    Returns:
        A table with `setting`, `method`, `round`, `class`, `seeds`, `texts` (over all seeds), `mean`, `low`, `high`.
    """
    pandas = require("pandas", "plots")
    written = rounds[rounds["selected_synthetic"] > 0]
    counts = written["synthetic_label_counts"]
    names = [
        classes.get(task) or [str(i) for i in range(len(c))] for task, c in zip(written["task"], counts, strict=True)
    ]
    long = written[["setting", "method", "index"]].assign(**{"class": names, "texts": counts})
    long = long.explode(["class", "texts"]).rename(columns={"index": "round"})
    long = long.assign(
        texts=long["texts"].astype(int), share=long["texts"] / long.groupby(level=0)["texts"].transform("sum")
    )
    groups = long.assign(share=long["share"].astype(float)).groupby(["setting", "method", "round", "class"], sort=False)
    mean, low, high = student(groups["share"])
    limits = {"mean": mean, "low": low.clip(lower=0), "high": high.clip(upper=1)}
    return pandas.DataFrame({"seeds": groups.size(), "texts": groups["texts"].sum(), **limits}).reset_index()


def cost(runs: Runs) -> Any:
    """What a run takes on average: labels, texts and tokens, seconds, and the most memory that any of them took.

    `memory` is all that its process held, `memory_added` what it held beyond what it did when the run began.
    What no log says is not a number. Tokens are those of the texts written; where a log does not count these, they are
    taken to be as many as were offered.
    """
    keys = list(KEYS)
    rounds = runs.rounds
    labels = rounds.groupby(keys)[["selected_real", "selected_synthetic", "offers"]].sum()
    labels.columns = ["real_labels", "synthetic_labels", "texts"]
    if "texts/tokens" in runs.metrics:
        with_offers = runs.metrics.merge(rounds.rename(columns={"index": "round"})[[*keys, "round", "offers"]])
        written = with_offers.get("texts/written", with_offers["offers"]).fillna(with_offers["offers"])
        tokens = (with_offers["texts/tokens"] * written).groupby([with_offers[key] for key in keys])
        labels["tokens"] = tokens.sum()
    else:
        labels["tokens"] = np.nan
    spent = runs.cost.groupby(keys)
    labels[["seconds", "cpu_seconds"]] = spent[["seconds", "cpu_seconds"]].sum().reindex(labels.index)
    memory = runs.cost.assign(memory_added=runs.cost["memory"] - runs.cost["memory_before"]).groupby(keys)
    labels[MEMORY] = memory[MEMORY].max().reindex(labels.index)
    by_method = labels.groupby(level=["setting", "method"])
    table = by_method.mean()
    table[MEMORY] = by_method[MEMORY].max()
    table.insert(0, "seeds", by_method.size())
    return table.reset_index()
