"""The space of texts: Unicode strings up to a maximum length."""

from collections.abc import Callable
from typing import Any, NoReturn

import gymnasium.spaces.utils as space_utils
import numpy as np
from gymnasium.spaces import Box, Space
from gymnasium.vector.utils import create_empty_array, create_shared_memory
from gymnasium.wrappers.utils import create_zero_array
from numpy.typing import NDArray

ALPHABET = tuple("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,!?'-äéñøçßαλжש中の🙂")
"""The characters that `Unicode.sample` draws. The space contains all others too, except lone surrogates."""

PADDING = -1
"""The number that fills a flattened text after its last code point."""


class Unicode(Space[str]):
    """The space of all strings of `min_length` to `max_length` characters that UTF-8 can encode.

    Gymnasium's `Text` contains only strings over a fixed character set. This space contains texts in any language.

    Args:
        max_length: The largest number of characters.
        min_length: The smallest number of characters.
        seed: Seed of `sample`.
        hint: What an f-string of the space says after its lengths. Libraries quote a space that they do not support in
            an f-string. `repr` and `str` leave it out.

    Raises:
        ValueError: If not `0 <= min_length <= max_length`.

    Example:
        >>> space = Unicode(max_length=12)
        >>> "déjà vu 🙂" in space, "a lone surrogate: \\ud800"[-1] in space, "much too long a text" in space
        (True, False, False)
        >>> space
        Unicode(0, 12)
    """

    def __init__(
        self,
        max_length: int,
        *,
        min_length: int = 0,
        seed: int | np.random.Generator | None = None,
        hint: str = "",
    ) -> None:
        if not 0 <= min_length <= max_length:
            raise ValueError(f"Expected 0 <= min_length <= max_length; got {min_length} and {max_length}.")
        self.min_length = int(min_length)
        self.max_length = int(max_length)
        self.hint = hint
        super().__init__(shape=(), dtype=str, seed=seed)

    @property
    def is_np_flattenable(self) -> bool:
        """Return True: a text flattens to an array of code points."""
        return True

    def sample(self, mask: Any | None = None, probability: Any | None = None) -> str:
        """Draw a text over `ALPHABET`. The logarithm of 1 + its length is uniformly distributed.

        Args:
            mask: None, or `(length, weights)` as for Gymnasium's `Text`: a length, or None for a random one, and an
                int8 array with 1 for each allowed character of `ALPHABET`, or None to allow all.
            probability: None, or `(length, weights)` with a float array of the characters' probabilities.

        Raises:
            ValueError: If both `mask` and `probability` are given, or a length or weights are not valid.

        Example:
            >>> only_a = np.array([character == "a" for character in ALPHABET], dtype=np.int8)
            >>> Unicode(5).sample(mask=(3, only_a))
            'aaa'
        """
        if mask is not None and probability is not None:
            raise ValueError("Expected mask or probability; got both.")
        length, weights = mask or probability or (None, None)
        if length is None:
            low, high = np.log(self.min_length + 1), np.log(self.max_length + 2)
            length = int(np.exp(self.np_random.uniform(low, high))) - 1
        if not self.min_length <= length <= self.max_length:
            raise ValueError(f"Expected a length from {self.min_length} to {self.max_length}; got {length}.")
        chances = np.ones(len(ALPHABET)) if weights is None else np.asarray(weights, dtype=np.float64)
        if chances.shape != (len(ALPHABET),) or (chances < 0).any():
            raise ValueError(
                f"Expected {len(ALPHABET)} weights of at least 0, one per character of ALPHABET; got {weights!r}."
            )
        if not chances.any():
            if self.min_length > 0:
                raise ValueError(
                    "The weights allow no character, and the space contains no empty text; allow one character or more."
                )
            return ""
        return "".join(self.np_random.choice(ALPHABET, size=length, p=chances / chances.sum()))

    def contains(self, x: Any) -> bool:
        """Return whether `x` is a string of an allowed length without lone surrogates."""
        return isinstance(x, str) and self.min_length <= len(x) <= self.max_length and is_utf8(x)

    def __repr__(self) -> str:
        return f"Unicode({self.min_length}, {self.max_length})"

    def __format__(self, spec: str) -> str:
        return format(f"{self!r} ({self.hint})" if self.hint else repr(self), spec)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Unicode) and self.min_length == other.min_length and self.max_length == other.max_length
        )


def is_utf8(text: str) -> bool:
    """Return whether UTF-8 can encode `text`: whether it has no lone surrogates.

    Example:
        >>> is_utf8("déjà vu 🙂"), is_utf8("\\ud800")
        (True, False)
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def paired(text: str) -> str:
    """Return a text in which each pair of surrogates is the character that it encodes, as JSON reads it.

    Lone surrogates stay. Python's strings may hold a pair as two characters, which no JSON file can tell from one.

    Example:
        >>> paired("\\ud83d\\ude42") == "🙂", paired("\\ude42\\ud83d") == "\\ude42\\ud83d"
        (True, True)
    """
    return text if is_utf8(text) else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def has_visible_characters(text: str) -> bool:
    """Return whether `text` has a character that is neither white space nor a control character.

    Example:
        >>> has_visible_characters("a"), has_visible_characters(" \\n\\0")
        (True, False)
    """
    return any(character.isprintable() and not character.isspace() for character in text)


# Registrations with Gymnasium's utilities.


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
        "Texts have no fixed size, so shared memory cannot hold them. Pass shared_memory=False to AsyncVectorEnv "
        "(gym.make_vec(..., vectorization_mode='async', vector_kwargs={'shared_memory': False}))."
    )
