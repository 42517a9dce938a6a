"""Curves over labels, and costs of runs, each checked by another way to the same number."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from experiments.report.tables import balance, cost, curves, learning


def test_curves_have_the_shares_that_all_seeds_have(study):
    cut = study.drop(study[(study["method"] == "ours") & (study["seed"] == 1) & (study["index"] > 14)].index)
    found = curves(cut).set_index(["setting", "method", "share"])
    ours = study[(study["setting"] == "a") & (study["method"] == "ours")]
    assert found.loc[("a", "ours")].index.tolist() == [labeled / 100 for labeled in range(10, 160, 10)]
    assert found.loc[("a", "ours", 0.8), "mean"] == pytest.approx(ours.loc[ours["index"] == 7, "accuracy"].mean())
    assert (found["seeds"] == 3).all()
    alone = curves(study[study["seed"] == 0])
    assert alone[["low", "high"]].isna().all().all()
    assert alone["mean"].notna().all()


def test_seeds_whose_rounds_differ_are_read_at_equal_shares(made):
    def accuracy(labeled):
        return 0.5 + np.asarray(labeled) / 500

    steps = {0: 10, 1: 8, 2: 7}  # all on one line, which a mean by round would leave
    rounds = pd.concat(
        [made({("a", "ours", i): accuracy(range(s, 101, s))}, step=s) for i, s in steps.items()], ignore_index=True
    )
    found = curves(rounds)
    assert (found["share"].min(), found["share"].max()) == (0.1, 0.96)  # 8 · 12 labels; 7 · 14 is 98
    assert pytest.approx(np.tile(accuracy(100 * found["share"]), (3, 1))) == found[["mean", "low", "high"]].to_numpy().T


def test_balance_is_the_mean_share_of_each_class(study):
    found = balance(study, {"sst2": ("negative", "positive")}).set_index(["setting", "method", "round", "class"])
    written = study[study["selected_synthetic"] > 0]
    for (setting, index), group in written.groupby(["setting", "index"]):
        counts = np.array(group["synthetic_label_counts"].tolist())
        row = found.loc[(setting, "ours", index, "positive")]
        assert row["mean"] == pytest.approx((counts[:, 1] / counts.sum(axis=1)).mean())
        assert row["texts"] == counts[:, 1].sum()
    assert set(balance(study, {})["class"]) == {"0", "1"}
    assert len(balance(study[study["method"] == "random"], {})) == 0


class Said:
    """The tables that a report reads, with made-up numbers."""

    def __init__(self, rounds, metrics, cost):
        self.rounds, self.metrics, self.cost = rounds, metrics, cost


def test_costs_are_means_of_runs_and_the_most_memory(study):
    keys = ["setting", "method", "seed"]
    spent = study.rename(columns={"index": "round"})[[*keys, "round"]]
    spent = spent.assign(seconds=spent["seed"] + 1.0, cpu_seconds=0.5, memory=spent["round"] * 10 + spent["seed"])
    spent = spent.assign(memory_before=50 * spent["seed"], gpu_memory=np.nan, gpu_memory_before=np.nan)
    said = spent[(spent["method"] == "ours") & (spent["round"] > 0)][[*keys, "round"]].assign(**{"texts/tokens": 7.0})
    row = cost(Said(study, said, spent)).set_index(["setting", "method"]).loc[("a", "ours")]
    assert row["seconds"] == pytest.approx(20 * (1 + 2 + 3) / 3)
    assert row["cpu_seconds"] == pytest.approx(10)
    assert row["memory"] == 192
    assert row["memory_added"] == 190  # of the first seed; the last one began at 100
    assert np.isnan(row["gpu_memory"])
    assert row["tokens"] == pytest.approx(19 * 10 * 7)
    assert (row["real_labels"], row["synthetic_labels"]) == (160, 40)
    counted = said.assign(**{"texts/written": np.where(said["round"] < 5, 30, np.nan)})
    counted.loc[counted["round"] == 19, ["texts/tokens", "texts/written"]] = np.nan, 0  # nothing was written
    row = cost(Said(study, counted, spent)).set_index(["setting", "method"]).loc[("a", "ours")]
    assert row["tokens"] == pytest.approx((4 * 30 + 14 * 10) * 7)
    unsaid = cost(Said(study, said[:0], spent[:0]))
    assert unsaid[["tokens", "seconds", "memory"]].isna().all().all()


def test_metrics_that_are_followed_become_curves(study):
    said = study[study["index"] > 0].rename(columns={"index": "round", "accuracy": "lift/mean"})
    said = said[["setting", "method", "seed", "round", "lift/mean"]].assign(**{"speed/seconds": 1.0})
    found = learning(Said(study, said, None))
    assert set(found["metric"]) == {"lift/mean"}
    values = said[(said["setting"] == "a") & (said["method"] == "ours") & (said["round"] == 3)]["lift/mean"]
    row = found[(found["setting"] == "a") & (found["method"] == "ours") & (found["share"] == 0.4)].iloc[0]
    interval = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (row["mean"], row["low"], row["high"]) == pytest.approx((values.mean(), interval.low, interval.high))
    late = said[(said["round"] < 5) | (said["seed"] == 0)]
    assert learning(Said(study, late, None))["share"].max() == 0.5  # of round 4
    assert len(learning(Said(study, said[["setting", "method", "seed", "round"]], None))) == 0
