"""Registries of plain names: the one mechanism behind every plug-in point."""

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Generic, TypeVar

T = TypeVar("T")


class UnknownName(ValueError):
    """A name that no registry knows; the message lists the names it does know."""


class Registry(Generic[T]):
    """Maps plain names to plug-ins, so that a name works in `gym.make`, on the command line and in a file alike.

    Args:
        kind: What is registered, for error messages ("reward term", "agent", ...).

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

    def register(self, name: str) -> Callable[[T], T]:
        """Returns a decorator that registers what it decorates under `name`.

        What is defined in a notebook or at a prompt may be defined again.

        Raises:
            ValueError: If the name is taken by something else.
            TypeError: If the name is no text.
        """
        if not isinstance(name, str):
            raise TypeError(f"Registering wants a name: @register('name'); got {name!r}.")

        def decorate(entry: T) -> T:
            taken = self._entries.get(name, entry)
            again = getattr(taken, "__module__", None) == "__main__" and _named(taken) == _named(entry)
            if taken is not entry and not again:
                raise ValueError(f"The {self.kind} {name!r} is registered already; choose another name.")
            self._entries[name] = entry
            return entry

        return decorate

    def __getitem__(self, name: str) -> T:
        if name not in self._entries:
            known = list(self)
            close = get_close_matches(str(name), known, n=1)
            guess = f" Did you mean {close[0]!r}?" if close else ""
            raise UnknownName(f"Unknown {self.kind} {name!r}.{guess} Known: {', '.join(known) or 'none'}.")
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))


def _named(entry: object) -> tuple[object, object]:
    """Where something was defined, and under what name."""
    return getattr(entry, "__module__", None), getattr(entry, "__qualname__", None)
