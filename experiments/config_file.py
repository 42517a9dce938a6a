"""A file with a run's values: a configuration, or the `config.yaml` of a run's folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from experiments.player import RunError
from signal_env.utils.errors import PluginError, SignalError
from signal_env.utils.reading import read_yaml as read_value


def values_in(folder: Path) -> dict[str, Any]:
    """Return the values in the `config.yaml` of the run in a folder as they stand there.

    Raises:
        RunError: If there is no run.
    """
    file = folder / "config.yaml"
    if not file.is_file():
        raise RunError(f"{folder} holds no run: it has no config.yaml.")
    values = read_yaml(file)
    if "agent" not in values:
        raise RunError(f"{folder} holds no run: its config.yaml names no agent. Is it the folder of a training?")
    for name in ("env", "agent"):
        if not isinstance(values.get(name), str):
            raise RunError(f"{file}: {name} must be a name; got {values.get(name)!r:.80}.")
    return values


def read_yaml(file: Path) -> dict[str, Any]:
    """Return the mapping in a configuration file, or raise a RunError."""
    values = read_value(file, f"The configuration file {file}", RunError)
    if not isinstance(values, dict):
        raise RunError(f"The configuration file {file} is not a mapping of a run's values; got {values!r:.80}.")
    return values


@contextmanager
def in_file(file: Path) -> Iterator[None]:
    """Name a file in the errors of values that come from it."""
    try:
        yield
    except PluginError:
        raise
    except SignalError as error:
        raise RunError(f"{file}: {error}") from error
