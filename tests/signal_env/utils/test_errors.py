"""Every error class of the packages is a `SignalError`, and stays what it was besides."""

import ast
import importlib
from pathlib import Path

import pytest

from signal_env.utils.errors import SignalError, at_work, in_round, origin_of

ROOT = Path(__file__).parents[3]
PACKAGES = ("signal_env", "agents", "experiments")
PRIVATE = {"_Misfit", "_Twice", "Stopped", "Trouble", "_Unknown"}
"""Exceptions that no user meets: ours catch them, or play a user's."""


def is_error(statement: ast.stmt) -> bool:
    """Return whether a statement defines a class whose bases are called an error, or an exception."""
    bases = [ast.unparse(base) for base in statement.bases] if isinstance(statement, ast.ClassDef) else []
    return any(base.endswith(("Error", "Exception")) for base in bases)


CLASSES = [
    (".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), statement.name)
    for package in PACKAGES
    for file in sorted((ROOT / package).rglob("*.py"))
    for statement in ast.parse(file.read_text(encoding="utf-8")).body
    if is_error(statement)
]


def test_the_classes_are_found() -> None:
    assert {"RunError", "ConfigError", "MissingExtra", "UnknownName"} <= {name for _, name in CLASSES}


@pytest.mark.parametrize(("module", "name"), [each for each in CLASSES if each[1] not in PRIVATE | {"SignalError"}])
def test_every_error_class_is_a_signal_error_and_a_builtin_one(module: str, name: str) -> None:
    error = getattr(importlib.import_module(module), name)
    assert issubclass(error, SignalError)
    builtin = [base for base in error.__mro__ if base.__module__ == "builtins"]
    assert builtin[0] not in (Exception, BaseException, object), f"{name} derives from no built-in error that fits"
    assert str(error("what to do")) == "what to do"


def test_a_note_names_what_was_at_work_and_quotes_the_first_texts() -> None:
    with pytest.raises(ZeroDivisionError) as caught, at_work("the agent Mine (act)", ["a" * 100, "b", "c", "d", "e"]):
        1 / 0  # noqa: B018
    (note,) = caught.value.__notes__
    assert note == f"This came out of the agent Mine (act), on 5 texts: '{'a' * 60}...', 'b', 'c' and 2 more."
    assert origin_of(caught.value) == "This came out of the agent Mine (act)"


def test_the_round_is_added_only_to_what_came_out_of_a_users_code() -> None:
    with pytest.raises(ZeroDivisionError) as caught, in_round(3):
        1 / 0  # noqa: B018
    assert not hasattr(caught.value, "__notes__")
    assert origin_of(caught.value) == ""
    with pytest.raises(ZeroDivisionError) as caught, in_round(3), at_work("the term 'x'"):
        1 / 0  # noqa: B018
    assert caught.value.__notes__ == ["This came out of the term 'x'.", "It was in round 3."]
