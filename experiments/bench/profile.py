"""Time by part of a program."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from rich.table import Table


class Profile:
    """Seconds by part of a program. The time of a part stops while another part runs inside it.

    Attributes:
        seconds: The seconds of each part.

    Args:
        rest: The name of what is in no other part.
    """

    def __init__(self, rest: str) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._part, self._since = rest, time.perf_counter()

    def switch(self, part: str) -> str:
        """Count the time from now on for a part; return the part before."""
        now, before = time.perf_counter(), self._part
        self.seconds[before] += now - self._since
        self._part, self._since = part, now
        return before

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the time of the block, or of the calls of the decorated function, for a part."""
        before = self.switch(name)
        try:
            yield
        finally:
            self.switch(before)

    @contextmanager
    def measure(self, parts: Sequence[tuple[str, Any, str]]) -> Iterator[None]:
        """Count the calls of functions in the block: each is a part, an object and the function's name in it."""
        with ExitStack() as stack:
            for part, owner, name in parts:
                function: Callable[..., Any] = getattr(owner, name)
                stack.callback(setattr, owner, name, function)
                setattr(owner, name, self.part(part)(function))
            yield
            self.switch(self._part)


def parts_table(title: str, seconds: Mapping[str, float], unit: str, show: Callable[[float], str]) -> Table:
    """Return the table of the parts, in their order, with what `show` makes of the seconds, and their shares."""
    table, total = Table("part", unit, "share", title=title), sum(seconds.values())
    for part, value in seconds.items():
        table.add_row(part, show(value), f"{value / total:.1%}")
    return table
