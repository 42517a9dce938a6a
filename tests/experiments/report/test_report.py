"""The command: figures, tables and a page over real runs, the same from equal runs, whatever lies between them."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from experiments.__main__ import main
from experiments.progress import console
from experiments.report.contents import notes, table_parts
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


@pytest.mark.parametrize(("metric", "title"), [("macro_f1", "Macro-F1"), ("nll", "Negative log-likelihood")])
def test_methods_are_compared_by_another_metric(reported, metric, title, capsys):
    assert main(["report", str(reported), "--metric", metric, "--texts", "0"]) == 0
    shown, report = " ".join(capsys.readouterr().out.split()), reported / f"report-{metric}"
    assert title in shown
    rounds = read_runs([reported]).rounds
    last = rounds[rounds["share"] == 1.0].pivot(index="seed", columns="method", values=metric)
    means = pd.read_csv(report / "tables" / f"{metric}.csv").set_index("method")
    assert means.loc["entropy", "at_100"] == pytest.approx(last["entropy"].mean(), abs=1e-5)
    rows = pd.read_csv(report / "tables" / "differences.csv").set_index(["measure", "method", "baseline"])
    better = last["generator"] - last["random"] if metric == "macro_f1" else last["random"] - last["generator"]
    assert rows.loc[("at_100", "generator", "random"), "mean"] == pytest.approx(better.mean(), abs=1e-5)
    assert "accuracy_end" in means
    page, curves = (report / "index.html").read_text(), (report / "figures" / "curves.svg").read_text()
    assert f"{title}</h" in page
    assert title.lower() in curves.lower()
    label = (
        "difference of macro-F1, at the end" if metric == "macro_f1" else "improvement of negative log-likelihood, at"
    )
    assert label in (report / "figures" / "differences_end.svg").read_text()
    assert ("Less is better" in page) == (metric == "nll")
    assert not (reported / "report" / "tables" / f"{metric}.csv").exists()


def test_the_page_has_the_other_metrics_beside(reported):
    page = (reported / "report" / "index.html").read_text()
    for title in ("macro-F1, area to 100 %", "negative log-likelihood, at the end", "area to 100 %: p (Holm)"):
        assert title in page


def test_a_study_names_the_metric_of_its_report(played, tmp_path, capsys):
    shutil.copytree(played / "random", tmp_path / "runs" / "random")
    shutil.copytree(played / "entropy", tmp_path / "runs" / "entropy")
    study = tmp_path / "runs" / "study.yaml"
    study.write_text("metric: macro_f1\n")
    assert main(["report", str(tmp_path / "runs")]) == 0
    assert (tmp_path / "runs" / "report" / "tables" / "macro_f1.csv").is_file()
    assert main(["report", str(tmp_path / "runs"), "--metric", "accuracy"]) == 0
    assert (tmp_path / "runs" / "report-accuracy" / "tables" / "accuracy.csv").is_file()
    study.write_text("metric: f1\n")
    assert main(["report", str(tmp_path / "runs")]) == 0
    assert "its metric is none of accuracy, macro_f1, nll" in " ".join(capsys.readouterr().out.split())


def test_runs_of_an_earlier_version_are_named(played, tmp_path, capsys):
    shutil.copytree(played / "random", tmp_path / "runs")
    for seed in (0, 1):
        file = tmp_path / "runs" / f"seed-{seed}" / "rounds.jsonl"
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        file.write_text("".join(json.dumps({k: v for k, v in line.items() if k != "nll"}) + "\n" for line in lines))
    assert main(["report", str(tmp_path / "runs"), "--metric", "nll"]) == 1
    assert "No run has the negative log-likelihood (nll)" in capsys.readouterr().err
    assert main(["report", str(tmp_path / "runs")]) == 0
    assert "nll_end" not in pd.read_csv(tmp_path / "runs" / "report" / "tables" / "runs.csv")


@pytest.mark.parametrize("name", ["differences", "aggregate"])
def test_tables_say_how_many_pairs_there_are(made, name):
    runs = {(s, m, i): [0.6 + i / 50] * 10 for s in "ab" for m in ("random", "SIGnAL", "ours") for i in range(4)}
    even, uneven = runs, {keys: run for keys, run in runs.items() if keys[1] != "SIGnAL" or keys[2] < 2}
    shown = []
    for each in (even, uneven):
        rounds = made(each)
        log = rounds[[*KEYS, "index"]].rename(columns={"index": "round"})
        of_none = {folder: {"options": {}} for folder in rounds["folder"]}
        tables = build(Runs(rounds, log, log.assign(**dict.fromkeys(SPENT, 1.0)), of_none, []))
        (part,) = [part for part in table_parts(tables) if part.name == name]
        shown.append(part.content.set_index([key for key in ("setting", "method") if key in part.content]))
    if name == "aggregate":
        assert shown[0]["pairs"].tolist() == [8, 8, 8]
        assert shown[1]["pairs"].to_dict() == {"random": 8, "SIGnAL": 4, "ours": 8}
        return
    assert shown[0]["pairs"].tolist() == [4] * 6
    pairs = [f"pairs: {baseline}" for baseline in ("random", "best pool", "SIGnAL")]
    assert shown[1].loc[("a", "ours"), pairs].tolist() == ["4", "4", "2"]
    assert shown[1].loc[("a", "random"), pairs].tolist() == ["", "", "2"]
    assert shown[1].loc[("b", "SIGnAL"), pairs].tolist() == ["2", "2", ""]


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
