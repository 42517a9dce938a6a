"""Passes of a language model that read a prompt once, however many of a batch's texts it has.

The prompts of a small pool are longer than the texts, and a policy learns from several texts of each. What a causal
model computes for a prompt is the same for all of them.
"""

from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def share_prompts(model: Any) -> None:
    """Replace `forward` and `generate` of a causal language model by ones that read equal prompts once.

    A prompt is what comes before the `logits_to_keep` last tokens of a forward pass, and all but the last token of
    what `generate` goes on with. Prompts are padded on the left. They are shared where the batch has each at least
    twice, on average; gradients flow through them too. Results differ by rounding.

    Args:
        model: A model of transformers. An adapter may be put into it afterwards. A model that keeps more of a prompt
            than keys and values, or whose passes have no `logits_to_keep`, stays as it is.
    """
    forward, generate = model.forward, model.generate
    needed = {"past_key_values", "position_ids", "logits_to_keep"}
    if getattr(model, "_is_stateful", False) or not needed <= set(signature(forward).parameters):
        return

    @wraps(forward)
    def forward_shared(*args: Any, **inputs: Any) -> Any:
        kept = inputs.get("logits_to_keep", 0)
        plain = args or not isinstance(kept, int) or kept < 1 or inputs.get("past_key_values") is not None
        if plain or inputs.get("input_ids") is None or inputs.get("attention_mask") is None:
            return forward(*args, **inputs)
        width = inputs["input_ids"].shape[1] - kept
        cache = _read(forward, inputs["input_ids"], inputs["attention_mask"], width)
        if cache is None:
            return forward(**inputs)
        if inputs.get("position_ids") is None:
            inputs["position_ids"] = _positions(inputs["attention_mask"])
        rest = {name: inputs[name][:, width:] for name in ("input_ids", "position_ids")}
        return forward(**(inputs | rest), past_key_values=cache)

    @wraps(generate)
    def generate_shared(inputs: Any = None, **options: Any) -> Any:
        ids, mask = options.get("input_ids") if inputs is None else inputs, options.get("attention_mask")
        if ids is not None and mask is not None and options.get("past_key_values") is None:
            options["past_key_values"] = _read(forward, ids, mask, ids.shape[1] - 1)
        return generate(inputs, **options)

    model.forward, model.generate = forward_shared, generate_shared


def _read(forward: Any, ids: "torch.Tensor", mask: "torch.Tensor", width: int) -> Any:
    """Return what the model keeps of the first `width` tokens of each row, or None if few rows share them."""
    import torch

    if width < 1 or len(ids) < 2:
        return None
    seen = torch.where(mask[:, :width].bool(), ids[:, :width], -1)
    distinct, rows = seen.unique(dim=0, return_inverse=True)
    if 2 * len(distinct) > len(ids):
        return None
    known = (distinct >= 0).long()
    inputs = {"input_ids": distinct.clamp(min=0), "attention_mask": known, "position_ids": _positions(known)}
    cache = forward(**inputs, use_cache=True, return_dict=True, logits_to_keep=1).past_key_values
    cache.batch_select_indices(rows)
    return cache


def _positions(mask: "torch.Tensor") -> "torch.Tensor":
    """Return the position of each token, 0 for padding on the left."""
    return (mask.long().cumsum(1) - 1).clamp(min=0)
