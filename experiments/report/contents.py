"""The parts of a report, in its order: tables and figures with titles, and captions that explain how to read them."""

from pathlib import Path
from typing import Any

import numpy as np

from experiments.names import SIGNAL
from experiments.report.comparisons import BEST_POOL, COMPARED, FEWEST, SUMMED
from experiments.report.page import Part
from experiments.report.statistics import MEASURES, RESAMPLES
from signal_env.utils.extras import require

FIGURES = {
    "curves": (
        "Learning curves",
        "Mean accuracy on the evaluation split over seeds, with 95 % bootstrap bands; one seed has none, and those of "
        "few seeds are too narrow: the tables' intervals allow for that. The dotted line is the size of the real pool, "
        "where pool-based methods end.",
    ),
    "curves_others": ("Learning curves of the other methods", "The same, with two methods of the figure above."),
    "interquartile_means": (
        "Over all settings: gains over random",
        "Interquartile means of the differences to random on equal seeds and settings, in points of accuracy, and "
        f"probabilities of improvement, with 95 % stratified bootstrap intervals ({RESAMPLES:,} draws in settings, too "
        f"narrow where seeds are few, and none of a probability under {FEWEST} runs a setting), of the methods that "
        "have been run in all settings. The first two and the probabilities are at equal label budgets; at the end "
        "methods that write have more labels.",
    ),
    "differences_area_100": (
        "Paired differences at equal label budgets",
        "Area under the curve to 100 %, on equal seeds, with 95 % intervals (Student's t). What a part of SIGnAL is "
        "worth is how far the method without it lies below SIGnAL.",
    ),
    "differences_end": (
        "Paired differences at the end",
        "Accuracy at the end, on equal seeds, as the paper compares: with more labels for methods that write.",
    ),
    "reward": ("Reward", "Mean reward of the round's texts, mean over seeds, with 95 % intervals (Student's t)."),
    "lift": (
        "Lift",
        "Mean reward of the policy's texts minus that of the texts of its reference, which does not learn, on the same "
        "prompts.",
    ),
    "balance": (
        "Labels of synthetic texts",
        "What the annotator made of the synthetic texts that each round labeled: mean shares over seeds. Dashed: equal "
        "shares.",
    ),
}
"""Each figure's title and caption, in the order of the page."""

TABLES = {
    "accuracy": (
        "Accuracy",
        "Means over seeds with 95 % intervals (Student's t). Areas are mean accuracies from the first round on; "
        "between rounds accuracy is taken to be linear.",
    ),
    "differences": (
        "Paired differences, in numbers",
        "Percentage points on equal seeds, with 95 % intervals (Student's t), not corrected for their number; * where "
        f"the interval leaves out zero. The {BEST_POOL} method is chosen in each setting by these same runs.",
    ),
    "aggregate": (
        "Over all settings, in numbers",
        "Interquartile means of the differences to random on equal seeds and settings, in percentage points, and the "
        f"probability that a run is better than one of random, or of the {BEST_POOL} method; 95 % stratified bootstrap "
        f"intervals, too narrow where seeds are few; the probability has none under {FEWEST} runs a setting.",
    ),
    "cost": (
        "Cost",
        "Means a run; memory is the most that a process held while it played one, with the models of runs that it had "
        "played before, and of it added the most that it did not hold when the run began. Tokens are those of the "
        "texts written; where a log does not count these, of as many as were offered.",
    ),
    "claims": (
        "Claims",
        "The paper's claims and this project's questions, with the evidence of these runs. Differences are in points "
        "of accuracy, paired by seed, with 95 % intervals; for an undecided one the seeds are those with which four "
        "of five new studies would decide it, if the true means and deviations are those seen here.",
    ),
    "hyperparameters": (
        "Options",
        "The options of these runs. docs/hyperparameters.md has the paper's values, the defaults, and why.",
    ),
}
"""Each table's title and caption."""

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


def notes(table: Any) -> list[str]:
    """Return paragraphs about all runs that stand first.

    Args:
        table: The result of `experiments.report.statistics.scores`.
    """
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


def figure_parts(figures: dict[str, Path]) -> list[Part]:
    """Return the figures that were drawn, in the order of `FIGURES`."""
    return [Part(name, title, figures[name], caption) for name, (title, caption) in FIGURES.items() if name in figures]


def table_part(name: str, table: Any) -> Part:
    """Return a table with its title and caption."""
    title, caption = TABLES[name]
    return Part(name, title, table, caption)


def table_parts(tables: dict[str, Any]) -> list[Part]:
    """Return the tables for reading: each number with its interval, in one cell."""
    forms = {"accuracy": _accuracy, "differences": _differences, "aggregate": _aggregate, "cost": _cost}
    return [table_part(name, form(tables[name])) for name, form in forms.items()]


def _accuracy(table: Any) -> Any:
    rows = table[["setting", "method", "seeds", "labels"]].copy()
    rows["synthetic"] = [f"{share:.0%}" for share in table["synthetic"]]
    return rows.assign(**{MEASURES[name]: cells(table, name, "{:.3f}", " ± {half:.3f}") for name in SUMMED})


def _differences(table: Any) -> Any:
    """Return a row for each setting and method, with a column for each score and baseline."""
    keys = ["setting", "method"]
    rows = table.drop_duplicates(keys).set_index(keys)[["pairs"]]
    table = table.set_index(keys).rename(columns={"low": "mean_low", "high": "mean_high"})
    shorts = {"random": "random", BEST_POOL: "best pool", SIGNAL: SIGNAL}
    for measure in COMPARED:
        for baseline in [name for name in shorts if name in set(table["baseline"])]:
            part = table[(table["measure"] == measure) & (table["baseline"] == baseline)]
            column = cells(part, "mean", "{:+.2f}", " ± {half:.2f}{star}", scale=100)
            rows[f"{MEASURES[measure]} − {shorts[baseline]}"] = column
    return rows.fillna("").reset_index()


def _aggregate(table: Any) -> Any:
    """Return a row for each method."""
    table = table.set_index("method")
    rows = table[["settings", "runs"]][~table.index.duplicated()].copy()
    for measure in COMPARED:
        part = table[table["measure"] == measure]
        rows[f"{MEASURES[measure]} − random"] = cells(part, "iqm", "{:+.2f}", " [{low:+.2f}, {high:+.2f}]", scale=100)
        for name, title in (("random", "random"), ("pool", BEST_POOL)) if measure == "area_100" else ():
            rows[f"P > {title}"] = cells(part, name, "{:.2f}", " [{low:.2f}, {high:.2f}]")
    return rows.fillna("").reset_index()


def _cost(table: Any) -> Any:
    rows = table[["setting", "method", "seeds"]].copy()
    for name, (title, unit, form) in COSTS.items():
        if name != "gpu_memory" or table[name].notna().any():
            values = table[name].astype(float) / unit
            rows[title] = ["" if np.isnan(value) else form.format(value) for value in values]
    return rows


def cells(table: Any, name: str, form: str, interval: str, scale: float = 1) -> Any:
    """Return each number with its interval as text, as far as they are numbers.

    Args:
        table: A table with columns NAME, NAME_low and NAME_high.
        name: The number.
        form: The format of the number.
        interval: The format of its interval, of `low`, `high`, `half` the width, and `star` where zero is outside.
        scale: A factor.
    """
    found = []
    for mean, low, high in (scale * table[[name, f"{name}_low", f"{name}_high"]]).itertuples(index=False):
        of = {"low": low, "high": high, "half": (high - low) / 2, "star": " *" if low > 0 or high < 0 else ""}
        found.append("" if np.isnan(mean) else form.format(mean) + ("" if np.isnan(low) else interval.format(**of)))
    return require("pandas", "plots").Series(found, table.index, dtype=object)


def rich_table(part: Part) -> Any:
    """Return a part's table for the terminal, without the columns that are read least."""
    from rich.box import SIMPLE
    from rich.table import Table

    content = part.content.drop(columns=[MEASURES["first"], MEASURES["area_end"]], errors="ignore")
    table = Table(*content, title=part.title, box=SIMPLE, title_justify="left")
    for column in table.columns:
        column.no_wrap = True
    for row in content.itertuples(index=False):
        table.add_row(*map(str, row))
    return table
