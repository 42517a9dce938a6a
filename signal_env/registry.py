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
        signal_env.registry.UnknownName: Unknown greeting 'helo'. Did you mean 'hello'? Known: hello.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Returns a decorator that registers what it decorates under `name`.

        Raises:
            ValueError: If the name is taken by something else.
        """

        def decorate(entry: T) -> T:
            if self._entries.get(name, entry) is not entry:
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
