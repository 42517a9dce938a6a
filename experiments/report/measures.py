"""What is read off learning curves: accuracies and areas of each run, and their differences over equal seeds."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.report.runs import KEYS
from experiments.report.statistics import run_scores
from signal_env.extras import require

MEASURES = {
    "at_100": "at 100 %",
    "at_200": "at 200 %",
    "area_30": "over the first 30 %",
    "area_100": "up to 100 %",
    "area_200": "up to 200 %",
    "end": "at the end",
}
"""Accuracy at a number of labels, or its mean over a range of them (normalised area); in per cent of the real pool."""

class Measures:
    """The measures of all runs.

    Args:
        rounds: `Runs.rounds`.

    Attributes:
        table: A pandas table indexed by setting, method and seed, with a column for each of `MEASURES`. What a run has
            not reached is not a number.
    """

    def __init__(self, rounds: Any) -> None:
        pandas = require("pandas", "plots")
        self._pandas = pandas
        rows = [
            dict(zip(KEYS, keys, strict=True)) | measures(run["share"].to_numpy(float), run["accuracy"].to_numpy(float))
            for keys, run in rounds.groupby(list(KEYS))
        ]
        self.table = pandas.DataFrame(rows, columns=[*KEYS, *MEASURES]).set_index(list(KEYS))
        self._of = {
            keys: of_seeds.droplevel(["setting", "method"])
            for keys, of_seeds in self.table.groupby(level=["setting", "method"])
        }

    def settings(self, methods: Sequence[str]) -> list[str]:
        """The settings in which all of these methods have played."""
        return [
            setting
            for setting in self.table.index.unique("setting")
            if all((setting, method) in self._of for method in methods)
        ]

    def of(self, setting: str, method: str, measure: str) -> Any:
        """A measure by seed, as a pandas series of the seeds that reached it."""
        if (setting, method) not in self._of:
            return self._pandas.Series(dtype=float)
        return self._of[setting, method][measure].dropna()

    def paired(self, setting: str, methods: Sequence[str], measure: str) -> Any:
        """A measure as a pandas table with a row for each seed that all of these methods have, and their columns."""
        return self._pandas.concat({m: self.of(setting, m, measure) for m in methods}, axis=1).dropna()

    def over(self, setting: str, method: str, others: Sequence[str], measure: str, of_others: str | None = None) -> Any:
        """A method's measure minus the mean of that of others, by seed, over the seeds that all of them have.

        Args:
            setting: The setting.
            method: The method.
            others: The methods whose mean is subtracted.
            measure: One of `MEASURES`.
            of_others: The measure of the others; default: the same.
        """
        theirs = self.mean([self.of(setting, other, of_others or measure) for other in others])
        return (self.of(setting, method, measure) - theirs).dropna()

    def mean(self, series: Sequence[Any]) -> Any:
        """The mean of several series by seed, over the seeds that all of them have."""
        return self._pandas.concat(series, axis=1).mean(axis=1, skipna=False).dropna()

    def lacking(self, settings: Sequence[str], needed: Mapping[str, str]) -> str:
        """Says which methods have reached a measure in which settings for no seed; empty if there are none.

        Args:
            settings: The settings.
            needed: For each method the measure that is needed of it.
        """
        lacks: dict[tuple[str, ...], list[str]] = {}
        for method, measure in needed.items():
            where = tuple(setting for setting in settings if self.of(setting, method, measure).empty)
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
