"""Typed values: what a file, a command line or a caller gives, as the type that an option has."""

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

from signal_env.utils.errors import SignalError
from signal_env.utils.objects import is_description
from signal_env.utils.reading import reads_as_number

WORDS = {bool: "True or False", int: "a whole number", float: "a number"}
WORDS |= {str: "a text", Path: "a path", NoneType: "None"}
"""The plain types, in words."""

LISTS = (list, tuple, Sequence)


class OptionError(SignalError, ValueError, TypeError):
    """A value that is not of the type that its option has."""


class _Misfit(Exception):
    """A value that does not fit, with its place inside the option's value and the type expected there."""

    def __init__(self, value: Any, annotation: Any, place: str = "") -> None:
        self.value, self.annotation, self.place = value, annotation, place


def typed(value: Any, annotation: Any, name: str, error: type[SignalError] = OptionError) -> Any:
    """Return a value as the type of its option, if it is exactly a value of this type.

    A number of numpy is a number of Python, 3.0 is a whole number, and 3 is a number. A list stands for a tuple, and a
    text for a path. An object passes where the type is a class or a function, and so does the description of an object
    that a file holds. No other value is converted.

    Args:
        value: The value.
        annotation: The type, as in a signature or a dataclass.
        name: The option's name, for the message.
        error: The class of the error.

    Raises:
        SignalError: Of the class `error`, if the value is not of this type; the message has name, type and value.

    Example:
        >>> typed(1, float, "learning_rate"), typed(3.0, int | None, "epochs"), typed(np.bool_(True), bool, "retrain")
        (1.0, 3, True)
        >>> typed(3.5, int | None, "epochs")
        Traceback (most recent call last):
        signal_env.utils.typed.OptionError: epochs must be a whole number or None; got 3.5.
    """
    try:
        return _fit(value, annotation)
    except _Misfit as misfit:
        said = f"{name}{misfit.place} must be {in_words(misfit.annotation)}; got {_shown(misfit.value)}."
        raise error(said + _hint(misfit.value, misfit.annotation)) from None


def typed_values(values: Mapping[str, Any], of: Any, error: type[SignalError] = OptionError) -> dict[str, Any]:
    """Return the arguments of a class or a function as the types that its signature has; others stay as they are.

    Raises:
        SignalError: Of the class `error`, if a value is not of its type.

    Example:
        >>> def tree(depth: int = 3, rule="gini"): ...
        >>> typed_values({"depth": 2.0, "rule": 5}, tree)
        {'depth': 2, 'rule': 5}
    """
    hints = type_hints(of)
    return {name: typed(value, hints[name], name, error) if name in hints else value for name, value in values.items()}


@lru_cache(maxsize=512)
def type_hints(of: Any) -> dict[str, Any]:
    """Return the types of a class's fields, or of the parameters of a function or constructor, by name.

    Types that cannot be found by their names, such as those imported for a type checker alone, are left out.
    """
    described: Any = of if not isinstance(of, type) or dataclasses.is_dataclass(of) else vars(of).get("__init__", of)
    try:
        return get_type_hints(described)
    except (NameError, TypeError, AttributeError):
        own = {**getattr(described, "__annotations__", {})}
        return {name: hint for name, hint in own.items() if not isinstance(hint, str)}


def plain_number(value: Any) -> Any:
    """Return a number of numpy, also an array of no dimension, as Python's; any other value as it is.

    Example:
        >>> plain_number(np.float64(0.5)), plain_number("text")
        (0.5, 'text')
    """
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype != object):
        return value.item()
    return value


def in_words(annotation: Any) -> str:
    """Return a type in words.

    Example:
        >>> in_words(float | Literal["linear"] | None), in_words(tuple[int, ...]), in_words(Mapping[str, float])
        ("a number, 'linear' or None", 'a list (each a whole number)', 'a mapping (each value a number)')
    """
    words = list(dict.fromkeys(_alternatives(annotation)))
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def _alternatives(annotation: Any) -> list[str]:
    annotation = _unwrapped(annotation)
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return [repr(arg) for arg in args]
    if origin in (Union, UnionType):
        return [word for arg in args for word in _alternatives(arg)]
    if annotation in WORDS:
        return [WORDS[annotation]]
    if _is_list(annotation):
        return [f"a list (each {in_words(args[0])})" if args and args[0] is not Any else "a list"]
    if _is_mapping(annotation):
        return [f"a mapping (each value {in_words(args[1])})" if args and args[1] is not Any else "a mapping"]
    if origin is Callable:
        return ["a function"]
    return [getattr(annotation, "__name__", str(annotation))]


def _unwrapped(annotation: Any) -> Any:
    """Return the type that an alias or `Annotated` names."""
    while True:
        if type(annotation).__name__ == "TypeAliasType":  # of Python 3.12
            annotation = annotation.__value__
        elif get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        else:
            return NoneType if annotation is None else annotation


def _is_list(annotation: Any) -> bool:
    return (get_origin(annotation) or annotation) in LISTS


def _is_mapping(annotation: Any) -> bool:
    origin = get_origin(annotation) or annotation
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _fit(value: Any, annotation: Any) -> Any:
    """Return a value as a type, or raise a `_Misfit`."""
    annotation, value = _unwrapped(annotation), plain_number(value)
    if annotation is Any or is_description(value):
        return value
    if get_origin(annotation) in (Union, UnionType):
        return _fit_one_of(value, annotation)
    if get_origin(annotation) is Literal:
        for one in get_args(annotation):
            if type(one) is type(value) and one == value:
                return one
    elif annotation in WORDS:
        found = _as_plain(value, annotation)
        if found is not None or (annotation is NoneType and value is None):
            return found
    elif _is_list(annotation):
        return _fit_list(value, annotation)
    elif _is_mapping(annotation):
        return _fit_mapping(value, annotation)
    elif dataclasses.is_dataclass(annotation) and isinstance(value, Mapping):
        return _fit_dataclass(value, annotation)
    elif _may_be(value, annotation):
        return value
    raise _Misfit(value, annotation)


def _as_plain(value: Any, form: type) -> Any:
    """Return a value as a plain type; None if it is none of this type."""
    if isinstance(value, bool):
        return value if form is bool else None
    if form is str and isinstance(value, str | os.PathLike):
        return value if type(value) is str else str.__str__(value) if isinstance(value, str) else os.fspath(value)
    if form is Path and isinstance(value, str | os.PathLike):
        return value if isinstance(value, Path) else Path(value)
    if form in (int, float):
        return _as_number(value, form)
    return None


def _as_number(value: Any, form: type) -> Any:
    if not isinstance(value, int | float):
        return None
    if form is float:
        try:
            return float(value)
        except OverflowError:  # a whole number beyond the largest float
            return None
    return int(value) if isinstance(value, int) or value.is_integer() else None


def _fit_one_of(value: Any, annotation: Any) -> Any:
    """Return a value as one of several types: the one that it has, or else the first that it fits."""
    forms, failed = [_unwrapped(form) for form in get_args(annotation)], []
    if any(form is type(value) and form in WORDS for form in forms):
        return value
    for form in forms:
        try:
            return _fit(value, form)
        except _Misfit as misfit:
            failed.append(misfit)
    deeper = [misfit for misfit in failed if misfit.place]
    raise deeper[0] if len(deeper) == 1 else _Misfit(value, annotation)


def _fit_list(value: Any, annotation: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype != object and value.ndim == 1:
        value = value.tolist()
    origin, args = get_origin(annotation) or annotation, get_args(annotation)
    if not isinstance(value, list | tuple | range):
        raise _Misfit(value, annotation)
    if origin is tuple and args and args[-1] is not ...:
        if len(args) != len(value):
            raise _Misfit(value, annotation)
        forms = list(args)
    else:
        forms = [args[0] if args else Any] * len(value)
    found = [_inside(f"[{i}]", one, form) for i, (one, form) in enumerate(zip(value, forms, strict=True))]
    return tuple(found) if origin is tuple or (origin is Sequence and isinstance(value, tuple)) else found


def _fit_mapping(value: Any, annotation: Any) -> Any:
    if not isinstance(value, Mapping):
        raise _Misfit(value, annotation)
    key, inner = get_args(annotation) or (Any, Any)
    return {_inside(" (a name)", name, key): _inside(f"[{name!r}]", one, inner) for name, one in value.items()}


def _fit_dataclass(value: Mapping[str, Any], of: Any) -> Any:
    hints, fields = type_hints(of), {field.name: field for field in dataclasses.fields(of) if field.init}
    for name in value:
        if name not in fields:
            raise _Misfit(name, Literal[tuple(fields)], " (a name)")
    for name, field in fields.items():
        if name not in value and field.default is field.default_factory is dataclasses.MISSING:
            raise _Misfit(dict(value), of, f" (without {name})")
    return of(**{name: _inside(f".{name}", one, hints.get(name, Any)) for name, one in value.items()})


def _inside(place: str, value: Any, annotation: Any) -> Any:
    try:
        return _fit(value, annotation)
    except _Misfit as misfit:
        raise _Misfit(misfit.value, misfit.annotation, place + misfit.place) from None


def _may_be(value: Any, annotation: Any) -> bool:
    """Return whether a value may be of a type that is no plain one: an object may, plain data may where it is."""
    if get_origin(annotation) is not None or annotation is Callable:
        annotation = get_origin(annotation) or annotation
    if not isinstance(annotation, type):  # a type variable, or a name that was not found
        return True
    if not isinstance(value, None | bool | int | float | str | list | tuple | Mapping):
        return True
    foreign = annotation.__module__.partition(".")[0] not in ("signal_env", "agents", "experiments", "collections")
    return foreign or (not getattr(annotation, "_is_protocol", False) and isinstance(value, annotation))


def _shown(value: Any) -> str:
    """Return a value as a message shows it; Python writes no whole number of more than 4300 digits."""
    if isinstance(value, int) and value.bit_length() > 1024:
        return f"a whole number of {value.bit_length()} bits"
    return f"{value!r:.80}"


def _hint(value: Any, annotation: Any) -> str:
    """Return what may have gone wrong, as a sentence."""
    takes_text = "a text" in in_words(annotation)
    if takes_text and isinstance(value, bool):
        return " YAML reads an unquoted yes, no, on or off as a truth value; put it in quotes."
    if takes_text and isinstance(value, int | float):
        return " In a file, put a text that looks like a number in quotes."
    if isinstance(value, str) and "number" in in_words(annotation) and reads_as_number(value):
        return " Write numbers without quotes."
    if isinstance(value, str) and value == "None" and in_words(annotation).endswith("None"):
        return " In a file, None is written null."
    return " Leave it out for the default." if value is None else ""
