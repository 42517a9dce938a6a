"""Wrappers around the environments."""

from signal_env.wrappers.recording import Record, VectorRecord

__all__ = ["Record", "VectorRecord"]
