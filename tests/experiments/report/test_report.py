"""The command: figures, tables and a page over real runs, the same from equal runs, whatever lies between them."""

import shutil

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from experiments.__main__ import main
from experiments.progress import console
from experiments.report.contents import notes
from experiments.report.figures import draw_figures
from experiments.report.statistics import scores
from experiments.report.tables import build
from experiments.runs import KEYS, SPENT, Runs, read_runs

TABLES = {
    *("accuracy", "aggregate", "balance", "claims", "claims_evidence", "cost", "curves"),
    *("differences", "hyperparameters", "learning", "runs", "stopping"),
}


@pytest.fixture(scope="module")
def printed(played, tmp_path_factory):
    """A copy of the played runs under a study with their report, not to be changed, and what the command printed."""
    folder = tmp_path_factory.mktemp("study") / "small"
    shutil.copytree(played, folder)
    (folder / "study.yaml").write_text("caption: Of a very small study.\nmethods: {}\n")
    (folder / "entropy" / "seed-2").mkdir()
    (folder / "entropy" / "seed-2" / "rounds.jsonl").write_text('{"index": 0, "po')
    with console.capture() as shown:
        assert main(["report", str(folder)]) == 0
    return folder, " ".join(shown.get().split())


@pytest.fixture(scope="module")
def reported(printed):
    """The folder of `printed`."""
    return printed[0]


def files(folder):
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_report_has_tables_figures_and_a_page(reported):
    report = files(reported / "report")
    assert {name for name in report if name.startswith("tables/")} == {f"tables/{name}.csv" for name in TABLES}
    figures = {"curves", "reward", "balance", "interquartile_means", "differences_area_100", "differences_end"}
    assert {name for name in report if name.startswith("figures/")} == {
        f"figures/{name}.{form}" for name in figures for form in ("png", "svg")
    }
    assert all(content.startswith(b"\x89PNG") for name, content in report.items() if name.endswith(".png"))
    page = report["index.html"].decode()
    assert "<h1>small</h1>" in page
    assert "Of a very small study." in page
    assert "entropy/seed-2" in page
    for name in ("random", "entropy", "generator"):
        assert f">{name}</text>" in report["figures/curves.svg"].decode()


def test_tables_hold_what_the_logs_do(reported):
    tables = reported / "report" / "tables"
    runs = scores(read_runs([reported]).rounds)
    areas = runs[runs["method"] == "generator"]["area_100"]
    accuracy = pd.read_csv(tables / "accuracy.csv").set_index("method")
    assert accuracy.loc["generator", "area_100"] == pytest.approx(areas.mean(), abs=1e-5)
    assert accuracy.loc["generator", ["seeds", "pool", "labels"]].tolist() == [2, 40, 80]
    entropy = runs[runs["method"] == "entropy"]["area_100"]
    interval = stats.ttest_rel(areas, runs[runs["method"] == "random"]["area_100"]).confidence_interval(0.95)
    row = pd.read_csv(tables / "differences.csv").set_index(["measure", "method", "baseline"])
    row = row.loc[("area_100", "generator", "random")]
    assert (row["low"], row["high"], row["pairs"]) == pytest.approx((interval.low, interval.high, 2), abs=1e-5)
    assert pd.read_csv(tables / "runs.csv")["area_100"].mean() == pytest.approx(
        np.mean([*areas, *entropy, *runs[runs["method"] == "random"]["area_100"]]), abs=1e-5
    )
    assert set(pd.read_csv(tables / "balance.csv")["class"]) == {"negative", "positive"}
    assert len(pd.read_csv(tables / "cost.csv")) == 3


def test_equal_runs_have_equal_reports(reported, tmp_path, capsys):
    shutil.copytree(reported, tmp_path / "small", ignore=shutil.ignore_patterns("report", "seed-2"))
    out = tmp_path / "again"
    assert main(["report", str(tmp_path / "small"), "--out", str(out), "--caption", "Again."]) == 0
    again, first = files(out), files(reported / "report")
    page = again.pop("index.html").decode()
    assert again == {name: content for name, content in first.items() if name != "index.html"}
    assert "Again." in page
    assert "Of a very small study." not in page
    shown = capsys.readouterr().out
    assert "Again." in shown
    assert "6 finished runs, 2 seeds a method and setting." in shown


def test_what_cannot_be_used_is_printed(printed):
    folder, shown = printed
    run, shown = folder / "entropy" / "seed-2", shown.replace(" ", "")  # long lines are wrapped
    assert f"{run}:Theconfigurationfile{run}/config.yamlcannotberead" in shown
    assert "small" in (folder / "report" / "index.html").read_text()


def test_one_seed_has_no_interval_and_that_is_said(played, tmp_path, capsys):
    runs = [str(played / agent / "seed-1") for agent in ("random", "generator")]
    assert main(["report", *runs, "--out", str(tmp_path), "--texts", "0"]) == 0
    assert "Where there is one seed there is no interval." in " ".join(capsys.readouterr().out.split())
    assert pd.read_csv(tmp_path / "tables" / "curves.csv")[["low", "high"]].isna().all().all()
    accuracy = pd.read_csv(tmp_path / "tables" / "accuracy.csv")
    assert accuracy["end"].notna().all()
    assert accuracy["end_low"].isna().all()


def test_without_random_in_a_setting_that_is_said_and_the_rest_is_drawn(made, tmp_path):
    runs = {(s, m, i): [0.6 + i / 50] * 10 for s in "ab" for m in ("random", "SIGnAL", "ours") for i in range(2)}
    rounds = made({keys: run for keys, run in runs.items() if keys[:2] not in {("b", "random"), ("b", "SIGnAL")}})
    log = rounds[[*KEYS, "index"]].rename(columns={"index": "round"})
    cost = log.assign(**dict.fromkeys(SPENT, 1.0))
    tables = build(Runs(rounds, log, cost, {folder: {"options": {}} for folder in rounds["folder"]}, []))
    assert any("random has not played in b, so" in note for note in notes(tables["runs"]))
    assert {"curves", "differences_end", "interquartile_means"} <= set(draw_figures(rounds, tables, tmp_path))
    assert set(tables["differences"]["setting"]) == {"a"}


def test_a_study_file_that_cannot_be_read_is_said(played, tmp_path, capsys):
    shutil.copytree(played / "random", tmp_path / "runs")
    (tmp_path / "runs" / "study.yaml").write_text("caption: [\n")
    assert main(["report", str(tmp_path / "runs")]) == 0
    assert "cannot be read as a study" in " ".join(capsys.readouterr().out.split())


def test_nothing_to_report_on_is_an_error(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 1
    assert "No finished run to read" in capsys.readouterr().err
    assert main(["report"]) == 1
    assert "Report on which runs?" in capsys.readouterr().err
    assert not (tmp_path / "report").exists()
