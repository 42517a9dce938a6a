"""NumPy arrays as JSON, to the bit and without pickle."""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signal_env.utils.errors import SignalError
from signal_env.utils.prediction import read_only

KINDS = "biuf"
"""The kinds of arrays: truth values and numbers."""


class ArrayError(SignalError, ValueError):
    """Data that describe no array."""


def packed(array: NDArray[Any]) -> dict[str, Any]:
    """Return an array of numbers as plain data: its type, its shape, and its bytes in base64.

    Raises:
        ArrayError: If it is not an array of numbers or truth values.

    Example:
        >>> packed(np.array([[1.0, 0.1]], dtype=np.float32))
        {'dtype': '<f4', 'shape': [1, 2], 'data': 'AACAP83MzD0='}
    """
    if array.dtype.kind not in KINDS:
        raise ArrayError(f"Expected an array of numbers; got the type {array.dtype}.")
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    data = base64.b64encode(little.tobytes()).decode("ascii")
    return {"dtype": little.dtype.str, "shape": list(array.shape), "data": data}


def unpacked(data: Mapping[str, Any]) -> NDArray[Any]:
    """Return the array that `packed` described. It is read-only.

    Raises:
        ArrayError: If the data describe no array.

    Example:
        >>> unpacked(packed(np.array([[True], [False]])))
        array([[ True],
               [False]])
    """
    try:
        dtype, shape = np.dtype(data["dtype"]), tuple(data["shape"])
        values = np.frombuffer(base64.b64decode(data["data"], validate=True), dtype).reshape(shape)
    except (KeyError, TypeError, ValueError) as error:
        raise ArrayError(f"Expected the type, the shape and the bytes of an array; got {str(data)[:80]}.") from error
    if dtype.kind not in KINDS:
        raise ArrayError(f"Expected an array of numbers; got the type {dtype}.")
    return read_only(values.astype(dtype.newbyteorder("="), copy=False))
