"""Plugins of one's own: files and modules that are imported before any name is looked up.

A plugin is a file, `FILE.py`, or a module, `package.module`. On import it registers agents, reward terms, potentials,
acquisition functions, classifiers, annotators, tasks, stopping criteria or environments. A run knows its plugins by
their content, see `experiments.plugin_content`; where a file lies is only where to find it.
"""

import dataclasses
import hashlib
import importlib.util
import os
import platform
import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.metadata import packages_distributions, version
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from experiments.plugin_content import content_hash, root_of
from experiments.plugin_record import PluginRecord, advice, called, change, is_file, pairs, recorded
from signal_env.utils.errors import PluginError
from signal_env.utils.registry import undone_on_error

EXPECTED = "expected a file FILE.py, or a module package.module"

OPTION = "--plugin"
"""The option that names a plugin, on every command, as often as needed."""


PLUGIN_HELP = """--plugin FILE.py or --plugin package.module, as often as needed, imports agents, reward terms and other
parts of your own first, so that their names are known."""

Source = str | Path | Mapping[str, Any] | PluginRecord
"""A plugin: the path of a file, the name of a module, or a record, whose hash the content must have."""

_loaded: dict[str, PluginRecord] = {}
"""The plugins of this process, by their sources."""


def listed(sources: Any) -> list[Any]:
    """Return the plugins that a configuration or a study names, or raise a PluginError if they are no list."""
    if not isinstance(sources, list | tuple | None):
        raise PluginError(f"plugins is a list of files and modules; got {sources!r:.80}.")
    return list(sources or ())


def load_plugins(sources: Sequence[Source] | None, folder: Path | None = None) -> tuple[PluginRecord, ...]:
    """Import plugins, each once, and return their records.

    Args:
        sources: The plugins.
        folder: The folder that relative paths start from; default: the current one.

    Raises:
        PluginError: If a plugin is missing, cannot be imported, or has another content than its record.
    """
    records = {record.sha256: record for record in (_load(source, folder) for source in listed(sources))}
    return tuple(records.values())


def _load(source: Source, folder: Path | None) -> PluginRecord:
    """Import one plugin; return its record."""
    if isinstance(source, PluginRecord | Mapping):
        known = recorded([source])[0]
        found = _content(Path(known.source))[0] if is_file(known.source) else _load_module(known.source)
        if found.sha256 != known.sha256:
            raise PluginError(f"Since the run was described, {change(known, found)}. Start again.")
        return dataclasses.replace(_load(known.source, folder), formerly=known.formerly)
    if not isinstance(source, str | Path) or not str(source):
        raise PluginError(f"A plugin cannot be {source!r:.80}: {EXPECTED}.")
    if is_file(str(source)):
        return _load_file((folder or Path()) / os.path.expanduser(source))  # without a home it stays as it is
    return _load_module(str(source))


def _content(path: Path) -> tuple[PluginRecord, bytes]:
    """Read a file without importing it; return its record and its content, or raise a PluginError."""
    path = path.resolve()
    if not path.is_file():
        what = "is a folder" if path.is_dir() else f"is not there (on {platform.node()})"
        raise PluginError(f"The plugin {path} {what}: {EXPECTED}.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PluginError(f"The plugin {path} cannot be read: {error.strerror}.") from None
    return PluginRecord(str(path), content_hash(path, content)), content


def _load_file(path: Path) -> PluginRecord:
    found, content = _content(path)
    before = _loaded.get(found.source)
    if before is not None and before.sha256 != found.sha256:
        raise PluginError(f"Since this process imported it, {change(before, found)}. Start Python again.")
    if found.sha256 not in {record.sha256 for record in _loaded.values()}:
        _import_file(Path(found.source), content)
    _loaded[found.source] = found
    return found


def _load_module(name: str) -> PluginRecord:
    if name in _loaded:
        return _loaded[name]
    if not all(part.isidentifier() for part in name.split(".")):
        raise PluginError(f"A plugin cannot be {name!r}: {EXPECTED}.")
    module = _imported(name, name, lambda: import_module(name))
    if not getattr(module, "__file__", None):
        raise PluginError(f"The plugin {name!r} is a module without a file of its own: {EXPECTED}.")
    file = Path(str(module.__file__)).resolve()
    packages = packages_distributions().get(name.partition(".")[0], [])
    distribution = f"{packages[0]} {version(packages[0])}" if packages else None
    found = _loaded[name] = PluginRecord(name, content_hash(file, file.read_bytes()), distribution)
    return found


def _import_file(path: Path, content: bytes) -> None:
    """Import a file as a module that other modules and unpickling find by its name.

    Its folder is appended to `sys.path`, so that it can import its neighbors. A file in a package is imported as the
    package's module.
    """
    root, parts = root_of(path)
    if str(root) not in sys.path:
        sys.path.append(str(root))
    name = ".".join(parts)
    if len(parts) > 1:
        module = _imported(str(path), name, lambda: import_module(name))
        if Path(str(module.__file__)).resolve() != path:
            raise PluginError(f"The plugin {path} is hidden by the module {name!r} in {module.__file__}: rename it.")
        return
    if _finds_another(name, path):
        name = f"signal_env_plugin_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if name not in sys.modules:  # else a neighbor has imported it
        _imported(str(path), name, lambda: _execute(name, path, content))


def _finds_another(name: str, path: Path) -> bool:
    """Return whether `import name` finds another file, or none."""
    try:
        spec: ModuleSpec | None = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return True
    return spec is None or spec.origin is None or Path(spec.origin).resolve() != path


def _execute(name: str, path: Path, content: bytes) -> ModuleType:
    """Make a module of a file's content, of which the hash was taken."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        exec(compile(content, str(path), "exec"), module.__dict__)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _imported(source: str, name: str, importing: Any) -> ModuleType:
    """Import a plugin after the built-in agents, whose names it may not take.

    Raises:
        PluginError: If it cannot be imported. The cause is the plugin's own error, with the traceback from its file on.
    """
    for package in ("agents.pool", "agents.llm", "agents.sb3"):
        import_module(package)
    try:
        with undone_on_error():
            module: ModuleType = importing()
            return module
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and error.name and f"{name}.".startswith(f"{error.name}."):
            file = Path(f"{name}.py")
            guess = f" Did you mean {OPTION} {file}?" if file.is_file() else ""
            raise PluginError(f"No module {source!r}, as a plugin is to be: {EXPECTED}.{guess}") from None
        cause = error.with_traceback(_from_outside(error.__traceback__))
        reason = traceback.format_exception_only(error)[-1].strip()
        raise PluginError(f"The plugin {source} cannot be imported: {reason}") from cause


def _from_outside(trace: TracebackType | None) -> TracebackType | None:
    """Return a traceback without its first frames in this module and in Python's import system."""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file != __file__ and not file.startswith("<frozen importlib") and Path(file).parent.name != "importlib":
            return trace
        trace = trace.tb_next
    return None


def take(args: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the plugins that a command line names, and its other arguments.

    Raises:
        PluginError: If the option has no value.

    Example:
        >>> take(["run", "--plugin", "mine.py", "--agent", "mine", "--plugin=more.terms"])
        (['mine.py', 'more.terms'], ['run', '--agent', 'mine'])
    """
    plugins, others, left = [], [], iter(args)
    for argument in left:
        if argument == OPTION:
            plugins.append(next(left, ""))
        elif argument.startswith(f"{OPTION}="):
            plugins.append(argument.partition("=")[2])
        else:
            others.append(argument)
    if "" in plugins:
        raise PluginError(f"{OPTION} needs a value: {EXPECTED}.")
    return plugins, others


def as_now(
    records: Sequence[PluginRecord], named: Sequence[PluginRecord], accept_changed: bool = False
) -> tuple[PluginRecord, ...]:
    """Import a run's plugins as they are now, and return their records.

    Args:
        records: The run's records.
        named: Plugins imported already. One takes the place of the recorded one that is the same plugin, see
            `experiments.plugin_record.pairs`.
        accept_changed: Whether to import a file whose content has changed and that is not named.

    Raises:
        PluginError: If a plugin is no longer where it was, or its file has changed; a changed file is not imported.
    """
    now = []
    for record, found in pairs(records, named):
        if found is None:
            assert record is not None
            if is_file(record.source):
                _check_file(record, records, accept_changed)
            found = _load(record.source, None)
        now.append(dataclasses.replace(found, formerly=record.formerly if record else ()))
    return tuple(now)


def _check_file(record: PluginRecord, records: Sequence[PluginRecord], accept_changed: bool) -> None:
    """Raise a PluginError if a recorded file is not there, or has changed without leave."""
    if not Path(record.source).is_file():
        raise PluginError(
            f"The plugin {record.source} of the run is not there any more: give {OPTION} with the place where it lies "
            "now."
        )
    present, _ = _content(Path(record.source))
    if present.sha256 != record.sha256 and not accept_changed:
        what = change(record, present, called(record, records))
        raise PluginError(f"The run was begun with other plugins: {what}. {advice()}")
