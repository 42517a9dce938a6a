"""Fingerprints: what a file, a folder or data is, whatever its name and place."""

import hashlib
from collections.abc import Iterable
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


def digest_of_folder(folder: Path) -> str:
    """Return the SHA-256 of the names and contents of all files in a folder and below, but for hidden ones.

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
    return digest_of(chain.from_iterable((name, digest_of_file(shown[name])) for name in sorted(shown)))


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
