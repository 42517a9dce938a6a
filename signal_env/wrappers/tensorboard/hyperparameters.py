"""An experiment's options as plain values, for the HParams page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from signal_env.learner.learner import Learner

Plain = bool | int | float | str


def hyperparameters(learner: Learner, others: Mapping[str, Any]) -> dict[str, Plain]:
    """Return the environment's options and other values as plain values.

    Callables and objects are represented by their names, and values of None are left out.

    Raises:
        ValueError: If one of the others has the name of an option of the environment.
    """
    ours = _flat(vars(learner.config))
    sizes = learner.sizes  # in the place of fractions
    ours |= {"pool_size": sizes.pool, "initial_labeled": sizes.initial, "round_size": sizes.round}
    ours |= {"offers_per_round": sizes.offers, "budget": sizes.budget}
    more = _flat(others)
    if both := sorted(ours.keys() & more.keys()):
        raise ValueError(
            f"hparams must not have names of the environment's options; got {', '.join(both)}: rename them."
        )
    return ours | more


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Plain]:
    flat: dict[str, Plain] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}/")
        elif isinstance(value, bool | int | float | str):
            flat[prefix + name] = value
        elif isinstance(value, np.generic):
            flat[prefix + name] = value.item()
        elif isinstance(value, list | tuple | Path):
            flat[prefix + name] = str(value)
        elif value is not None:
            flat[prefix + name] = getattr(value, "__name__", type(value).__name__)
    return flat
