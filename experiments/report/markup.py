"""Values and tables as HTML."""

import math
import re
from collections.abc import Sequence
from html import escape
from numbers import Real
from typing import Any

VERDICTS = ("supported", "not supported", "undecided")
"""What a cell of a column `verdict` may begin with; each has a colour."""

LONG = 40
"""A cell with more characters is given some room where the screen is narrow."""

_NUMBER_FIRST = re.compile(r"[+\-−]?(?:\d[\d,]*\.?\d*|\.\d+)(?:e[+\-]?\d+)?(?=$|[\s%±×])")


def plain(value: object) -> str:
    """Any value as text in HTML; NUL, which HTML cannot say, as its symbol.

    Example:
        >>> plain('<b class="x">')
        '&lt;b class=&quot;x&quot;&gt;'
    """
    return escape(str(value)).replace("\0", "␀")


def table(frame: Any) -> str:
    """A pandas table as HTML; an index that has a name is shown as columns.

    A column of numbers, or of cells that begin with one, such as "0.81 ± 0.02", is marked as such, and its cells say
    the number that they sort by.
    """
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    columns = [_column(str(name), list(frame.iloc[:, j])) for j, name in enumerate(frame)]
    heads = "".join(head for head, _ in columns)
    rows = "\n".join(f"<tr>{''.join(cells)}</tr>" for cells in zip(*(cells for _, cells in columns), strict=True))
    return f'<table class="sortable">\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>'


def shown(values: Sequence[Any]) -> list[str]:
    """The texts of a column's cells.

    Of numbers at most four digits, all with equally many decimals; "yes" or "no" for truth values; nothing where a
    value is missing.

    Example:
        >>> shown([0.81654, -0.5, 1.0, float("nan")]), shown([12345.678, 3.0]), shown([1e-7, 0.5]), shown([7, 1200])
        (['0.8165', '−0.5000', '1.0000', ''], ['12,346', '3'], ['1e−07', '0.5'], ['7', '1,200'])
        >>> shown([True, None, "0.81 ± 0.02"])
        ['yes', '', '0.81 ± 0.02']
    """
    numbers = [float(value) for value in values if _is_number(value)]
    sizes = [abs(number) for number in numbers if math.isfinite(number) and number]
    style = ".4g"
    if all(number.is_integer() for number in numbers) or max(sizes, default=0.0) >= 1000:
        style = ",.0f"
    elif min(sizes) >= 0.001:
        written = [f"{number:.4g}".partition(".")[2] for number in numbers]
        style = f",.{max(map(len, written))}f"
    return [_shown(value, style) for value in values]


def _shown(value: Any, style: str) -> str:
    if value is None or value != value:
        return ""
    if _is_number(value):
        return f"{float(value):{style}}".replace("-", "−")
    return {"True": "yes", "False": "no"}.get(str(value), str(value)) if not isinstance(value, str) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and value == value


def number_of(value: Any) -> float | None:
    """The number that a cell sorts by, if it is one or begins with one.

    Example:
        >>> [number_of(value) for value in (0.5, "-0.003 ± 0.017", "1,200 texts", "60%", "sst2", "3x", True)]
        [0.5, -0.003, 1200.0, 60.0, None, None, None]
    """
    if isinstance(value, str):
        found = _NUMBER_FIRST.match(value)
        return float(found[0].replace(",", "").replace("−", "-")) if found else None
    return float(value) if _is_number(value) else None


def _column(name: str, values: list[Any]) -> tuple[str, list[str]]:
    """A column's head and its cells."""
    texts, numbers = shown(values), [number_of(value) for value in values]
    numeric = any(texts) and all(number is not None for text, number in zip(texts, numbers, strict=True) if text)
    kind = ' class="number"' if numeric else ""
    head = f'<th scope="col"{kind}><button type="button">{plain(name.replace("_", " "))}</button></th>'
    if not numeric:
        return head, [f"<td{_kind(text, name == 'verdict')}>{plain(text)}</td>" for text in texts]
    cells = []
    for text, number in zip(texts, numbers, strict=True):
        value = f' data-value="{number!r}"'.replace("inf", "Infinity") if text else ""
        cells.append(f"<td{kind}{value}>{plain(text)}</td>")
    return head, cells


def _kind(text: str, verdict: bool) -> str:
    """The class of a cell of text."""
    found = [name.replace(" ", "-") for name in VERDICTS if verdict and text.startswith(name)]
    kinds = " ".join([*found, *(["long"] if len(text) > LONG else [])])
    return f' class="{kinds}"' if kinds else ""
