"""The state of plug-in objects: three methods that keep it, and a check for state that nothing keeps.

A function is not checked: what it changes in a global, a closure or an attribute of its own stays unseen.
"""

import functools
import random
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from itertools import islice
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, Protocol

import numpy as np

METHODS = ("reset", "state_dict", "load_state_dict")
"""The methods of an object whose state is kept."""

LARGE = 1_000
"""Items of a container up to which all are compared; beyond it, its size and a sample."""

LARGE_ARRAY = 100_000
"""Bytes of an array up to which all are compared; beyond it, its size and a sample."""

MOST = 2_000
"""The most values of an object that are compared."""

ATOMS = (type(None), bool, int, float, complex, str, bytes)
CONTAINERS = (dict, set, list, deque, bytearray, np.ndarray)
RANDOM = (np.random.Generator, np.random.RandomState, random.Random)
FUNCTIONS = (FunctionType, BuiltinFunctionType, functools._lru_cache_wrapper, type, ModuleType)


class Stateful(Protocol):
    """An object with state: `reset` begins an episode, the other two return and restore the state as plain data."""

    def reset(self) -> None:
        """Begin an episode."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state as plain data: None, bools, numbers, strings, and lists and dictionaries of them."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""


def owners(function: Any) -> list[Any]:
    """Return the objects that a callable may change: itself, a method's object, and those that a partial holds.

    Functions and classes are none, nor is an object whose class has `stateless = True`.

    Example:
        >>> words = []
        >>> owners(words.append) == [words], owners(len), owners(functools.partial(print, words)) == [words]
        (True, [], True)
    """
    if isinstance(function, functools.partial):
        inside = (function.func, *function.args, *function.keywords.values())
        return [owner for one in inside for owner in owners(one)]
    if isinstance(function, MethodType | BuiltinFunctionType):
        function = function.__self__
    known = isinstance(function, (*ATOMS, *FUNCTIONS)) or getattr(type(function), "stateless", False) is True
    return [] if known else [function]


def lacking(owner: Any) -> list[str]:
    """Return which of `METHODS` an object does not have."""
    return [name for name in METHODS if not callable(getattr(owner, name, None))]


def snapshot(owner: Any) -> dict[str, Any]:
    """Return a copy of an object's attributes that `changed` compares, and of its items if it is a container.

    Containers, arrays, random numbers and objects are compared by their content, up to `LARGE` and `MOST`; beyond it
    by identity.

    Example:
        >>> class Memory:
        ...     def __init__(self):
        ...         self.seen, self.scale = set(), 2.0
        >>> memory = Memory()
        >>> before = snapshot(memory)
        >>> memory.seen.add("a film")
        >>> changed(before, snapshot(memory))
        ['seen']
    """
    left, path = [MOST], {id(owner)}
    if isinstance(owner, (*CONTAINERS, *RANDOM)):
        return {"items": _frozen(owner, left, set())}
    return {name: _frozen(value, left, path) for name, value in _attributes(owner)}


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the names of the attributes that differ between two snapshots."""
    return [name for name in {**before, **after} if before.get(name, _NONE) != after.get(name, _NONE)]


_NONE = object()


class Unchanged:
    """A check that objects are the same after each call of a plug-in, since nothing keeps what it changes in them.

    Args:
        objects: The objects, usually none.
        who: The plug-in, for messages.
        advice: What to do, for messages; default: to compute from the arguments alone.
        error: Type of the error.
    """

    def __init__(self, objects: Sequence[Any], who: str, advice: str | None, error: type[Exception]) -> None:
        self._objects, self._who, self._error = objects, who, error
        self._advice = advice or "Compute from the arguments alone"
        self._noted: list[dict[str, Any]] | None = None

    def note(self) -> None:
        """Note the objects before the first call."""
        if self._objects and self._noted is None:
            self._noted = [snapshot(one) for one in self._objects]

    def check(self) -> None:
        """Raise the error if an object has changed since it was noted."""
        for one, before in zip(self._objects, self._noted or (), strict=True):
            if names := changed(before, snapshot(one)):
                raise self._error(
                    f"The {self._who} has changed {', '.join(map(repr, names))} of {type(one).__name__} from one call "
                    "to the next. Nothing keeps this state, and a resumed run would go on without it. "
                    f"{self._advice}; or set `stateless = True` in the class if no value depends on it, as in a cache."
                )


def _attributes(owner: Any) -> Iterator[tuple[str, Any]]:
    """Yield an object's own attributes, those of slots too, and containers that are attributes of its class."""
    yield from list(getattr(owner, "__dict__", {}).items())
    for base in type(owner).__mro__:
        for name, value in vars(base).items():
            if isinstance(value, CONTAINERS) and not name.startswith("__"):
                yield f"{base.__name__}.{name}", value
        slots = vars(base).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(owner, name):
                yield name, getattr(owner, name)


def _frozen(value: Any, left: list[int], path: set[int]) -> Any:
    """Return a value in a form that `==` compares by content.

    Args:
        value: The value.
        left: The number of values that may still be looked into.
        path: The identities of the objects around it.
    """
    left[0] -= 1
    kind = type(value)
    if kind in ATOMS:
        return kind.__name__, "nan" if value != value else value
    if left[0] < 0 or id(value) in path or isinstance(value, FUNCTIONS):
        return id(value)
    path = path | {id(value)}
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return value.shape, value.dtype.str, _sample(value).tobytes()
    if isinstance(value, np.random.Generator):
        return repr(value.bit_generator.state)
    if isinstance(value, np.random.RandomState | random.Random):
        return repr(value.get_state() if isinstance(value, np.random.RandomState) else value.getstate())
    if isinstance(value, bytearray):
        return bytes(value)
    if isinstance(value, Mapping):
        if len(value) <= LARGE and all(type(key) in ATOMS and type(one) in ATOMS for key, one in value.items()):
            return kind.__name__, repr(list(value.items()))
        items = _some(value.items(), left)
        return kind.__name__, len(value), tuple((_frozen(k, left, path), _frozen(v, left, path)) for k, v in items)
    if isinstance(value, Set) and all(type(one) in ATOMS for one in value):
        return frozenset(value) if len(value) <= LARGE else (id(value), len(value))
    if isinstance(value, list | tuple | deque | Set):
        if len(value) <= LARGE and all(type(one) in ATOMS for one in value):
            return kind.__name__, repr(list(value))
        return kind.__name__, len(value), tuple(_frozen(one, left, path) for one in _some(value, left))
    if hasattr(value, "data_ptr"):  # a tensor of torch, which counts its changes
        return id(value), value._version
    inside = {name: _frozen(one, left, path) for name, one in _attributes(value)}
    return id(value), tuple(inside.items())


def _some(items: Iterable[Any], left: list[int]) -> Iterator[Any]:
    """Return the first items, up to a number that may still be looked into."""
    return islice(items, min(LARGE, max(left[0], 0)))


def _sample(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return an array, or evenly spaced items of a large one."""
    if array.nbytes <= LARGE_ARRAY:
        return array
    flat = array.reshape(-1)
    return flat[:: max(1, len(flat) // LARGE)]
