"""The table of registered environments, and their registration with Gymnasium."""

from typing import Any

from gymnasium.envs.registration import register, registry

REVIEWS: dict[str, Any] = {
    "task": "reviews",
    "pool_size": 500,
    "round_size": 50,
    "classifier": "linear",
    "encoder": "embedded",
    "annotator": "rule",
}

ENVIRONMENTS: dict[str, dict[str, Any]] = {
    "SignalEnv-sst2-v0": {"task": "sst2"},
    "SignalEnv-agnews-v0": {"task": "agnews"},
    "SignalEnv-qnli-v0": {"task": "qnli"},
    "SignalEnv-reviews-v0": REVIEWS,
    "SignalEnv-v0": {},
}
"""The options that each id sets. Others are keywords of `gym.make`. `SignalEnv-v0` needs the keyword `task`."""


def register_environments() -> None:
    """Register every id of `ENVIRONMENTS` with Gymnasium. Ids that are registered already are skipped."""
    for name, options in ENVIRONMENTS.items():
        if name not in registry:
            register(
                name,
                entry_point="signal_env.env:SignalEnv",
                vector_entry_point="signal_env.vector_env:SignalVectorEnv",
                kwargs=options,
            )
