"""The tables of a result, in the terminal and on a page, and the standings of the scoreboard."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from experiments.progress import console
from experiments.report.drawing import in_rows, look, save, styles_of
from experiments.report.figures import curve_panels
from experiments.report.page import Part, write_page
from experiments.report.tables import curves
from experiments.scoreboard.replay import sentence
from experiments.scoreboard.results import rounds_of
from experiments.scoreboard.scores import BASE, FEWEST, Scoreboard, aggregate, interval
from signal_env.utils.extras import require
from signal_env.utils.storage import write_text

pandas = require("pandas", "plots")

PAGE = "benchmark.html"

HEADS = {
    "area": "area to 100 %",
    "at_50": "at 50 %",
    "at_100": "at 100 %",
    "at_200": "at 200 %",
    "macro_f1_area": "macro-F1, area",
    "macro_f1_at_100": "macro-F1 at 100 %",
}
"""The columns of scores and their titles."""

SCORED = (
    "The normalized score is 0 for random and 100 for a classifier that has the whole pool's labels from the first "
    "round on: 100 × (area − area of random on the same seed) ÷ (accuracy with all labels − mean area of random)."
)


PAIRED = (
    "Seeds are their number, in brackets where it differs by setting. Values of methods on other seeds are not paired: "
    "compare by the paired differences."
)
"""What the standings leave to the differences."""


def standings(board: Scoreboard, own: Mapping[str, Any], settings: Sequence[str]) -> Any:
    """Return a table of methods by the interquartile means of their normalized scores, the best first.

    A method that has not played all settings has no such mean and stands below. One that has played none is left out.
    A method with other numbers of seeds in other settings has them in brackets behind its scores.

    Args:
        board: The scoreboard, whose references are in the table.
        own: The normalized scores of further methods' runs, by name, see `Scoreboard.normalized`.
        settings: The settings that count.
    """
    rows = []
    for name, scores in [*board.references.items(), *own.items()]:
        played = [each for each in settings if each in scores.index]
        if not played:
            continue
        whole = aggregate(scores, settings) if played == [*settings] else dict.fromkeys(("iqm", "low", "high"))
        seeds = scores.groupby("setting").size()[played]
        row: dict[str, Any] = {"method": name}
        row |= {"seeds": f"{seeds.min()}" if seeds.nunique() == 1 else f"{seeds.min()} to {seeds.max()}"}
        row |= {"order": whole["iqm"], "IQM": _between(whole)} | dict.fromkeys(settings, "")
        for each in played:
            marked = f" ({seeds[each]})" if seeds.nunique() > 1 else ""
            row[each] = _half(interval(scores.loc[[each]]), "{:.1f}") + marked
        rows.append(row)
    table = pandas.DataFrame(rows).astype({"order": float})
    return table.sort_values("order", ascending=False, kind="stable", ignore_index=True).drop(columns="order")


def score_table(scores: Mapping[str, Any]) -> Any:
    """Return a row for each setting, from the result of `Scoreboard.score`."""
    rows = []
    for name, found in scores["settings"].items():
        rank = "" if found["rank"] is None else f"{found['rank']} of {found['of']}"
        row = {"setting": name, "seeds": found["seeds"], "score": _half(found["score"], "{:.1f}"), "rank": rank}
        row |= {title: _half(found[score], "{:.3f}") for score, title in HEADS.items()}
        rows.append(row | {"random": f"{found['random']:.3f}", "all labels": f"{found['whole_pool']:.3f}"})
    return pandas.DataFrame(rows)


def difference_table(scores: Mapping[str, Any]) -> Any:
    """Return a row for each setting and reference: the paired difference of areas, in points of accuracy."""
    rows = [
        {"setting": name, "reference": reference, "pairs": each["pairs"]}
        | {"difference": _half({end: _scaled(each[end]) for end in ("mean", "low", "high")}, "{:+.2f}")}
        for name, found in scores["settings"].items()
        for reference, each in found["differences"].items()
    ]
    return pandas.DataFrame(rows, columns=["setting", "reference", "pairs", "difference"])


def parts_of(result: Mapping[str, Any], board: Scoreboard) -> list[Part]:
    """Return the tables of a result."""
    scores, method = result["scores"], result["method"]
    played = scores["overall"]["settings"]
    own = board.normalized(rounds_of(method, result["runs"]))
    over = f"{', '.join(played)}: the settings that were played"
    return [
        Part("scores", "Scores", score_table(scores), f"{SCORED} Means over seeds with 95 % intervals (Student's t)."),
        Part(
            "standings",
            "Standings",
            standings(board, {f"{method} (this result)": own}, played),
            f"Normalized scores: the interquartile mean (IQM) over {over}, with its 95 % stratified bootstrap "
            f"interval from {FEWEST} runs on; and means by setting with 95 % intervals (Student's t). Methods that "
            f"have not played all of these settings have no IQM. {PAIRED}",
        ),
        Part(
            "differences",
            "Differences to the references",
            difference_table(scores),
            "Area to 100 % minus that of the reference on equal seeds, in percentage points of accuracy, with 95 % "
            "intervals (Student's t).",
        ),
    ]


def summary(result: Mapping[str, Any]) -> str:
    """Return the score of a result in a sentence."""
    overall = result["scores"]["overall"]
    left = f" Not played: {', '.join(overall['not_played'])}." if overall["not_played"] else ""
    return (
        f"{result['method']} has the normalized score {_between(overall['score']) or 'none'} in {result['protocol']}: "
        f"the interquartile mean over {overall['runs']} runs in {', '.join(overall['settings'])}.{left}"
    )


def write(folder: Path, result: Mapping[str, Any], board: Scoreboard, parts: Sequence[Part]) -> Path:
    """Write the page of a result, with its tables `parts` and a figure of its curves; return the page."""
    for part in parts:
        write_text(folder / "tables" / f"{part.name}.csv", part.content.to_csv(index=False, lineterminator="\n"))
    figure = draw(result, board, folder / "figures" / "curves")
    about = "Means over seeds with 95 % bootstrap bands. Gray and dashed: references, on all of their seeds."
    curves_part = Part("curves", "Learning curves", figure, about)
    told = [result["description"], summary(result), sentence(result["replay"]), board.protocol.caption]
    write_page(
        folder / PAGE,
        f"{result['method']} in {result['protocol']}",
        "\n\n".join(filter(None, told)),
        [parts[0], curves_part, *parts[1:]],
    )
    return folder / PAGE


def draw(result: Mapping[str, Any], board: Scoreboard, file: Path) -> Path:
    """Draw the learning curves of a result before those of random and of the best other reference; return the SVG."""
    settings, method = result["scores"]["overall"]["settings"], result["method"]
    table = standings(board, {}, settings)
    behind = dict.fromkeys([BASE, *table.loc[table["IQM"] != "", "method"].head(1)])
    references = board.rounds[board.rounds["method"].isin(behind) & board.rounds["setting"].isin(settings)]
    with look():
        panels = curve_panels(
            curves(rounds_of(method, result["runs"])),
            styles_of([method]),
            in_rows(settings, 3),
            {name: name for name in settings},
            "accuracy",
            behind=curves(references),
        )
        file.parent.mkdir(parents=True, exist_ok=True)
        return save(panels, file, "png", "svg")


def show(result: Mapping[str, Any], parts: Sequence[Part]) -> None:
    """Print the tables of a result and its score."""
    for part in parts:
        content = part.content
        if part.name == "scores":
            content = content.drop(columns=[HEADS["macro_f1_at_100"], "random", "all labels"])
        if part.name == "differences":
            content = content.assign(difference=content["difference"] + " (" + content["pairs"].astype(str) + ")")
            content = content.pivot(index="reference", columns="setting", values="difference").fillna("")
            content = content[[name for name in result["scores"]["settings"]]].reset_index()
        title = "Differences (pairs of runs)" if part.name == "differences" else part.title
        table = Table(*map(str, content), title=title, box=SIMPLE, title_justify="left")
        for row in content.itertuples(index=False):
            table.add_row(*map(str, row))
        console.print(table)
    console.print(summary(result), markup=False, highlight=False)


def _half(found: Mapping[str, Any], form: str) -> str:
    """Return a mean with half the width of its interval; empty for None."""
    if found["mean"] is None:
        return ""
    half = "" if found["low"] is None else f" ± {form.replace('+', '').format((found['high'] - found['low']) / 2)}"
    return form.format(found["mean"]) + half


def _between(found: Mapping[str, Any]) -> str:
    """Return an interquartile mean with the ends of its interval; empty for None."""
    if found["iqm"] is None:
        return ""
    return f"{found['iqm']:.1f}" + ("" if found["low"] is None else f" [{found['low']:.1f}, {found['high']:.1f}]")


def _scaled(value: float | None) -> float | None:
    return None if value is None else 100 * value
