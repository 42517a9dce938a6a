"""How sure a statement about the ranks of methods is: a bootstrap over seeds, within each setting.

Three seeds can be drawn with replacement in ten ways only, which says little of how far a mean may be off. So seeds get
random weights instead (a multiplier bootstrap, van der Vaart & Wellner 1996), normal ones, over the root of a random
variance: then the difference of any two methods is spread just as Student's t with n - 1 degrees of freedom has it, and
that one of two methods is the better holds in as many draws as the one-sided t test's p value says. The weights are the
same for all methods of a setting, and each setting has its own.

A statement has parts, so many of which are to hold: "the best in most settings" has one for each setting. It is
*supported* if enough of them hold in over 95 % of the draws. It is *not supported* if too many parts are refuted to
leave enough: parts that hold in under 5 % of the draws, by Holm's correction over the parts. That the whole holds in
few draws would not do: where seeds say nothing, a method is in the upper two of five in 40 % of the draws, but in each
of six settings at once in 0.4 %.

Of simulated studies in which the second of five methods is as good as the third in all six settings, 5 % refute that it
is among the first two; of those in which all five are equal, so that the statement is hardly true, one in six does.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.report.effects import DIGITS, MOST_SEEDS, Decision, Verdict, holm
from signal_env.extras import require

DRAWS = 4000
"""Draws of the bootstrap."""

SURE = 0.95
"""The probability above which a statement is supported; a part of it is refuted under 1 - `SURE`."""

Statement = Callable[[NDArray[np.float64]], Any]
"""Maps ranks `(S, M, ...)` of M methods in S settings, 1 the best, to whether each of K parts holds, `(K, ...)`."""


class Ranking(NamedTuple):
    """What a bootstrap says of a statement.

    Attributes:
        decision: The verdict, and the number of seeds in each setting that would decide it.
        probability: The share of draws in which enough parts hold.
        ranks: `(S, M)` the observed ranks.
        seeds: The smallest number of seeds in a setting.
    """

    decision: Decision
    probability: float
    ranks: NDArray[np.float64]
    seeds: int


def rank_statement(
    values: Sequence[NDArray[np.float64]], statement: Statement, need: int | None = None, seed: int = 0
) -> Ranking:
    """Judges a statement about the ranks of the methods' means over seeds.

    Args:
        values: For each setting an array `(M, n)` of M methods' values for n seeds, the higher the better.
        statement: The statement.
        need: How many of its parts are to hold; default: all.
        seed: Seed of the bootstrap.

    Example: the first of two methods is better in each of four seeds.
        >>> better = np.array([[0.80, 0.82, 0.81, 0.83], [0.70, 0.71, 0.70, 0.72]])
        >>> ranking = rank_statement([better], lambda ranks: ranks[:, 0] == 1)
        >>> ranking.decision.verdict, ranking.probability, ranking.ranks.tolist()
        ('supported', 1.0, [[1.0, 2.0]])
    """
    rng = np.random.default_rng(seed)
    counts = [each.shape[1] for each in values]
    means = [each.mean(axis=1)[:, None] for each in values]
    ranks = np.stack([_ranks(mean)[:, 0] for mean in means])
    if min(counts) < 2:
        return Ranking(Decision("undecided", None), float("nan"), ranks, min(counts))
    weights = [rng.normal(size=(n, DRAWS)) / (n - 1) ** 0.5 for n in counts]
    apart = [(v - mean) @ weight for v, mean, weight in zip(values, means, weights, strict=True)]

    def judged(more: int = 0) -> tuple[float, Verdict]:
        """The probability and the verdict, with at least so many seeds in each setting."""
        spreads = [_spread(max(n, more), seed + i) for i, n in enumerate(counts)]
        drawn = [mean + spread * a for mean, spread, a in zip(means, spreads, apart, strict=True)]
        holds = np.asarray(statement(np.stack([_ranks(each) for each in drawn])))
        enough = len(holds) if need is None else need
        probability = float((holds.sum(axis=0) >= enough).mean())
        left = (holm(holds.mean(axis=1)) >= 1 - SURE).sum()
        return probability, "supported" if probability > SURE else "not supported" if left < enough else "undecided"

    probability, verdict = judged()
    needed = None
    if verdict == "undecided":
        needed = _first(range(min(counts) + 1, MOST_SEEDS + 1), lambda n: judged(n)[1] != "undecided")
    return Ranking(Decision(verdict, needed), probability, ranks, min(counts))


def _spread(n: int, seed: int) -> NDArray[np.float64]:
    """What a standard deviation over seeds is times to be that of a mean of n: over the root of a random variance."""
    variance = np.random.default_rng((seed, n)).chisquare(n - 1, size=DRAWS) / (n - 1)
    return np.asarray(1 / np.sqrt(n * variance))


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
