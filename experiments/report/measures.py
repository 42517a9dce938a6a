"""What is read off learning curves: accuracies and areas of each run, and their differences over equal seeds."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.report.runs import KEYS
from experiments.scores import run_scores

MEASURES = {
    "at_100": "at 100 %",
    "at_200": "at 200 %",
    "area_30": "over the first 30 %",
    "area_100": "up to 100 %",
    "area_200": "up to 200 %",
    "end": "at the end",
}
"""Accuracy at a number of labels, or its mean over a range of them (normalised area); in per cent of the real pool."""

BySeed = dict[int, float]
"""A number for each seed that has one."""


class Measures:
    """The measures of all runs.

    Args:
        rounds: `Runs.rounds`.
    """

    def __init__(self, rounds: Any) -> None:
        self._of: dict[tuple[str, str], dict[str, BySeed]] = {}
        for (setting, method, seed), run in rounds.groupby(list(KEYS)):
            found = measures(run["share"].to_numpy(float), run["accuracy"].to_numpy(float))
            of_seeds = self._of.setdefault((setting, method), {name: {} for name in MEASURES})
            for name, value in found.items():
                if not np.isnan(value):
                    of_seeds[name][seed] = value

    @property
    def methods(self) -> list[str]:
        """The methods that have played, by name."""
        return sorted({method for _, method in self._of})

    def settings(self, methods: Sequence[str]) -> list[str]:
        """The settings in which all of these methods have played."""
        names = dict.fromkeys(setting for setting, _ in self._of)
        return [setting for setting in names if all((setting, method) in self._of for method in methods)]

    def of(self, setting: str, method: str, measure: str) -> BySeed:
        """A measure of the seeds that reached it."""
        return self._of[setting, method][measure] if (setting, method) in self._of else {}

    def over(
        self, setting: str, method: str, others: Sequence[str], measure: str, of_others: str | None = None
    ) -> BySeed:
        """A method's measure minus the mean of that of others, over the seeds that all of them have.

        Args:
            setting: The setting.
            method: The method.
            others: The methods whose mean is subtracted.
            measure: One of `MEASURES`.
            of_others: The measure of the others; default: the same.
        """
        theirs = mean([self.of(setting, other, of_others or measure) for other in others])
        return minus(self.of(setting, method, measure), theirs)

    def lacking(self, settings: Sequence[str], needed: Mapping[str, str]) -> str:
        """Says which methods have reached a measure in which settings for no seed; empty if there are none.

        Args:
            settings: The settings.
            needed: For each method the measure that is needed of it.
        """
        lacks: dict[tuple[str, ...], list[str]] = {}
        for method, measure in needed.items():
            where = tuple(setting for setting in settings if not self.of(setting, method, measure))
            if where:
                lacks.setdefault(where, []).append(f"{method} {MEASURES[measure]}")
        return "; ".join(f"{', '.join(methods)} on {', '.join(where)}" for where, methods in lacks.items())


def measures(share: NDArray[np.float64], accuracy: NDArray[np.float64]) -> dict[str, float]:
    """The measures of one learning curve, linear between its rounds; not a number what it has not reached.

    Args:
        share: `(n,)` labeled instances over |R|, rising.
        accuracy: `(n,)`.

    Example:
        >>> found = measures(np.array([0.1, 0.5, 1.0]), np.array([0.6, 0.8, 0.9]))
        >>> {name: round(value, 3) for name, value in found.items()}
        {'at_100': 0.9, 'at_200': nan, 'area_30': 0.65, 'area_100': 0.783, 'area_200': nan, 'end': 0.9}
    """

    def area(goal: float) -> float:
        if not share[0] < goal <= share[-1]:
            return np.nan
        x = np.append(share[share < goal], goal)
        return run_scores(x, np.interp(x, share, accuracy))["area_end"]

    found = run_scores(share, accuracy) | {"area_30": area(0.3), "area_200": area(2.0)}
    return {name: found[name] for name in MEASURES}


def common(numbers: Sequence[BySeed]) -> list[int]:
    """The seeds that all of them have, in order."""
    return sorted(set.intersection(*map(set, numbers))) if numbers else []


def mean(numbers: Sequence[BySeed]) -> BySeed:
    """The mean of several numbers, over the seeds that all of them have.

    Example:
        >>> mean([{0: 0.5, 1: 0.5}, {1: 1.0, 2: 1.0}])
        {1: 0.75}
    """
    return {seed: float(np.mean([each[seed] for each in numbers])) for seed in common(numbers)}


def minus(ours: BySeed, theirs: BySeed) -> BySeed:
    """The difference of two numbers, over the seeds that both have."""
    return {seed: ours[seed] - theirs[seed] for seed in common([ours, theirs])}
