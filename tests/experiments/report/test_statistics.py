"""The statistics, each beside another way to the same number."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from experiments.config import RunError
from experiments.metric import METRICS
from experiments.report.comparisons import aggregate, best_pool_based, differences, oriented, summary
from experiments.report.statistics import (
    band,
    holm,
    iqm,
    methods_of,
    probability_of_improvement,
    run_scores,
    scores,
    settings_of,
    stratified,
)


def test_a_summary_has_students_intervals(study):
    table = scores(study)
    rows = summary(table).set_index(["setting", "method"])
    ours = table[(table["setting"] == "b") & (table["method"] == "ours")]
    test = stats.ttest_1samp(ours["area_100"], 0).confidence_interval(0.95)
    row = rows.loc[("b", "ours")]
    assert row["area_100"] == pytest.approx(np.mean(ours["area_100"]))
    assert (row["area_100_low"], row["area_100_high"]) == pytest.approx((test.low, test.high))
    assert (row["seeds"], row["labels"]) == (3, 200)
    assert row["synthetic"] == pytest.approx(40 / 200)
    assert np.isnan(rows.loc[("a", "random"), "at_200"])
    assert table.groupby("method")["pool_based"].all().to_dict() == {
        **dict.fromkeys(("badge", "entropy", "random"), True),
        "ours": False,
    }


def test_a_band_is_that_of_all_resamples():
    values = np.random.default_rng(1).random((4, 6))
    every = [values[list(drawn)].mean(axis=0) for drawn in np.ndindex(4, 4, 4, 4)]  # all draws, equally likely
    low, high = band(values)
    expected = np.quantile(every, [0.025, 0.975], axis=0, method="inverted_cdf")
    assert np.abs([low - expected[0], high - expected[1]]).max() < 0.02
    assert (low >= values.min(axis=0)).all()
    assert np.array_equal(band(values), band(values))
    assert np.isnan(band(values[:1])).all()


def test_interquartile_mean_is_the_mean_of_the_middle_half():
    assert iqm(np.array([9.0, 1.0, 2.0, 3.0]), np.array([4.0, -70.0, 5.0, 80.0])) == pytest.approx((2 + 3 + 4 + 5) / 4)


def test_probability_of_improvement_is_mann_and_whitneys():
    rng = np.random.default_rng(2)
    ours, theirs = rng.integers(0, 6, (2, 5)).astype(float), rng.integers(0, 6, (2, 4)).astype(float)
    expected = np.mean([stats.mannwhitneyu(x, y).statistic / 20 for x, y in zip(ours, theirs, strict=True)])
    assert probability_of_improvement(*ours, *theirs) == pytest.approx(expected)
    drawn = probability_of_improvement(*np.stack([ours, ours], axis=1), *np.stack([theirs, theirs], axis=1))
    assert drawn == pytest.approx([expected, expected])


def test_a_stratified_bootstrap_draws_within_settings():
    easy, hard = np.array([0.9, 0.9, 0.9, 0.9]), np.array([0.5, 0.5, 0.5, 0.5])
    assert stratified([easy, hard], iqm) == pytest.approx((0.7, 0.7, 0.7))  # drawn from all, it would vary
    value, low, high = stratified([easy, np.array([0.5])], iqm)
    assert value == pytest.approx(0.9)  # of 0.5 and four times 0.9 the lowest and the highest go
    assert np.isnan([low, high]).all()


def test_an_aggregate_is_over_all_settings(study):
    table = scores(study)
    rows = aggregate(table).set_index(["measure", "method"])
    ours, random = (table[table["method"] == method]["area_100"].to_numpy() for method in ("ours", "random"))
    row = rows.loc[("area_100", "ours")]
    assert (row["settings"], row["runs"], row["pairs"]) == (2, 6, 6)
    assert row["iqm"] == pytest.approx(np.sort(ours - random)[1:-1].mean())
    assert row["iqm_low"] < row["iqm"] < row["iqm_high"]
    pairs = [
        float(x > y)
        for setting in ("a", "b")
        for x in table.loc[(table["method"] == "ours") & (table["setting"] == setting), "area_100"]
        for y in table.loc[(table["method"] == "random") & (table["setting"] == setting), "area_100"]
    ]
    assert row["random"] == pytest.approx(np.mean(pairs))
    assert rows.loc[("area_100", "random"), ["iqm", "random"]].isna().all()
    best = best_pool_based(table, "area_100")
    means = table[table["method"] != "ours"].groupby(["setting", "method"])["area_100"].mean()
    assert best == {setting: means[setting].idxmax() for setting in ("a", "b")}


def test_the_best_pool_based_method_is_one_that_chooses_among_real_texts(made):
    accuracies = {"random": 0.6, "chance": 0.7, "asal": 0.9}  # asal writes, and labels real texts alone
    rounds = made({("a", name, 0): [accuracy] * 10 for name, accuracy in accuracies.items()})
    rounds["agent"] = rounds["agent"].replace("chance", "random")
    table = scores(rounds)
    assert (table["synthetic"] == 0).all()
    assert best_pool_based(table, "area_100") == {"a": "chance"}


def test_a_probability_of_improvement_has_an_interval_from_five_runs_a_setting_on(made):
    def found(seeds):
        bases = {"random": 0.5, "ours": 0.53}
        runs = {("a", name, i): [base + i / 100] * 10 for name, base in bases.items() for i in range(seeds)}
        return aggregate(scores(made(runs))).set_index(["measure", "method"]).loc[("end", "ours")]

    few, many = found(4), found(5)
    assert few["random"] == pytest.approx(1 - 0.5 / 16)  # one tie
    assert many["random"] == pytest.approx(1 - (1 + 2 * 0.5) / 25)  # one pair is lost, two are ties
    assert np.isnan([few["random_low"], few["random_high"]]).all()
    assert many["random_low"] < many["random"] <= many["random_high"]


def test_a_gain_over_random_does_not_depend_on_how_hard_a_task_is(made):
    accuracies = {"easy": 0.9, "hard": 0.5}  # of the ten gains the middle six count: 1 to 6 points
    gains = {"easy": (0.01, 0.02, 0.03, 0.04, -0.2), "hard": (0.05, 0.06, -0.01, 0.2, 0.3)}
    runs = {(s, "random", seed): [base + seed / 50] * 10 for s, base in accuracies.items() for seed in range(5)}
    runs |= {(s, "ours", i): np.array(runs[s, "random", i]) + gain for s in gains for i, gain in enumerate(gains[s])}
    rows = aggregate(scores(made(runs))).set_index(["measure", "method"])
    assert rows.loc[("area_100", "ours"), "iqm"] == pytest.approx(0.035)
    unpaired = {keys: run for keys, run in runs.items() if keys[1] == "ours" or keys[2] > 3}
    row = aggregate(scores(made(unpaired))).set_index(["measure", "method"]).loc[("end", "ours")]
    assert (row["runs"], row["pairs"], row["iqm"]) == (10, 2, pytest.approx(0.05))
    assert np.isnan([row["iqm_low"], row["iqm_high"]]).all()


def test_differences_are_paired_by_seed(study):
    table = scores(study).drop(index=lambda t: t.index[(t["method"] == "ours") & (t["seed"] == 2)][:1], errors="ignore")
    table = table[~((table["setting"] == "a") & (table["method"] == "ours") & (table["seed"] == 2))]
    rows = differences(table).set_index(["measure", "setting", "method", "baseline"])
    for setting, count in (("a", 2), ("b", 3)):
        row = rows.loc[("end", setting, "ours", "random")]
        ours, random = (
            table[(table["setting"] == setting) & (table["method"] == method) & (table["seed"] < count)]["end"]
            for method in ("ours", "random")
        )
        interval = stats.ttest_rel(ours, random).confidence_interval(0.95)
        assert row["pairs"] == count
        assert row["mean"] == pytest.approx(ours.mean() - random.mean())
        assert (row["low"], row["high"]) == pytest.approx((interval.low, interval.high))
    assert ("end", "a", "random", "random") not in rows.index
    for setting, best in best_pool_based(table, "area_100").items():
        assert rows.loc[("area_100", setting, "ours", "best pool-based"), "against"] == best


@pytest.fixture(scope="module")
def uneven(made):
    """Scores of methods whose seeds overlap only in part, in two settings."""
    rng = np.random.default_rng(4)
    seeds = {"random": range(9), "entropy": range(2, 9), "badge": (0, 1, 2, 3, 5, 7), "SIGnAL": (1, 3, 8)}
    gains = {"random": 0.0, "entropy": 0.02, "badge": 0.01, "SIGnAL": 0.04}
    pools = rng.normal(0.6, 0.05, size=(2, 9))  # some seeds are easier than others
    runs = {
        (setting, method, seed): pools[i, seed] + gains[method] + np.sort(rng.uniform(0, 0.2, 20))
        for i, setting in enumerate(("a", "b"))
        for method, of_method in seeds.items()
        for seed in of_method
    }
    return scores(made(runs))


def by_seed(table, setting, method, measure):
    rows = table[(table["setting"] == setting) & (table["method"] == method)]
    return dict(zip(rows["seed"], rows[measure], strict=True))


def test_differences_of_uneven_seeds_are_those_of_the_seeds_that_both_have(uneven):
    found = differences(uneven).set_index(["measure", "setting", "method", "baseline"])
    for (measure, setting, method, _), row in found.iterrows():
        ours, theirs = (by_seed(uneven, setting, name, measure) for name in (method, row["against"]))
        both = sorted(ours.keys() & theirs.keys())
        test = stats.ttest_rel([ours[s] for s in both], [theirs[s] for s in both])
        interval = test.confidence_interval(0.95)
        assert row["pairs"] == len(both)
        assert (row["low"], row["high"]) == pytest.approx((interval.low, interval.high))
        assert row["p"] == pytest.approx(test.pvalue)
    pairs = found["pairs"].xs("area_100").xs("a")
    assert pairs["entropy", "random"] == 7
    assert pairs["badge", "random"] == 6
    assert pairs["SIGnAL", "random"] == pairs["random", "SIGnAL"] == 3
    assert pairs["SIGnAL", "best pool-based"] == 2  # entropy, on the seeds 3 and 8


def test_p_values_are_corrected_for_all_comparisons_with_a_baseline_by_a_measure(uneven):
    for _, group in differences(uneven).groupby(["measure", "baseline"]):
        known = group.dropna(subset=["p"]).sort_values("p")
        reached = 0.0
        for i, (_, row) in enumerate(known.iterrows()):  # Holm: the smallest of m counts m times, the next m - 1 times
            reached = max(reached, min(1.0, row["p"] * (len(known) - i)))
            assert row["p_holm"] == pytest.approx(reached)
        assert group["p_holm"].notna().sum() == len(known)


def test_equal_runs_are_no_comparison_to_correct_for(made):
    runs = {("a", name, i): [0.6 + i / 50] * 10 for name in ("random", "entropy", "badge") for i in range(3)}
    runs |= {("a", "badge", i): [0.6 + i / 50 + 0.01 + i / 1000] * 10 for i in range(3)}
    rows = differences(scores(made(runs))).set_index(["measure", "method", "baseline"]).loc["end"]
    assert np.isnan(rows.loc[("entropy", "random"), ["p", "p_holm"]].astype(float)).all()
    badge = rows.loc[("badge", "random")]
    assert badge["p_holm"] == badge["p"] == pytest.approx(stats.ttest_1samp([0.01, 0.011, 0.012], 0).pvalue)


def test_the_best_pool_based_method_is_that_of_the_seeds_that_all_of_them_have(made):
    accuracies = {"random": {0: 0.7, 1: 0.6, 2: 0.5}, "entropy": {1: 0.61, 2: 0.52}, "badge": {0: 0.9, 1: 0.5, 2: 0.4}}
    runs = {("a", name, i): [value] * 10 for name, of_seed in accuracies.items() for i, value in of_seed.items()}
    assert best_pool_based(scores(made(runs)), "area_100") == {"a": "entropy"}  # not badge, whose seed 0 was easy
    alone = {keys: run for keys, run in runs.items() if keys[1] != "random"} | {("a", "random", 5): [0.9] * 10}
    assert best_pool_based(scores(made(alone)), "area_100") == {}


def test_an_aggregate_of_uneven_seeds_compares_those_that_both_have(uneven):
    rows = aggregate(uneven).set_index(["measure", "method"]).loc["area_100"]
    best = best_pool_based(uneven, "area_100")
    for method, row in rows.iterrows():
        gains, won, pool_pairs, over_pool = [], [], 0, []
        for setting in ("a", "b"):
            ours = by_seed(uneven, setting, method, "area_100")
            for name, wins in (("random", won), (best[setting], over_pool)):
                theirs = by_seed(uneven, setting, name, "area_100")
                both = sorted(ours.keys() & theirs.keys())
                one, other = np.array([ours[s] for s in both]), np.array([theirs[s] for s in both])
                wins.append(stats.mannwhitneyu(one, other).statistic / len(both) ** 2)
                gains += list(one - other) if wins is won else []
                pool_pairs += len(both) if wins is over_pool else 0
        assert row["runs"] == 2 * {"random": 9, "entropy": 7, "badge": 6, "SIGnAL": 3}[method]
        assert (row["pairs"], row["pool_pairs"]) == (len(gains), pool_pairs)
        if method != "random":
            assert row["random"] == pytest.approx(np.mean(won))
            assert row["iqm"] == pytest.approx(stats.trim_mean(gains, 0.25))
        if {method} != set(best.values()):
            assert row["pool"] == pytest.approx(np.mean(over_pool))


def test_by_the_likelihood_less_is_better(study):
    """nll is 1.5 - accuracy in these rounds, so all that is better, and by how much, is the same."""
    nll, by_accuracy, by_nll = METRICS["nll"], scores(study), scores(study, METRICS["nll"])
    assert by_nll["area_100"].to_numpy() == pytest.approx(1.5 - by_accuracy["area_100"].to_numpy())
    assert best_pool_based(oriented(by_nll, nll), "end") == best_pool_based(by_accuracy, "end")
    for of in (differences, aggregate):
        expected, found = of(by_accuracy), of(by_nll, nll)
        numbers = expected.select_dtypes("number").columns
        assert found[numbers].to_numpy() == pytest.approx(expected[numbers].to_numpy(), abs=1e-9, nan_ok=True)
        assert (found.drop(columns=numbers) == expected.drop(columns=numbers)).all(axis=None)


def test_scores_by_other_metrics_stand_beside(study):
    table = scores(study)
    assert table["nll_end"].to_numpy() == pytest.approx(1.5 - table["end"].to_numpy())
    assert table["macro_f1_area_100"].to_numpy() == pytest.approx(
        table["area_100"].to_numpy() - 0.02 * (table["seed"] % 3).to_numpy()
    )
    row = summary(table).set_index(["setting", "method"]).loc[("a", "badge")]
    values = table[(table["setting"] == "a") & (table["method"] == "badge")]["macro_f1_end"]
    interval = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (row["macro_f1_end_low"], row["macro_f1_end_high"]) == pytest.approx((interval.low, interval.high))
    assert {"accuracy_end", "nll_end"} <= set(scores(study, METRICS["macro_f1"]))
    old = scores(study.drop(columns=["macro_f1", "nll"]))
    assert not [name for name in old if "nll" in name or "macro" in name]


def test_signal_is_a_baseline_for_what_lacks_a_part_of_it(made):
    base = {"SIGnAL": 0.8, "KL-only": 0.77, "entropy": 0.75}
    changes = {"SIGnAL": (0, 0, 0), "KL-only": (0.01, 0.0, -0.01), "entropy": (0, 0, 0)}
    runs = {("a", name, i): [base[name] + changes[name][i]] * 20 for name in base for i in range(3)}
    rows = differences(scores(made(runs))).set_index(["baseline", "measure", "method"]).loc["SIGnAL"]
    assert set(rows.index) == {(m, name) for m in ("area_100", "at_100", "end") for name in ("KL-only", "entropy")}
    row = rows.loc[("end", "KL-only")]
    half = stats.t.ppf(0.975, 2) * 0.01 / 3**0.5
    assert row[["mean", "low", "high"]].tolist() == pytest.approx([-0.03, -0.03 - half, -0.03 + half])


def test_a_single_pair_has_a_difference_and_no_interval(study):
    row = differences(scores(study[study["seed"] == 0])).iloc[0]
    assert row["pairs"] == 1
    assert not np.isnan(row["mean"])
    assert np.isnan([row["low"], row["high"]]).all()


def test_without_baselines_there_are_no_differences(study):
    table = scores(study[study["method"] == "ours"])
    assert len(differences(table)) == 0
    assert aggregate(table)[["iqm", "random", "pool"]].isna().all().all()


def test_the_papers_methods_and_tasks_come_first_and_in_its_order(made):
    names = ("zeta", "SIGnAL", "cal", "random", "Alpha")
    places = (
        ("qnli-1%", "qnli", 0.01),
        ("x", "reviews", None),
        ("sst2-1%", "sst2", 0.01),
        ("sst2-0.1%", "sst2", 0.001),
    )
    rounds = pd.concat(
        [made({(setting, name, 0): [0.5]}, task, fraction) for name in names for setting, task, fraction in places]
    )
    rounds["fraction"] = rounds["fraction"].astype(float)
    assert methods_of(rounds) == ["random", "cal", "SIGnAL", "Alpha", "zeta"]
    assert settings_of(rounds) == ["sst2-0.1%", "sst2-1%", "qnli-1%", "x"]


def test_what_is_no_curve_no_p_value_and_no_sample_is_refused():
    one, two = np.array([0.5]), np.array([0.5, 0.7])
    for share, values in ((two, one), (one[:0], one[:0]), (two[::-1], two), (np.array([0.5, np.nan]), two)):
        with pytest.raises(RunError, match="the shares finite and rising"):
            run_scores(share, values)
    with pytest.raises(RunError, match=r"from 0 to 1; got 0\.5 to 1\.5"):
        holm(np.array([0.5, 1.5]))
    with pytest.raises(RunError, match="one value or more"):
        iqm(one[:0])
    for samples in ((one,), (one, one[:0]), (one, two, two)):
        with pytest.raises(RunError, match="runs of both methods in each setting"):
            probability_of_improvement(*samples)
