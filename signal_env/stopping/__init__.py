"""Stopping criteria: when more labels no longer pay. Importing this package registers the built-in ones."""

from signal_env.stopping import builtin as _builtin  # noqa: F401  (registers the built-in ones)
from signal_env.stopping.criterion import StoppingCriterion, StoppingError, stopping_criteria
from signal_env.stopping.measure import Before, Stopping

__all__ = ["Before", "Stopping", "StoppingCriterion", "StoppingError", "stopping_criteria"]
