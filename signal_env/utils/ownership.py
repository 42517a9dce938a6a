"""Which package a name stands for: `agents` and `experiments` are names that other packages and scripts have too."""

import sys
from importlib.util import find_spec
from pathlib import Path

from signal_env.utils.errors import SignalError

HOME = Path(__file__).resolve().parents[2]
"""The folder of the packages."""

OURS = ("agents", "experiments")
"""The packages that come with `signal_env`, in the same folder."""


class ForeignPackage(SignalError, ImportError):
    """Another package of the name is found before the one that comes with signal_env; the message says where."""


def require_ours(*names: str) -> None:
    """Raise a `ForeignPackage` if a name stands for another package than the one that comes with signal_env.

    Nothing is imported. A file of the name in the current folder or beside a script is found first, and a package that
    is installed later, such as openai-agents with its `agents`, replaces files of this one.

    Args:
        names: Names among `OURS`.

    Example:
        >>> require_ours("agents", "experiments")
    """
    for name in names:
        own, found = HOME / name / "__init__.py", _found(name)
        if found is None:
            raise ForeignPackage(
                f"The package {name!r} of signal_env is missing: expected {own}. Install signal_env anew."
            )
        if found != own:
            raise ForeignPackage(
                f"{found} is imported as {name!r}, before the package of signal_env in {own.parent}. Rename it, or run "
                "from another folder; a package of that name that is installed too needs an environment of its own."
            )
        if "signal_env" not in own.read_text(encoding="utf-8"):
            raise ForeignPackage(
                f"{own} is of another package, which was installed over {name!r} of signal_env (openai-agents has the "
                "same name). Uninstall it and install signal_env anew, or give each an environment of its own."
            )


def _found(name: str) -> Path | str | None:
    """Return the file that is, or would be, imported by a name; a folder without __init__.py for a namespace.

    A module that was made in memory has neither: then it is described.
    """
    imported = sys.modules.get(name)
    if imported is not None:
        file = getattr(imported, "__file__", None) or next(iter(getattr(imported, "__path__", ())), None)
        return Path(file).resolve() if file else f"A module without a file ({imported!r:.80})"
    spec = find_spec(name)
    if spec is None:
        return None
    place = spec.origin or next(iter(spec.submodule_search_locations or ()), None)
    return Path(place).resolve() if place else None
