"""The scores of runs, and their differences over equal seeds: pandas series by seed."""

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.report.statistics import MEASURES, curve_scores
from signal_env.utils.extras import require


class Measures:
    """The scores of all runs.

    Args:
        rounds: `Runs.rounds`.
    """

    def __init__(self, rounds: Any) -> None:
        groups = curve_scores(rounds).groupby(["setting", "method"])
        self._of = {keys: group.droplevel(["setting", "method"]) for keys, group in groups}
        self.methods = sorted({method for _, method in self._of})

    def settings(self, *methods: str) -> list[str]:
        """Return the settings in which all of these methods have played."""
        names = dict.fromkeys(setting for setting, _ in self._of)
        return [setting for setting in names if all((setting, method) in self._of for method in methods)]

    def of(self, setting: str, method: str, measure: str) -> Any:
        """Return a score of the seeds that reached it."""
        if (setting, method) not in self._of:
            return require("pandas", "plots").Series(dtype=float)
        return self._of[setting, method][measure].dropna()

    def over(self, setting: str, method: str, others: Sequence[str], measure: str, of_others: str | None = None) -> Any:
        """Return a method's score minus the mean of that of others, over the seeds that all of them have.

        Args:
            setting: The setting.
            method: The method.
            others: The methods whose mean is subtracted.
            measure: One of `MEASURES`.
            of_others: The score of the others; default: the same.
        """
        theirs = mean([self.of(setting, other, of_others or measure) for other in others])
        return (self.of(setting, method, measure) - theirs).dropna()

    def lacking(self, settings: Sequence[str], needed: Mapping[str, str]) -> str:
        """Return which methods have no seed with a score in which settings; empty if there are none.

        Args:
            settings: The settings.
            needed: For each method the score that is needed of it.
        """
        lacks: dict[tuple[str, ...], list[str]] = {}
        for method, measure in needed.items():
            where = tuple(setting for setting in settings if self.of(setting, method, measure).empty)
            if where:
                lacks.setdefault(where, []).append(f"{method} {MEASURES[measure]}")
        return "; ".join(f"{', '.join(methods)} on {', '.join(where)}" for where, methods in lacks.items())


def mean(numbers: Sequence[Any]) -> Any:
    """Return the mean of several series, over the seeds that all of them have.

    Example:
        >>> import pandas as pd
        >>> mean([pd.Series({0: 0.5, 1: 0.5}), pd.Series({1: 1.0, 2: 1.0})]).to_dict()
        {1: 0.75}
    """
    return require("pandas", "plots").concat(numbers, axis=1, join="inner").mean(axis=1)
