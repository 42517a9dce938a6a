"""The look of the report's figures: a color and a line for each method, panels by setting, reproducible files."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.names import PAPER, SIGNAL
from signal_env.utils.extras import require

LOOK = Path(__file__).with_name("look.mplstyle")

KNOWN = dict(zip(PAPER, ("#7f7f7f", "#0072b2", "#009e73", "#e69f00", "#cc79a7", "#d62728"), strict=True))
"""Colors of the paper's methods, distinct for color-blind readers too (after Okabe and Ito)."""

OTHERS = ("#56b4e9", "#8c564b", "#6a3d9a", "#111111", "#9a9a00", "#00a5a5", "#f781bf", "#b15928", "#4daf4a", "#984ea3")

USUAL = {"linestyle": "-", "marker": "o", "linewidth": 1.3, "zorder": 3}

GAP = 0.45
"""Inches between rows of panels, for a title and the ticks' labels."""

Style = dict[str, Any]
"""The properties of a method's line."""

Layout = list[list[Any]]
"""Rows of panels: the name of each, None for one without a run, or "" where a row is filled up."""


def look() -> Any:
    """Return the context in which figures are drawn and written."""
    return require("matplotlib.style", "plots").context(LOOK)


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


def references_style(names: Sequence[str]) -> dict[str, Style]:
    """Return a gray, dashed style for each reference, below the methods."""
    dashes, grays = ((6, 2), (3, 1.5), (1.2, 1.2), (6, 1.5, 1.2, 1.5)), ("#444444", "#777777", "#999999", "#bbbbbb")
    return {
        name: {"color": grays[i % 4], "linestyle": (0, dashes[(i + i // 4) % 4]), "linewidth": 1.1, "zorder": 2}
        for i, name in enumerate(names)
    }


def layout_of(rounds: Any, settings: Sequence[str]) -> Layout:
    """Return rows by task and columns by the pool's share of the split, as in the paper; else rows of three.

    Tasks with one pool follow in rows of the same width.
    """
    first = rounds.drop_duplicates("setting").set_index("setting", drop=False).loc[settings]
    unique = first["fraction"].notna().all() and not first.duplicated(["task", "fraction"]).any()
    several = first[first.duplicated("task", keep=False)]
    if not unique or several.empty:
        return in_rows(settings, 3)
    places = several.set_index(["task", "fraction"])["setting"].to_dict()
    fractions = sorted(several["fraction"].unique())
    grid = [[places.get((task, fraction)) for fraction in fractions] for task in several["task"].unique()]
    others = [name for name in settings if name not in several.index]
    return grid + in_rows(others, len(fractions), fill=True)


def in_rows(names: Sequence[str], most: int, fill: bool = False) -> Layout:
    """Return rows of at most so many names each, the last one filled up; with `fill` a single row too."""
    wide = most if fill else min(most, len(names))
    padded = [*names, *[""] * (-len(names) % wide)]
    return [padded[i : i + wide] for i in range(0, len(padded), wide)]


def panels(
    layout: Layout,
    draw: Callable[[Any, Any], None],
    size: tuple[float, float],
    labels: tuple[str, str] = ("", ""),
    legend: Sequence[Any] = (),
    title: str = "",
    room: tuple[float, float, float] = (0.75, 0.15, 0.0),
    wider: float = 0.0,
    sharex: bool = False,
    sharey: bool = False,
) -> Any:
    """Return a figure with a panel for each name of a layout, and one title and legend above them.

    Args:
        layout: The names by row and column.
        draw: Draws the panel of a name on its axes.
        size: The size of a panel; all sizes are in inches.
        labels: The label below the lowest panels, and that beside the leftmost ones.
        legend: The entries of the legend, with labels.
        title: The title.
        room: The room on the left, on the right, and above the panels for their own titles.
        wider: More width of the figure than that of its panels.
        sharex: Whether all panels have the same horizontal axis.
        sharey: Whether they have the same vertical one.
    """
    rows, columns = len(layout), len(layout[0])
    left, right, over = room
    width = columns * size[0] + wider
    entries = max(1, min(len(legend), int(width / 1.5)))  # of the legend, in a line
    top = 0.3 * bool(title) - 0.2 * (-len(legend) // entries) + 0.35 + over
    height = rows * size[1] + (top + 0.5 - GAP)
    figure = require("matplotlib.figure", "plots").Figure(figsize=(width, height))
    axes = figure.subplots(rows, columns, squeeze=False, sharex=sharex, sharey=sharey)
    for (i, j), axis in np.ndenumerate(axes):
        if not layout[i][j]:
            leave_empty(axis, "no run" if layout[i][j] is None else "")
            continue
        draw(axis, layout[i][j])
        lowest = i + 1 == rows or not layout[i + 1][j]
        axis.set(xlabel=labels[0] if lowest else "", ylabel="" if j else labels[1])
        axis.tick_params(labelbottom=lowest or not sharex)
        # fixed places of the labels: the search for free ones takes a third of the time of drawing
        axis.xaxis.set_label_coords(0.5, -0.26 / (size[1] - GAP))
        axis.yaxis.set_label_coords(-0.55 / (size[0] - 0.6), 0.5)
    if title:
        figure.text(0.5, 1 - 0.08 / height, title, ha="center", va="top", fontsize=11)
    if legend:
        anchor = (0.5, 1 - 0.3 * bool(title) / height)
        figure.legend(handles=legend, loc="upper center", bbox_to_anchor=anchor, ncols=entries, columnspacing=1.4)
    sides = {"left": left / width, "right": 1 - right / width, "bottom": 0.5 / height, "top": 1 - top / height}
    figure.subplots_adjust(**sides, wspace=0.16, hspace=GAP / (size[1] - GAP))
    return figure


def leave_empty(axis: Any, text: str) -> None:
    """Leave a panel empty but for a text."""
    axis.set_axis_off()
    axis.text(0.5, 0.5, text, ha="center", va="center", color="#999999", transform=axis.transAxes)


def save(figure: Any, file: Path, *forms: str) -> Path:
    """Write a figure as files of some forms; equal figures have equal files. Return the last one."""
    for form in forms:
        file = file.with_suffix(f".{form}")
        temporary = file.with_name(f".{file.name}")
        metadata = {"Date": None} if form == "svg" else None
        figure.savefig(temporary, format=form, dpi=110, metadata=metadata, backend={"png": "agg"}.get(form, form))
        temporary.replace(file)
    return file
