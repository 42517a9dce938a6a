"""Arrays as JSON: to the bit, and nothing but numbers."""

import json

import numpy as np
import pytest

from signal_env.shared.arrays import ArrayError, packed, unpacked


@pytest.mark.parametrize(
    "array",
    [
        np.array([[0.1, -0.0, np.inf], [np.nan, 5e-324, 1.0]]),
        np.array([1.1, 2.2], dtype=np.float32)[::-1],
        np.array([[1, -2]], dtype=np.int64).T,
        np.array([True, False]),
        np.array([1.5, 2.5], dtype=">f8"),
        np.zeros((0, 3), dtype=np.float16),
    ],
)
def test_arrays_survive_json_to_the_bit(array):
    again = unpacked(json.loads(json.dumps(packed(array))))
    assert again.shape == array.shape
    assert again.dtype == array.dtype.newbyteorder("=")
    assert again.tobytes() == np.ascontiguousarray(array, dtype=again.dtype).tobytes()
    assert not again.flags.writeable


def test_objects_are_no_arrays_of_numbers():
    with pytest.raises(ArrayError, match="array of numbers; got the type object"):
        packed(np.array([{}], dtype=object))
    for data in (
        {"dtype": "O", "shape": [1], "data": "AAAAAAAAAAA="},
        {"dtype": "<f8", "shape": [2], "data": "AAAA"},
        {},
    ):
        with pytest.raises(ArrayError, match="Expected"):
            unpacked(data)
