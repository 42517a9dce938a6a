"""The scores of runs as arrays over seeds: NaN where a run is missing or has not gone so far."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.report.statistics import MEASURES, Array, curve_scores


class Measures:
    """The scores of all runs.

    Args:
        rounds: `Runs.rounds`.
    """

    def __init__(self, rounds: Any) -> None:
        table = curve_scores(rounds).unstack("seed")
        scores = table.to_numpy().reshape(len(table), len(MEASURES), -1)
        self._of = {
            keys: dict(zip(MEASURES, of_run, strict=True)) for keys, of_run in zip(table.index, scores, strict=True)
        }
        self._missing = dict.fromkeys(MEASURES, np.full(scores.shape[-1], np.nan))
        self.methods = sorted({method for _, method in self._of})

    def settings(self, *methods: str) -> list[str]:
        """Return the settings in which all of these methods have played."""
        names = dict.fromkeys(setting for setting, _ in self._of)
        return [setting for setting in names if all((setting, method) in self._of for method in methods)]

    def of(self, setting: str, method: str, measure: str) -> Array:
        """Return a score by seed."""
        scores: Array = self._of.get((setting, method), self._missing)[measure]
        return scores

    def over(self, setting: str, method: str, others: Sequence[str], measure: str, of_others: str = "") -> Array:
        """Return a method's score minus the mean of that of others, by seed.

        Args:
            setting: The setting.
            method: The method.
            others: The methods whose mean is subtracted.
            measure: One of `MEASURES`.
            of_others: The score of the others; default: the same.
        """
        return self.of(setting, method, measure) - mean([self.of(setting, o, of_others or measure) for o in others])

    def lacking(self, settings: Sequence[str], needed: Mapping[str, str]) -> str:
        """Return which methods have no seed with a score in which settings; empty if there are none.

        Args:
            settings: The settings.
            needed: For each method the score that is needed of it.
        """
        lacks: dict[tuple[str, ...], list[str]] = {}
        for method, measure in needed.items():
            where = tuple(setting for setting in settings if not any_seed(self.of(setting, method, measure)))
            if where:
                lacks.setdefault(where, []).append(f"{method} {MEASURES[measure]}")
        return "; ".join(f"{', '.join(methods)} on {', '.join(where)}" for where, methods in lacks.items())


def mean(scores: Sequence[Array]) -> Array:
    """Return the mean of several scores by seed, for the seeds that all of them have."""
    return np.asarray(np.mean(scores, axis=0))


def any_seed(scores: Array) -> bool:
    """Return whether any seed has a score."""
    return bool(np.isfinite(scores).any())
