"""Loading pretrained transformers (safetensors only), and running them over texts."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from signal_env.classifiers.checkpoints import EMBEDDED as EMBEDDED
from signal_env.classifiers.checkpoints import ModelError as ModelError
from signal_env.classifiers.checkpoints import model_path as model_path
from signal_env.classifiers.checkpoints import not_loaded
from signal_env.classifiers.checkpoints import quiet_transformers as quiet_transformers
from signal_env.classifiers.gguf import checkpoint_of
from signal_env.tasks import Task
from signal_env.utils.copying import deep_copy
from signal_env.utils.threads import single_threaded

if TYPE_CHECKING:
    import torch


def load_pretrained(auto_class: Any, name: str | Path, role: str = "encoder", **options: Any) -> tuple[Any, Any]:
    """Load a model and its tokenizer, from safetensors and without remote code.

    Args:
        auto_class: A class of transformers with `from_pretrained`, e.g. `AutoModel`.
        name: See `model_path`.
        role: See `model_path`.
        options: Keywords of `from_pretrained`. `dtype` is single precision by default.

    Returns:
        The model and the tokenizer. Weights that the checkpoint lacks are drawn with a fixed seed.

    Raises:
        ModelError: If the model cannot be loaded.
        MissingExtra: If a package that the model needs is not installed.
    """
    import torch
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoTokenizer

    path = checkpoint_of(name, role)
    options.setdefault("dtype", torch.float32)
    try:
        with quiet_transformers(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # Makes weights that the checkpoint lacks the same every time.
            model = auto_class.from_pretrained(path, use_safetensors=True, trust_remote_code=False, **options)
            tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
    except (OSError, ValueError, StrictDataclassError) as error:
        raise not_loaded(name, path, role, f"transformers reported: {error}") from error
    _require_fit(model[0] if isinstance(model, tuple) else model, tokenizer, f"{role} {str(name)!r}")
    return model, tokenizer


def _require_fit(model: Any, tokenizer: Any, which: str) -> None:
    """Raise a `ModelError` if a tokenizer gives texts tokens that its model has not.

    Special tokens without a use may be more than the model has: transformers adds some to any tokenizer.
    """
    try:
        size = vocabulary_size(model)
    except AttributeError as error:
        raise ModelError(
            f"The {which} is a {type(model).__name__}, which reads no tokens. Give a model of texts."
        ) from error
    used = {getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad", "cls", "sep")}
    unused = set(tokenizer.all_special_ids) - used
    last = max(token for token in tokenizer.get_vocab().values() if token not in unused)
    if last >= size:
        raise ModelError(
            f"The tokenizer of the {which} has token ids up to {last}, and the model tokens 0 to {size - 1}: give the "
            "tokenizer that the model was trained with, or resize the model's embeddings and save it."
        )


def vocabulary_size(model: Any) -> int:
    """Return the number of tokens that a model knows; an AttributeError says that it reads none."""
    try:
        return int(model.get_input_embeddings().num_embeddings)
    except (AttributeError, NotImplementedError):  # its tokens have no table of embeddings
        return int(model.config.vocab_size)


def require_device(device: str) -> None:
    """Raise a `ModelError` if torch cannot use a device on this machine."""
    import torch

    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(
            f"The device {device!r} cannot be used here ({error}); use 'cpu' or another device."
        ) from error


RESERVED = 8
"""Positions up to which a model's last ones may be unusable; RoBERTa's two are."""


def usable_length(model: Any, tokenizer: Any, max_length: int) -> int:
    """Return the number of tokens that a model on the CPU reads, at most `max_length`.

    `max_position_embeddings` may be more than a model can use (RoBERTa reads 512 tokens of its 514), or no length at
    all (XLNet says -1, and reads any). The model is therefore tried where a text might come near its end.

    Raises:
        ModelError: If the model runs on none of the lengths that its configuration suggests.
    """
    import torch

    positions = getattr(model.config, "max_position_embeddings", None)
    if not isinstance(positions, int) or positions < 1 or max_length <= positions - RESERVED:
        return max_length
    padding = (tokenizer.pad_token_id, getattr(model.config, "pad_token_id", None))
    token = next(i for i in range(len(tokenizer)) if i not in padding)
    longest, reason = min(max_length, positions), Exception()
    for length in range(longest, max(longest - RESERVED, 1) - 1, -1):
        ids = torch.full((1, length), token)
        try:
            with torch.inference_mode():
                model.eval()(input_ids=ids, attention_mask=torch.ones_like(ids))
            return length
        except (IndexError, RuntimeError) as error:
            reason = error
    raise ModelError(
        f"{type(model).__name__} has {positions} positions, and cannot read {length} tokens: {reason}. Give "
        "another model."
    ) from reason


class Batch(dict[str, "torch.Tensor"]):
    """A model's inputs by name: `input_ids`, `attention_mask`, and others that its tokenizer returns."""


class TextModel:
    """A transformer and its tokenizer, which run over written texts.

    On a CPU, each text runs alone, on one of as many threads as torch uses. Its numbers are therefore bit-identical
    whatever other texts are in the call; batched kernels round differently for another batch shape. On an accelerator,
    and where a call says `together`, texts run in padded batches, and the numbers are equal up to rounding.

    Args:
        model: A transformers model.
        tokenizer: The model's tokenizer.
        task: The task, which sets the fields of a text. Several fields are encoded as a pair.
        max_length: The number of tokens to which a text is truncated, at most the model's own limit (`usable_length`).
        device: A torch device.
        batch_size: Texts per padded batch.

    Raises:
        ModelError: If torch cannot use the device, or `max_length` leaves no room for a text.
    """

    def __init__(self, model: Any, tokenizer: Any, task: Task, max_length: int, device: str, batch_size: int = 64):
        require_device(device)
        if tokenizer.pad_token_id is None:  # any token will do, since the attention mask leaves padding out
            tokenizer.pad_token = tokenizer.eos_token or tokenizer.convert_ids_to_tokens(0)
        if getattr(model.config, "pad_token_id", None) is None:
            model.config.pad_token_id = tokenizer.pad_token_id
        fields = min(len(task.columns), 2)
        least = tokenizer.num_special_tokens_to_add(pair=fields == 2) + fields
        if max_length < least:
            raise ModelError(
                f"Expected max_length to be at least {least}, the tokens around a text of {task.name} and one of each "
                f"field; got {max_length!r}."
            )
        self.max_length = usable_length(model, tokenizer, max_length)
        self.model = model.to(device).eval()
        self.tokenizer = tokenizer
        self.task = task
        self.device = device
        self.batch_size = batch_size

    def __deepcopy__(self, memo: dict[int, Any]) -> "TextModel":
        """Return a copy with weights of its own."""
        return deep_copy(self, memo, [self.tokenizer, self.task])

    def encode(self, texts: Sequence[str]) -> list[dict[str, list[int]]]:
        """Tokenize each text. A text that is not in the task's written form is encoded as a single field."""
        fields = [self.task.fields(text) or (text,) for text in texts]
        first, second = [f[0] for f in fields], [" ".join(f[1:]) for f in fields]
        pairs = second if len(self.task.columns) > 1 else None
        encoded = self.tokenizer(first, pairs, truncation=True, max_length=self.max_length)
        return [{key: values[i] for key, values in encoded.items()} for i in range(len(texts))]

    def collate(self, encoded: Sequence[dict[str, list[int]]]) -> Batch:
        """Pad encoded texts to one batch of tensors on the model's device."""
        return Batch(self.tokenizer.pad(list(encoded), return_tensors="pt").to(self.device))

    def run(
        self,
        texts: Sequence[str],
        forward: Callable[[Batch], tuple["torch.Tensor", ...]],
        together: bool = False,
    ) -> list[NDArray[Any]]:
        """Run `forward` over all texts, without gradients.

        Args:
            texts: `n` written texts, at least one.
            forward: A function from a batch of `m` texts to tensors with `m` rows each.
            together: Whether texts run in batches on a CPU too, which takes less time.

        Returns:
            One array with `n` rows, in the order of the texts, for each tensor that `forward` returns.
        """
        import torch

        def step(batch: Batch) -> tuple[NDArray[Any], ...]:
            with torch.inference_mode():
                return tuple(rows.float().cpu().numpy() for rows in forward(batch))

        encoded = self.encode(texts)
        if torch.device(self.device).type == "cpu" and not together:
            order: Iterable[int] = range(len(texts))
            results = list(single_threaded().map(lambda one: step(self.collate([one])), encoded))
        else:
            order = sorted(range(len(texts)), key=lambda i: len(encoded[i]["input_ids"]))
            results = [step(self.collate([encoded[i] for i in block])) for block in blocks(order, self.batch_size)]
        rank = np.argsort(np.fromiter(order, dtype=np.int64, count=len(texts)))
        return [np.concatenate(rows)[rank] for rows in zip(*results, strict=True)]


def blocks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Split a sequence into blocks of `size`; the last block may be shorter.

    Example:
        >>> list(blocks([1, 2, 3, 4, 5], 2))
        [[1, 2], [3, 4], [5]]
    """
    return (items[start : start + size] for start in range(0, len(items), size))
