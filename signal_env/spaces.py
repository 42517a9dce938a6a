"""The space of texts: Unicode strings up to a length."""

from collections.abc import Callable
from typing import Any, NoReturn

import gymnasium.spaces.utils as space_utils
import numpy as np
from gymnasium.spaces import Box, Space
from gymnasium.vector.utils import create_empty_array, create_shared_memory
from gymnasium.wrappers.utils import create_zero_array
from numpy.typing import NDArray

ALPHABET = tuple("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,!?'-äéñøçßαλжש中の🙂")
"""The characters that `Unicode.sample` draws from; the space itself holds every character but lone surrogates."""

PADDING = -1
"""Stands after a text's last code point in its flattened form."""


class Unicode(Space[str]):
    """All strings of `min_length` to `max_length` characters that UTF-8 can write.

    Gymnasium's `Text` holds only strings over a fixed character set; this space holds any language.

    Args:
        max_length: The number of characters of the longest text.
        min_length: The number of characters of the shortest text.
        seed: Seed of `sample`.

    Example:
        >>> space = Unicode(max_length=12)
        >>> "déjà vu 🙂" in space, "a lone surrogate: \\ud800"[-1] in space, "much too long a text" in space
        (True, False, False)
        >>> space
        Unicode(0, 12)
    """

    def __init__(self, max_length: int, *, min_length: int = 0, seed: int | np.random.Generator | None = None) -> None:
        if not 0 <= min_length <= max_length:
            raise ValueError(f"Expected 0 <= min_length <= max_length; got {min_length} and {max_length}.")
        self.min_length = int(min_length)
        self.max_length = int(max_length)
        super().__init__(dtype=str, seed=seed)

    @property
    def is_np_flattenable(self) -> bool:
        """Texts flatten to an array of code points."""
        return True

    def sample(self, mask: Any | None = None, probability: Any | None = None) -> str:
        """Draws a text of random length over `ALPHABET`; short ones are as likely as long ones on a log scale.

        Args:
            mask: None, or `(length, weights)`: a length (or None for a random one) and an int8 array that is 1 for the
                characters of `ALPHABET` to draw from (or None for all), as for Gymnasium's `Text`.
            probability: None, or `(length, weights)` with the characters' probabilities.
        """
        if mask is not None and probability is not None:
            raise ValueError("Give mask or probability, not both.")
        length, weights = mask or probability or (None, None)
        if length is None:
            low, high = np.log(self.min_length + 1), np.log(self.max_length + 2)
            length = int(np.exp(self.np_random.uniform(low, high))) - 1
        if not self.min_length <= length <= self.max_length:
            raise ValueError(f"Expected a length from {self.min_length} to {self.max_length}; got {length}.")
        chances = np.ones(len(ALPHABET)) if weights is None else np.asarray(weights, dtype=np.float64)
        if chances.shape != (len(ALPHABET),) or (chances < 0).any():
            raise ValueError(f"Expected {len(ALPHABET)} weights of at least 0, one per character of ALPHABET.")
        if not chances.any():
            if self.min_length > 0:
                raise ValueError("No character may be drawn, but the space has no empty text.")
            return ""
        return "".join(self.np_random.choice(ALPHABET, size=length, p=chances / chances.sum()))

    def contains(self, x: Any) -> bool:
        """Whether `x` is a string of allowed length without lone surrogates."""
        return isinstance(x, str) and self.min_length <= len(x) <= self.max_length and is_utf8(x)

    def __repr__(self) -> str:
        return f"Unicode({self.min_length}, {self.max_length})"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Unicode) and self.min_length == other.min_length and self.max_length == other.max_length
        )


def is_utf8(text: str) -> bool:
    """Whether UTF-8 can write `text`; it cannot write lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def has_visible_characters(text: str) -> bool:
    """Whether `text` holds anything but white space and control characters."""
    return any(character.isprintable() and not character.isspace() for character in text)


# What Gymnasium's utilities need to know of a new space.


@space_utils.flatdim.register(Unicode)
def _flatdim(space: Unicode) -> int:
    return space.max_length


@space_utils.flatten.register(Unicode)
def _flatten(space: Unicode, x: str) -> NDArray[np.int32]:
    flat = np.full(space.max_length, PADDING, dtype=np.int32)
    flat[: len(x)] = [ord(character) for character in x]
    return flat


@space_utils.unflatten.register(Unicode)
def _unflatten(space: Unicode, x: NDArray[np.int32]) -> str:
    return "".join(chr(int(code)) for code in x if code != PADDING)


@space_utils.flatten_space.register(Unicode)
def _flatten_space(space: Unicode) -> Box:
    return Box(PADDING, 0x10FFFF, shape=(space.max_length,), dtype=np.int32)


@space_utils._flat_dtype.register(Unicode)
def _flat_dtype(space: Unicode) -> np.dtype[Any]:
    return np.dtype(np.int32)


@space_utils.is_space_dtype_shape_equiv.register(Unicode)
def _is_equivalent(space: Unicode, other: Space[Any]) -> bool:
    return space == other


@create_empty_array.register(Unicode)
def _empty(space: Unicode, n: int = 1, fn: Callable[..., Any] = np.zeros) -> tuple[str, ...]:
    return (_zero(space),) * n


@create_zero_array.register(Unicode)
def _zero(space: Unicode) -> str:
    return "\0" * space.min_length


@create_shared_memory.register(Unicode)
def _no_shared_memory(space: Unicode, n: int = 1, ctx: Any = None) -> NoReturn:
    raise TypeError(
        "Texts have no fixed size and cannot lie in shared memory: give shared_memory=False to AsyncVectorEnv "
        "(gym.make_vec(..., vectorization_mode='async', vector_kwargs={'shared_memory': False}))."
    )
