"""Optional dependencies, imported where they are used. A missing one raises an error with the install command."""

import importlib
import importlib.util
from types import ModuleType

from signal_env.utils.errors import SignalError


class MissingExtra(SignalError, ImportError):
    """An optional dependency is not installed; the message says how to install it."""


def require(module: str, extra: str) -> ModuleType:
    """Import and return an optional dependency.

    Args:
        module: The module to import, e.g. "datasets".
        extra: The extra of signal-env that installs it, e.g. "data".

    Raises:
        MissingExtra: If the module is not installed.

    Example:
        >>> require("json", "data").__name__
        'json'
        >>> require("no_such_module", "data")
        Traceback (most recent call last):
        signal_env.utils.extras.MissingExtra: 'no_such_module' is not installed. Install it with: ...
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise _missing(module, extra) from error


def require_installed(module: str, extra: str) -> None:
    """Raise a `MissingExtra` if an optional dependency is not installed, without importing it.

    Args:
        module: A module without a dot in its name.
        extra: The extra of signal-env that installs it.

    Example:
        >>> require_installed("no_such_module", "data")
        Traceback (most recent call last):
        signal_env.utils.extras.MissingExtra: 'no_such_module' is not installed. Install it with: ...
    """
    if importlib.util.find_spec(module) is None:
        raise _missing(module, extra)


def _missing(module: str, extra: str) -> MissingExtra:
    return MissingExtra(f"{module!r} is not installed. Install it with: pip install 'signal-env[{extra}]'")
