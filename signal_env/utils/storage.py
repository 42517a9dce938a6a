"""Where made things are kept, and how files are written so that nothing is ever half there."""

import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def cache_dir(*parts: str) -> Path:
    """A place under `SIGNAL_ENV_CACHE`, or else under the user's cache folder.

    Example:
        >>> cache_dir("annotators", "sst2").parts[-2:]
        ('annotators', 'sst2')
    """
    root = os.environ.get("SIGNAL_ENV_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "signal_env"
    return (Path(root) if root else base).joinpath(*parts)


def write_text(path: Path, text: str) -> None:
    """Writes a file under a temporary name and renames it: neither a reader nor a power cut ever finds half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    try:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
        sync(temporary)
        os.replace(temporary, path)
        _sync_names(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Waits until a file, or all that is in a folder, is on the disk, where a power cut leaves it alone."""
    if path.is_dir():
        for place in path.iterdir():
            sync(place)
        _sync_names(path)
    elif path.is_file():
        with path.open("rb" if os.name == "posix" else "r+b") as file:
            os.fsync(file.fileno())


def _sync_names(folder: Path) -> None:
    """Waits until the names in a folder are on the disk, where the system can say so."""
    with suppress(OSError):  # Windows cannot, nor can some network file systems
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove(folder: Path, names: Iterable[str]) -> None:
    """Removes files and folders of these names from a folder; those that are not there are passed over."""
    for name in names:
        place = folder / name
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)


def cut(file: Path, size: int) -> None:
    """Cuts a file to its first `size` bytes.

    Raises:
        ValueError: If it has fewer.
    """
    if file.stat().st_size < size:
        raise ValueError(f"{file} should have {size} bytes and has {file.stat().st_size}: it was changed.")
    os.truncate(file, size)


@contextmanager
def new_folder(path: Path, mark: str) -> Iterator[Path]:
    """Yields a temporary folder that becomes `path`, whole and on the disk, if the block ends without an error.

    Args:
        path: The folder to make. One of the same kind is replaced.
        mark: The file that tells a folder of this kind.

    Raises:
        FileExistsError: If `path` holds something else.
    """
    if path.exists() and not (path / mark).is_file() and (path.is_file() or any(path.iterdir())):
        raise FileExistsError(f"{path} holds something that is not ours to replace: it has no {mark}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    temporary.mkdir()
    try:
        yield temporary
        sync(temporary)
        if path.exists():
            shutil.rmtree(path)
        os.replace(temporary, path)
        _sync_names(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _beside(path: Path) -> Path:
    """A new hidden name in the same folder, so that renaming it to `path` is one step."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}")
