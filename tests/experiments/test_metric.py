"""Metrics that methods may be compared by, and runs of which some lack one."""

import pandas as pd
import pytest

from experiments.metric import ACCURACY, METRICS, with_metric
from experiments.runs import NUMBERS, Runs
from signal_env.learner.metrics import Metrics


def runs_of(nll):
    """Runs of two rounds each, by seed."""
    rows = [
        {"setting": "s", "method": "m", "seed": seed, "folder": f"seed-{seed}", "accuracy": 0.5, "nll": value}
        for seed, values in nll.items()
        for value in values
    ]
    log = pd.DataFrame([{"setting": "s", "method": "m", "seed": seed, "round": 0} for seed in nll])
    return Runs(pd.DataFrame(rows), log, log, {}, [("elsewhere", "torn")])


def test_every_metric_of_a_round_is_one():
    assert tuple(METRICS) == Metrics._fields
    assert ACCURACY.name in NUMBERS


def test_runs_without_a_metric_are_left_out_and_named():
    runs = with_metric(runs_of({0: [0.6, 0.5], 1: [None, 0.5], 2: [0.7, 0.4]}), METRICS["nll"])
    assert runs.rounds["seed"].tolist() == [0, 0, 2, 2]
    assert runs.metrics["seed"].tolist() == runs.cost["seed"].tolist() == [0, 2]
    assert [folder for folder, _ in runs.problems] == ["elsewhere", "seed-1"]
    assert "without the negative log-likelihood" in runs.problems[1][1]
    whole = runs_of({0: [0.6, 0.5]})
    assert with_metric(whole, METRICS["nll"]) is whole
    assert with_metric(runs_of({0: [None, None]}), ACCURACY).rounds["seed"].tolist() == [0, 0]


def test_where_no_run_has_the_metric_that_is_an_error():
    old = runs_of({0: [0.6, 0.5]})
    with pytest.raises(ValueError, match=r"No run has the macro-F1 \(macro_f1\).*or compare them by accuracy"):
        with_metric(old, METRICS["macro_f1"])
    with pytest.raises(ValueError, match="an earlier version wrote seed-0"):
        with_metric(runs_of({0: [None, None]}), METRICS["nll"])
