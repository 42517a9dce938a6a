"""Read options, attributes and docstrings where they are written: in the sources."""

import ast
import functools
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
"""The repository's root."""

PACKAGES = ("signal_env", "agents", "experiments")
"""The packages that the documentation covers."""


class Option(NamedTuple):
    """A field of a dataclass.

    Attributes:
        name: The field's name.
        type: Its annotation, as written.
        default: Its default, as written; "" if it has none.
        text: The docstring under it, on one line.
    """

    name: str
    type: str
    default: str
    text: str


def modules() -> Iterator[str]:
    """Yield the name of every module of the packages, except the entry points."""
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            parts = file.relative_to(ROOT).with_suffix("").parts
            if parts[-1] != "__main__":
                yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def file_of(module: str) -> Path:
    """Return the file of a module or package.

    Raises:
        FileNotFoundError: If there is none.
    """
    place = ROOT / module.replace(".", "/")
    for file in (place.with_suffix(".py"), place / "__init__.py"):
        if file.is_file():
            return file
    raise FileNotFoundError(f"No module {module} under {ROOT}.")


@functools.cache
def tree_of(module: str) -> ast.Module:
    """Parse a module."""
    return ast.parse(file_of(module).read_text(encoding="utf-8"))


def definition(name: str) -> tuple[str, ast.ClassDef | ast.FunctionDef]:
    """Return the module and the syntax tree of a class or function.

    Args:
        name: `MODULE:NAME`, where the module defines or imports it, or `NAME` alone, which is looked for everywhere.

    Raises:
        LookupError: If there is no such class or function.
    """
    module, _, wanted = name.rpartition(":")
    for place in [module] if module else list(modules()):
        for node in tree_of(place).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == wanted:
                return place, node
    for node in tree_of(module).body if module else ():
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in PACKAGES:
            for alias in node.names:
                if (alias.asname or alias.name) == wanted:
                    return definition(f"{node.module}:{alias.name}")
    raise LookupError(f"Neither a class nor a function: {name}.")


def docstring(name: str) -> str:
    """Return the cleaned docstring of `MODULE`, `MODULE:NAME` or `NAME`; "" if it has none."""
    node = tree_of(name) if name in set(modules()) else definition(name)[1]
    return inspect.cleandoc(ast.get_docstring(node) or "")


def options(name: str) -> list[Option]:
    """Return the fields of a dataclass with the docstrings under them, those of its bases first.

    Args:
        name: `CLASS` or `MODULE:CLASS`.
    """
    module, node = definition(name)
    if not isinstance(node, ast.ClassDef):
        raise LookupError(f"{name} is no class.")
    fields: dict[str, Option] = {}
    for parent in node.bases:
        if isinstance(parent, ast.Name):
            try:
                fields |= {option.name: option for option in options(f"{module}:{parent.id}")}
            except LookupError:  # a class of another library
                continue
    for place, statement in enumerate(node.body):
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        kind, field = ast.unparse(statement.annotation), statement.target.id
        kind = re.sub(r"^tyro\.conf\.Positional\[(.*)\]$", r"\1", kind)
        if kind.startswith("ClassVar") or field.startswith("_"):
            continue
        after = node.body[place + 1] if place + 1 < len(node.body) else None
        text = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
        text = one_line(str(text)) or (fields[field].text if field in fields else "")
        fields[field] = Option(field, kind, _default(statement.value), text)
    return list(fields.values())


def _default(value: ast.expr | None) -> str:
    """Return a default as written, with the factories of empty collections as these."""
    if value is None:
        return ""
    written = ast.unparse(value)
    return {"dataclasses.field(default_factory=dict)": "{}", "dataclasses.field(default_factory=list)": "[]"}.get(
        written, written
    )


def attributes(text: str) -> list[tuple[str, str]]:
    """Return names and texts of the section "Attributes" of a docstring in Google style.

    Example:
        >>> attributes("A round.\\n\\nAttributes:\\n    index: From 0,\\n        then 1.\\n    labeled: |L|.")
        [('index', 'From 0, then 1.'), ('labeled', '|L|.')]
    """
    section = re.search(r"^Attributes:\n((?:(?: {4}.*)?(?:\n|$))+)", text, flags=re.MULTILINE)
    if section is None:
        return []
    entries = re.split(r"^ {4}(?=\w+: )", section[1], flags=re.MULTILINE)[1:]
    return [(name, one_line(rest)) for name, _, rest in (entry.partition(": ") for entry in entries)]


def bullets(text: str) -> list[tuple[str, str]]:
    """Return the entries of a docstring's bulleted lists that have the form "- `name`: text".

    Example:
        >>> bullets("Metrics:\\n\\n- `a`, `b`: two\\n  things;\\n- `c`: one.\\n\\nMore.")
        [('`a`, `b`', 'two things'), ('`c`', 'one.')]
    """
    entries = re.findall(r"^- (`.*(?:\n  .*)*)", text, flags=re.MULTILINE)
    rows = []
    for entry in map(one_line, entries):
        match = re.match(r"((?:`[^`]*`(?:, (?:and )?)?)+): (.*)", entry)
        if match:
            rows.append((match[1], match[2].rstrip(";")))
    return rows


def summary(text: str | None) -> str:
    """Return a docstring's first paragraph on one line."""
    return one_line(inspect.cleandoc(text or "").split("\n\n")[0])


def one_line(text: str) -> str:
    """Return a text with white space collapsed."""
    return " ".join(text.split())
