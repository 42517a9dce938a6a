"""The parts of a report: its figures and tables for reading, with the titles and captions of `captions.yaml`."""

from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from rich.box import SIMPLE
from rich.table import Table

from experiments.names import SIGNAL
from experiments.report.comparisons import BEST_POOL, COMPARED, FEWEST, SUMMED
from experiments.report.page import Part
from experiments.report.statistics import MEASURES, RESAMPLES, second_half, student
from experiments.runs import KEYS, Runs
from signal_env.utils.extras import require

pandas = require("pandas", "plots")

CAPTIONS = yaml.safe_load(files("experiments.report").joinpath("captions.yaml").read_text(encoding="utf-8"))

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

LEARNED = {
    "reward": "reward/mean",
    "lift": "lift/mean",
    "ratio": "ratio",
    "KL": "policy/kl",
    "distinct-2": "texts/distinct_2",
    "invalid": "texts/invalid",
}
"""The columns of the table of what was learned, and their metrics."""


def notes(table: Any) -> list[str]:
    """Return paragraphs about all runs, from the result of `statistics.scores`, that stand first."""
    seeds = table.groupby(["setting", "method"]).size()
    few = "" if seeds.min() > 1 else " Where there is one seed there is no interval."
    count = f"{seeds.min()} to {seeds.max()}" if seeds.nunique() > 1 else f"{seeds.max()}"
    found = [
        f"{len(table)} finished runs, {count} seed{'s' if seeds.max() > 1 else ''} a method and setting.{few} "
        "Areas and accuracies at 100 % compare methods at equal label budgets; at the end methods that write may "
        "have more labels."
    ]
    at_100 = table[table["pool_based"]].dropna(subset=["at_100"]).groupby(["setting", "seed"])["at_100"]
    if (at_100.size() > 1).any() and (at_100.nunique() == 1).all():
        found.append("At 100 % all pool-based methods have labeled the whole pool, so there they are equal.")
    alone = sorted(set(table["setting"]) - set(table.loc[table["method"] == "random", "setting"]))
    if alone:
        found.append(
            f"random has not played in {', '.join(alone)}, so what is compared with it leaves "
            f"{'this setting' if len(alone) == 1 else 'these settings'} out: differences and interquartile means."
        )
    return found


def titled(kind: str, name: str, content: Any) -> Part:
    """Return a figure or a table with its title and caption."""
    title, caption = CAPTIONS[kind][name].values()
    return Part(name, title, content, caption.format(resamples=RESAMPLES, fewest=FEWEST))


def figure_parts(figures: dict[str, Path]) -> list[Part]:
    """Return the figures that were drawn, in the order of the page."""
    return [titled("figures", name, figures[name]) for name in CAPTIONS["figures"] if name in figures]


def table_parts(tables: dict[str, Any]) -> list[Part]:
    """Return the tables for reading: each number with its interval, in one cell."""
    forms = {"accuracy": _accuracy, "differences": _differences, "aggregate": _aggregate, "cost": _cost}
    return [titled("tables", name, form(tables[name])) for name, form in forms.items()]


def learned_part(runs: Runs) -> list[Part]:
    """Return the table of what was learned, or nothing if no agent has metrics of its texts."""
    logged = {"reward/mean", "speed/seconds"} <= set(runs.metrics)
    return [titled("tables", "learned", learned(runs.metrics))] if logged else []


def learned(metrics: Any) -> Any:
    """Return what agents that write have learned, from `Runs.metrics`: a row for each setting and method."""
    keys = ["setting", "method"]
    if "lift/policy" in metrics:
        metrics = metrics.assign(ratio=metrics["lift/policy"] / metrics["lift/reference"])
    late = second_half(metrics)
    means = late.groupby(list(KEYS)).mean(numeric_only=True)
    groups, rounds = means.groupby(keys), late.groupby(keys)["round"]
    rows = groups.size().to_frame("seeds")
    rows["rounds"] = rounds.min().map("{:.0f}-".format) + rounds.max().map("{:.0f}".format)
    for title, name in LEARNED.items():
        form = "{:+.3f}" if title == "lift" else "{:.3f}"
        rows[title] = cells(student(groups[name], name), name, form, " ± {half:.3f}") if name in means else ""
    minutes = metrics.groupby(list(KEYS))["speed/seconds"].sum().groupby(keys).mean() / 60
    return rows.assign(minutes=minutes.map("{:.1f}".format)).reset_index()


def _accuracy(table: Any) -> Any:
    rows = table[["setting", "method", "seeds", "labels"]].assign(synthetic=table["synthetic"].map("{:.0%}".format))
    return rows.assign(**{MEASURES[name]: cells(table, name, "{:.3f}", " ± {half:.3f}") for name in SUMMED})


def _differences(table: Any) -> Any:
    """Return a row for each setting and method, with a column for each score and baseline."""
    keys = ["setting", "method"]
    rows = table.drop_duplicates(keys).set_index(keys)[["pairs"]]
    table = table.set_index(keys).rename(columns={"low": "mean_low", "high": "mean_high"})
    shorts = {"random": "random", BEST_POOL: "best pool", SIGNAL: SIGNAL}
    for measure in COMPARED:
        for baseline in [name for name in shorts if name in set(table["baseline"])]:
            compared = table[(table["measure"] == measure) & (table["baseline"] == baseline)]
            column = cells(compared, "mean", "{:+.2f}", " ± {half:.2f}{star}", scale=100)
            rows[f"{MEASURES[measure]} − {shorts[baseline]}"] = column
    return rows.fillna("").reset_index()


def _aggregate(table: Any) -> Any:
    """Return a row for each method."""
    table = table.set_index("method")
    rows = table[["settings", "runs"]][~table.index.duplicated()].copy()
    for measure in COMPARED:
        compared = table[table["measure"] == measure]
        column = cells(compared, "iqm", "{:+.2f}", " [{low:+.2f}, {high:+.2f}]", scale=100)
        rows[f"{MEASURES[measure]} − random"] = column
        for name, title in (("random", "random"), ("pool", BEST_POOL)) if measure == "area_100" else ():
            rows[f"P > {title}"] = cells(compared, name, "{:.2f}", " [{low:.2f}, {high:.2f}]")
    return rows.fillna("").reset_index()


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
    content = part.content.drop(columns=[MEASURES["first"], MEASURES["area_end"]], errors="ignore")
    table = Table(*content, title=part.title, box=SIMPLE, title_justify="left")
    for column in table.columns:
        column.no_wrap = True
    for row in content.itertuples(index=False):
        table.add_row(*map(str, row))
    return table
