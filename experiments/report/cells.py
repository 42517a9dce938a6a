"""The cells of HTML tables: what they show, and what they sort by."""

import math
import re
from collections.abc import Sequence
from numbers import Real
from typing import Any, NamedTuple

VERDICTS = ("supported", "not supported", "practically equal", "undecided")
"""Beginnings of the cells of a column `verdict`; each has a color."""

LONG = 40
"""A cell with more characters gets a minimal width on a narrow screen."""

_NUMBER_FIRST = re.compile(r"[+\-−]?(?:\d[\d,]*\.?\d*|\.\d+)(?:e[+\-]?\d+)?(?=$|[\s%±×])")


class Cell(NamedTuple):
    """A cell: its text, the number or lower-case text that it sorts by ("" for a missing one), and its CSS classes."""

    text: str
    order: str
    kind: str


def columns(frame: Any) -> dict[str, list[Cell]]:
    """Return the cells of each column of a pandas table.

    A column of numbers, or of cells that begin with one, such as "0.81 ± 0.02", has the kind "number".
    """
    return {str(name): _column(frame[name].tolist(), VERDICTS if name == "verdict" else ()) for name in frame}


def _column(values: Sequence[Any], verdicts: Sequence[str]) -> list[Cell]:
    texts = shown(values)
    numbers = [number_of(value) if text else None for value, text in zip(values, texts, strict=True)]
    if any(texts) and numbers.count(None) == texts.count(""):
        orders = ["" if number is None else repr(number).replace("inf", "Infinity") for number in numbers]
        return [Cell(text, order, "number") for text, order in zip(texts, orders, strict=True)]
    kinds = [[verdict.replace(" ", "-") for verdict in verdicts if text.startswith(verdict)] for text in texts]
    long = [["long"] if len(text) > LONG else [] for text in texts]
    return [Cell(t, t.lower(), " ".join(kind + more)) for t, kind, more in zip(texts, kinds, long, strict=True)]


def shown(values: Sequence[Any]) -> list[str]:
    """Return the texts of a column's cells.

    Numbers have at most four digits, all with equally many decimals. Truth values are "yes" or "no". A missing value
    is empty.

    Example:
        >>> shown([0.81654, -0.5, 1.0, float("nan")]), shown([12345.678, 3.0]), shown([1e-7, 0.5]), shown([7, 1200])
        (['0.8165', '−0.5000', '1.0000', ''], ['12,346', '3'], ['1e−07', '0.5'], ['7', '1,200'])
        >>> shown([True, None, "0.81 ± 0.02"]), shown([0.0, math.inf, 0.5]), shown([0.0, math.inf])
        (['yes', '', '0.81 ± 0.02'], ['0.0', 'inf', '0.5'], ['0', 'inf'])
    """
    numbers = [float(value) for value in values if _is_number(value)]
    sizes = [abs(number) for number in numbers if math.isfinite(number) and number]
    style = ".4g"
    if all(number.is_integer() for number in numbers) or max(sizes, default=0.0) >= 1000:
        style = ",.0f"
    elif sizes and min(sizes) >= 0.001:
        style = f",.{max(len(f'{number:.4g}'.partition('.')[2]) for number in numbers)}f"
    words = {"True": "yes", "False": "no"} | dict.fromkeys(("None", "nan", "NaT", "<NA>"), "")
    texts = [f"{float(value):{style}}".replace("-", "−") if _is_number(value) else value for value in values]
    return [text if isinstance(text, str) else words.get(str(text), str(text)) for text in texts]


def number_of(value: Any) -> float | None:
    """Return the number that a cell sorts by, if it is one or begins with one.

    Example:
        >>> [number_of(value) for value in (0.5, "-0.003 ± 0.017", "1,200 texts", "60%", "sst2", "3x", True)]
        [0.5, -0.003, 1200.0, 60.0, None, None, None]
    """
    if isinstance(value, str):
        found = _NUMBER_FIRST.match(value)
        return float(found[0].replace(",", "").replace("−", "-")) if found else None
    return float(value) if _is_number(value) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and value == value
