"""Statements about ranks: what a bootstrap says of them, beside every draw that there is."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import norm, t

from experiments.report.effects import Decision
from experiments.report.rankings import rank_statement


def first_is_best(ranks):
    return (ranks[:, 0] == 1).all(axis=0)


def exact(differences, more):
    """How probably a mean of `more` seeds is above zero: over all draws of the seeds there are, spread likewise."""
    n, mean = len(differences), np.mean(differences)
    spread = t.ppf(0.975, more - 1) / norm.ppf(0.975) * (n / (n - 1)) ** 0.5 * (n / more) ** 0.5
    draws = np.array(list(product(differences, repeat=n))).mean(axis=1)
    return np.mean(mean + spread * (draws - mean) > 0)


def test_what_all_seeds_say_is_supported_and_its_opposite_is_not():
    better, worse = [0.80, 0.81, 0.82], [0.70, 0.71, 0.72]
    assert rank_statement([np.array([better, worse])] * 2, first_is_best).decision == Decision("supported", None)
    found = rank_statement([np.array([better, worse]), np.array([worse, better])], first_is_best)
    assert found.decision == Decision("not supported", None)
    assert found.ranks.tolist() == [[1, 2], [2, 1]]


def test_equal_methods_share_their_rank():
    same = [0.80, 0.81, 0.82]
    found = rank_statement([np.array([same, same])], first_is_best)
    assert found.ranks.tolist() == [[1.5, 1.5]]
    assert found.decision.verdict == "not supported"


def test_the_probability_is_that_over_all_draws():
    ours, theirs = np.array([0.75, 0.78, 0.71]), np.array([0.74, 0.73, 0.74])
    found = rank_statement([np.array([ours, theirs])], first_is_best)
    assert found.probability == pytest.approx(exact(ours - theirs, 3), abs=0.03)  # 4000 draws: ± 0.016
    assert found.decision.verdict == "undecided"


def test_so_many_seeds_would_decide():
    ours, theirs = np.array([0.75, 0.80, 0.71, 0.76]), np.array([0.74, 0.73, 0.73, 0.75])
    needed = rank_statement([np.array([ours, theirs])], first_is_best).decision.seeds_needed
    assert exact(ours - theirs, needed + 1) > 0.94
    assert exact(ours - theirs, needed - 2) < 0.96
    assert 5 <= needed < 50


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
