"""Places: where the files and folders that options name lie, and how a run's or a study's file writes them.

What lies below the folder of the run or of its study is written relative to the file's folder ("./data",
"../../../encoder"), so that the folder may be copied or moved. Any other path is absolute. Files are compared by their
content, see `experiments.content`: a place is where something lies, never what it is.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

from agents.agent import get_agent
from signal_env.utils.registry import UnknownName
from signal_env.utils.typed import type_hints

PATHS = ("task", "data_dir", "encoder", "annotator_model", "generator", "policy")
"""Options of the environment and of agents that may be paths of files or folders."""

NAMES = ("embedded", "minilm", "small", "smollm2")
"""Values of these options that are names, not paths, whatever lies in the current folder."""

PARTS = ("options", "agent_options")
"""The parts of a run's values that may hold paths."""

BESIDE = ("./", "../")
"""The beginnings of a path that is relative to the folder of the file that holds it."""


def path_options(agent: Any) -> tuple[str, ...]:
    """Return the names of the options that may be paths: `PATHS`, and those of an agent whose type is a path.

    Args:
        agent: The agent's name, its class or an agent.
    """
    try:
        of = get_agent(agent) if isinstance(agent, str) else agent if isinstance(agent, type) else type(agent)
    except UnknownName:  # it is registered later, or played from Python
        return PATHS
    own = [name for name, hint in type_hints(of).items() if hint is Path or Path in get_args(hint)]
    return (*PATHS, *(name for name in own if name not in PATHS))


def existing(name: str, value: Any, folders: Iterable[Path] = (Path(),)) -> Path | None:
    """Return the absolute path of the file or folder that an option names; None if it names none.

    Args:
        name: The option's name.
        value: Its value.
        folders: The folders that a relative path may start from; the first where it exists counts.
    """
    if not isinstance(value, str | Path) or str(value) in (*NAMES, ""):
        return None
    for folder in folders:
        path = Path(os.path.abspath(folder / os.path.expanduser(value)))
        suffixes = (".yaml", ".yml") if name == "task" else (".gguf",)
        file = path.is_file() and (name not in PATHS or path.suffix.lower() in suffixes)
        if file or (path.is_dir() and name != "task"):
            return path
    return None


def on_each_path(values: Mapping[str, Any], names: Iterable[str], change: Callable[[str, Any], Any]) -> dict[str, Any]:
    """Return the values of a run, or of a part of a study, with the options that may be paths changed.

    Args:
        values: The values. Options that are no mappings stay as they are.
        names: The names of the options.
        change: The new value, from an option's name and its value.
    """
    changed = dict(values)
    for part in PARTS:
        if isinstance(values.get(part), Mapping):
            own = dict(values[part])
            changed[part] = own | {name: change(name, own[name]) for name in names if name in own}
    return changed


def root_of(folder: Path) -> Path:
    """Return the folder that a run is copied with: that of its study, STUDY/SETTING/METHOD/seed-N, or its own."""
    parents = Path(os.path.abspath(folder)).parents
    return parents[2] if len(parents) > 2 and (parents[2] / "study.yaml").is_file() else Path(os.path.abspath(folder))


def settled(path: Path, root: Path) -> Path:
    """Return an absolute path without symbolic links; one below the root keeps them, since they are copied with it."""
    return path if path.is_relative_to(os.path.abspath(root)) else path.resolve()


def written(value: Any, folder: Path, root: Path) -> Any:
    """Return a path as a file in a folder holds it: relative if it lies below the root, else as it is.

    Example:
        >>> run = Path("/runs/a")
        >>> written("/runs/a/data", run, run), written("/data", run, run)
        ('./data', '/data')
        >>> written("/runs/encoder", Path("/runs/a/b/seed-0"), Path("/runs"))
        '../../../encoder'
    """
    if not isinstance(value, str) or not os.path.isabs(value):
        return value
    for of in (os.path.abspath, os.path.realpath):
        path, base, start = of(value), of(root), of(folder)
        if Path(path).is_relative_to(base):
            relative = Path(os.path.relpath(path, start)).as_posix()
            return relative if relative == ".." or relative.startswith("../") else f"./{relative}"
    return value


def read(value: Any, folder: Path) -> Any:
    """Return what `written` was given, where the folder lies now; any other value as it is."""
    if not isinstance(value, str) or not (value.startswith(BESIDE) or value == ".."):
        return value
    path = Path(os.path.abspath(folder / value))
    return str(path if path.exists() else Path(os.path.abspath(folder.resolve() / value)))


def same_place(path: Any, other: Any) -> bool:
    """Return whether two values are paths of one place, also where one of them has symbolic links."""
    return all(isinstance(one, str) for one in (path, other)) and os.path.realpath(path) == os.path.realpath(other)


def with_places(values: Mapping[str, Any], names: Iterable[str], change: Callable[[Any], Any]) -> dict[str, Any]:
    """Return the content of a `config.yaml` with `written` or `read` applied to its paths, and to its plugins' too."""
    changed = on_each_path(values, names, lambda _, value: change(value))
    if isinstance(plugins := values.get("plugins"), list):
        changed["plugins"] = [
            one | {"source": change(one["source"])} if isinstance(one, dict) and "source" in one else change(one)
            for one in plugins
        ]
    return changed
