"""The scores, against formulas written out here."""

import numpy as np
import pytest
from scipy import stats

from experiments.config import RunError
from experiments.scoreboard.protocol import read_protocol
from experiments.scoreboard.references import read_references
from experiments.scoreboard.scores import Scoreboard, aggregate


def curve(rounds, setting, method, seed, column="accuracy"):
    run = rounds.query("setting == @setting and method == @method and seed == @seed")
    return run["labeled"].to_numpy() / run["pool"].to_numpy(), run[column].to_numpy()


def area(share, values):
    """The mean of a curve of straight lines from its beginning to 100 %, by the midpoints of fine steps."""
    steps = np.linspace(share[0], 1, 20001)
    return np.interp((steps[1:] + steps[:-1]) / 2, share, values).mean()


def interquartile_mean(values):
    """The mean of the middle half of values, of which a quarter, rounded down, is cut at each end."""
    cut = len(values) // 4
    return np.sort(values)[cut : len(values) - cut].mean()


@pytest.fixture(scope="module")
def board(rounds, protocol):
    return Scoreboard(rounds, protocol)


def test_areas_and_accuracies_are_those_of_the_curve(board, rounds):
    found = board.score(rounds[rounds["method"] == "writer"])["settings"]["b"]
    curves = [curve(rounds, "b", "writer", seed) for seed in range(5)]
    areas = [area(*each) for each in curves]
    assert found["seeds"] == 5
    assert found["area"]["mean"] == pytest.approx(np.mean(areas), abs=1e-6)
    low, high = stats.t.interval(0.95, 4, np.mean(areas), stats.sem(areas))
    assert (found["area"]["low"], found["area"]["high"]) == pytest.approx((low, high), abs=1e-6)
    for name, share in (("at_50", 0.5), ("at_100", 1.0), ("at_200", 2.0)):
        assert found[name]["mean"] == pytest.approx(np.mean([np.interp(share, *each) for each in curves]))
    f1 = [curve(rounds, "b", "writer", seed, "macro_f1") for seed in range(5)]
    assert found["macro_f1_area"]["mean"] == pytest.approx(np.mean([area(*each) for each in f1]), abs=1e-6)
    chosen = board.score(rounds[rounds["method"] == "better"])["settings"]["b"]
    assert chosen["at_200"] == {"mean": None, "low": None, "high": None}


def test_the_normalized_score_is_the_ratio_of_means(board, rounds):
    found = board.score(rounds[rounds["method"] == "better"])["settings"]["a"]
    random = [curve(rounds, "a", "random", seed) for seed in range(5)]
    mean = np.mean([area(*each) for each in random])
    whole = np.mean([values[-1] for _, values in random])
    own = np.mean([area(*curve(rounds, "a", "better", seed)) for seed in range(5)])
    assert found["score"]["mean"] == pytest.approx(100 * (own - mean) / (whole - mean), abs=1e-3)
    assert (found["random"], found["whole_pool"]) == pytest.approx((mean, whole), abs=1e-6)


def test_random_has_zero_on_any_seeds_and_the_whole_pool_has_a_hundred(board, rounds):
    some = rounds[(rounds["method"] == "random") & rounds["seed"].isin([1, 3])]
    assert board.score(some)["settings"]["a"]["score"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
    random = rounds[rounds["method"] == "random"]
    last = random.groupby(["setting", "seed"])["accuracy"].transform("last")
    whole = board.normalized(random.assign(accuracy=last))
    assert whole.groupby("setting").mean().tolist() == pytest.approx([100.0, 100.0])


def test_differences_are_paired_on_equal_seeds_and_give_the_rank(board, rounds):
    own = rounds[(rounds["method"] == "better") & (rounds["seed"] < 4)]
    found = board.score(own)["settings"]["a"]
    for name, seeds in (("random", 4), ("few", 2), ("writer", 4)):
        one, other = ([area(*curve(rounds, "a", m, seed)) for seed in range(seeds)] for m in ("better", name))
        test = stats.ttest_rel(one, other)
        low, high = test.confidence_interval(0.95)
        expected = {"pairs": seeds, "mean": np.mean(one) - np.mean(other), "low": low, "high": high}
        assert found["differences"][name] == pytest.approx(expected, abs=1e-6)
    worse = sum(each["mean"] < 0 for each in found["differences"].values())
    assert (found["rank"], found["of"]) == (1 + worse, 5)
    last = board.score(rounds[rounds["method"] == "random"])["settings"]["a"]
    assert (last["rank"], last["of"]) == (4, 5)


def test_the_interquartile_mean_is_over_all_runs_with_an_interval_of_resampled_ones(board, rounds):
    scores = board.normalized(rounds[rounds["method"] == "writer"])
    found = aggregate(scores, ["a", "b"])
    assert found["iqm"] == pytest.approx(interquartile_mean(scores.to_numpy()))
    assert found["iqm"] == pytest.approx(stats.trim_mean(scores, 0.25))
    rng = np.random.default_rng(5)
    samples = [scores.loc[name].to_numpy() for name in ("a", "b")]
    drawn = [interquartile_mean(np.concatenate([rng.choice(s, len(s)) for s in samples])) for _ in range(4000)]
    spread = np.quantile(drawn, 0.975) - np.quantile(drawn, 0.025)
    ends = np.quantile(drawn, [0.025, 0.975])
    assert [found["low"], found["high"]] == pytest.approx(ends, abs=0.1 * spread)
    assert aggregate(scores, ["a", "b"]) == found  # the draws are seeded


def test_fewer_than_five_runs_have_no_bootstrap_interval(board, rounds):
    scores = board.normalized(rounds[rounds["method"] == "writer"])
    few, enough = ({"a": 2, "b": 2}, {"a": 3, "b": 2})
    for runs, has_interval in ((few, False), (enough, True)):
        kept = scores[[seed < runs[setting] for setting, seed in scores.index]]
        found = aggregate(kept, ["a", "b"])
        assert found["iqm"] == pytest.approx(stats.trim_mean(kept, 0.25))
        assert (found["low"] is not None, found["high"] is not None) == (has_interval, has_interval)


def test_settings_that_were_not_played_are_named(board, rounds):
    overall = board.score(rounds[(rounds["method"] == "better") & (rounds["setting"] == "b")])["overall"]
    assert (overall["settings"], overall["not_played"], overall["runs"]) == (["b"], ["a"], 5)


def test_a_run_that_does_not_reach_the_pool_has_no_score(board, rounds):
    own = rounds[(rounds["method"] == "better") & ((rounds["seed"] > 0) | (rounds["share"] < 0.8))]
    found = board.score(own)
    assert found["settings"]["a"]["score"]["mean"] is None
    assert found["settings"]["a"]["rank"] is None
    assert found["overall"]["score"] == {"iqm": None, "low": None, "high": None}


def test_every_setting_of_the_protocol_has_a_gap_of_over_a_point():
    board = Scoreboard(read_references().rounds, read_protocol())
    assert set(board.anchors.means.index) == set(read_protocol().settings)
    assert board.anchors.means["gap"].min() >= 0.014
    for setting in read_protocol().settings:
        assert board.anchors.random.loc[setting].index.tolist() == list(range(30))


def test_a_setting_in_which_labels_are_worth_nothing_has_no_score(rounds, protocol):
    flat = rounds.assign(accuracy=rounds["accuracy"].where(rounds["setting"] != "b", 0.5))
    board = Scoreboard(flat, protocol)
    with pytest.raises(RunError, match=r"No normalized score on b: .* got a difference of 0"):
        board.score(flat[(flat["method"] == "writer") & (flat["setting"] == "b")])
