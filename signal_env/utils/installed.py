"""Plugins of installed packages: those that packages announce in the entry-point group `signal_env.plugins`."""

import threading
from importlib.metadata import EntryPoint, entry_points

from signal_env.utils.errors import PluginError

GROUP = "signal_env.plugins"
"""The entry-point group. A package announces a module, which registers its agents, terms and functions on import."""

_lock = threading.RLock()
_versions: dict[str, str] | PluginError | None = None
"""The packages' versions by name, or the error that ended their import; None before it."""


def load_installed() -> dict[str, str]:
    """Import the plugins of installed packages, once in a process; return the packages' versions, by name.

    Registries call it when a name is asked for that they do not have, and when their names are listed. A plugin that
    asks while it is imported sees those that were imported before it. What a plugin that fails has registered is taken
    back, and every later call raises the same error.

    Raises:
        PluginError: If a plugin cannot be imported; the message names its package.
    """
    global _versions
    from signal_env.utils.registry import undone_on_error  # registries import this module

    with _lock:
        if _versions is None:
            found = _versions = {}  # a plugin may ask a registry while it is imported
            try:
                for point in entry_points(group=GROUP):
                    with undone_on_error():
                        name, version = _import(point)
                    found[name] = version
            except BaseException as error:
                _versions = error if isinstance(error, PluginError) else None
                raise
        if isinstance(_versions, PluginError):
            raise _versions.with_traceback(None)
        return dict(_versions)


def _import(point: EntryPoint) -> tuple[str, str]:
    """Import a plugin; return the name and the version of its package."""
    name, version = (point.dist.name, point.dist.version) if point.dist else (point.value, "")
    try:
        point.load()
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}".rstrip(".")
        raise PluginError(
            f"The plugin {point.name!r} ({point.value}) of the installed package {name} {version} cannot be imported: "
            f"{reason}. Mend the package, or uninstall it."
        ) from error
    return name, version
