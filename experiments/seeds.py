"""The seeds of a study's runs, and the check of what a study says."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.player import RunError

Seeds = int | Sequence[int]
"""A number n for the seeds 0 to n - 1, or a list of seeds."""


def seeds_of(seeds: Any, owner: str = "") -> Sequence[int]:
    """Return the seeds that a study names: those of a list, or 0 to n - 1 for a whole number n.

    Raises:
        RunError: If it names no seeds, negative or equal ones; `owner` says whose they are.

    Example:
        >>> list(seeds_of(3)), list(seeds_of([5, 3]))
        ([0, 1, 2], [5, 3])
    """
    what = f"the seeds of {owner}" if owner else "seeds"
    seeds = as_plain(seeds)
    if isinstance(seeds, int) and not isinstance(seeds, bool):
        expect(seeds > 0, f"{what} are a list or a whole number from 1; got {seeds}.")
        return range(seeds)
    fits = isinstance(seeds, list | tuple | range) and len(seeds) > 0
    expect(fits, f"{what} are a list or a whole number from 1; got {seeds!r:.80}.")
    seeds = [as_plain(seed) for seed in seeds]
    whole = all(isinstance(seed, int) and not isinstance(seed, bool) and seed >= 0 for seed in seeds)
    expect(whole, f"{what} are whole numbers from 0; got {list(seeds)!r:.80}.")
    expect(len(set(seeds)) == len(seeds), f"{what} are different; got {list(seeds)!r:.80}.")
    return tuple(seeds)


def as_plain(value: Any) -> Any:
    """Return a number or an array of numpy as plain data, and 3.0 as 3; any other value as it is."""
    value = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def expect(condition: bool, message: str) -> None:
    """Raise a RunError with a message if a condition is not met."""
    if not condition:
        raise RunError(message)
