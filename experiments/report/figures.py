"""The report's figures: curves by setting, label balance, and comparisons with their intervals."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.metric import ACCURACY, Metric
from experiments.names import FROZEN, PAPER, SIGNAL
from experiments.report.comparisons import BEST_POOL
from experiments.report.drawing import (
    Layout,
    Style,
    in_rows,
    layout_of,
    leave_empty,
    look,
    panels,
    references_style,
    save,
    styles_of,
)
from experiments.report.statistics import MEASURES, methods_of, settings_of
from signal_env.utils.extras import require

SHADES = ("#4477aa", "#ddaa33", "#66a182", "#bb5566", "#997700", "#88ccee", "#777777", "#aa4499")
"""The colors of classes."""

Names = Sequence[str]
Styles = dict[str, Style]

MARKERS = {"random": "o", BEST_POOL: "s", SIGNAL: "D"}
"""The marker of a difference to each baseline; that of random is filled."""

SHARE = "labeled instances (% of the real pool)"


def draw_figures(rounds: Any, tables: dict[str, Any], folder: Path, metric: Metric = ACCURACY) -> dict[str, Path]:
    """Draw all figures that have data, as PNG and SVG in a folder, and return the SVG files by the figures' names."""
    methods, settings = methods_of(rounds), settings_of(rounds)
    styles, layout = styles_of(methods), layout_of(rounds, settings)
    pools = rounds.groupby("setting")["pool"].max()
    titles = {setting: f"{setting}  (|R| = {pools[setting]:,})".replace(",", " ") for setting in settings}
    drawn: dict[str, Any] = {}
    behind = tables.get("references")
    with look():
        for name, shown in _by_figure(methods).items():
            curves = tables["curves"][tables["curves"]["method"].isin(shown)]
            drawn[name] = curve_panels(
                curves, styles, layout, titles, metric.title, tables["curves"]["share"].max(), behind=behind
            )
        for name, label in (("reward", "mean reward"), ("lift", "lift")):
            curves = tables["learning"][tables["learning"]["metric"] == f"{name}/mean"]
            if len(curves):
                zero = settings if name == "lift" else ()
                drawn[name] = curve_panels(curves, styles, layout, titles, label, curves["share"].max(), zero)
        if len(tables["balance"]):
            drawn["balance"] = _balance(tables["balance"], methods, settings)
        drawn["interquartile_means"] = _aggregate(tables["aggregate"], styles, metric)
        for measure in ("area_100", "end"):
            of_measure = tables["differences"][tables["differences"]["measure"] == measure]
            if len(of_measure):
                drawn[f"differences_{measure}"] = _differences(of_measure, styles, layout, metric)
        folder.mkdir(parents=True, exist_ok=True)
        return {name: save(figure, folder / name, "png", "svg") for name, figure in drawn.items()}


def _by_figure(methods: Names, most: int = 8) -> dict[str, list[str]]:
    """Return the methods of each figure of learning curves: the paper's, and in a second one the others.

    The second one has random and SIGnAL too, to compare with. Without SIGnAL there is one figure, unless there are too
    many methods for it.
    """
    if SIGNAL not in methods and len(methods) <= most:
        return {"curves": list(methods)}
    paper = [name for name in methods if name in PAPER] or list(methods[:most])
    others = [name for name in methods if name not in paper]
    ends = [name for name in ("random", SIGNAL) if name in paper]
    return {"curves": paper} | ({"curves_others": [*ends, *others]} if others else {})


def draw_learning(
    rounds: Any, tables: dict[str, Any], curves: Sequence[tuple[str, str]], file: Path, metric: Metric = ACCURACY
) -> None:
    """Draw learning curves into one PNG file: each of `curves` is a panel's setting and what it shows.

    That is the metric's title, or "lift".
    """
    learning = tables["learning"]
    of_metric = {metric.title: tables["curves"], "lift": learning[learning["metric"] == "lift/mean"]}
    panel = {f"{setting}: {metric}": of_metric[metric].query("setting == @setting") for setting, metric in curves}
    table = require("pandas", "plots").concat(part.assign(setting=name) for name, part in panel.items())
    zero = [name for name in panel if name.endswith(": lift")]
    with look():
        styles, titles = styles_of(methods_of(rounds)), {name: name for name in panel}
        save(curve_panels(table, styles, in_rows([*panel], 2), titles, "", zero=zero), file, "png")


def curve_panels(
    table: Any,
    styles: Styles,
    layout: Layout,
    titles: dict[str, str],
    label: str,
    most: float = 0,
    zero: Names = (),
    behind: Any = None,
) -> Any:
    """Draw means with their bands against labeled instances; a dotted line marks the size of the pool.

    The horizontal axis ends at the largest share of labels `most`; by default at each panel's own. The panels in `zero`
    have a line at zero. The curves in the table `behind` are gray and dashed references, without bands.
    """
    styles = {method: style for method, style in styles.items() if method in set(table["method"])}
    alpha = 0.17 if len(styles) <= 6 else 0.09
    references = {} if behind is None else references_style(behind["method"].unique())

    def draw(axis: Any, setting: str) -> None:
        axis.set_title(titles[setting], loc="left")
        shown = table[table["setting"] == setting]
        if shown.empty:
            leave_empty(axis, "no run")
            return
        longest = most or shown["share"].max()
        axis.axvline(100, color="#555555", linewidth=0.9, linestyle=":")
        if setting in zero:
            axis.axhline(0, color="#555555", linewidth=0.9)
        for method, style in references.items():
            curve = behind[(behind["method"] == method) & (behind["setting"] == setting)]
            axis.plot(100 * curve["share"], curve["mean"], **style)
        for method, style in styles.items():
            curve = shown[shown["method"] == method]
            share = 100 * curve["share"].to_numpy()
            if len(curve):
                axis.plot(share, curve["mean"], markersize=2.5, **style)
            if curve["low"].notna().any():
                axis.fill_between(share, curve["low"], curve["high"], color=style["color"], alpha=alpha, linewidth=0)
        axis.set_xlim(0, 104 * longest)
        axis.set_xticks(range(0, int(100 * longest) + 1, 25 if longest < 1.1 else 50))
        axis.locator_params(axis="y", nbins=5)

    line = require("matplotlib.lines", "plots").Line2D
    legend = [line([], [], markersize=4, label=name, **style) for name, style in styles.items()]
    legend += [line([], [], label=f"{name}, reference", **style) for name, style in references.items()]
    return panels(layout, draw, (4.6, 2.6), (SHARE, label), legend, sharex=most > 0)


def _balance(table: Any, methods: Names, settings: Names, most: int = 2) -> Any:
    """Stack the classes of each round's synthetic texts: a row for each setting, a column for a method that writes.

    The columns are SIGnAL and the generator that does not learn, or the first methods that write.
    """
    writing = [name for name in methods if name in set(table["method"])]
    writing = sorted(writing, key=lambda name: name not in (SIGNAL, FROZEN))[:most]
    written = set(table.loc[table["method"].isin(writing), "setting"])
    layout = [[(setting, method) for method in writing] for setting in settings if setting in written]
    groups = dict(iter(table.groupby(["setting", "method"])))

    def draw(axis: Any, key: tuple[str, str]) -> None:
        axis.set_title(": ".join(key), loc="left")
        if key not in groups:
            return
        wide = groups[key].pivot(index="share", columns="class", values="mean")
        wide = _largest(wide[list(dict.fromkeys(groups[key]["class"]))])
        classes = list(wide)
        colors = [SHADES[k % len(SHADES)] for k in range(len(classes))]
        axis.stackplot(100 * wide.index.to_numpy(), wide.to_numpy().T, colors=colors, alpha=0.75, linewidth=0)
        axis.axvline(100, color="#333333", linewidth=0.9, linestyle=":")
        for k in range(1, len(classes) if len(classes) == groups[key]["class"].nunique() else 1):  # if all were equal
            axis.axhline(k / len(classes), color="white", linewidth=0.9, linestyle="--")
        for k, name in enumerate(classes if key[1] == writing[-1] else ()):
            place = (1.03, (k + 0.5) / len(classes))
            axis.text(*place, name, color=colors[k], va="center", weight="bold", transform=axis.transAxes)

    title, room = "labels of each round's synthetic texts", (0.75, 1.5, 0.0)
    size, labels, wider = (4.4, 1.65), (SHARE, "share"), 1.6
    figure = panels(layout, draw, size, labels, title=title, room=room, wider=wider, sharex=True, sharey=True)
    longest = 100 * table["share"].max()
    figure.axes[0].set(xlim=(0, longest), ylim=(0, 1), xticks=range(0, int(longest) + 1, 50), yticks=(0, 0.5, 1))
    return figure


def _largest(wide: Any) -> Any:
    """Return the shares of the classes, a column for each; of more classes than `SHADES`, the smallest as one."""
    small = wide.mean().sort_values(kind="stable").index[: max(0, len(wide.columns) - len(SHADES) + 1)]
    if len(small) < 2:
        return wide
    return wide.drop(columns=small).assign(**{f"{len(small)} others": wide[small].sum(axis=1)})


def _aggregate(table: Any, styles: Styles, metric: Metric) -> Any:
    """Draw interquartile means of the gains over random, and probabilities of improvement at equal budgets.

    Only methods that have been run in all settings are comparable, so only those are shown. Without random there are
    no gains, and no columns of them.
    """
    table = table[table["settings"] == table["settings"].max()]
    area = table[table["measure"] == "area_100"]
    over = "points above random" if metric.in_points else f"{metric.unit} better than random"
    columns: list[tuple[str, Any, str]] = [
        (f"{over},\n{MEASURES[measure]} (IQM)", group, "iqm")
        for measure, group in table.groupby("measure", sort=False)
        if group["iqm"].notna().any()
    ]
    if area["random"].notna().any():
        columns += [("P(better than random)\narea to 100 %", area, "random")]
    columns += [("P(better than best pool)\narea to 100 %", area, "pool")]
    rows = _rows(styles, table)

    def draw(axis: Any, column: int) -> None:
        title, group, name = columns[column]
        y = group["method"].map(rows)
        colors = [styles[method]["color"] for method in group["method"]]
        scale, equal = (metric.scale, 0) if name == "iqm" else (1, 0.5)
        axis.hlines(y, scale * group[f"{name}_low"], scale * group[f"{name}_high"], color=colors, lw=5, alpha=0.35)
        axis.scatter(scale * group[name], y, marker="|", s=110, linewidth=2.2, color=colors, zorder=4)
        axis.axvline(equal, color="#555555", linewidth=0.9, linestyle=":")
        if name != "iqm":
            axis.set_xlim(-0.03, 1.03)
        axis.set_title(title, fontsize=8.5, weight="normal")
        axis.locator_params(axis="x", nbins=3)
        axis.grid(axis="x")

    runs = f"{table['runs'].min()} to {table['runs'].max()}" if table["runs"].nunique() > 1 else table["runs"].max()
    title = f"over {table['settings'].max()} settings, {runs} runs a method"
    size = (2.15, 0.25 * len(rows) + 0.8)
    figure = panels([[*range(len(columns))]], draw, size, title=title, room=(1.4, 0.15, 0.2), wider=1.5, sharey=True)
    _name_rows(figure.axes[0], rows)
    return figure


def _differences(table: Any, styles: Styles, layout: Layout, metric: Metric) -> Any:
    """Draw paired differences with their intervals: each baseline that has played has a marker of its own."""
    rows = _rows(styles, table)
    against, scale = [baseline for baseline in MARKERS if baseline in set(table["baseline"])], metric.scale

    def draw(axis: Any, setting: str) -> None:
        axis.axvline(0, color="#555555", linewidth=0.9)
        group = table[table["setting"] == setting]
        for i, baseline in enumerate(against):
            part = group[group["baseline"] == baseline]
            y = part["method"].map(rows).astype(float) + 0.3 * ((len(against) - 1) / 2 - i)
            colors = [styles[method]["color"] for method in part["method"]]
            axis.hlines(y, scale * part["low"], scale * part["high"], color=colors, linewidth=1.4)
            faces = colors if baseline == "random" else "white"
            axis.scatter(scale * part["mean"], y, marker=MARKERS[baseline], s=18, c=faces, edgecolors=colors, zorder=4)
        axis.set_title(_of_pairs(setting, group), loc="left", fontsize=9)
        _name_rows(axis, rows)
        if setting not in (row[0] for row in layout):
            axis.tick_params(labelleft=False)

    change = "difference" if metric.sign > 0 else "improvement"
    label = f"{change} of {metric.title}, {MEASURES[table['measure'].iloc[0]]} ({metric.unit})"
    height = 0.11 * max(2, len(against)) * len(rows) + 0.75
    line = require("matplotlib.lines", "plots").Line2D
    labels = [f"over the {name}" if name == BEST_POOL else f"over {name}" for name in against]
    look = {"color": "#333333", "linestyle": "", "markersize": 4}
    legend = [
        line([], [], marker=MARKERS[name], markerfacecolor=None if name == "random" else "w", label=label, **look)
        for name, label in zip(against, labels, strict=True)
    ]
    return panels(layout, draw, (4.8, height), (label, ""), legend, room=(1.4, 0.15, 0.0))


def _of_pairs(setting: str, group: Any) -> str:
    """Return the setting with its number of pairs, and its best pool-based method."""
    best = group.loc[group["baseline"] == BEST_POOL, "against"].unique()
    low, high = (group["pairs"].min(), group["pairs"].max()) if len(group) else (0, 0)
    pairs = f"{low} to {high} pairs" if low < high else f"{high} pair{'s' if high != 1 else ''}"
    return f"{setting}  ({pairs}{''.join(f', best: {name}' for name in best)})"


def _rows(styles: Styles, table: Any) -> dict[str, int]:
    """Return the height of each method of a table among the rows of a chart, from the top down."""
    shown = [method for method in styles if method in set(table["method"])]
    return {method: len(shown) - i for i, method in enumerate(shown)}


def _name_rows(axis: Any, rows: dict[str, int]) -> None:
    axis.set_yticks(list(rows.values()), list(rows))
    axis.set_ylim(0.4, len(rows) + 0.6)
    axis.grid(axis="y", visible=False)
    axis.grid(axis="x")
