"""How sure a statement about the ranks of methods is: a bootstrap over seeds, within each setting.

The methods' seeds are drawn with replacement, the same for all methods of a setting, and each setting for itself. With
few seeds such means lie too near to the observed ones, so that they are spread by what Student's interval is wider than
the bootstrap's, t(n - 1) / z · sqrt(n / (n - 1)): the expanded percentile interval of Hesterberg (2015).
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.report.effects import ALPHA, DIGITS, MOST_SEEDS, Decision, Verdict, student
from signal_env.extras import require

RESAMPLES = 4000
"""Draws of the bootstrap."""

SURE = 0.95
"""The probability above which a statement is supported; under 1 - `SURE` it is not supported."""

Statement = Callable[[NDArray[np.float64]], Any]
"""Maps ranks `(S, M, ...)` of M methods in S settings, 1 the best, to whether it holds `(...)`."""


class Ranking(NamedTuple):
    """What a bootstrap says of a statement.

    Attributes:
        decision: The verdict, and the number of seeds in each setting that would decide it.
        probability: The share of draws in which the statement holds.
        ranks: `(S, M)` the observed ranks.
        seeds: The smallest number of seeds in a setting.
    """

    decision: Decision
    probability: float
    ranks: NDArray[np.float64]
    seeds: int


def rank_statement(values: Sequence[NDArray[np.float64]], statement: Statement, seed: int = 0) -> Ranking:
    """Judges a statement about the ranks of the methods' means over seeds.

    Args:
        values: For each setting an array `(M, n)` of M methods' values for n seeds, the higher the better.
        statement: The statement.
        seed: Seed of the bootstrap.

    Example: the first of two methods is better in each of four seeds.
        >>> better = np.array([[0.80, 0.82, 0.81, 0.83], [0.70, 0.71, 0.70, 0.72]])
        >>> ranking = rank_statement([better], lambda ranks: ranks[0, 0] == 1)
        >>> ranking.decision.verdict, ranking.probability, ranking.ranks.tolist()
        ('supported', 1.0, [[1.0, 2.0]])
    """
    rng = np.random.default_rng(seed)
    counts = [each.shape[1] for each in values]
    means = [each.mean(axis=1)[:, None] for each in values]
    drawn = [rng.integers(n, size=(RESAMPLES, n)) for n in counts]
    apart = [v[:, draw].mean(axis=2) - mean for v, draw, mean in zip(values, drawn, means, strict=True)]

    def probability(more: int = 0) -> float:
        """The share of draws in which it holds, with at least so many seeds in each setting."""
        spreads = [_spread(n, max(n, more)) for n in counts]
        resampled = [mean + spread * a for mean, spread, a in zip(means, spreads, apart, strict=True)]
        return float(np.mean(statement(np.stack([_ranks(each) for each in resampled]))))

    ranks = np.stack([_ranks(mean)[:, 0] for mean in means])
    if min(counts) < 2:
        return Ranking(Decision("undecided", None), float("nan"), ranks, min(counts))
    found = probability()
    verdict = _verdict(found)
    needed = None
    if verdict == "undecided":
        more = range(min(counts) + 1, MOST_SEEDS + 1)
        needed = _first(more, lambda n: _verdict(probability(n)) != "undecided")
    return Ranking(Decision(verdict, needed), found, ranks, min(counts))


def _verdict(probability: float) -> Verdict:
    if probability > SURE:
        return "supported"
    return "not supported" if probability < 1 - SURE else "undecided"


def _spread(n: int, more: int) -> float:
    """What draws of n seeds are spread by to be like the means of `more` seeds."""
    wider = student().ppf(1 - ALPHA / 2, more - 1) / require("scipy.stats", "plots").norm.ppf(1 - ALPHA / 2)
    return float(wider * (n / (n - 1)) ** 0.5 * (n / more) ** 0.5)


def _ranks(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks along the first axis, 1 the highest; equal ones share the mean of their ranks."""
    ranks: NDArray[np.float64] = require("scipy.stats", "plots").rankdata(-np.round(means, DIGITS), axis=0)
    return ranks


def _first(numbers: range, decided: Callable[[int], bool]) -> int:
    """The first number that decides, if all after it do too; the one after the last if none does."""
    low, high = 0, len(numbers)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if decided(numbers[middle]) else (middle + 1, high)
    return numbers[low] if low < len(numbers) else numbers.stop
