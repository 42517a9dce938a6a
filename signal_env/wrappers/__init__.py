"""Wrappers around the environments."""

from signal_env.wrappers.recording import Record, VectorRecord
from signal_env.wrappers.tensorboard import TensorBoard, VectorTensorBoard

__all__ = ["Record", "TensorBoard", "VectorRecord", "VectorTensorBoard"]
