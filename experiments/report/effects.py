"""Verdicts on differences that are paired by seed.

One difference, signed so that the claim says that it is above zero, is judged by its 95 % interval (Student's t):

- *supported* if the interval lies above zero;
- *not supported* if it lies below zero, or if it includes zero and lies within the margin of practical equivalence;
- *undecided* otherwise.

A claim that says several things at once is supported if each of them is. That needs no correction: it is wrongly
supported only where one of its parts is wrongly supported (an intersection-union test, Berger 1982). It is not
supported if any part is refuted; there each further part is a further chance of error, so that is judged by Holm's
correction (Holm 1979) over the parts.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from signal_env.utils.extras import require

Verdict = Literal["supported", "not supported", "undecided", "not measured"]

ALPHA = 0.05
"""1 minus the intervals' confidence."""

MARGIN = 0.005
"""Accuracies that differ by less than half a point count as equal: that is four of SST-2's 872 evaluation texts, and a
third of the standard error of one accuracy on them."""

POWER = 0.8
"""The probability with which a new study with the number of seeds that is called needed comes to a verdict."""

CERTAIN = 1e3
"""Standard errors between a mean and a bound from which on it is certain on which side of it the mean is found."""

MOST_SEEDS = 1000
"""The largest number of seeds that is looked for."""

DIGITS = 12
"""Decimals of a difference; what is beyond is rounding of floating-point numbers, which should decide nothing."""

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Effect:
    """A difference that a claim says is above zero, for each of the seeds that both sides have.

    Attributes:
        name: What is compared.
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
    def of(cls, name: str, by_seed: Mapping[int, float], margin: float = MARGIN, in_points: bool = True) -> "Effect":
        """The effect of differences by seed."""
        return cls(name, tuple(round(value, DIGITS) for value in by_seed.values()), margin, in_points)

    @property
    def n(self) -> int:
        """The number of paired seeds."""
        return len(self.differences)

    @property
    def mean(self) -> float:
        """The mean difference."""
        return float(np.mean(self.differences)) if self.n else float("nan")

    @property
    def deviation(self) -> float:
        """The sample standard deviation of the differences; not a number under two seeds."""
        if self.n < 2:
            return float("nan")
        equal = len(set(self.differences)) == 1
        return 0.0 if equal else float(np.std(self.differences, ddof=1))

    @property
    def half(self) -> float:
        """Half the width of the 95 % interval; not a number under two seeds."""
        if self.n < 2:
            return float("nan")
        quantile = float(student().ppf(1 - ALPHA / 2, self.n - 1))
        return float(quantile * self.deviation / np.sqrt(self.n))

    def __str__(self) -> str:
        scale, digits = (100, 1) if self.in_points else (1, 3)
        half = "" if self.n < 2 else f" ± {scale * self.half:.{digits}f}"
        return f"{self.name} " + f"{scale * self.mean:+.{digits}f}{half}".replace("-", "−")


def student() -> Any:
    """Student's t distribution."""
    return require("scipy.stats", "plots").t


class Decision(NamedTuple):
    """A verdict, and for an undecided one the number of seeds that would decide it.

    Attributes:
        verdict: The verdict.
        seeds_needed: The smallest number of seeds of a new study that would come to a verdict with a probability of
            `POWER`, if the true means and standard deviations are those observed. `MOST_SEEDS + 1`: more than are
            looked for. None: the verdict is decided, no number would do (an effect of exactly 0 without a margin), or
            one seed alone says nothing of a deviation.
    """

    verdict: Verdict
    seeds_needed: int | None


def decide(effects: Sequence[Effect]) -> Decision:
    """The verdict on the claim that all of these effects are above zero.

    Args:
        effects: The parts of the claim. One without seeds leaves the claim not measured, unless another refutes it.
    """
    measured = [effect for effect in effects if effect.n]
    if not measured:
        return Decision("not measured", None)
    supported, refuted = _judged(measured)
    if refuted.any():
        return Decision("not supported", None)
    if len(measured) < len(effects):
        return Decision("not measured", None)
    if supported.all():
        return Decision("supported", None)
    return Decision("undecided", _seeds_needed(measured))


def refuted_parts(effects: Sequence[Effect]) -> list[Effect]:
    """The parts that refute a claim, by Holm's correction over all of them."""
    measured = [effect for effect in effects if effect.n]
    if not measured:
        return []
    _, refuted = _judged(measured)
    return [effect for effect, is_refuted in zip(measured, refuted, strict=True) if is_refuted]


def holm(p: Floats) -> Floats:
    """Holm's adjusted p values along the last axis (Holm 1979).

    Example: the smallest counts three times, the second twice, and none less than one before it.
        >>> holm(np.array([0.03, 0.01, 0.02])).round(3)
        array([0.04, 0.03, 0.04])
    """
    order = np.argsort(p, axis=-1, kind="stable")
    weights = np.arange(p.shape[-1], 0, -1)
    ascending = np.maximum.accumulate(np.take_along_axis(p, order, axis=-1) * weights, axis=-1)
    adjusted: Floats = np.take_along_axis(np.minimum(ascending, 1.0), np.argsort(order, axis=-1), axis=-1)
    return adjusted


def _judged(effects: Sequence[Effect]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which effects are supported, and which refuted."""
    n, mean, deviation, margin = _numbers(effects)
    error = np.nan_to_num(deviation) / np.sqrt(n)

    def p_value(distance: Floats) -> Floats:
        """The 1 - confidence at which an interval's end lies just so far from its mean."""
        quantile = np.divide(distance, error, out=np.where(distance > 0, np.inf, 0.0), where=error > 0)
        return np.where(n >= 2, 2 * student().sf(quantile, np.maximum(n - 1, 1)), 1.0)

    from_zero, to_margin = p_value(np.abs(mean)), p_value(np.maximum(margin - np.abs(mean), 0.0))
    supported = (mean > 0) & (from_zero < ALPHA)
    refutes = np.where(mean < 0, np.minimum(from_zero, to_margin), to_margin)
    return supported, holm(np.where(supported, 1.0, refutes)) < ALPHA


def _numbers(effects: Sequence[Effect]) -> tuple[Floats, ...]:
    """Numbers of seeds, means, deviations and margins, each `(m,)`."""
    return tuple(np.array([getattr(e, name) for e in effects]) for name in ("n", "mean", "deviation", "margin"))


def _seeds_needed(effects: Sequence[Effect]) -> int | None:
    """The number of seeds that would decide a claim that is undecided, see `Decision`."""
    if any(effect.n < 2 for effect in effects):
        return None
    refutable = any(effect.mean < 0 or effect.mean == 0 < effect.margin for effect in effects)
    if not refutable and any(effect.mean == 0 for effect in effects):
        return None
    have = min(effect.n for effect in effects)
    return fewest_seeds(have, lambda n: _power(effects, n) >= POWER)


def fewest_seeds(have: int, decide: Callable[[int], bool]) -> int:
    """The smallest number of seeds over `have` that decides, if all after it do too; `MOST_SEEDS + 1` if none does."""
    low, high = have + 1, MOST_SEEDS + 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if decide(middle) else (middle + 1, high)
    return low


def _power(effects: Sequence[Effect], at_least: int) -> float:
    """How probably a new study with so many seeds supports the claim, or refutes it, whichever is the likelier.

    If the true means and deviations are those observed, Student's t of each part has the noncentral t distribution.
    That a part lies within its margin, that all are supported and that one is refuted are bounded from below: by one
    minus the sum of the probabilities of failing (Bonferroni), and by the likeliest refutation at the level that Holm's
    correction grants to each. For the support of a single part, and for its opposite, it is exact.
    """
    n, mean, deviation, margin = _numbers(effects)
    n = np.maximum(n, at_least)
    error = np.maximum(deviation / np.sqrt(n), np.finfo(float).tiny)

    def beyond(distance: Floats, level: float) -> Floats:
        """How probably the interval excludes a number that lies so far below the true mean."""
        away = np.clip(distance / error, -CERTAIN, CERTAIN)
        found: Floats = require("scipy.stats", "plots").nct.sf(student().isf(level / 2, n - 1), n - 1, away)
        return found

    supported = 1 - (1 - beyond(mean, ALPHA)).sum()
    level = ALPHA / len(effects)
    equal = beyond(margin - mean, level) + beyond(margin + mean, level) - 1
    return float(max(supported, beyond(-mean, level).max(), equal.max()))
