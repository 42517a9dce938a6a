"""Verdicts on statements about the ranks of methods: a bootstrap over seeds, within each setting.

Three seeds can be drawn with replacement in ten ways only. So seeds get random weights instead (a multiplier bootstrap,
van der Vaart & Wellner 1996): normal ones, over the root of a random variance. Then the difference of any two methods
is spread as Student's t with n - 1 degrees of freedom has it, and one of two methods is the better in as many draws as
the p value of the one-sided t test. All methods of a setting have the same weights; each setting has its own.

A statement has parts, of which a number must hold: "the best in most settings" has one for each setting. It is
*supported* if enough of them hold in over 95 % of the draws. It is *not supported* if too many parts are refuted to
leave enough: parts that hold in under 5 % of the draws, by Holm's correction over the parts. That the whole holds in
few draws would not do: where seeds tell nothing, a method is in the upper two of five in 40 % of the draws, but in each
of six settings at once in 0.4 %.

A statement that is undecided may hang on differences that do not matter. It is *practically equal* to its opposite if
it would be supported with the methods that it favors lifted by the margin of practical equivalence, and not supported
with them lowered by it.

The number of seeds needed is found by drawing new studies, whose true means and covariances are those observed.

Of simulated studies in which the second of five methods is as good as the third in all six settings, 5 % refute that it
is among the first two; of those in which all five are equal, so that the statement is hardly true, one in six does.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.report.effects import MARGIN, POWER, Decision, Verdict, fewest_seeds
from experiments.report.statistics import DIGITS, Array, holm

DRAWS = 4000
"""Draws of the bootstrap."""

STUDIES, DRAWS_OF_EACH = 100, 200
"""New studies drawn to find how often a number of seeds decides, and draws of the bootstrap of each: enough to find
that number to about a tenth."""

SURE = 0.95
"""The probability above which a statement is supported; a part of it is refuted under 1 - `SURE`."""

Statement = Callable[[Array], Any]
"""Maps ranks `(S, M, ...)` of M methods in S settings, 1 the best, to whether each of K parts holds, `(K, ...)`."""

_Setting = tuple[int, Array, Array]
"""Seeds, means `(M, 1)`, and draws `(M, DRAWS)` with mean 0 and the covariance that the seeds have."""


class Ranking(NamedTuple):
    """The result of a bootstrap for a statement.

    Attributes:
        decision: The verdict, and the number of seeds in each setting with which `POWER` of new studies come to one.
        probability: The share of draws in which enough parts hold.
        ranks: `(S, M)` the observed ranks.
        seeds: The smallest number of seeds in a setting.
    """

    decision: Decision
    probability: float
    ranks: Array
    seeds: int


def rank_statement(
    values: Sequence[Array],
    statement: Statement,
    need: int | None = None,
    seed: int = 0,
    favored: Sequence[float] | None = None,
) -> Ranking:
    """Judge a statement about the ranks of the methods' means over seeds.

    Args:
        values: For each setting an array `(M, n)` of M methods' values for n seeds, the higher the better.
        statement: The statement.
        need: The number of its parts that must hold; default: all.
        seed: Seed of the bootstrap.
        favored: `(M,)` by how many margins each method is lifted to favor the statement, negative for those that it
            places last; by default the statement is not judged to be practically equal to its opposite.

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
    enough = len(statement(ranks[..., None])) if need is None else need
    settings = [*zip(counts, means, apart, strict=True)]
    drawn = [mean + _spread(n, (seed, i), (DRAWS,)) * a for i, (n, mean, a) in enumerate(settings)]
    probability, left = (float(each) for each in _judged(drawn, statement, enough))
    verdict, fewest = _verdict(probability, left, enough), min(counts)
    if verdict == "undecided" and favored is not None:
        lift = MARGIN * np.array(favored)[:, None]
        moved = [_judged([each + side * lift for each in drawn], statement, enough) for side in (1, -1)]
        if [_verdict(*found, enough) for found in moved] == ["supported", "not supported"]:
            verdict = "practically equal"
    if verdict != "undecided":
        return Ranking(Decision(verdict, None), probability, ranks, fewest)
    needed = fewest_seeds(fewest, lambda n: _power(settings, n, statement, enough, seed) >= POWER)
    return Ranking(Decision(verdict, needed), probability, ranks, fewest)


def _power(settings: Sequence[_Setting], at_least: int, statement: Statement, enough: int, seed: int) -> float:
    """Return the share of new studies, with at least so many seeds in a setting, that come to the commoner verdict."""
    studies = []
    for i, (n, mean, apart) in enumerate(settings):
        n = max(n, at_least)
        means = mean + apart[:, :STUDIES] / n**0.5
        deviation = 1 / (_spread(n, (seed, i, 1), (STUDIES, 1)) * n**0.5)  # the observed over the true one
        spread = deviation * _spread(n, (seed, i, 2), (STUDIES, DRAWS_OF_EACH))
        studies.append(means[:, :, None] + spread * apart[:, None, -DRAWS_OF_EACH:])
    verdicts = [_verdict(*found, enough) for found in zip(*_judged(studies, statement, enough), strict=True)]
    return max(verdicts.count("supported"), verdicts.count("not supported")) / STUDIES


def _judged(drawn: Sequence[Array], statement: Statement, enough: int) -> tuple[Any, Any]:
    """Return the share of draws in which enough parts hold, and the number of parts that are not refuted.

    `drawn` has for each setting means `(M, ..., draws)`.
    """
    holds = np.asarray(statement(np.stack([_ranks(each) for each in drawn])))
    probability = (holds.sum(axis=0) >= enough).mean(axis=-1)
    left = (holm(np.moveaxis(holds.mean(axis=-1), 0, -1)) >= 1 - SURE).sum(axis=-1)
    return probability, left


def _verdict(probability: float, left: float, enough: int) -> Verdict:
    return "supported" if probability > SURE else "not supported" if left < enough else "undecided"


def _spread(n: int, seed: tuple[int, ...], size: tuple[int, ...]) -> Array:
    """Return random standard errors of a mean over n seeds, over the standard deviation (the root of a variance)."""
    variance = np.random.default_rng((*seed, n)).chisquare(n - 1, size=size) / (n - 1)
    return np.asarray(1 / np.sqrt(n * variance))


def _ranks(means: Array) -> Array:
    """Return ranks along the first axis, 1 the highest; equal ones share the mean of their ranks."""
    means = np.round(means, DIGITS)  # few methods and many draws: to compare them all is faster than to sort
    return np.stack([0.5 + (means > own).sum(axis=0) + (means == own).sum(axis=0) / 2 for own in means])
