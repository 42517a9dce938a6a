"""Wrappers of the environments: logs, TensorBoard, shaping, and choice among candidates or prompts."""

from signal_env.wrappers.candidate_selection import CandidateSelection
from signal_env.wrappers.prompt_selection import PromptSelection
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
