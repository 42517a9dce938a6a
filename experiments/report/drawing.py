"""The look of the report's figures: a color and a line for each method, panels by setting, reproducible files."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from experiments.names import SIGNAL
from signal_env.utils.extras import require

LOOK = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titley": 1.0,  # a fixed place: none is searched at each drawing
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "xtick.bottom": False,  # the grid has lines
    "ytick.left": False,
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text: the file is smaller, and can be searched
    "svg.hashsalt": "signal_env",
}

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


@dataclasses.dataclass(frozen=True)
class Style:
    """A method's look, the same in all figures."""

    color: str
    line: Any = "-"
    marker: str = "o"
    width: float = 1.3
    order: int = 3


def styles_of(methods: Sequence[str]) -> dict[str, Style]:
    """Return a style for each method; the paper's have colors of their own, and SIGnAL lies above the others."""
    lines: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1)))
    others = [name for name in methods if name not in KNOWN]
    styles = {name: Style(color) for name, color in KNOWN.items()}
    styles["random"] = Style(KNOWN["random"], line=(0, (4, 2)), marker="x")
    styles[SIGNAL] = Style(KNOWN[SIGNAL], width=2.4, order=5)
    for i, name in enumerate(others):
        color, line = OTHERS[i % len(OTHERS)], lines[i % len(lines)]
        styles[name] = Style(color, line, "svD^"[i % 4])
    return {name: styles[name] for name in methods}


GAP = 0.45
"""Inches between rows of panels, for a title and the ticks' labels."""

Layout = list[list[str | None]]
"""Rows of panels: the setting of each, or None where it stays empty."""


def layout_of(rounds: Any, settings: Sequence[str], wide: int = 3) -> Layout:
    """Return rows by task and columns by the pool's share of the split, as in the paper; else rows of `wide`."""
    first = rounds.drop_duplicates("setting").set_index("setting")
    places = {setting: (first["task"][setting], first["fraction"][setting]) for setting in settings}
    tasks = list(dict.fromkeys(task for task, _ in places.values()))
    fractions = sorted({fraction for _, fraction in places.values() if not np.isnan(fraction)})
    of_place = {place: setting for setting, place in places.items()}
    known = not any(np.isnan(fraction) for _, fraction in places.values())
    if known and len(fractions) > 1 and len(of_place) == len(settings) and len(settings) > len(tasks):
        return [[of_place.get((task, fraction)) for fraction in fractions] for task in tasks]
    wide = min(wide, len(settings))
    padded = [*settings, *[None] * (-len(settings) % wide)]
    return [padded[i : i + wide] for i in range(0, len(padded), wide)]


@contextmanager
def look() -> Iterator[None]:
    """Give figures that are drawn and written inside the report's look."""
    with require("matplotlib", "plots").rc_context(LOOK):
        yield


def panels(
    layout: Layout, draw: Callable[[Any, str], None], x: str, y: str, size: tuple[float, float], share_x: bool = True
) -> Any:
    """Return a figure with a panel for each setting.

    Args:
        layout: The settings by row and column.
        draw: Draws a setting on its axes.
        x: The label below the lowest panels.
        y: The label beside the leftmost panels.
        size: The size of a panel, in inches.
        share_x: Whether all panels have the same horizontal axis.
    """
    rows, columns = len(layout), len(layout[0])
    figure = new_figure(columns * size[0], rows * size[1])
    axes = figure.subplots(rows, columns, squeeze=False, sharex=share_x)
    for i, row in enumerate(layout):
        for j, setting in enumerate(row):
            axis = axes[i][j]
            if setting is None:
                leave_empty(axis)
                continue
            draw(axis, setting)
            below = layout[i + 1][j] if i + 1 < rows else None
            axis.tick_params(labelbottom=below is None or not share_x)
            name_axes(axis, x if below is None else "", y if j == 0 else "", size)
    return figure


def leave_empty(axis: Any) -> None:
    """Write in a panel that it has no run."""
    axis.set_axis_off()
    axis.text(0.5, 0.5, "no run", ha="center", va="center", color="#999999", transform=axis.transAxes)


def name_axes(axis: Any, x: str, y: str, size: tuple[float, float]) -> None:
    """Set labels at fixed places: the search for free ones takes a third of the time of drawing."""
    axis.set(xlabel=x, ylabel=y)
    axis.xaxis.set_label_coords(0.5, -0.26 / (size[1] - GAP))
    axis.yaxis.set_label_coords(-0.55 / (size[0] - 0.6), 0.5)


def new_figure(width: float, height: float) -> Any:
    """Return an empty figure; sizes are in inches."""
    return require("matplotlib.figure", "plots").Figure(figsize=(width, height))


def finish(
    figure: Any,
    legend: Sequence[Any] = (),
    title: str = "",
    sides: tuple[float, float] = (0.75, 0.15),
    over: float = 0.0,
) -> Any:
    """Put a title and one legend above all panels, and make room for them.

    Args:
        figure: The figure.
        legend: The entries of the legend, with labels.
        title: The title.
        sides: The room for labels on the left, and on the right, in inches.
        over: More room above the panels, for their own titles, in inches.
    """
    width, height = figure.get_size_inches()
    rows = len({axis.get_subplotspec().rowspan.start for axis in figure.axes})
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
    figure.subplots_adjust(
        left=sides[0] / width,
        right=1 - sides[1] / width,
        bottom=0.5 / height,
        top=1 - top / height,
        wspace=0.16,
        hspace=GAP / panel,
    )
    return figure


def keys_of(styles: dict[str, Style], marker: bool = False) -> list[Any]:
    """Return the entries of a legend for methods: their lines, or their markers."""
    line = require("matplotlib.lines", "plots").Line2D
    return [
        line([], [], color=s.color, ls="" if marker else s.line, marker=s.marker, ms=4, lw=s.width, label=name)
        for name, s in styles.items()
    ]


def save(figure: Any, file: Path, forms: Sequence[str] = ("png", "svg")) -> Path:
    """Write a figure as files of some forms; equal figures have equal files. Return the last one."""
    for form in forms:
        file = file.with_suffix(f".{form}")
        temporary = file.with_name(f".{file.name}")
        metadata = {"Date": None} if form == "svg" else None
        canvas = "agg" if form == "png" else form
        figure.savefig(temporary, format=form, dpi=110, metadata=metadata, backend=canvas)
        temporary.replace(file)
    return file
