"""The look of the report's figures: a color and a line for each method, panels by setting, reproducible files."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np

from experiments.names import SIGNAL
from signal_env.utils.extras import require

LOOK = Path(__file__).with_name("look.mplstyle")

KNOWN = {
    "random": "#7f7f7f",
    "entropy": "#0072b2",
    "bertkm": "#009e73",
    "badge": "#e69f00",
    "cal": "#cc79a7",
    "SIGnAL": "#d62728",
}
"""Colors of the paper's methods, distinct for color-blind readers too (after Okabe and Ito)."""

OTHERS = ("#56b4e9", "#8c564b", "#6a3d9a", "#111111", "#9a9a00", "#00a5a5", "#f781bf", "#b15928", "#4daf4a", "#984ea3")

USUAL = {"linestyle": "-", "marker": "o", "linewidth": 1.3, "zorder": 3}

GAP = 0.45
"""Inches between rows of panels, for a title and the ticks' labels."""

Style = dict[str, Any]
"""The properties of a method's line."""

Layout = list[list[Any]]
"""Rows of panels: the name of each, or None where it stays empty."""


def look() -> AbstractContextManager[None]:
    """Give figures that are drawn and written inside the report's look."""
    context: AbstractContextManager[None] = require("matplotlib.style", "plots").context(LOOK)
    return context


def styles_of(methods: Sequence[str]) -> dict[str, Style]:
    """Return a style for each method, the same in all figures; SIGnAL lies above the others."""
    styles = {name: USUAL | {"color": color} for name, color in KNOWN.items()}
    styles["random"] |= {"linestyle": (0, (4, 2)), "marker": "x"}
    styles[SIGNAL] |= {"linewidth": 2.4, "zorder": 5}
    lines = ("-", (0, (5, 1.5)), (0, (1.5, 1)))
    for i, name in enumerate(name for name in methods if name not in KNOWN):
        own = {"color": OTHERS[i % len(OTHERS)], "linestyle": lines[i % len(lines)], "marker": "svD^"[i % 4]}
        styles[name] = USUAL | own
    return {name: styles[name] for name in methods}


def layout_of(rounds: Any, settings: Sequence[str]) -> Layout:
    """Return rows by task and columns by the pool's share of the split, as in the paper; else rows of three."""
    first = rounds.drop_duplicates("setting").set_index("setting", drop=False).loc[settings]
    unique = first["fraction"].notna().all() and not first.duplicated(["task", "fraction"]).any()
    if unique and first["fraction"].nunique() > 1 and len(first) > first["task"].nunique():
        places = first.set_index(["task", "fraction"])["setting"].to_dict()
        fractions = sorted(first["fraction"].unique())
        return [[places.get((task, fraction)) for fraction in fractions] for task in first["task"].unique()]
    return in_rows(settings, 3)


def in_rows(names: Sequence[str], most: int) -> Layout:
    """Return rows of at most so many names each, the last one filled up."""
    wide = min(most, len(names))
    padded = [*names, *[None] * (-len(names) % wide)]
    return [padded[i : i + wide] for i in range(0, len(padded), wide)]


def panels(
    layout: Layout,
    draw: Callable[[Any, Any], None],
    x: str,
    y: str,
    size: tuple[float, float],
    wider: float = 0.0,
    **shared: bool,
) -> Any:
    """Return a figure with a panel for each name of a layout.

    Args:
        layout: The names by row and column.
        draw: Draws the panel of a name on its axes.
        x: The label below the lowest panels.
        y: The label beside the leftmost panels.
        size: The size of a panel, in inches.
        wider: More width of the figure, in inches.
        shared: Whether all panels have the same horizontal axis, `sharex`, and the same vertical one, `sharey`.
    """
    rows, columns = len(layout), len(layout[0])
    figure = require("matplotlib.figure", "plots").Figure(figsize=(columns * size[0] + wider, rows * size[1]))
    axes = figure.subplots(rows, columns, squeeze=False, **shared)
    for (i, j), axis in np.ndenumerate(axes):
        if layout[i][j] is None:
            leave_empty(axis)
            continue
        draw(axis, layout[i][j])
        lowest = i + 1 == rows or layout[i + 1][j] is None
        axis.set(xlabel=x if lowest else "", ylabel="" if j else y)
        axis.tick_params(labelbottom=lowest or not shared.get("sharex"))
        # fixed places of the labels: the search for free ones takes a third of the time of drawing
        axis.xaxis.set_label_coords(0.5, -0.26 / (size[1] - GAP))
        axis.yaxis.set_label_coords(-0.55 / (size[0] - 0.6), 0.5)
    return figure


def leave_empty(axis: Any) -> None:
    """Write in a panel that it has no run."""
    axis.set_axis_off()
    axis.text(0.5, 0.5, "no run", ha="center", va="center", color="#999999", transform=axis.transAxes)


def finish(
    figure: Any, legend: Sequence[Any] = (), title: str = "", left: float = 0.75, right: float = 0.15, over: float = 0.0
) -> Any:
    """Put a title and one legend above all panels, and make room for them.

    Args:
        figure: The figure.
        legend: The entries of the legend, with labels.
        title: The title.
        left: The room for labels on the left, in inches.
        right: The room on the right.
        over: More room above the panels, for their own titles.
    """
    width, height = figure.get_size_inches()
    rows = figure.axes[0].get_gridspec().nrows
    columns = max(1, min(len(legend), int(width / 1.5)))
    lines = -(-len(legend) // columns)
    panel = height / rows - GAP
    top = 0.3 * bool(title) + 0.2 * lines + 0.35 + over
    height += top + 0.5 - GAP
    figure.set_size_inches(width, height)
    if title:
        figure.text(0.5, 1 - 0.08 / height, title, ha="center", va="top", fontsize=11)
    if legend:
        anchor = (0.5, 1 - 0.3 * bool(title) / height)
        figure.legend(handles=list(legend), loc="upper center", bbox_to_anchor=anchor, ncols=columns, columnspacing=1.4)
    sides = {"left": left / width, "right": 1 - right / width, "bottom": 0.5 / height, "top": 1 - top / height}
    figure.subplots_adjust(**sides, wspace=0.16, hspace=GAP / panel)
    return figure


def keys_of(styles: dict[str, Style]) -> list[Any]:
    """Return the entries of a legend for methods."""
    line = require("matplotlib.lines", "plots").Line2D
    return [line([], [], markersize=4, label=name, **style) for name, style in styles.items()]


def save(figure: Any, file: Path, *forms: str) -> Path:
    """Write a figure as files of some forms; equal figures have equal files. Return the last one."""
    for form in forms:
        file = file.with_suffix(f".{form}")
        temporary = file.with_name(f".{file.name}")
        metadata = {"Date": None} if form == "svg" else None
        figure.savefig(temporary, format=form, dpi=110, metadata=metadata, backend={"png": "agg"}.get(form, form))
        temporary.replace(file)
    return file
