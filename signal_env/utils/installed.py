"""Plugins of installed packages: those that packages announce in the entry-point group `signal_env.plugins`."""

import threading
from importlib.metadata import EntryPoint, entry_points

from signal_env.utils.errors import PluginError

GROUP = "signal_env.plugins"
"""The entry-point group. A package announces a module, which registers its agents, terms and functions on import."""

_lock = threading.RLock()
_versions: dict[str, str] | None = None


def load_installed() -> dict[str, str]:
    """Import the plugins of installed packages, once in a process; return the packages' versions, by name.

    Registries call it when a name is asked for that they do not have, and when their names are listed. A plugin that
    asks while it is imported sees those that were imported before it.

    Raises:
        PluginError: If a plugin cannot be imported; the message names its package.
    """
    global _versions
    with _lock:
        if _versions is None:
            _versions = {}  # a plugin may ask a registry while it is imported
            try:
                for point in entry_points(group=GROUP):
                    name, version = _import(point)
                    _versions[name] = version
            except BaseException:
                _versions = None
                raise
        return dict(_versions)


def _import(point: EntryPoint) -> tuple[str, str]:
    """Import a plugin; return the name and the version of its package."""
    name, version = (point.dist.name, point.dist.version) if point.dist else (point.value, "")
    try:
        point.load()
    except Exception as error:
        raise PluginError(
            f"The plugin {point.name!r} ({point.value}) of the installed package {name} {version} cannot be imported: "
            f"{type(error).__name__}: {error}. Mend the package, or uninstall it."
        ) from error
    return name, version
