"""Statements about ranks: what a bootstrap says of them, beside Student's t."""

import numpy as np
import pytest
from scipy.stats import nct, t, ttest_rel

from experiments.report.effects import Decision
from experiments.report.rankings import rank_statement


def first_is_best(ranks):
    return ranks[:, 0] == 1


def test_what_all_seeds_say_is_supported_and_its_opposite_is_not():
    better, worse = [0.80, 0.81, 0.82], [0.70, 0.71, 0.72]
    assert rank_statement([np.array([better, worse])] * 2, first_is_best).decision == Decision("supported", None)
    found = rank_statement([np.array([better, worse]), np.array([worse, better])], first_is_best)
    assert found.decision == Decision("not supported", None)
    assert found.ranks.tolist() == [[1, 2], [2, 1]]


def test_so_many_parts_as_are_needed():
    better, worse = [0.80, 0.81, 0.82], [0.70, 0.71, 0.72]
    two_of_three = [np.array([better, worse])] * 2 + [np.array([worse, better])]
    assert rank_statement(two_of_three, first_is_best, need=2).decision.verdict == "supported"
    assert rank_statement(two_of_three, first_is_best, need=3).decision.verdict == "not supported"


def test_where_two_methods_are_equal_noise_seldom_refutes_and_never_supports():
    rng, verdicts = np.random.default_rng(0), []
    for _ in range(12):  # the second and the third of four are equal, far from the others, in each of six settings
        values = [rng.normal(size=(4, 3)) + np.array([[9], [5], [5], [0]]) for _ in range(6)]
        found = rank_statement(values, lambda ranks: ranks[:, 1] <= 2)
        assert found.probability < 0.5
        verdicts.append(found.decision.verdict)
    assert verdicts.count("supported") == 0
    assert (
        verdicts.count("not supported") <= 4
    )  # of 25 at 5 %: with other random numbers there are more in 1 % of such tests


def noisy(*means, seeds=30, deviation=0.004):
    """Values of methods around some means: independent and normal, with exactly these means."""
    values = np.random.default_rng(1).normal(size=(len(means), seeds))
    values -= values.mean(axis=1, keepdims=True)
    return np.array(means)[:, None] + deviation * values / values.std(axis=1, ddof=1, keepdims=True)


def test_a_statement_that_hangs_on_less_than_the_margin_is_practically_equal_to_its_opposite():
    # half a point is 0.005; the standard error of a difference of two means is 0.004 · sqrt(2 / 30) = 0.001
    def verdict(*means, favored=(1, 0, 0), **options):
        return rank_statement([noisy(*means, **options)] * 2, first_is_best, favored=favored).decision.verdict

    assert verdict(0.8, 0.8, 0.7) == "practically equal"
    assert verdict(0.8, 0.8, 0.7, favored=None) == "undecided"
    assert verdict(0.806, 0.8, 0.7) == "supported"
    assert verdict(0.794, 0.8, 0.7) == "not supported"
    assert verdict(0.8, 0.8, 0.7, seeds=4, deviation=0.02) == "undecided"  # the interval is wider than the margin
    assert verdict(0.8, 0.8, 0.7, favored=(0, 0, 1)) == "undecided"  # favors one that is far away


def test_equal_methods_share_their_rank():
    same = [0.80, 0.81, 0.82]
    found = rank_statement([np.array([same, same])], first_is_best)
    assert found.ranks.tolist() == [[1.5, 1.5]]
    assert found.decision.verdict == "not supported"


def test_the_probability_is_that_of_the_t_test():
    ours, theirs = np.array([0.75, 0.78, 0.71]), np.array([0.74, 0.73, 0.74])
    found = rank_statement([np.array([ours, theirs])], first_is_best)
    assert found.probability == pytest.approx(1 - ttest_rel(ours, theirs, alternative="greater").pvalue, abs=0.025)
    assert found.decision.verdict == "undecided"


def test_so_many_seeds_would_decide():
    ours, theirs = np.array([0.75, 0.80, 0.71, 0.76]), np.array([0.74, 0.73, 0.73, 0.75])
    needed = rank_statement([np.array([ours, theirs])], first_is_best).decision.seeds_needed
    size = np.mean(ours - theirs) / np.std(ours - theirs, ddof=1)
    power = [nct.sf(t.ppf(0.95, n - 1), n - 1, size * n**0.5) for n in (0.8 * needed, 1.25 * needed)]
    assert power[0] < 0.8 < power[1]  # of 100 drawn studies
    assert needed > 5


def test_one_seed_decides_nothing():
    found = rank_statement([np.array([[0.9], [0.1]])], first_is_best)
    assert found.decision == Decision("undecided", None)


def test_settings_may_have_different_numbers_of_seeds():
    three, two = np.array([[0.8, 0.81, 0.82], [0.7, 0.7, 0.7]]), np.array([[0.8, 0.8], [0.7, 0.7]])
    found = rank_statement([three, two], first_is_best)
    assert found.seeds == 2
    assert found.decision.verdict == "supported"


def test_the_same_runs_give_the_same_probability():
    values = [np.random.default_rng(0).normal(0.8, 0.01, size=(5, 4))]
    assert rank_statement(values, first_is_best)[1] == rank_statement(values, first_is_best)[1]
