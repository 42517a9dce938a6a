"""Stopping criteria: their type, their registry and their error."""

from collections.abc import Callable

from signal_env.utils.errors import SignalError
from signal_env.utils.registry import Registry


class StoppingError(SignalError, ValueError):
    """Options that no criterion can use, or a criterion that returned unusable values; the message names it."""


StoppingCriterion = Callable[..., tuple[float, bool] | None]
"""Maps the arguments that its parameters name (see `signal_env.utils.plugins`) to what it measures, and whether that
meets it: a finite number and a bool, or None where there is nothing to measure.

It is called after each training. One that asks for the predictions of the classifier before (`probabilities_before`,
`pool_probabilities_before`) is called from the second training on. Parameters with a default are options.
"""

stopping_criteria: Registry[StoppingCriterion] = Registry("stopping criterion")
"""The criteria by name. All of them are measured in every episode.

Example:
    >>> @stopping_criteria.register("confident")
    ... def confident(probabilities, threshold=0.95):
    ...     if len(probabilities) == 0:
    ...         return None
    ...     value = probabilities.max(axis=1).min()
    ...     return value, value >= threshold
"""
