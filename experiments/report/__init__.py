"""`python -m experiments report DIR...`: tables, figures and one page of finished runs, from their folders alone."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tyro

from experiments.config import RunError
from experiments.metric import ACCURACY, METRICS, MetricName, with_metric
from experiments.progress import console
from experiments.report.claim import claims_frame, claims_table, effects_frame
from experiments.report.claims import claims
from experiments.report.contents import early_ends, figure_parts, notes, rich_table, table_parts, titled
from experiments.report.figures import draw_figures
from experiments.report.options import options
from experiments.report.page import write_page
from experiments.report.stopping import stopping_part
from experiments.report.tables import build
from experiments.report.texts import LIMIT, sample_texts
from experiments.runs import Runs, read_runs
from signal_env.utils.extras import require
from signal_env.utils.reading import read_yaml
from signal_env.utils.storage import write_text
from signal_env.utils.typed import typed

__all__ = ["ReportConfig", "main"]


@dataclasses.dataclass(frozen=True)
class ReportConfig:
    """Summarize finished runs: learning curves, comparisons with their intervals, costs, claims, and the texts."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of runs, or folders that have such folders anywhere below them, as a study's."""
    out: Path | None = None
    """The folder of the report; default: the folder `report` in the first of the runs' folders, or `report-METRIC` for
    another metric than the study's."""
    metric: MetricName | None = None
    """What methods are compared by; default: the metric in the folder's `study.yaml`, or accuracy."""
    caption: str = ""
    """First paragraph of the page; default: the caption in the folder's `study.yaml`, if there is one."""
    texts: int = LIMIT
    """Largest number of texts to browse on the page."""
    real_texts: bool = True
    """Include texts of the data sets."""
    references: tuple[str, ...] = ()
    """Reference methods of the scoreboard whose curves are drawn behind, gray and dashed, in its settings."""


def main(config: ReportConfig, runs: Runs | None = None) -> Path:
    """Write `index.html`, `figures` and `tables`, print the main tables, and return the report's folder.

    Args:
        config: What to report on, and where to.
        runs: The runs if they are read already; `config.runs` has their study and their folder then.

    Raises:
        RunError: If no finished run is found.
    """
    if not config.runs:
        raise RunError("Report on which runs? Give their folders, or a folder above them.")
    for module in ("itables", "jinja2", "matplotlib"):  # fail before the runs are read
        require(module, "plots")
    runs = read_runs(config.runs) if runs is None else dataclasses.replace(runs, problems=[*runs.problems])
    title, caption, named = _study(config.runs, runs.problems)
    metric = METRICS[config.metric or named]
    runs = with_metric(runs, metric)
    out = config.out or config.runs[0] / ("report" if metric.name == named else f"report-{metric.name}")
    tables, judged = build(runs, metric), claims(runs, metric)
    said = list(filter(None, (config.caption or caption, *notes(tables["runs"], metric), *early_ends(runs))))
    tables |= {"claims": claims_frame(judged).reset_index(), "claims_evidence": effects_frame(judged)}
    tables["hyperparameters"] = options(runs)
    if config.references:
        from experiments.scoreboard.behind import reference_table  # which imports this package

        tables["references"] = reference_table(runs, config.references, metric)
    for name, table in tables.items():
        csv = table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
        write_text(out / "tables" / f"{name}.csv", csv)
    numbers = table_parts(tables, metric)
    curves, *others = figure_parts(draw_figures(runs.rounds, tables, out / "figures", metric), metric)
    of_claims, of_options = (titled("tables", name, tables[name], metric) for name in ("claims", "hyperparameters"))
    sample = sample_texts(runs, config.texts, config.real_texts)
    page = out / "index.html"
    parts = [curves, of_claims, *others, *numbers, *stopping_part(tables, metric), of_options]
    write_page(page, title, "\n\n".join(said), parts, sample, runs.problems)
    measured = [claim for claim in judged if claim.verdict != "not measured"]
    console.print(*map(rich_table, numbers), *([claims_table(measured, metric)] if measured else []), sep="\n")
    console.print(f"{len(measured)} of {len(judged)} claims are measured by these runs; the others are on the page.")
    console.print(*said, sep="\n", markup=False, highlight=False)
    for folder, what in [*runs.problems, *sample.problems]:
        console.print(f"{folder}: {what}", style="yellow", markup=False, highlight=False)
    console.print(f"Written to {page}, with figures and tables beside it")
    return out


def _study(places: Sequence[Path], problems: list[tuple[str, str]]) -> tuple[str, str, str]:
    """Return the name, the caption and the metric of the study in the first place that has a `study.yaml`."""
    for file in (place / "study.yaml" for place in places):
        if not file.is_file():
            continue
        try:
            study = typed(read_yaml(file, "it", RunError), Mapping[str, Any], "a study", RunError)
            name, caption = str(study.get("name") or file.resolve().parent.name), str(study.get("caption") or "")
            if (metric := str(study.get("metric") or ACCURACY.name)) not in METRICS:
                problems.append((str(file), f"its metric is none of {', '.join(METRICS)}; accuracy was used"))
                metric = ACCURACY.name
            return name, caption, metric
        except RunError as error:
            problems.append((str(file), f"cannot be read as a study: {error}"))
    return "Report", "", ACCURACY.name
