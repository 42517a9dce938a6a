"""Models in GGUF files, the format of llama.cpp: read once, and kept in the cache as an ordinary checkpoint."""

from pathlib import Path
from typing import Any

from filelock import FileLock

from signal_env.classifiers.checkpoints import is_gguf, model_path, not_loaded, quiet_transformers
from signal_env.utils.extras import require
from signal_env.utils.fingerprint import digest_while_untouched
from signal_env.utils.storage import cache_dir, new_folder

MARK = "config.json"
"""The file of a checkpoint that is written last in no folder but a whole one."""


def checkpoint_of(name: str | Path, role: str = "encoder") -> str:
    """Return the folder or the hub name to load a model from: `model_path`, or a GGUF file's place in the cache.

    Args:
        name: See `model_path`.
        role: See `model_path`.

    Raises:
        ModelError: If there is no such model, or transformers cannot read the GGUF file.
        MissingExtra: If the model is a GGUF file, and the package gguf is not installed.
    """
    path = model_path(name, role)
    return str(converted(Path(path), str(name), role)) if is_gguf(path) else path


def converted(file: Path, name: str, role: str) -> Path:
    """Return the folder of a GGUF file's model, with single-precision weights; it is made at the first call.

    Its name in the cache is the file's fingerprint, so that a file may move, and a changed one is read anew. The
    folder appears as a whole; of several processes that need it, one makes it.

    Args:
        file: The file.
        name: The model's name, for the message.
        role: The model's role, for the message.

    Raises:
        ModelError: If transformers cannot read it, such as one of an architecture that it does not know.
        MissingExtra: If the package gguf is not installed.
    """
    folder = cache_dir("gguf", digest_while_untouched(file)[:16])
    if (folder / MARK).is_file():
        return folder
    require("gguf", "gguf")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / MARK).is_file():
            try:
                with quiet_transformers():
                    model, tokenizer = _read(file)
            except (OSError, ValueError, KeyError, NotImplementedError) as error:
                raise not_loaded(name, str(file), role, f"transformers reported: {error}") from error
            with new_folder(folder, mark=MARK) as place, quiet_transformers():
                tokenizer.save_pretrained(place)
                model.save_pretrained(place)
    return folder


def _read(file: Path) -> tuple[Any, Any]:
    """Return the model of a GGUF file, dequantized, and its tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where: dict[str, Any] = {"pretrained_model_name_or_path": file.parent, "gguf_file": file.name}
    tokenizer = AutoTokenizer.from_pretrained(**where, trust_remote_code=False)
    read = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32, trust_remote_code=False)
    config = read.config  # transformers saves no model that was quantized, though its weights no longer are
    del config.quantization_config
    with torch.device("meta"):
        model = type(read)(config)
    model.load_state_dict(read.state_dict(), assign=True)
    model.tie_weights()
    model.generation_config = read.generation_config
    return model, tokenizer
