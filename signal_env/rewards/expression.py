"""The parser of rewards such as "signal + 0.1*novelty": Python's grammar, but never evaluated."""

import ast
import dataclasses
import tokenize
from difflib import get_close_matches
from io import StringIO
from keyword import iskeyword
from typing import NoReturn

from signal_env.rewards.term import RewardError

LONGEST = 2000
"""The most characters of an expression."""

FORMS = {"clip": "clip(TERM, LOW, HIGH)", "normalize": "normalize(TERM)"}

NUMBERS: dict[str, tuple[str, ...]] = {"clip": ("low", "high"), "normalize": ()}
"""The names of the numbers that each of them takes after its term."""


@dataclasses.dataclass(frozen=True)
class Factor:
    """A term of an expression, with its clipping and normalization.

    Attributes:
        name: The registered name.
        transforms: The changes to the term's value, in order: (low, high) for clipping, () for normalization.
    """

    name: str
    transforms: tuple[tuple[float, ...], ...] = ()

    def __str__(self) -> str:
        """Return the factor in the form that `parse` reads. A name alone is never quoted."""
        if not self.transforms:
            return self.name
        plain = self.name.isascii() and self.name.isidentifier() and not iskeyword(self.name)
        shown = self.name if plain else repr(self.name)
        for limits in self.transforms:
            shown = f"clip({shown}, {_limits(*limits)})" if limits else f"normalize({shown})"
        return shown


def parse(text: str) -> dict[Factor, float]:
    """Read the terms of an expression with their weights.

    Terms are added and subtracted, and multiplied and divided by numbers. A name that is no identifier is quoted.

    Raises:
        RewardError: If the expression is not of this form; the message shows the position.

    Example:
        >>> for factor, weight in parse("signal - 0.5*(clip(entropy, 0, 1) + 'my-term')").items():
        ...     print(weight, factor)
        1.0 signal
        -0.5 clip(entropy, 0, 1)
        -0.5 my-term
        >>> parse("signal + 0.1 novelty")
        Traceback (most recent call last):
        signal_env.rewards.term.RewardError: The reward is not well formed: invalid syntax.
            signal + 0.1 novelty
                         ^
    """
    return _Reader(" ".join(text.split())).read()


class _Reader:
    """A reader of one expression."""

    def __init__(self, text: str) -> None:
        self.text = text

    def read(self) -> dict[Factor, float]:
        if len(self.text) > LONGEST:
            raise RewardError(f"A reward must have at most {LONGEST} characters; got {len(self.text)}.")
        try:
            tree = ast.parse(self.text, mode="eval")
            comment = self._comment()
            terms = self._sum(tree.body)
        except SyntaxError as error:
            self._fail(error.msg, error.offset - 1 if error.offset else len(self.text))
        except (RecursionError, MemoryError) as error:
            raise RewardError(f"The reward is nested too deeply: {self.text:.80}...") from error
        except (OverflowError, ValueError) as error:  # a number out of range, a character that Python cannot read
            if isinstance(error, RewardError):
                raise
            raise RewardError(f"The reward cannot be read, {error}: {self.text!r:.80}") from error
        if comment is not None:
            self._fail("a reward has no comments", comment)
        if isinstance(terms, float):
            self._fail("expected at least one term, not only a number", 0)
        return terms

    def _comment(self) -> int | None:
        """Return the column of a comment, which Python's grammar would skip with all that follows it."""
        tokens = tokenize.generate_tokens(StringIO(self.text).readline)
        return next((token.start[1] for token in tokens if token.type == tokenize.COMMENT), None)

    def _sum(self, node: ast.expr) -> dict[Factor, float] | float:
        """Return the value of a node: a number, or terms with their weights."""
        match node:
            case ast.Constant(value=bool() | complex()):
                self._unexpected(node)
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.Name(id="nan" | "inf" as name):
                self._at(node, f"a weight must be a finite number; got {name}")
            case ast.Constant(value=str() as name) | ast.Name(id=name):
                return {Factor(name): 1.0}
            case ast.UnaryOp(op=ast.UAdd() | ast.USub() as op, operand=operand):
                return _weighted(self._sum(operand), -1.0 if isinstance(op, ast.USub) else 1.0)
            case ast.BinOp(op=ast.Add() | ast.Sub() as op):
                return self._added(node, -1.0 if isinstance(op, ast.Sub) else 1.0)
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                one, other = self._sum(left), self._sum(right)
                if isinstance(other, float):
                    return _weighted(one, other)
                return (
                    _weighted(other, one)
                    if isinstance(one, float)
                    else self._at(right, "a term cannot be multiplied by a term")
                )
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                divisor = self._number(right)
                return _weighted(self._sum(left), 1 / divisor) if divisor else self._at(right, "the divisor is zero")
            case ast.Call(func=ast.Name(id=function)):
                return {self._called(node, function): 1.0}
        return self._unexpected(node)

    def _added(self, node: ast.BinOp, sign: float) -> dict[Factor, float] | float:
        left, right = self._sum(node.left), self._sum(node.right)
        if isinstance(left, float) and isinstance(right, float):
            return left + sign * right
        terms: dict[Factor, float] = {}
        for side, value, weight in ((node.left, left, 1.0), (node.right, right, sign)):
            if isinstance(value, float):
                self._at(side, "expected a term; a number alone cannot be added to one")
            else:
                terms |= {factor: terms.get(factor, 0.0) + weight * w for factor, w in value.items()}
        return terms

    def _called(self, node: ast.Call, function: str) -> Factor:
        """Read clip(...) or normalize(...)."""
        if function == "potential":
            self._at(node, "potential-based shaping is a wrapper, signal_env.wrappers.PotentialShaping")
        if function not in FORMS:
            close = get_close_matches(function, FORMS, n=1)
            self._at(node, f"{function!r} is no function; known: {', '.join(close or FORMS)}")
        arguments = {keyword.arg: keyword.value for keyword in node.keywords}
        n = len(node.args) - 1 + len(node.keywords)
        arguments |= dict(zip(NUMBERS[function], node.args[1:], strict=False))
        needed = 1 if function == "clip" else 0
        if not node.args or not needed <= len(arguments) == n or set(arguments) - set(NUMBERS[function]):
            self._at(node, f"expected {FORMS[function]}")
        numbers = {name: self._number(value) for name, value in arguments.items()}
        return self._transformed(node, function, numbers)

    def _transformed(self, node: ast.Call, function: str, numbers: dict[str | None, float]) -> Factor:
        inner = self._sum(node.args[0])
        if isinstance(inner, float) or len(inner) != 1 or set(inner.values()) != {1.0}:
            self._at(node.args[0], f"{function} takes one term without a weight")
        (factor,) = inner
        if function == "normalize":
            return dataclasses.replace(factor, transforms=(*factor.transforms, ()))
        low, high = numbers.get("low", float("-inf")), numbers.get("high", float("inf"))
        if not low <= high or low == float("inf") or high == float("-inf"):
            self._at(node, f"clip needs low <= high, one of them finite; got {low:g} and {high:g}")
        return dataclasses.replace(factor, transforms=(*factor.transforms, (low, high)))

    def _number(self, node: ast.expr) -> float:
        value = self._sum(node)
        return value if isinstance(value, float) else self._at(node, "expected a number")

    def _unexpected(self, node: ast.expr) -> NoReturn:
        forms = ", ".join(FORMS.values())
        self._at(node, f"expected a term, a number, +, -, *, /, {forms}")

    def _at(self, node: ast.expr, message: str) -> NoReturn:
        self._fail(message, len(self.text.encode()[: node.col_offset].decode()))

    def _fail(self, message: str, column: int) -> NoReturn:
        raise RewardError(f"The reward is not well formed: {message}.\n    {self.text}\n    {' ' * column}^")


def _limits(low: float, high: float) -> str:
    """Return the limits of a clip in the form that `parse` reads."""
    if low == float("-inf"):
        return f"high={_shown(high)}"
    return f"{_shown(low)}" if high == float("inf") else f"{_shown(low)}, {_shown(high)}"


def _shown(number: float) -> str:
    """Return a number with all its digits."""
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def _weighted(value: dict[Factor, float] | float, weight: float) -> dict[Factor, float] | float:
    if isinstance(value, float):
        return value * weight
    return {factor: weight * w for factor, w in value.items()}
