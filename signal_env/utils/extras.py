"""Optional dependencies: imported where they are used, with an error that names the extra to install."""

import importlib
from types import ModuleType


class MissingExtra(ImportError):
    """An optional dependency is not installed; the message says how to install it."""


def require(module: str, extra: str) -> ModuleType:
    """Imports an optional dependency.

    Args:
        module: The module to import, e.g. "datasets".
        extra: The extra of signal_env that installs it, e.g. "data".

    Raises:
        MissingExtra: If the module is not installed.

    Example:
        >>> require("json", "data").__name__
        'json'
        >>> require("no_such_module", "data")
        Traceback (most recent call last):
        signal_env.utils.extras.MissingExtra: This needs 'no_such_module'. Install it with: ...
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        message = f"This needs {module!r}. Install it with: pip install 'signal-env[{extra}]'"
        raise MissingExtra(message) from error
