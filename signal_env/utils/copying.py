"""Deep copies that share what never changes."""

from collections.abc import Iterable
from copy import deepcopy
from typing import Any, TypeVar

T = TypeVar("T")


def deep_copy(original: T, memo: dict[int, Any], shared: Iterable[Any] = ()) -> T:
    """Return a deep copy of an object without calling its class, for its `__deepcopy__`.

    Args:
        original: The object.
        memo: The copies made so far, by identity.
        shared: Values that the copy holds too, wherever they are found, instead of copies of them.

    Example:
        >>> class Pair:
        ...     def __init__(self, texts, chosen):
        ...         self.texts, self.chosen = texts, chosen
        ...     def __deepcopy__(self, memo):
        ...         return deep_copy(self, memo, [self.texts])
        >>> pair = Pair(["a film"], [0])
        >>> copy = deepcopy(pair)
        >>> copy.texts is pair.texts, copy.chosen is pair.chosen
        (True, False)
    """
    memo.update((id(value), value) for value in shared if value is not None)
    copied: T = object.__new__(type(original))
    memo[id(original)] = copied
    copied.__dict__.update({name: deepcopy(value, memo) for name, value in vars(original).items()})
    return copied
