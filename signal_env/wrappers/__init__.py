"""Wrappers around the environments."""

from signal_env.wrappers.candidates import CandidateSelection
from signal_env.wrappers.prompts import PromptSelection
from signal_env.wrappers.recording import Record, VectorRecord
from signal_env.wrappers.shaping import PotentialShaping, VectorPotentialShaping
from signal_env.wrappers.tensorboard import TensorBoard, VectorTensorBoard

__all__ = [
    "CandidateSelection",
    "PotentialShaping",
    "PromptSelection",
    "Record",
    "TensorBoard",
    "VectorPotentialShaping",
    "VectorRecord",
    "VectorTensorBoard",
]
