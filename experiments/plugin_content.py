"""The content of plugins: the hash of a plugin's file and of the files beside it that it imports."""

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path

OWN = ("agents", "experiments", "signal_env")
"""This project's packages. They are no part of a plugin, even where it lies beside them."""


def content_hash(path: Path, content: bytes) -> str:
    """Return the SHA-256 of a plugin's content.

    It is that of the file, if the file imports nothing from its own folder. Else it is that of the list of hashes of
    the file and of all files that it, or one of these, imports from its folder or its package. A package has all its
    files. Only `import` statements are read, and nothing is imported.

    Args:
        path: The absolute path of the file.
        content: The file's content.

    Example:
        >>> content_hash(Path("/nowhere/mine.py"), b"import numpy") == hashlib.sha256(b"import numpy").hexdigest()
        True
    """
    root, _ = root_of(path)
    files = {path: content}
    if path.name == "__init__.py":
        files |= {file: file.read_bytes() for file in path.parent.rglob("*.py") if file != path}
    left = list(files)
    while left:
        file = left.pop()
        for found in _imported_files(file, files[file], root):
            if found not in files:
                files[found] = found.read_bytes()
                left.append(found)
    if len(files) == 1:
        return hashlib.sha256(content).hexdigest()
    lines = [  # the plugin's own file may have another name
        f"{'' if file == path else file.relative_to(root).as_posix()} {hashlib.sha256(text).hexdigest()}"
        for file, text in files.items()
    ]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def root_of(path: Path) -> tuple[Path, list[str]]:
    """Return the folder from which a file is imported, and the parts of its module's name there."""
    root, parts = path.parent, [path.stem]
    while (root / "__init__.py").is_file():
        parts.insert(0, root.name)
        root = root.parent
    return root, parts


def _imported_files(file: Path, content: bytes, root: Path) -> Iterator[Path]:
    """Yield the files below a folder that a file's import statements name, and those of the packages it is in."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):  # the import says so
        return
    package = file.relative_to(root).parts[:-1]
    names = [package]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else ()
            module = (*above, *(node.module.split(".") if node.module else ()))
            names += [(*module, alias.name) for alias in node.names]
    for name in names:
        for end in range(1, len(name) + 1) if name and name[0] not in OWN else ():
            place = root.joinpath(*name[:end])
            yield from (found for found in (place.with_suffix(".py"), place / "__init__.py") if found.is_file())
