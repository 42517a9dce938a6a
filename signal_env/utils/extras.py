"""Optional dependencies, imported where they are used. A missing one raises an error with the install command."""

import importlib
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
        message = f"{module!r} is not installed. Install it with: pip install 'signal-env[{extra}]'"
        raise MissingExtra(message) from error
