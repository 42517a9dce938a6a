"""Verdicts on differences that are paired by seed.

One difference, signed so that the claim is that it is above zero, is judged by its 95 % interval (Student's t):

- *supported* if the interval lies above zero;
- *practically equal* if it does not, and lies within the margin of practical equivalence;
- *not supported* if it lies below zero otherwise;
- *undecided* otherwise.

A claim of several parts is supported if each part is. That needs no correction: it is wrongly supported only where one
of its parts is wrongly supported (an intersection-union test, Berger 1982). It is refuted if any part is: if one lies
below zero or within the margin. There each further part is a further chance of error, so that is judged by Holm's
correction (Holm 1979) over the parts. A refuted claim is practically equal if all of its parts lie within their
margins, by the same correction, and else not supported.
"""

import dataclasses
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np

from experiments.report.statistics import ALPHA, DIGITS, Array, half_width, holm
from signal_env.utils.extras import require

stats = require("scipy.stats", "plots")

Verdict = Literal["supported", "not supported", "practically equal", "undecided", "not measured"]

MARGIN = 0.005
"""Accuracies that differ by less than half a point count as equal: that is four of SST-2's 872 evaluation texts, and a
third of the standard error of one accuracy on them. So do values of macro-F1, and negative log-likelihoods that differ
by less than 0.005 nats: by a factor of 1.005 in the probability of the right class."""

POWER = 0.8
"""The probability of a verdict in a new study with the number of seeds that is called needed."""

CERTAIN = 1e3
"""Standard errors between a mean and a bound beyond which the side of the bound is certain."""

MOST_SEEDS = 1000
"""The largest number of seeds that is tried."""


@dataclasses.dataclass(frozen=True)
class Effect:
    """A difference that a claim holds to be above zero, for each of the seeds that both sides have.

    Attributes:
        name: The comparison.
        differences: One per seed; none if no seed has both sides.
        margin: Half the width of the region of practical equivalence; 0 if there is none.
        in_points: Whether it is shown in points (hundredths), as accuracies and shares are.

    Example:
        >>> effect = Effect("sst2-1%: SIGnAL − random", (0.01, 0.02, 0.03))
        >>> print(effect)
        sst2-1%: SIGnAL − random +2.0 ± 2.5
        >>> decide([effect])
        Decision(verdict='undecided', seeds_needed=5)
    """

    name: str
    differences: tuple[float, ...]
    margin: float = MARGIN
    in_points: bool = True

    @classmethod
    def of(cls, name: str, by_seed: Array, margin: float = MARGIN, in_points: bool = True) -> "Effect":
        """Return the effect of differences by seed, of which some are NaN."""
        return cls(name, tuple(by_seed[~np.isnan(by_seed)].round(DIGITS).tolist()), margin, in_points)

    @property
    def n(self) -> int:
        """The number of paired seeds."""
        return len(self.differences)

    @property
    def mean(self) -> float:
        """The mean difference."""
        return float(np.mean(self.differences)) if self.n else np.nan

    @property
    def deviation(self) -> float:
        """The sample standard deviation of the differences; NaN under two seeds."""
        if len(set(self.differences)) == 1 < self.n:
            return 0.0
        return float(np.std(self.differences, ddof=1)) if self.n > 1 else np.nan

    @property
    def half(self) -> float:
        """Half the width of the 95 % interval; NaN under two seeds."""
        return float(half_width(self.deviation, self.n))

    @property
    def margin_in_words(self) -> str:
        """The margin as evidence shows it."""
        return f"±{100 * self.margin:g} points" if self.in_points else f"±{self.margin:g}"

    def __str__(self) -> str:
        scale, digits = (100, 1) if self.in_points else (1, 3)
        half = "" if self.n < 2 else f" ± {scale * self.half:.{digits}f}"
        return f"{self.name} " + f"{scale * self.mean:+.{digits}f}{half}".replace("-", "−")


class Decision(NamedTuple):
    """A verdict, and for an undecided one the number of seeds that would decide it.

    `seeds_needed` is the smallest number of seeds of a new study that comes to a verdict with probability `POWER`, if
    the true means and standard deviations are those observed; `MOST_SEEDS + 1` if no number up to `MOST_SEEDS` does.
    None: the verdict is decided, no number would do (an effect of exactly 0 without a margin), or there is only one
    seed, which tells nothing of the deviation.
    """

    verdict: Verdict
    seeds_needed: int | None


def decide(effects: Sequence[Effect]) -> Decision:
    """Return the verdict on the claim that all of these effects are above zero, and the seeds that it needs.

    An effect without seeds leaves the claim not measured, unless another refutes it.
    """
    verdict, _ = verdict_on(effects)
    refutable = any(effect.mean < 0 or effect.mean == 0 < effect.margin for effect in effects)
    hopeless = not refutable and any(effect.mean == 0 for effect in effects)
    if verdict != "undecided" or hopeless or any(effect.n < 2 for effect in effects):
        return Decision(verdict, None)
    have = min(effect.n for effect in effects)
    return Decision(verdict, fewest_seeds(have, lambda n: _power(effects, n) >= POWER))


def verdict_on(effects: Sequence[Effect]) -> tuple[Verdict, list[Effect]]:
    """Return the verdict of `decide` alone, which takes less time, and the parts that refute the claim."""
    measured = [effect for effect in effects if effect.n]
    n, mean, deviation, margin = _numbers(measured)
    error = np.nan_to_num(deviation) / np.sqrt(n)

    def p_value(distance: Array) -> Array:
        """Return 1 - confidence of the interval that ends so far from its mean."""
        quantile = np.divide(distance, error, out=np.where(distance > 0, np.inf, 0.0), where=error > 0)
        return np.where(n >= 2, 2 * stats.t.sf(quantile, np.maximum(n - 1, 1)), 1.0)

    from_zero, to_margin = p_value(np.abs(mean)), p_value(np.maximum(margin - np.abs(mean), 0.0))
    supported = (mean > 0) & (from_zero < ALPHA)
    refutes = np.where(mean < 0, np.minimum(from_zero, to_margin), to_margin)
    refuted = holm(np.where(supported, 1.0, refutes)) < ALPHA
    if refuted.any():
        equal = len(measured) == len(effects) and (holm(np.where(supported, 1.0, to_margin)) < ALPHA).all()
        parts = [effect for effect, is_refuted in zip(measured, refuted, strict=True) if is_refuted]
        return "practically equal" if equal else "not supported", parts
    if not measured or len(measured) < len(effects):
        return "not measured", []
    return "supported" if supported.all() else "undecided", []


def fewest_seeds(have: int, decides: Callable[[int], bool]) -> int:
    """Return the smallest number of seeds over `have` that decides, by bisection; `MOST_SEEDS + 1` if none does."""
    return have + 1 + bisect_left(range(have + 1, MOST_SEEDS + 1), True, key=decides)


def _numbers(effects: Sequence[Effect]) -> tuple[Array, ...]:
    """Return the numbers of seeds, means, deviations and margins, each `(m,)`."""
    return tuple(np.array([getattr(e, name) for e in effects]) for name in ("n", "mean", "deviation", "margin"))


def _power(effects: Sequence[Effect], at_least: int) -> float:
    """Return how probably a new study with so many seeds comes to a verdict: support or refutation, the likelier one.

    If the true means and deviations are those observed, Student's t of each part has the noncentral t distribution.
    Several parts, and a part within its margin, are bounded from below: by one minus the sum of the probabilities of
    failing (Bonferroni), and by the likeliest refutation at the level that Holm's correction grants to each. For the
    support of a single part, and for its opposite, the result is exact.
    """
    n, mean, deviation, margin = _numbers(effects)
    n = np.maximum(n, at_least)
    error = np.maximum(deviation / np.sqrt(n), np.finfo(float).tiny)

    def beyond(distance: Array, level: float) -> Array:
        """Return how probably the interval excludes a number that lies so far below the true mean."""
        away = np.clip(distance / error, -CERTAIN, CERTAIN)
        return np.asarray(stats.nct.sf(stats.t.isf(level / 2, n - 1), n - 1, away))

    supported = 1 - (1 - beyond(mean, ALPHA)).sum()
    level = ALPHA / len(effects)
    equal = beyond(margin - mean, level) + beyond(margin + mean, level) - 1
    return float(max(supported, beyond(-mean, level).max(), equal.max()))
