"""Docstrings of a dataclass's fields where `help` shows them."""

import ast
import dataclasses
import inspect
import textwrap
from typing import Any, TypeVar

C = TypeVar("C", bound=type[Any])

WIDTH = 112
"""The most characters of a line of the section."""


def documented(cls: C) -> C:
    """Append a dataclass's fields to its docstring as a section "Attributes": name, type, default and docstring.

    The docstrings are the strings under the fields. Python discards them, so they are read from the source. Without a
    source, and with `python -OO`, the class stays as it is.

    Example:
        >>> from signal_env.config import SignalConfig
        >>> print(*SignalConfig.__doc__.splitlines()[-2:], sep="\\n")
            device (str, default 'cpu'):
                Torch device of the classifier and the annotator.
    """
    written = _fields_in_source(cls)
    if not written or not cls.__doc__:
        return cls
    lines = [inspect.cleandoc(cls.__doc__), "", "Attributes:"]
    for field in dataclasses.fields(cls):
        kind, text = written.get(field.name, ("", ""))
        lines.append(f"    {field.name} ({', '.join(filter(None, [kind, _default(field)]))}):")
        lines += textwrap.wrap(text, WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8)
    cls.__doc__ = "\n".join(lines) + "\n"
    return cls


def _fields_in_source(cls: type) -> dict[str, tuple[str, str]]:
    """Return the annotation and the docstring of each field of a class as they are written; {} without a source."""
    try:
        (node,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    except (OSError, TypeError, SyntaxError, ValueError):
        return {}
    statements = node.body if isinstance(node, ast.ClassDef) else []
    found = {}
    for field, after in zip(statements, [*statements[1:], None], strict=True):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            is_text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            text = after.value.value if is_text else ""  # type: ignore[union-attr]  # is_text tells
            found[field.target.id] = ast.unparse(field.annotation), " ".join(str(text).split())
    return found


def _default(field: dataclasses.Field[Any]) -> str:
    """Return a field's default in words."""
    if field.default_factory is not dataclasses.MISSING:
        return f"default {field.default_factory()!r}"
    return "required" if field.default is dataclasses.MISSING else f"default {field.default!r}"
