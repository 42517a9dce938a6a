"""Checkpoints: the state of a run after a round, as JSON, and safetensors for the tensors. Neither can hold code."""

import json
import shutil
from pathlib import Path
from typing import Any

from signal_env.utils.storage import new_folder

STATE, TENSORS = "state.json", "tensors.safetensors"


def save_checkpoint(folder: Path, index: int, state: dict[str, Any], keep: int = 1) -> None:
    """Write the checkpoint of a round to a run's folder under a temporary name, rename it, and remove those before.

    The newest `keep` of them stay. The state holds numbers, strings, None, lists, tuples and dictionaries of such, and
    tensors; else a TypeError.
    """
    from safetensors.torch import save_file

    tensors: dict[str, Any] = {}
    plain = json.dumps(_pack(state, tensors), ensure_ascii=False)
    place = folder / "checkpoints" / f"round-{index:05d}"
    if place.exists():  # it could not be read, or the run continued from an earlier one
        shutil.rmtree(place)
    with new_folder(place, mark=STATE) as temporary:
        save_file(tensors, temporary / TENSORS)
        (temporary / STATE).write_text(plain, encoding="utf-8", errors="surrogatepass")
    kept = [other for other in _folders(folder) if other.name <= place.name][-keep:]
    for other in _folders(folder):
        if other not in kept:
            shutil.rmtree(other)


def load_checkpoint(folder: Path, index: int | None = None) -> dict[str, Any] | None:
    """Return the newest state of a run that can be read, or that of a round; None if there is none.

    A file system may lose the content of a file in a power cut and keep its name.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    for place in reversed(_folders(folder)):
        if place.name.startswith(".") or index not in (None, _index(place)):  # a dot: killed while it was written
            continue
        try:
            tensors = load_file(place / TENSORS)
            plain = json.loads((place / STATE).read_text(encoding="utf-8", errors="surrogatepass"))
            state: dict[str, Any] = _unpack(plain, tensors)
        except (FileNotFoundError, NotADirectoryError, SafetensorError, ValueError, KeyError):  # it is torn
            continue
        return state
    return None


def _index(place: Path) -> int:
    return int(place.name.removeprefix("round-"))


def _folders(folder: Path) -> list[Path]:
    return sorted((folder / "checkpoints").glob("*")) if (folder / "checkpoints").is_dir() else []


def _pack(value: Any, tensors: dict[str, Any]) -> Any:
    """Return a value as plain JSON; a type that JSON lacks becomes an object with one key that begins with "$"."""
    import torch

    match value:
        case torch.Tensor():
            key = str(len(tensors))
            tensors[key] = value.detach().cpu().contiguous().clone()
            return {"$tensor": key}
        case tuple():
            return {"$tuple": [_pack(item, tensors) for item in value]}
        case list():
            return [_pack(item, tensors) for item in value]
        case dict() if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return {key: _pack(item, tensors) for key, item in value.items()}
        case dict():
            return {"$items": [[_pack(key, tensors), _pack(item, tensors)] for key, item in value.items()]}
        case None | bool() | int() | float() | str():
            return value
    raise TypeError(f"A checkpoint holds plain data and tensors; got {type(value).__name__}: {value!r:.80}.")


def _unpack(value: Any, tensors: dict[str, Any]) -> Any:
    match value:
        case list():
            return [_unpack(item, tensors) for item in value]
        case {"$tensor": key}:
            return tensors[key]
        case {"$tuple": items}:
            return tuple(_unpack(item, tensors) for item in items)
        case {"$items": items}:
            return {_unpack(key, tensors): _unpack(item, tensors) for key, item in items}
        case dict():
            return {key: _unpack(item, tensors) for key, item in value.items()}
    return value
