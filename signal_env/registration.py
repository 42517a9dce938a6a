"""The registered environments: a table, and one loop."""

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
"""Each id with its options; every other option is a keyword of `gym.make`. `SignalEnv-v0` wants a `task`."""


def register_environments() -> None:
    """Registers every id of the table with Gymnasium; registering twice changes nothing."""
    for name, options in ENVIRONMENTS.items():
        if name not in registry:
            register(
                name,
                entry_point="signal_env.env:SignalEnv",
                vector_entry_point="signal_env.vector_env:SignalVectorEnv",
                kwargs=options,
            )
