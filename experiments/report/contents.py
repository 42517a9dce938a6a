"""The parts of a report: its figures and tables for reading, with the titles and captions of `captions.yaml`."""

from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from experiments.metric import ACCURACY, METRICS, Metric
from experiments.names import SIGNAL
from experiments.report.comparisons import BEST_POOL, COMPARED, FEWEST, SUMMED
from experiments.report.page import Part
from experiments.report.statistics import BESIDE, DIGITS, MEASURES, RESAMPLES, second_half, student, title_of
from experiments.runs import KEYS, Runs
from signal_env.utils.extras import require
from signal_env.utils.reading import read_yaml

pandas = require("pandas", "plots")

CAPTIONS = read_yaml(Path(__file__).with_name("captions.yaml"), "The captions of a report")

COSTS = {
    "real_labels": ("real labels", 1, "{:,.0f}"),
    "synthetic_labels": ("synthetic labels", 1, "{:,.0f}"),
    "texts": ("texts", 1, "{:,.0f}"),
    "tokens": ("tokens", 1, "{:,.0f}"),
    "seconds": ("minutes", 60, "{:,.1f}"),
    "cpu_seconds": ("CPU minutes", 60, "{:,.1f}"),
    "memory": ("memory, GiB", 2**30, "{:.1f}"),
    "memory_added": ("of it added, GiB", 2**30, "{:.1f}"),
    "gpu_memory": ("GPU memory, GiB", 2**30, "{:.1f}"),
}
"""The columns of the table of costs: titles, units and formats."""

SHORT = {"random": "random", BEST_POOL: "best pool", SIGNAL: SIGNAL}
"""The baselines, as heads of columns name them."""

LEARNED = {
    "reward": "reward/mean",
    "lift": "lift/mean",
    "ratio": "ratio",
    "KL": "policy/kl",
    "distinct-2": "texts/distinct_2",
    "invalid": "texts/invalid",
}
"""The columns of the table of what was learned, and their metrics."""


def notes(table: Any, metric: Metric = ACCURACY) -> list[str]:
    """Return paragraphs about all runs, from the result of `statistics.scores`, that stand first."""
    seeds = table.groupby(["setting", "method"]).size()
    few = "" if seeds.min() > 1 else " Where there is one seed there is no interval."
    value = "accuracies" if metric is ACCURACY else f"values of the {metric.title}"
    count = f"{seeds.min()} to {seeds.max()}" if seeds.nunique() > 1 else f"{seeds.max()}"
    found = [
        f"{len(table)} finished runs, {count} seed{'s' if seeds.max() > 1 else ''} a method and setting.{few} "
        f"Areas and {value} at 100 % compare methods at equal label budgets; at the end methods that write may "
        "have more labels."
    ]
    at_100 = table[table["pool_based"]].dropna(subset=["at_100"]).round({"at_100": DIGITS})
    at_100 = at_100.groupby(["setting", "seed"])["at_100"]
    if (at_100.size() > 1).any() and (at_100.nunique() == 1).all():
        found.append("At 100 % all pool-based methods have labeled the whole pool, so there they are equal.")
    alone = sorted(set(table["setting"]) - set(table.loc[table["method"] == "random", "setting"]))
    if alone:
        found.append(
            f"random has not played in {', '.join(alone)}, so what is compared with it leaves "
            f"{'this setting' if len(alone) == 1 else 'these settings'} out: differences and interquartile means."
        )
    return found


def early_ends(runs: Runs) -> list[str]:
    """Return a paragraph on the settings in which a stopping criterion has ended runs, if there are."""
    last = runs.rounds.drop_duplicates(list(KEYS), keep="last")
    stopped = last["folder"].map(lambda folder: runs.configs[folder]["options"].get("stopping") is not None)
    ended = last[stopped & last["finished"].astype(bool) & (last["labeled"] < last["budget"])]
    if not len(ended):
        return []
    settings, count = ", ".join(sorted(set(ended["setting"]))), f"{len(ended)} run{'s' * (len(ended) != 1)}"
    return [
        f"In {settings}, a stopping criterion ended {count} before the budget was spent, so that differences at the "
        "end are between unequal budgets. Play them without `stopping` to compare methods."
    ]


def titled(kind: str, name: str, content: Any, metric: Metric = ACCURACY) -> Part:
    """Return a figure or a table with its title and caption, which name the metric."""
    title, caption = (
        text.format(resamples=RESAMPLES, fewest=FEWEST, **metric.words) for text in CAPTIONS[kind][name].values()
    )
    return Part(name, title, content, caption)


def figure_parts(figures: dict[str, Path], metric: Metric = ACCURACY) -> list[Part]:
    """Return the figures that were drawn, in the order of the page."""
    return [titled("figures", name, figures[name], metric) for name in CAPTIONS["figures"] if name in figures]


def table_parts(tables: dict[str, Any], metric: Metric = ACCURACY) -> list[Part]:
    """Return the tables for reading: each number with its interval, in one cell."""
    return [
        titled("tables", "means", _means(tables[metric.name]), metric)._replace(name=metric.name),
        titled("tables", "differences", _differences(tables["differences"], metric), metric),
        titled("tables", "aggregate", _aggregate(tables["aggregate"], metric), metric),
        titled("tables", "cost", _cost(tables["cost"]), metric),
    ]


def learned_part(runs: Runs) -> list[Part]:
    """Return the table of what was learned, or nothing if no agent has metrics of its texts."""
    logged = {"reward/mean", "speed/seconds"} <= set(runs.metrics)
    return [titled("tables", "learned", learned(runs.metrics))] if logged else []


def learned(metrics: Any) -> Any:
    """Return what agents that write have learned, from `Runs.metrics`: a row for each setting and method."""
    keys = ["setting", "method"]
    late = second_half(metrics)
    means = late.groupby(list(KEYS)).mean(numeric_only=True)
    if "lift/policy" in means:  # of the means: a round in which the reference gets almost nothing would decide the mean
        means["ratio"] = means["lift/policy"] / means["lift/reference"]
    groups, rounds = means.groupby(keys), late.groupby(keys)["round"]
    rows = groups.size().to_frame("seeds")
    rows["rounds"] = rounds.min().map("{:.0f}-".format) + rounds.max().map("{:.0f}".format)
    for title, name in LEARNED.items():
        form = "{:+.3f}" if title == "lift" else "{:.3f}"
        rows[title] = cells(student(groups[name], name), name, form, " ± {half:.3f}") if name in means else ""
    minutes = metrics.groupby(list(KEYS))["speed/seconds"].sum().groupby(keys).mean() / 60
    return rows.assign(minutes=minutes.map("{:.1f}".format)).reset_index()


def _means(table: Any) -> Any:
    """Return a row for each setting and method; the scores by other metrics that all lack have no column."""
    labels, shares = table["labels"].map("{:,.0f}".format), table["synthetic"].map("{:.0%}".format)
    rows = table[["setting", "method", "seeds"]].assign(labels=labels, synthetic=shares)
    scores = [*SUMMED, *(name.removesuffix("_low") for name in table if name.endswith("_low"))]
    columns = {title_of(name): cells(table, name, "{:.3f}", " ± {half:.3f}") for name in dict.fromkeys(scores)}
    return rows.assign(**columns)


def _differences(table: Any, metric: Metric) -> Any:
    """Return a row for each setting and method, with a column for each score and baseline."""
    keys, digits = ["setting", "method"], metric.digits
    baselines = {name: short for name, short in SHORT.items() if name in set(table["baseline"])}
    rows = _pairs(table, keys, baselines)
    table = table.set_index(keys).rename(columns={"low": "mean_low", "high": "mean_high"})
    for measure in COMPARED:
        for baseline, short in baselines.items():
            compared = table[(table["measure"] == measure) & (table["baseline"] == baseline)]
            interval = f" ± {{half:.{digits}f}}{{star}}"
            column = cells(compared, "mean", f"{{:+.{digits}f}}", interval, metric.scale)
            rows[f"{MEASURES[measure]} − {short}"] = column
            if baseline == "random":
                rows[f"{MEASURES[measure]}: p (Holm)"] = compared["p_holm"].map(_p_value)
    return rows.astype(object).fillna("").reset_index()


def _pairs(table: Any, keys: list[str], baselines: dict[str, str]) -> Any:
    """Return the pairs of each row: one column if all baselines have as many, else one for each baseline."""
    if (table.groupby(keys)["pairs"].nunique() == 1).all():
        return table.groupby(keys, sort=False)[["pairs"]].first()
    groups = table.groupby([*keys, "baseline"], sort=False)["pairs"]
    low, high = groups.min().astype(str), groups.max().astype(str)
    shown = high.where(low == high, low + " to " + high).unstack("baseline")[list(baselines)]
    rows = table.drop_duplicates(keys).set_index(keys).index
    return shown.reindex(rows).set_axis([f"pairs: {short}" for short in baselines.values()], axis="columns")


def _aggregate(table: Any, metric: Metric) -> Any:
    """Return a row for each method; where it has other pairs with the best pool-based method, their number too."""
    table, digits = table.set_index("method"), metric.digits
    rows = table[["settings", "runs", "pairs"]][~table.index.duplicated()].copy()
    for measure in COMPARED:
        compared = table[table["measure"] == measure]
        interval = f" [{{low:+.{digits}f}}, {{high:+.{digits}f}}]"
        rows[f"{MEASURES[measure]} − random"] = cells(compared, "iqm", f"{{:+.{digits}f}}", interval, metric.scale)
        for name, title in (("random", "random"), ("pool", BEST_POOL)) if measure == "area_100" else ():
            column = cells(compared, name, "{:.2f}", " [{low:.2f}, {high:.2f}]")
            other = (name == "pool") & (compared["pool_pairs"] != compared["pairs"]) & (column != "")
            rows[f"P > {title}"] = column + compared["pool_pairs"].map(" (n = {})".format).where(other, "")
    return rows.astype(object).fillna("").reset_index()


def _p_value(p: float) -> str:
    return "" if p != p else f"{p:.3f}" if p >= 0.001 or p == 0 else f"{p:.0e}"


def _cost(table: Any) -> Any:
    rows = table[["setting", "method", "seeds"]].copy()
    for name, (title, unit, form) in COSTS.items():
        if name != "gpu_memory" or table[name].notna().any():
            rows[title] = (table[name].astype(float) / unit).map(form.format, na_action="ignore")
    return rows.astype(object).fillna("")


def cells(table: Any, name: str, form: str, interval: str, scale: float = 1) -> Any:
    """Return the numbers NAME of a table with their intervals, NAME_low to NAME_high, as text; "" for missing ones.

    `interval` is a format of `low`, `high`, `half` the width, and `star` where zero is outside.
    """
    found = []
    for mean, low, high in (scale * table[[name, f"{name}_low", f"{name}_high"]]).itertuples(index=False):
        of = {"low": low, "high": high, "half": (high - low) / 2, "star": " *" if low > 0 or high < 0 else ""}
        shown = form.format(mean) + ("" if low != low else interval.format(**of))
        found.append("" if mean != mean else shown)
    return pandas.Series(found, table.index, dtype=object)


def rich_table(part: Part) -> Table:
    """Return a part's table for the terminal, without the columns that are read least."""
    unread = [MEASURES["first"], MEASURES["area_end"]]
    unread += [f"{metric.title}, {MEASURES[score]}" for metric in METRICS.values() for score in BESIDE]
    wide = part.name == "differences"
    if wide:
        at_100, end = MEASURES["at_100"], MEASURES["end"]
        unread += [f"{end}: p (Holm)", *(name for name in part.content if name.startswith(at_100))]
    content = part.content.drop(columns=unread, errors="ignore")
    heads = [name.replace(" − ", "\n− ").replace(": ", ":\n") for name in content]
    table = Table(*heads, title=part.title, box=SIMPLE, title_justify="left", collapse_padding=wide)
    for column in table.columns:
        column.no_wrap = True
    for row in content.itertuples(index=False):
        table.add_row(*map(str, row))
    return table
