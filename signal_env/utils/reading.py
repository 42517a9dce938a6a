"""Strict reading of YAML and JSON: a name that is given twice is an error, and numbers are what they look like."""

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from signal_env.utils.errors import SignalError

if TYPE_CHECKING:
    import yaml

INT = re.compile(r"[-+]?(0|[1-9][0-9]*(_[0-9]+)*|0x[0-9a-fA-F]+)")
FLOAT = re.compile(
    r"[-+]?((0|[1-9][0-9]*(_[0-9]+)*)\.[0-9]*([eE][-+]?[0-9]+)?|\.[0-9]+([eE][-+]?[0-9]+)?"
    r"|(0|[1-9][0-9]*)[eE][-+]?[0-9]+|\.(inf|Inf|INF))|\.(nan|NaN|NAN)"
)
"""Numbers as YAML 1.2 writes them: 1e-3 is one, as in JSON. 12:30 and 010, in YAML 1.1 750 and 8, are none."""

BREAKS = set("\x85\u2028\u2029")
"""Characters that YAML takes for line breaks, and so folds, unless they are escaped in double quotes."""

UNNAMED = 'in "<unicode string>", '
"""What PyYAML says of the place of a text without a name."""


class ReadingError(SignalError, ValueError):
    """A file that cannot be read as what it should be."""


def parse_yaml(text: str, what: str, error: type[SignalError] = ReadingError) -> Any:
    """Return the value that a YAML text holds.

    Args:
        text: The text.
        what: What it is, for the message, as "The study mine.yaml".
        error: The class of the error.

    Raises:
        SignalError: Of the class `error`, if it is not YAML, or a mapping has a name twice.

    Example:
        >>> parse_yaml("learning_rate: 1e-3\\nstart: 12:30", "The text")
        {'learning_rate': 0.001, 'start': '12:30'}
        >>> parse_yaml("seed: 1\\nseed: 2", "The text")
        Traceback (most recent call last):
        signal_env.utils.reading.ReadingError: The text has 'seed' twice (lines 1 and 2): keep one of them.
    """
    import yaml

    try:
        return yaml.load(text, loader())
    except _Twice as twice:
        name, first, second = twice.args
        raise error(f"{what} has {name!r} twice (lines {first} and {second}): keep one of them.") from None
    except yaml.YAMLError as wrong:
        raise error(f"{what} is not valid YAML: {' '.join(str(wrong).replace(UNNAMED, '').split())}") from wrong


def read_yaml(file: Path, what: str, error: type[SignalError] = ReadingError) -> Any:
    """Return the value in a YAML file; `what` and `error` are those of `parse_yaml`.

    Raises:
        SignalError: Of the class `error`, if the file cannot be read too.
    """
    return parse_yaml(read_text(file, what, error), what, error)


def read_json(file: Path, what: str, error: type[SignalError] = ReadingError) -> Any:
    """Return the value in a JSON file; `what` and `error` are those of `parse_yaml`.

    Raises:
        SignalError: Of the class `error`, if the file cannot be read, is not JSON (NaN is not), or has a name twice.
    """
    try:
        return json.loads(read_text(file, what, error), object_pairs_hook=_once, parse_constant=_no_number)
    except ValueError as wrong:
        raise error(f"{what} is not valid JSON: {wrong}") from wrong


def read_text(file: Path, what: str, error: type[SignalError] = ReadingError) -> str:
    """Return a file's text in UTF-8; `what` and `error` are those of `parse_yaml`."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        raise error(f"{what} cannot be read: {wrong}") from wrong


def reads_as_number(text: str) -> bool:
    """Return whether YAML reads a text without quotes as a number."""
    return bool(INT.fullmatch(text) or FLOAT.fullmatch(text))


def dump_yaml(value: Any) -> str:
    """Return plain data as YAML that `parse_yaml`, and any reader of YAML 1.1 or 1.2, reads back.

    Example:
        >>> dump_yaml({"name": "1e-3", "rate": 0.001})
        "name: '1e-3'\\nrate: 0.001\\n"
    """
    import yaml

    return str(yaml.dump(value, Dumper=_dumper(), sort_keys=False, allow_unicode=True))


class _Twice(Exception):
    """A name that a mapping has twice, and the lines."""


@cache
def loader() -> Any:
    """Return the class that loads YAML; the parser in C is ten times as fast as that in Python."""
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]  # one of two classes
        """Plain data, with no name twice."""

        def construct_mapping(self, node: "yaml.MappingNode", deep: bool = False) -> Any:
            lines: dict[Any, int] = {}
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                    name, line = self.construct_object(key), key.start_mark.line + 1
                    if name in lines:
                        raise _Twice(name, lines[name], line)
                    lines[name] = line
            return super().construct_mapping(node, deep)

    numbers = [("tag:yaml.org,2002:int", INT), ("tag:yaml.org,2002:float", FLOAT)]
    replaced = {"tag:yaml.org,2002:timestamp", *(tag for tag, _ in numbers)}
    kept = {
        first: [(tag, pattern) for tag, pattern in rules if tag not in replaced]
        for first, rules in base.yaml_implicit_resolvers.items()
    }
    for first in "-+.0123456789":
        kept[first] = [(tag, re.compile(rf"(?:{pattern.pattern})\Z")) for tag, pattern in numbers] + kept.get(first, [])
    Loader.yaml_implicit_resolvers = kept
    for kind in ("bool", "int", "float", "timestamp"):
        tag = f"tag:yaml.org,2002:{kind}"
        Loader.add_constructor(tag, _checked(kind, base.yaml_constructors[tag]))
    return Loader


def _checked(kind: str, construct: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return a constructor of PyYAML whose errors for a value that was not written so are those of YAML."""
    import yaml

    def checked(own: Any, node: Any) -> Any:
        try:
            return construct(own, node)
        except (ValueError, LookupError, AttributeError) as wrong:
            said = f"{node.value!r:.80} is no {kind}"
            raise yaml.constructor.ConstructorError(None, None, said, node.start_mark) from wrong

    return checked


@cache
def _dumper() -> Any:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Puts in quotes what any version of YAML reads as a number, and texts with line breaks of Unicode."""

        def represent_str(self, data: str) -> "yaml.ScalarNode":
            style = '"' if BREAKS & set(data) else None
            return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)

    Dumper.add_representer(str, Dumper.represent_str)
    Dumper.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(rf"(?:{FLOAT.pattern})\Z"), list("-+.0123456789")
    )
    return Dumper


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is there twice")
    return found


def _no_number(constant: str) -> Any:
    raise ValueError(f"{constant} is no number")
