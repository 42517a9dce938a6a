"""Verdicts on paired differences: by hand, and by SciPy's own t test."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, norm, t, ttest_1samp

from experiments.report.effects import MARGIN, MOST_SEEDS, Decision, Effect, decide, verdict_on
from experiments.report.statistics import holm

SEVERAL = st.lists(st.integers(-60, 60).map(lambda i: i / 1000), min_size=2, max_size=6)


def effect(*differences, margin=MARGIN):
    return Effect("ours − theirs", differences, margin)


def power(mean, deviation, n, margin):
    """The probability that n seeds find a mean different from zero, or else within the margin, over all deviations."""
    found = deviation * (chi2.ppf((np.arange(20_000) + 0.5) / 20_000, n - 1) / (n - 1)) ** 0.5
    half, error = t.ppf(0.975, n - 1) * found / n**0.5, deviation / n**0.5
    beyond = norm.sf((half - abs(mean)) / error)
    within = norm.cdf((margin - half - mean) / error) - norm.cdf((half - margin - mean) / error)
    return max(beyond.mean(), np.maximum(within, 0).mean())


def of_p(p, side=1):
    """Four differences whose two-sided t test has this p value."""
    pattern = np.array([-1.0, -1.0, 1.0, 1.0])  # standard deviation sqrt(4 / 3), so the error of the mean is sqrt(1/3)
    return effect(*(0.01 * (pattern + side * t.isf(p / 2, 3) * (1 / 3) ** 0.5)).tolist())


def near_margin(p):
    """Four differences around zero of which the distance to the margin has this two-sided p value."""
    pattern = np.array([-1.0, -1.0, 1.0, 1.0])  # the error of the mean is sqrt(1/3)
    return effect(*(pattern * MARGIN / (t.isf(p / 2, 3) * (1 / 3) ** 0.5)).tolist())


def test_verdicts_by_hand():
    # mean 0.03, deviation 0.01, t(0.975, 2) = 4.303: ± 0.025
    assert decide([effect(0.02, 0.03, 0.04)]) == Decision("supported", None)
    assert decide([effect(-0.02, -0.03, -0.04)]) == Decision("not supported", None)
    # mean 0, deviation 0.0013, t(0.975, 3) = 3.182: ± 0.0021, within ± 0.005
    assert decide([effect(0.0015, -0.0015, 0.0005, -0.0005)]) == Decision("practically equal", None)
    # mean -0.002, ± 0.0021; then mean -0.0028, ± 0.0003, all of it below zero
    assert decide([effect(-0.0005, -0.0035, -0.0015, -0.0025)]) == Decision("practically equal", None)
    assert decide([effect(-0.0027, -0.0029, -0.0028)]) == Decision("practically equal", None)
    assert decide([effect(0.0027, 0.0029, 0.0028)]) == Decision("supported", None)
    # mean 0.01, deviation 0.046: ± 0.114
    assert decide([effect(0.05, -0.04, 0.02)]).verdict == "undecided"


def test_equal_differences_have_an_interval_without_width():
    assert decide([effect(0.1, 0.1, 0.1)]).verdict == "supported"
    assert decide([effect(0.0, 0.0)]).verdict == "practically equal"
    assert decide([effect(0.0, 0.0, margin=0.0)]) == Decision("undecided", None)


@given(SEVERAL, st.sampled_from([0.0, 0.005, 0.05]))
def test_a_verdict_is_what_the_interval_says(differences, margin):
    if len(set(differences)) == 1:
        return
    low, high = ttest_1samp(differences, 0).confidence_interval(0.95)
    decision = decide([effect(*differences, margin=margin)])
    if low > 0:
        assert decision == Decision("supported", None)
    elif -margin < low and high < margin:
        assert decision == Decision("practically equal", None)
    elif high < 0:
        assert decision == Decision("not supported", None)
    else:
        assert decision.verdict == "undecided"
        if np.mean(differences) != 0 or margin:
            found, observed = decision.seeds_needed, (np.mean(differences), np.std(differences, ddof=1))
            assert len(differences) < found <= MOST_SEEDS + 1
            if found <= MOST_SEEDS:
                assert power(*observed, found, margin) > 0.799
            if found > len(differences) + 1:
                assert power(*observed, found - 1, margin) < 0.805


def test_the_interval_shown_is_scipy_s():
    shown = effect(0.012, 0.031, -0.004)
    low, high = ttest_1samp(shown.differences, 0).confidence_interval(0.95)
    assert shown.mean == pytest.approx((low + high) / 2)
    assert shown.half == pytest.approx((high - low) / 2)
    assert str(shown) == f"ours − theirs +1.3 ± {100 * (high - low) / 2:.1f}"


@pytest.mark.parametrize(("size", "seeds"), [(0.2, 199), (0.5, 34), (0.8, 15)])
def test_seeds_needed_are_those_of_the_tables_of_power(size, seeds):
    # G*Power, difference of two dependent means: effect size dz, two-sided, alpha 0.05, power 0.80
    pattern = np.array([-1.0, -1.0, 1.0, 1.0]) / (4 / 3) ** 0.5  # standard deviation 1
    assert decide([effect(*(pattern + size).tolist(), margin=0.0)]) == Decision("undecided", seeds)
    assert decide([effect(*(pattern - size).tolist(), margin=0.0)]) == Decision("undecided", seeds)


def test_seeds_needed_are_none_where_no_number_is_known():
    assert decide([effect(0.01, -0.01, margin=0.0)]) == Decision("undecided", None)
    enough = decide([effect(0.01, -0.01)]).seeds_needed
    assert power(0, 2**0.5 / 100, enough, MARGIN) > 0.8 > power(0, 2**0.5 / 100, enough - 1, MARGIN)
    assert decide([effect(0.3)]) == Decision("undecided", None)
    assert decide([effect(1.0, -0.99, margin=0.0)]).seeds_needed == MOST_SEEDS + 1


@given(SEVERAL, st.sampled_from([0.0, 0.005]))
def test_the_opposite_claim_has_the_opposite_verdict(differences, margin):
    ours = decide([effect(*differences, margin=margin)])
    theirs = decide([effect(*(-d for d in differences), margin=margin)])
    if ours.verdict == "supported":
        assert theirs.verdict in ("not supported", "practically equal")
    if ours.verdict == "practically equal":
        assert theirs.verdict in ("supported", "practically equal")
    if ours.verdict == "not supported" and np.mean(differences) < -margin:
        assert theirs.verdict == "supported"
    assert (ours.verdict == "undecided") == (theirs.verdict == "undecided")
    assert ours.seeds_needed == theirs.seeds_needed


def test_a_claim_of_several_parts_needs_all_of_them():
    good, open_, bad = effect(0.02, 0.03, 0.04), effect(0.05, -0.04, 0.02), effect(-0.02, -0.021, -0.022)
    assert decide([good, good]).verdict == "supported"
    assert decide([good, open_]) == decide([open_])
    assert decide([good, open_, bad]).verdict == "not supported"
    assert [part is bad for part in verdict_on([good, open_, bad])[1]] == [True]


def test_a_claim_of_several_parts_is_practically_equal_where_all_of_them_are():
    equal, good = effect(0.0015, -0.0015, 0.0005, -0.0005), effect(0.02, 0.03, 0.04)
    open_, bad, nothing = effect(0.05, -0.04, 0.02), effect(-0.02, -0.021, -0.022), effect()
    assert decide([equal, equal]).verdict == "practically equal"
    for other in (good, open_, bad, nothing):
        assert decide([equal, other]).verdict == "not supported"
    assert decide([near_margin(0.11)]).verdict == "undecided"
    assert decide([near_margin(0.04)]).verdict == "practically equal"
    assert decide([near_margin(0.04)] * 2).verdict == "undecided"


def test_several_undecided_parts_need_more_seeds_than_each_of_them():
    one, other = effect(0.05, -0.02, 0.02), effect(0.03, 0.01, 0.0)
    together = decide([one, other]).seeds_needed
    assert together >= max(decide([each]).seeds_needed for each in (one, other))
    rng = np.random.default_rng(0)
    studies = [rng.normal(e.mean, e.deviation, size=(4000, together)) for e in (one, other)]
    supported = np.all([ttest_1samp(drawn, 0, axis=1, alternative="greater").pvalue < 0.025 for drawn in studies], 0)
    assert 0.78 < supported.mean() < 0.85
    twice = decide([other, other]).seeds_needed
    assert twice > decide([other]).seeds_needed


def test_parts_refute_together_only_by_holm_s_correction():
    open_ = effect(0.05, -0.04, 0.02)
    assert decide([of_p(0.03, side=-1)]).verdict == "not supported"
    assert decide([of_p(0.03, side=-1), open_]).verdict == "undecided"
    assert decide([of_p(0.02, side=-1), open_]).verdict == "not supported"
    assert decide([of_p(0.02, side=-1), of_p(0.04, side=-1)]).verdict == "not supported"
    assert len(verdict_on([of_p(0.02, side=-1), of_p(0.04, side=-1)])[1]) == 2
    assert decide([of_p(0.04), of_p(0.04)]).verdict == "supported"  # all parts at once need no correction


def test_holm_s_p_values():
    # 0.005 · 4, 0.01 · 3, 0.03 · 2, 0.04 · 1 but no less than the one before
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([[0.9, 0.8], [0.01, 0.02]])) == pytest.approx(np.array([[1.0, 1.0], [0.02, 0.02]]))


def test_what_has_no_seeds_is_not_measured_unless_refuted_by_the_rest():
    good, bad, nothing = effect(0.02, 0.03, 0.04), effect(-0.02, -0.021, -0.022), effect()
    assert decide([]).verdict == "not measured"
    assert decide([nothing]).verdict == "not measured"
    assert decide([good, nothing]).verdict == "not measured"
    assert decide([bad, nothing]).verdict == "not supported"
