"""Fingerprints: what a file, a folder or data is, whatever its name and place."""

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from itertools import chain
from pathlib import Path


def digest_of_file(file: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = (Path(folder) / "a.txt").write_bytes(b"abc")
        ...     digest_of_file(Path(folder) / "a.txt")[:16]
        'ba7816bf8f01cfea'
    """
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


@lru_cache(maxsize=1024)
def _remembered(file: Path, size: int, modified: int) -> str:
    return digest_of_file(file)


def digest_while_untouched(file: Path) -> str:
    """Return the SHA-256 of a file's content, remembered in this process while its size and its time stay.

    It is for checks that are made many times, such as that of each run of a study.
    """
    state = file.stat()
    return _remembered(file, state.st_size, state.st_mtime_ns)


def digest_of_folder(folder: Path, trust_times: bool = False) -> str:
    """Return the SHA-256 of the names and contents of all files in a folder and below, but for hidden ones.

    Args:
        folder: The folder.
        trust_times: Whether a file is read once in this process while its size and its time stay.

    Raises:
        FileNotFoundError: If there is no such folder.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = (Path(folder) / "config.json").write_text("{}")
        ...     one = digest_of_folder(Path(folder))
        ...     _ = (Path(folder) / "config.json").write_text("[]")
        ...     one == digest_of_folder(Path(folder))
        False
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"No folder at {folder}.")
    files = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
    shown = {name: file for name, file in files.items() if not any(part.startswith(".") for part in name.split("/"))}
    digest = digest_while_untouched if trust_times else digest_of_file
    return digest_of(chain.from_iterable((name, digest(shown[name])) for name in sorted(shown)))


def digest_of(parts: Iterable[str]) -> str:
    """Return the SHA-256 of strings in their order, in hexadecimal. Where one ends and the next begins counts.

    Example:
        >>> digest_of(["ab", "c"]) == digest_of(["a", "bc"])
        False
    """
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()
