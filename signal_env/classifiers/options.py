"""The options of registered classifiers, read from their signatures: names, types and defaults."""

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from importlib import import_module
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from signal_env.utils.errors import SignalError
from signal_env.utils.typed import OptionError, type_hints, typed

F = TypeVar("F", bound=Callable[..., Any])

GIVEN = 3
"""The parameters of a classifier that the environment gives by position: the task, the encoder, the device."""


@dataclasses.dataclass(frozen=True)
class Option:
    """An option of a classifier.

    Attributes:
        name: Its name.
        type: Its type, in words; "" if the signature has none.
        default: Its default as Python writes it; None if it has none.
    """

    name: str
    type: str
    default: str | None

    def __str__(self) -> str:
        about = [self.type] if self.type else []
        return f"{self.name} ({', '.join([*about, 'required' if self.default is None else f'default {self.default}'])})"


def takes_options_of(*places: str) -> Callable[[F], F]:
    """Return a decorator for a factory or a class whose `**options` are parameters of other classes.

    Args:
        places: The classes, as "module:Class". They are imported only where the options are listed.
    """

    def decorate(factory: F) -> F:
        factory._options_of = places  # type: ignore[attr-defined]  # a function's own attribute
        return factory

    return decorate


def options_of(factory: Callable[..., Any], skipped: int = GIVEN) -> tuple[list[Option], bool]:
    """Return the options of a classifier, and whether it takes others too (`**options` of unknown classes).

    Args:
        factory: What is registered: a class, or a function that makes a classifier.
        skipped: The number of first parameters that are no options.

    Example:
        >>> def tree(task, encoder, device, depth: int = 3, rule: Literal["gini", "entropy"] | None = None): ...
        >>> [str(option) for option in options_of(tree)[0]]
        ['depth (int, default 3)', "rule ('gini', 'entropy' or None, default None)"]
    """
    try:
        parameters = list(inspect.signature(factory).parameters.values())[skipped:]
    except (TypeError, ValueError):  # compiled code has no signature
        return [], True
    options = [
        Option(one.name, in_words(one.annotation), None if one.default is one.empty else repr(one.default))
        for one in parameters
        if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    ]
    if all(one.kind is not one.VAR_KEYWORD for one in parameters):
        return options, False
    places = _places(factory)
    for place in places:
        module, _, name = place.partition(":")
        own = getattr(import_module(module), name)
        options += options_of(own, 0 if dataclasses.is_dataclass(own) else GIVEN)[0]
    return options, not places


def in_words(annotation: Any) -> str:
    """Return a type in words.

    Example:
        >>> in_words(float | None), in_words(Literal["a", "b"]), in_words(inspect.Parameter.empty)
        ('float or None', "'a' or 'b'", '')
    """
    words = [] if annotation is inspect.Parameter.empty else list(_alternatives(annotation))
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def _alternatives(annotation: Any) -> Iterable[str]:
    if get_origin(annotation) is Literal:
        return map(repr, get_args(annotation))
    if get_origin(annotation) in (Union, UnionType):
        return [word for one in get_args(annotation) for word in _alternatives(one)]
    if annotation in (None, NoneType):
        return ["None"]
    plain = isinstance(annotation, type) and not get_args(annotation)
    return [annotation.__name__ if plain else str(annotation).replace("typing.", "")]


def wrong_options(factory: Callable[..., Any], name: str, given: Mapping[str, Any]) -> str:
    """Return what is wrong with the names of a classifier's options, or "".

    Example:
        >>> def tree(task, encoder, device, depth: int = 3): ...
        >>> wrong_options(tree, "tree", {"depht": 2})
        "The classifier 'tree' has no option 'depht'. Did you mean 'depth'? Its options: depth (int, default 3)."
    """
    options, others = options_of(factory)
    listed = f"Its options: {', '.join(map(str, options)) or 'none'}."
    known = [option.name for option in options]
    for option in given:
        if option not in known and not others:
            close = get_close_matches(str(option), known, n=1)
            guess = f" Did you mean {close[0]!r}?" if close else ""
            return f"The classifier {name!r} has no option {option!r}.{guess} {listed}"
    missing = [option.name for option in options if option.default is None and option.name not in given]
    return f"The classifier {name!r} needs the option {missing[0]!r}. {listed}" if missing else ""


def typed_options(
    factory: Callable[..., Any], name: str, given: Mapping[str, Any], error: type[SignalError] = OptionError
) -> dict[str, Any]:
    """Return a classifier's options as the types that its signature has.

    Raises:
        SignalError: Of the class `error`, if a value is not of its type; of another one, if it is out of its range.

    Example:
        >>> def tree(task, encoder, device, depth: int = 3): ...
        >>> typed_options(tree, "tree", {"depth": 2.0})
        {'depth': 2}
    """
    owners: list[Any] = [getattr(import_module(module), of) for module, of in (p.split(":") for p in _places(factory))]
    hints = type_hints(factory)
    for own in owners:
        hints = type_hints(own) | hints
    where = f"The option {{}} of the classifier {name!r}"
    values = {
        option: typed(value, hints[option], where.format(option), error) if option in hints else value
        for option, value in given.items()
    }
    ranged: list[Any] = [own for own in owners if dataclasses.is_dataclass(own)]
    for own in ranged:  # a dataclass checks the ranges of its fields when it is made
        own(**{field.name: values[field.name] for field in dataclasses.fields(own) if field.name in values})
    return values


def _places(factory: Callable[..., Any]) -> tuple[str, ...]:
    """Return the classes that `takes_options_of` named."""
    places: tuple[str, ...] = getattr(factory, "_options_of", ())
    return places


def list_options(factories: Mapping[str, Callable[..., Any]]) -> str:
    """Return the options of classifiers as text, a line for each option.

    Example:
        >>> def tree(task, encoder, device, depth: int = 3): ...
        >>> print(list_options({"tree": tree}))
        Options of the classifier 'tree':
        - depth (int, default 3)
    """
    parts = []
    for name, factory in factories.items():
        options, others = options_of(factory)
        lines = [*map(str, options), *(["others, see its documentation"] if others else [])]
        parts.append("\n".join([f"Options of the classifier {name!r}:", *(f"- {line}" for line in lines or ["none"])]))
    return "\n\n".join(parts)
