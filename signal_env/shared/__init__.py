"""One experiment that several writers share: its verbs, the experiment in this process, and the client of a service."""

from signal_env.shared.local import LocalExperiment
from signal_env.shared.verbs import ExperimentEnded, Offered, Prompts, Scored, SharedExperiment, State

__all__ = ["ExperimentEnded", "LocalExperiment", "Offered", "Prompts", "Scored", "SharedExperiment", "State"]
