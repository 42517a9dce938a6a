"""Registries that map names to plug-ins. Every plug-in point uses one."""

import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, Generic, TypeVar

from signal_env.utils.errors import SignalError
from signal_env.utils.installed import load_installed

T = TypeVar("T")

_registries: "weakref.WeakSet[Registry[Any]]" = weakref.WeakSet()


class UnknownName(SignalError, ValueError):
    """A name that is not registered; the message lists the registered names."""


class Registry(Generic[T]):
    """Maps names to plug-ins, so that one name works in `gym.make`, on the command line and in configuration files.

    Iterating yields the names in alphabetical order. Plugins of installed packages are imported when the names are
    listed, or a name is asked for that is not registered (see `signal_env.utils.installed`).

    Args:
        kind: The kind of plug-in, for error messages ("reward term", "agent", ...).

    Raises:
        UnknownName: When a name is looked up that is not registered.

    Example:
        >>> greetings = Registry("greeting")
        >>> @greetings.register("hello")
        ... def hello():
        ...     return "hello, world"
        >>> greetings["hello"]()
        'hello, world'
        >>> greetings["helo"]
        Traceback (most recent call last):
        signal_env.utils.registry.UnknownName: Unknown greeting 'helo'. Did you mean 'hello'? Known: hello.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}
        _registries.add(self)

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that registers an object under `name` and returns the object.

        An object defined in `__main__` (a notebook, a prompt, a script) may be defined and registered again.

        Raises:
            ValueError: If the name is taken by another object.
            TypeError: If the name is not a string.
        """
        if not isinstance(name, str):
            raise TypeError(f"Expected a name as a string, as in @register('name'); got {name!r}.")

        def decorate(entry: T) -> T:
            taken = self._entries.get(name, entry)
            redefined = getattr(taken, "__module__", None) == "__main__" and _origin(taken) == _origin(entry)
            if taken is not entry and not redefined:
                raise ValueError(f"The {self.kind} {name!r} is already registered; choose another name.")
            self._entries[name] = entry
            return entry

        return decorate

    def has(self, name: str) -> bool:
        """Return whether a name is registered at this moment, whatever plugins of installed packages would add."""
        return name in self._entries

    def registered(self) -> list[str]:
        """Return the names registered at this moment in alphabetical order; imports nothing, unlike iterating."""
        return sorted(self._entries)

    def __getitem__(self, name: str) -> T:
        if name not in self:
            known = list(self)
            close = get_close_matches(str(name), known, n=1)
            guess = f" Did you mean {close[0]!r}?" if close else ""
            raise UnknownName(f"Unknown {self.kind} {name!r}.{guess} Known: {', '.join(known) or 'none'}.")
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        if name not in self._entries:
            load_installed()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        load_installed()
        return iter(self.registered())


@contextmanager
def undone_on_error() -> Iterator[None]:
    """Take back what the block registers if it ends with an error, so that it can be tried again.

    What functions and classes of modules that stay imported are registered for is kept: these would not register them
    again.
    """
    before = {registry: dict(registry._entries) for registry in _registries}
    try:
        yield
    except BaseException:
        for registry, entries in before.items():
            registry._entries = entries | {
                name: entry
                for name, entry in registry._entries.items()
                if hasattr(entry, "__qualname__") and entry.__module__ in sys.modules
            }
        raise


def _origin(entry: object) -> tuple[object, object]:
    """Return the module that defines an object, and the object's qualified name there."""
    return getattr(entry, "__module__", None), getattr(entry, "__qualname__", None)
