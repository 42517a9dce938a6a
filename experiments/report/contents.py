"""What a report shows, in its order: tables and figures with titles, and with captions that say how to read them."""

from collections.abc import Callable
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

SCORES = "Areas are mean accuracies from the first round on; between rounds accuracy is taken to be linear."


def notes(table: Any) -> list[str]:
    """What a reader should know of these runs before reading on.

    Args:
        table: A row for each run, as `experiments.report.statistics.scores` returns it.
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


def table_parts(tables: dict[str, Any]) -> list[Part]:
    """The tables as they are read: each number with its interval, in one cell."""
    summed = f"Means over seeds with 95 % intervals (Student's t). {SCORES}"
    paired = (
        "Percentage points on equal seeds, with 95 % intervals (Student's t), not corrected for their number; * where "
        f"the interval leaves out zero. The {BEST_POOL} method is chosen in each setting by these same runs."
    )
    over = (
        "Interquartile means of the differences to random on equal seeds and settings, in percentage points, and the "
        f"probability that a run is better than one of random, or of the {BEST_POOL} method; 95 % stratified "
        f"bootstrap intervals, too narrow where seeds are few; the probability has none under {FEWEST} runs a setting."
    )
    spent = (
        "Means a run; memory is the most that a process held while it played one, with the models of runs that it had "
        "played before, and of it added the most that it did not hold when the run began. Tokens are those of the "
        "texts written; where a log does not count these, of as many as were offered."
    )
    return [
        Part("accuracy", "Accuracy", _accuracy(tables["accuracy"]), summed),
        Part("differences", "Paired differences, in numbers", _differences(tables["differences"]), paired),
        Part("aggregate", "Over all settings, in numbers", _aggregate(tables["aggregate"]), over),
        Part("cost", "Cost", _cost(tables["cost"]), spent),
    ]


def claim_part(claims: Any) -> Part:
    """The claims with their verdicts."""
    caption = (
        "The paper's claims and this project's questions, with what these runs say of them. Differences are in points "
        "of accuracy, paired by seed, with 95 % intervals; for an undecided one the seeds are those with which "
        "four of five new studies would decide it, if the true means and deviations are those seen here."
    )
    return Part("claims", "Claims", claims, caption)


def options_part(values: Any) -> Part:
    """Return the part with the options of the runs."""
    caption = "What these runs were played with. docs/hyperparameters.md has the paper's values, the defaults, and why."
    return Part("hyperparameters", "Options", values, caption)


def figure_parts(figures: dict[str, Path]) -> list[Part]:
    """The figures that were drawn, in the order of `FIGURES`."""
    return [Part(name, title, figures[name], caption) for name, (title, caption) in FIGURES.items() if name in figures]


def _accuracy(table: Any) -> Any:
    cells = table[["setting", "method", "seeds", "labels"]].copy()
    cells["synthetic"] = [f"{share:.0%}" for share in table["synthetic"]]
    for name in SUMMED:
        cells[MEASURES[name]] = _cells(table, name, _plus_minus)
    return cells


def _differences(table: Any) -> Any:
    """A row for each setting and method, a column for each score and baseline."""
    pandas = require("pandas", "plots")
    keys = ["setting", "method"]
    columns = {}
    shorts = {"random": "random", BEST_POOL: "best pool", SIGNAL: SIGNAL}
    played = {baseline: short for baseline, short in shorts.items() if baseline in set(table["baseline"])}
    for measure in COMPARED:
        for baseline, short in played.items():
            part = table[(table["measure"] == measure) & (table["baseline"] == baseline)].set_index(keys)
            points = part[["mean", "low", "high"]] * 100
            cells = [_signed(*row) for row in points.itertuples(index=False)]
            columns[f"{MEASURES[measure]} − {short}"] = pandas.Series(cells, points.index, dtype=object)
    rows = table.drop_duplicates(keys).set_index(keys)
    return pandas.DataFrame({"pairs": rows["pairs"], **columns}, index=rows.index).fillna("").reset_index()


def _aggregate(table: Any) -> Any:
    """A row for each method."""
    columns = {}
    for measure in COMPARED:
        part = table[table["measure"] == measure].set_index("method")
        points = part[["iqm", "iqm_low", "iqm_high"]] * 100
        columns[f"{MEASURES[measure]} − random"] = _cells(points, "iqm", _gain, 2)
        if measure == "area_100":
            columns |= {"P > random": _cells(part, "random", _between, 2)}
            columns |= {f"P > {BEST_POOL}": _cells(part, "pool", _between, 2)}
    rows = table.drop_duplicates("method").set_index("method")[["settings", "runs"]]
    return rows.assign(**columns).fillna("").reset_index()


def _cost(table: Any) -> Any:
    cells = table[["setting", "method", "seeds"]].copy()
    for name in ("real_labels", "synthetic_labels", "texts", "tokens"):
        cells[name.replace("_", " ")] = _numbers(table[name], "{:,.0f}")
    for name, title in (("seconds", "minutes"), ("cpu_seconds", "CPU minutes")):
        cells[title] = _numbers(table[name] / 60, "{:,.1f}")
    for name, title in (("memory", "memory"), ("memory_added", "of it added"), ("gpu_memory", "GPU memory")):
        if name != "gpu_memory" or table[name].notna().any():
            cells[f"{title}, GiB"] = _numbers(table[name] / 2**30, "{:.1f}")
    return cells


def _numbers(values: Any, form: str) -> list[str]:
    return ["" if np.isnan(value) else form.format(value) for value in values.astype(float)]


def _cells(table: Any, name: str, form: Callable[..., str], digits: int = 3) -> Any:
    parts = table[[name, f"{name}_low", f"{name}_high"]]
    cells = [form(*row, digits) for row in parts.itertuples(index=False)]
    return require("pandas", "plots").Series(cells, table.index, dtype=object)


def _plus_minus(mean: float, low: float, high: float, digits: int) -> str:
    """A mean with half its interval, as far as they are numbers."""
    if np.isnan(mean):
        return ""
    return f"{mean:.{digits}f}" + ("" if np.isnan(low) else f" ± {(high - low) / 2:.{digits}f}")


def _between(value: float, low: float, high: float, digits: int) -> str:
    if np.isnan(value):
        return ""
    return f"{value:.{digits}f}" + ("" if np.isnan(low) else f" [{low:.{digits}f}, {high:.{digits}f}]")


def _gain(value: float, low: float, high: float, digits: int) -> str:
    if np.isnan(value):
        return ""
    return f"{value:+.{digits}f}" + ("" if np.isnan(low) else f" [{low:+.{digits}f}, {high:+.{digits}f}]")


def _signed(mean: float, low: float, high: float) -> str:
    """A difference with half its interval, and a star where that leaves out zero."""
    cell = f"{mean:+.2f}" + ("" if np.isnan(low) else f" ± {(high - low) / 2:.2f}")
    return f"{cell} *" if low > 0 or high < 0 else cell


def rich_table(part: Part) -> Any:
    """A part's table for the terminal, without the columns that are read least."""
    from rich.box import SIMPLE
    from rich.table import Table

    content = part.content.drop(columns=[MEASURES["first"], MEASURES["area_end"]], errors="ignore")
    table = Table(*content, title=part.title, box=SIMPLE, title_justify="left")
    for column in table.columns:
        column.no_wrap = True
    for row in content.itertuples(index=False):
        table.add_row(*map(str, row))
    return table
