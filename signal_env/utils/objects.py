"""Objects as plain data: what a file says of a function, a class or an object, and a hash of its content."""

import dataclasses
import functools
import hashlib
import sys
import sysconfig
import types
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

OBJECT = "object"
"""The key that marks the description of an object; its value is MODULE:QUALNAME."""

OURS = ("signal_env", "agents", "experiments")
"""The packages of this project, whose code is known by name."""

MADE_BY_PYTHON = (
    *("__dict__", "__weakref__", "__module__", "__qualname__", "__doc__", "__annotations__", "__firstlineno__"),
    *("__static_attributes__", "__dataclass_fields__", "__dataclass_params__", "__match_args__", "__parameters__"),
    *("__abstractmethods__", "_abc_impl", "__protocol_attrs__", "__annotate_func__", "__annotations_cache__"),
)
"""Attributes of a class that follow from its others, or say nothing of what it does."""


class _Empty(Protocol):
    """A protocol, whose `__init__` is the one that Python gives to all protocols."""


class _Unknown(Exception):
    """An object whose content cannot be read."""


def described(value: Any) -> Any:
    """Return a value as plain data that JSON and YAML hold.

    Plain data stay as they are; tuples and ranges become lists, and paths text. Anything else becomes a mapping:
    `object`, which is MODULE:QUALNAME, `content`, the hash of its content (see `content_hash`), and the fields of a
    dataclass.

    Example:
        >>> described({"weights": (1, 2.5), "path": Path("texts.csv")})
        {'weights': [1, 2.5], 'path': 'texts.csv'}
        >>> def brevity(texts):
        ...     return [1 / len(text) for text in texts]
        >>> sorted(described(brevity))
        ['content', 'object']
    """
    match value:
        case np.generic():
            return value.item()
        case None | bool() | int() | float() | str():
            return value
        case Path():
            return str(value)
        case Mapping():
            return {str(name): described(inner) for name, inner in value.items()}
        case list() | tuple() | range():
            return [described(inner) for inner in value]
    about = {OBJECT: name_of(value), "content": content_hash(value)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        own = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        if hasattr(value, "__content__"):  # which says what counts of other objects
            own = {name: name_of(inner) if holds_object(inner) else inner for name, inner in own.items()}
        about |= described(own)
    return about


def is_description(value: Any) -> bool:
    """Return whether a value is what `described` returned for an object."""
    return isinstance(value, Mapping) and isinstance(value.get(OBJECT), str)


def holds_object(value: Any) -> bool:
    """Return whether a value is or holds an object, or the description of one."""
    match value:
        case Mapping():
            return is_description(value) or any(map(holds_object, value.values()))
        case list() | tuple():
            return any(map(holds_object, value))
    return not isinstance(value, None | bool | int | float | str | np.generic | Path)


def is_known(value: Any) -> bool:
    """Return whether the content of every object in plain data could be read when it was described."""
    if is_description(value):
        return value.get("content") is not None
    if isinstance(value, Mapping):
        return all(map(is_known, value.values()))
    return all(map(is_known, value)) if isinstance(value, list | tuple) else True


def name_of(value: Any) -> str:
    """Return MODULE:QUALNAME of a function or class, or of the class of an object.

    Example:
        >>> name_of(name_of), name_of(Path)
        ('signal_env.utils.objects:name_of', 'pathlib:Path')
    """
    named = value if hasattr(value, "__qualname__") else type(value)
    home = named if hasattr(named, "__module__") else named.__objclass__  # a method or a slot, made in C
    return f"{home.__module__}:{named.__qualname__}"


def content_hash(value: Any) -> str | None:
    """Return 16 hexadecimal digits that stand for the content of an object, or None if it cannot be read.

    The content is an object's state, and the code of its class, its functions, and the functions, classes and plain
    data that these name in their module. Python's own code, installed packages and this one are known by name. A lock,
    an open file or a connection cannot be read. A class may have a method `__content__`, which returns what stands for
    the state of its objects.

    Example:
        >>> content_hash({"weights": np.arange(3)}) == content_hash({"weights": np.arange(3)})
        True
        >>> content_hash({"weights": np.arange(3)}) == content_hash({"weights": np.arange(4)})
        False
    """
    content = _Content()
    try:
        content.add(value)
    except _Unknown:
        return None
    return content.digest.hexdigest()[:16]


class _Content:
    """A hash under way."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self._seen: dict[int, int] = {}
        self._kept: list[Any] = []  # an id is unique as long as its object is there

    def add(self, value: Any) -> None:
        """Add a value."""
        if isinstance(value, np.number | np.bool_):
            value = value.item()
        if value is None or value is ... or isinstance(value, bool | int | float | complex | str | bytes):
            return self._word(type(value).__name__, repr(value))
        if type(value) is not tuple:  # equal tuples may be one object or several
            if id(value) in self._seen:
                return self._word("again", str(self._seen[id(value)]))
            self._seen[id(value)] = len(self._seen)
            self._kept.append(value)
        match value:
            case list() | tuple() if type(value) in (list, tuple):
                self._all(type(value).__name__, value)
            case dict() if type(value) in (dict, OrderedDict):
                self._all("dict", [part for item in value.items() for part in item])
            case set() | frozenset():
                self._word("set", *sorted(str(content_hash(item)) for item in value))
            case np.ndarray() if value.dtype != object:
                self._word("array", value.dtype.str, str(value.shape))
                self.digest.update(np.ascontiguousarray(value).tobytes())
            case types.FunctionType():
                self._function(value)
            case types.CodeType():
                self._code(value)
            case types.MethodType():
                self._all("method", (value.__func__, value.__self__))
            case type():
                self._class(value)
            case functools.partial():
                self._all("partial", (value.func, value.args, value.keywords))
            case staticmethod() | classmethod():
                self._all(type(value).__name__, (value.__func__,))
            case property():
                self._all("property", (value.fget, value.fset, value.fdel))
            case types.ModuleType():
                self._word("module", value.__name__)
            case types.BuiltinFunctionType() if not isinstance(value.__self__, None | types.ModuleType):
                self._all("bound", (value.__name__, value.__self__))
            case _ if hasattr(value, "__qualname__"):
                self._word("name", name_of(value))
            case _:
                self._object(value)
        return None

    def _word(self, *words: str) -> None:
        for word in words:
            data = word.encode(errors="surrogatepass")
            self.digest.update(f"{len(data)}:".encode() + data)

    def _all(self, kind: str, values: Any) -> None:
        values = tuple(values)
        self._word(kind, str(len(values)))
        for value in values:
            self.add(value)

    def _function(self, function: types.FunctionType) -> None:
        self._word("function", name_of(function))
        if known_by_name(function.__module__):
            return
        cells = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
        self._all("parts", (function.__code__, function.__defaults__, function.__kwdefaults__, cells))
        for name in sorted(_names(function.__code__) & function.__globals__.keys()):
            value = function.__globals__[name]
            self._word("global", name)
            if hasattr(value, "__qualname__") or isinstance(value, types.ModuleType) or _is_data(value):
                self.add(value)
            else:  # it may change while the run is played
                self._word(name_of(value))

    def _code(self, code: types.CodeType) -> None:
        self._all("code", (code.co_code, code.co_names, code.co_varnames, code.co_freevars, code.co_consts))

    def _class(self, of: type) -> None:
        self._word("class", name_of(of))
        if known_by_name(of.__module__):
            return
        self._all("bases", of.__bases__)
        for name, value in sorted(vars(of).items()):
            if name not in MADE_BY_PYTHON and not (name == "__init__" and _is_inherited_init(of)):
                self._word(name)
                self.add(value)

    def _object(self, value: Any) -> None:
        """Add an object as `pickle` would keep it; a tensor of PyTorch by its bytes."""
        if type(value).__module__.startswith("torch") and hasattr(value, "detach"):
            kept = value.detach().cpu().contiguous()
            self._word("tensor", str(kept.dtype), str(tuple(kept.shape)))
            self.digest.update(kept.flatten().view(sys.modules["torch"].uint8).numpy().tobytes())
            return
        if hasattr(value, "__content__"):
            self._all("content", (type(value), value.__content__()))
            return
        try:
            parts = value.__reduce_ex__(4)
        except Exception as error:  # whatever its class raises
            raise _Unknown from error
        if isinstance(parts, str):
            self._word("name", parts)
            return
        self._all("object", [*parts[:3], *(list(items) for items in parts[3:5] if items is not None)])


def known_by_name(module: str | None) -> bool:
    """Return whether the code of a module is Python's, this package's, or installed, so that its name is enough."""
    top = (module or "__main__").partition(".")[0]
    if top == "__main__":  # its file may be a tool's that runs the user's code
        return False
    if top in OURS or top in sys.stdlib_module_names:
        return True
    file = getattr(sys.modules.get(str(module)), "__file__", None)
    places = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    return file is not None and any(Path(file).is_relative_to(place) for place in places if place)


def _names(code: types.CodeType) -> set[str]:
    """Return the global names and attributes that code and the functions inside it mention."""
    inner = (each for each in code.co_consts if isinstance(each, types.CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _is_inherited_init(of: type) -> bool:
    """Return whether the `__init__` of a class is its base's. Python writes it into a class that extends a protocol.

    It does so when it makes the first object, and passes over the `__init__` of protocols.
    """
    inits = (vars(base)["__init__"] for base in of.__mro__[1:] if "__init__" in vars(base))
    return vars(of)["__init__"] is next((init for init in inits if init is not vars(_Empty)["__init__"]), None)


def _is_filled(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:  # a name that has no value yet
        return False


def _is_data(value: Any) -> bool:
    """Return whether a value is plain data or an array."""
    return isinstance(value, np.ndarray) or not holds_object(value)
