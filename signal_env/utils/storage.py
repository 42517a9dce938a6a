"""The cache directory, and atomic writes: files and folders are written under a temporary name and then renamed."""

import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from signal_env.utils.errors import FolderTaken, SignalError, StateError


class NoCache(SignalError, RuntimeError):
    """No place for the cache directory; the message says which variable to set."""


def cache_dir(*parts: str) -> Path:
    """Return a path in the cache directory. Nothing is created.

    The cache directory is `SIGNAL_ENV_CACHE`, else `XDG_CACHE_HOME/signal_env`, else `~/.cache/signal_env`.

    Args:
        parts: Names of nested folders in the cache directory.

    Raises:
        NoCache: If neither variable is set, and there is no home directory.

    Example:
        >>> cache_dir("annotators", "sst2").parts[-2:]
        ('annotators', 'sst2')
    """
    root, general = os.environ.get("SIGNAL_ENV_CACHE"), os.environ.get("XDG_CACHE_HOME")
    if root or general:
        return (Path(root) if root else Path(str(general)) / "signal_env").joinpath(*parts)
    try:
        return Path.home().joinpath(".cache", "signal_env", *parts)
    except RuntimeError as error:
        raise NoCache(
            "There is no home directory for the cache (HOME is not set): set SIGNAL_ENV_CACHE to a folder."
        ) from error


def write_text(path: Path, text: str) -> None:
    r"""Write a UTF-8 file atomically, creating missing parent folders.

    The file is written under a temporary name, synced to disk and renamed. A reader, or a restart after a power
    failure, therefore finds the old file or the new one, never a part. Lone surrogates are written as `\udXXX`.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     write_text(Path(folder) / "runs" / "note.txt", "done")
        ...     (Path(folder) / "runs" / "note.txt").read_text()
        'done'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary_sibling(path)
    try:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
        sync(temporary)
        os.replace(temporary, path)
        _sync_entries(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Flush a file, or everything in a folder, to disk and wait until it is there (fsync)."""
    if path.is_dir():
        for entry in path.iterdir():
            sync(entry)
        _sync_entries(path)
    elif path.is_file():
        with path.open("rb" if os.name == "posix" else "r+b") as file:
            os.fsync(file.fileno())


def _sync_entries(folder: Path) -> None:
    """Flush a folder's list of entries to disk, where the system supports it."""
    with suppress(OSError):  # Windows and some network file systems cannot sync a folder.
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove(folder: Path, names: Iterable[str]) -> None:
    """Remove the files and folders with these names from a folder. Missing ones are skipped.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     write_text(Path(folder) / "note.txt", "done")
        ...     remove(Path(folder), ["note.txt", "missing.txt"])
        ...     list(Path(folder).iterdir())
        []
    """
    for name in names:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def cut(file: Path, size: int) -> None:
    """Truncate a file to its first `size` bytes.

    Raises:
        StateError: If the file has fewer bytes.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     write_text(Path(folder) / "log", "abcdef")
        ...     cut(Path(folder) / "log", 3)
        ...     (Path(folder) / "log").read_text()
        'abc'
    """
    if file.stat().st_size < size:
        raise StateError(
            f"{file} should have {size} bytes or more and has {file.stat().st_size}: it changed after it was "
            "recorded. Restore the file, or start again in another folder."
        )
    os.truncate(file, size)


@contextmanager
def new_folder(path: Path, mark: str) -> Iterator[Path]:
    """Yield a temporary folder that is synced and renamed to `path` if the block ends without an error.

    An error in the block removes the temporary folder and leaves `path` as it was.

    Args:
        path: The folder to create. An empty folder, or one that holds `mark`, is replaced.
        mark: The name of a file that every folder of this kind holds.

    Raises:
        FolderTaken: If `path` is a file, or a folder with other contents.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as parent:
        ...     with new_folder(Path(parent) / "model", mark="model.json") as folder:
        ...         write_text(folder / "model.json", "{}")
        ...     [file.name for file in (Path(parent) / "model").iterdir()]
        ['model.json']
    """
    if path.exists() and not (path / mark).is_file() and (path.is_file() or any(path.iterdir())):
        raise FolderTaken(
            f"{path} exists and will not be replaced: it has no {mark}. Choose another folder, or remove this one."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary_sibling(path)
    temporary.mkdir()
    try:
        yield temporary
        sync(temporary)
        if path.exists():
            shutil.rmtree(path)
        os.replace(temporary, path)
        _sync_entries(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _temporary_sibling(path: Path) -> Path:
    """Return a new hidden path in the same folder, from which renaming to `path` is atomic."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}")
