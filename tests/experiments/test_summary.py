"""The tables in the terminal: they hold what the logs do."""

import json

import numpy as np
import pandas as pd
import pytest

from experiments import play
from experiments.__main__ import main
from experiments.metric import METRICS
from experiments.report.contents import early_ends, learned
from experiments.report.statistics import scores
from experiments.runs import read_runs


def metrics(method, seed, lifts):
    rows = [
        {
            **{"setting": "sst2-1%", "method": method, "seed": seed, "round": i + 1},
            **{"reward/mean": 0.2, "texts/invalid": 0.0, "texts/distinct_2": 0.5, "speed/seconds": 90.0},
            **({} if lift is None else {"lift/mean": lift, "lift/policy": 0.2 + lift, "lift/reference": 0.2}),
        }
        for i, lift in enumerate(lifts)
    ]
    return pd.DataFrame(rows)


def test_what_was_learned_is_the_mean_of_the_second_half_over_seeds():
    parts = [metrics("ppo", seed, [9.0, 9.0, 0.1, 0.1 * seed]) for seed in range(3)]
    table = learned(pd.concat([*parts, metrics("generator", 0, [None] * 4)])).set_index("method")
    ppo, generator = table.loc["ppo"], table.loc["generator"]
    # means of the seeds 0.05, 0.1, 0.15; t(0.975, 2) = 4.3027, so 4.3027 * 0.05 / sqrt(3)
    assert ppo[["seeds", "rounds", "reward"]].tolist() == [3, "3-4", "0.200 ± 0.000"]
    assert ppo[["lift", "ratio", "minutes"]].tolist() == ["+0.100 ± 0.124", "1.500 ± 0.621", "6.0"]
    assert generator.tolist() == ["sst2-1%", 1, "3-4", "0.200", "", "", "", "0.500", "0.000", "6.0"]


def test_a_round_in_which_the_reference_gets_almost_nothing_does_not_decide_the_ratio():
    table = metrics("ppo", 0, [9.0, 9.0, 0.0, 0.0])
    table["lift/policy"], table["lift/reference"] = [1.0, 1.0, 0.30, 0.20], [1.0, 1.0, 0.40, 0.002]
    assert learned(table)["ratio"].tolist() == [f"{0.25 / 0.201:.3f}"]  # the mean of the ratios is 50.4


def test_the_tables_of_a_report_are_printed(played, capsys):
    assert main(["summary", str(played)]) == 0
    shown = capsys.readouterr().out
    table = scores(read_runs([played]).rounds)
    areas = table[table["method"] == "entropy"]["area_100"]
    assert f"{areas.mean():.3f} ±" in shown
    for title in (
        "Accuracy",
        "Paired differences",
        "Over all settings",
        "Cost",
        "Stopping criteria",
        "What was learned",
    ):
        assert title in shown


def test_runs_that_a_criterion_ended_are_said(tmp_path, capsys):
    small = {"pool_size": 60, "round_size": 15, "evaluation_size": 100, "tensorboard": False}
    play(agent="margin", out=tmp_path / "whole", **small)
    play(agent="random", out=tmp_path / "short", **small, budget=30)
    assert early_ends(read_runs(tmp_path)) == []  # an unequal budget is no early end
    stopping = {"stopping": "classification_change", "stopping_options": {"threshold": 0.5}}
    play(agent="margin", method="stopped", out=tmp_path / "stopped", **small, **stopping)
    runs = read_runs(tmp_path)
    assert runs.rounds[runs.rounds["method"] == "stopped"]["labeled"].max() < 60
    capsys.readouterr()
    assert main(["summary", str(tmp_path)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "In SignalEnv-reviews-v0, a stopping criterion ended 1 run before the budget was spent" in shown


def test_another_metric_may_be_what_is_compared(played, capsys):
    assert main(["summary", str(played), "--metric", "nll"]) == 0
    shown = capsys.readouterr().out
    table = scores(read_runs([played]).rounds, METRICS["nll"]).set_index(["method", "seed"])["area_100"]
    assert "Negative log-likelihood" in shown
    assert f"{table['entropy'].mean():.3f} ±" in shown
    assert f"{(table['random'] - table['generator']).mean():+.4f} ±" in shown  # above zero is better
    with pytest.raises(SystemExit, match="2"):
        main(["summary", str(played), "--metric", "f1"])


def test_an_unfinished_run_is_shown_as_far_as_it_is(played, tmp_path, capsys):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.yaml").write_bytes((played / "random" / "seed-0" / "config.yaml").read_bytes())
    lines = (played / "random" / "seed-0" / "rounds.jsonl").read_text().splitlines(keepends=True)
    (folder / "rounds.jsonl").write_text("".join(lines[:2]))
    assert main(["summary", str(folder)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "not finished (20 of 40 labels)" in shown
    row = scores(read_runs([folder], unfinished=True).rounds).iloc[0]
    assert row["first"] == json.loads(lines[0])["accuracy"]
    assert row["at_50"] == json.loads(lines[1])["accuracy"]
    assert np.isnan([row[name] for name in ("at_100", "area_100", "end")]).all()


def test_a_folder_without_a_run_is_named(tmp_path, capsys):
    assert main(["summary", str(tmp_path)]) == 1
    assert "No finished run to read" in capsys.readouterr().err
    assert main(["summary", str(tmp_path / "nowhere")]) == 1
    assert "is no folder" in capsys.readouterr().err
    assert main(["summary"]) in (1, 2)


@pytest.mark.parametrize("name", ["metrics", "cost"])
def test_a_log_of_which_there_is_none_is_an_empty_table(played, name):
    table = getattr(read_runs([played / "random"]), name)
    assert {"setting", "method", "seed", "round"} <= set(table)
    assert len(table) == (0 if name == "metrics" else 8)
