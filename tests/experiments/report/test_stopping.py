"""The table of stopping criteria: by hand, over made rounds, and over real runs."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from experiments.config import make_config
from experiments.metric import METRICS
from experiments.report.stopping import stopping, stopping_part
from experiments.report.tables import build
from experiments.run import play
from experiments.runs import SPENT, Runs, read_runs

ACCURACIES = {0: [0.5, 0.6, 0.7, 0.8, 0.9], 1: [0.5, 0.7, 0.7, 0.6, 0.7], 2: [0.5, 0.6, 0.6, 0.8, 0.8]}
MET_AT = {0: 30, 1: 40, 2: None}
"""For each seed the labels at which `stable` is met."""


def runs_of(made, options=None, budget=50, **changed):
    """Return runs of one method and three seeds that measure two criteria; `never` is met in none."""
    rounds = made({("a", "entropy", seed): values for seed, values in ACCURACIES.items()}, pool=50)
    measured = []
    for seed, labeled in rounds[["seed", "labeled"]].to_numpy():
        met = MET_AT[seed] is not None and labeled >= MET_AT[seed]
        measured.append({"never": {"value": 0.5}, "stable": {"value": 0.9} | ({"met_at": MET_AT[seed]} if met else {})})
    rounds = rounds.assign(budget=budget, stopping=measured, finished=rounds["labeled"] == 50, **changed)
    log, cost = (pd.DataFrame(columns=["setting", "method", "seed", "round", *columns]) for columns in ((), SPENT))
    return Runs(rounds, log, cost, {folder: {"options": options or {}} for folder in rounds["folder"]}, [])


def test_the_table_by_hand(made):
    table = stopping(runs_of(made)).set_index("criterion")
    stable, never = table.loc["stable"], table.loc["never"]
    assert (stable["runs"], stable["met"], stable["labels"]) == (3, pytest.approx(2 / 3), 35)
    assert stable["saved"] == pytest.approx(((50 - 30) / 50 + (50 - 40) / 50) / 2)
    lost = [0.9 - 0.7, 0.7 - 0.6]
    low, high = stats.t.interval(0.95, 1, np.mean(lost), stats.sem(lost))
    assert tuple(stable[["lost", "lost_low", "lost_high"]]) == pytest.approx((0.15, low, high))
    assert (never["runs"], never["met"]) == (3, 0)
    assert never[["labels", "saved", "lost"]].isna().all()


def test_the_table_for_reading(made):
    tables = build(runs_of(made))
    (part,) = stopping_part(tables)
    stable = part.content.set_index("criterion").loc["stable"]
    assert (stable["met"], stable["labels"], stable["labels saved"]) == ("67%", "35", "30%")
    assert stable["accuracy lost"].startswith("+15.00 ± ")
    assert part.content.set_index("criterion").loc["never"].tolist()[-3:] == ["", "", ""]


def test_what_is_lost_may_be_another_metric(made):
    table, nll = stopping(runs_of(made)), stopping(runs_of(made), METRICS["nll"])  # 1.5 - accuracy
    pd.testing.assert_frame_equal(nll, table)
    (part,) = stopping_part({"stopping": nll}, METRICS["nll"])
    assert part.content.set_index("criterion").loc["stable", "negative log-likelihood lost"].startswith("+0.1500 ± ")


def test_an_idle_round_after_it_changes_nothing(made):
    runs = runs_of(made)
    again = runs.rounds[(runs.rounds["labeled"] == 30)].assign(index=9)
    runs.rounds = pd.concat([runs.rounds, again]).sort_values(["seed", "labeled"], kind="stable", ignore_index=True)
    pd.testing.assert_frame_equal(stopping(runs), stopping(runs_of(made)))


def test_a_run_that_a_criterion_ended_has_no_loss(made):
    table = stopping(runs_of(made, {"stopping": "stable"}, budget=100)).set_index("criterion")
    assert table.loc["stable", "saved"] == pytest.approx((0.7 + 0.6) / 2)
    assert table["lost"].isna().all()
    whole = stopping(runs_of(made, {"stopping": "never"})).set_index(
        "criterion"
    )  # it was not met: the budget was spent
    assert whole.loc["stable", "lost"] == pytest.approx(0.15)


def test_runs_without_criteria_are_left_out(made):
    runs = runs_of(made)
    runs.rounds.loc[runs.rounds["seed"] == 1, "stopping"] = None
    assert stopping(runs).set_index("criterion").loc["stable", ["runs", "met", "labels"]].tolist() == [2, 0.5, 30]
    runs.rounds = runs.rounds.drop(columns="stopping")
    assert "stopping" not in build(runs)
    assert stopping_part(build(runs)) == []
    unfinished = runs_of(made)
    unfinished.rounds["finished"] = False
    assert stopping(unfinished).empty


def test_real_runs_stop_where_the_table_has_them(tmp_path):
    """Play one agent to its budget, then with each criterion at that criterion's own labels."""
    options = {"pool_size": 120, "round_size": 12, "evaluation_size": 100}
    play(make_config("SignalEnv-reviews-v0", "entropy", out=tmp_path / "whole", tensorboard=False, options=options))
    runs = read_runs(tmp_path / "whole")
    table = stopping(runs).set_index("criterion")
    assert set(table.index) == {"classification_change", "overall_uncertainty", "stable_predictions"}
    ended = 0
    for name, row in table.iterrows():
        out = tmp_path / name
        play(
            make_config(
                "SignalEnv-reviews-v0", "entropy", out=out, tensorboard=False, options=options | {"stopping": name}
            )
        )
        lines = [json.loads(line) for line in (out / "rounds.jsonl").read_text().splitlines()]
        assert lines[-1]["labeled"] == (row["labels"] if row["met"] else 120)
        if lines[-1]["labeled"] < 120:
            ended += 1
            assert lines[-1]["end_reason"] == f"the stopping criterion {name} is met"
            whole = runs.rounds.set_index("labeled")["accuracy"]
            assert row["lost"] == pytest.approx(whole[120] - lines[-1]["accuracy"])
    assert ended
