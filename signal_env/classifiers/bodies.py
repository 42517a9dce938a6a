"""What a pretrained model can do as the body of a classifier, found out by running it over a few tokens."""

from typing import TYPE_CHECKING, Any

from signal_env.classifiers.pretrained import ModelError

if TYPE_CHECKING:
    import torch


def check_body(model: Any, tokenizer: Any, name: str) -> None:
    """Raise a `ModelError` if a model has a decoder beside an encoder, or no hidden state for each token.

    Args:
        model: A model made by `AutoModel`, on the CPU.
        tokenizer: Its tokenizer.
        name: The model's name, for the message.
    """
    need = "a classifier reads a hidden state of each token. Give an encoder, such as 'bert-base-uncased'."
    if getattr(model.config, "is_encoder_decoder", False):
        raise ModelError(
            f"{name} is a {type(model).__name__}, an encoder with a decoder, whose states are the decoder's; {need}"
        )
    try:
        hidden = _hidden_states(model, _some_tokens(tokenizer, 2))
    except (TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise ModelError(
            f"{name} is a {type(model).__name__}, which does not run on texts ({error}); {need}"
        ) from error
    width = getattr(model.config, "hidden_size", None)
    if hidden is None or tuple(hidden.shape) != (1, 2, width):
        shape = None if hidden is None else tuple(hidden.shape)
        raise ModelError(
            f"{name} is a {type(model).__name__}, whose last_hidden_state of 2 tokens has the shape {shape}, not "
            f"(1, 2, {width}); {need}"
        )


def is_causal(model: Any, tokenizer: Any) -> bool:
    """Return whether a model reads forward only: a token's hidden state does not depend on the tokens after it.

    Configurations do not tell: GPT-2's says `is_decoder=False`.

    Args:
        model: A model made by `AutoModel`, on the CPU.
        tokenizer: Its tokenizer.
    """
    first, second, third = _some_tokens(tokenizer, 3)
    one, other = (_hidden_states(model, [first, after]) for after in (second, third))
    return (
        one is not None
        and other is not None
        and bool((one[0, 0] - other[0, 0]).abs().max() <= 1e-6 * one[0, 0].abs().max())
    )


def _some_tokens(tokenizer: Any, n: int) -> list[int]:
    """Return n different tokens that are not special."""
    special = set(tokenizer.all_special_ids)
    return [token for token in range(len(tokenizer)) if token not in special][:n]


def _hidden_states(model: Any, tokens: list[int]) -> "torch.Tensor | None":
    """Return the last hidden states `(1, t, d)` of t tokens; None if the model has none."""
    import torch

    ids = torch.tensor([tokens])
    with torch.inference_mode():
        output = model.eval()(input_ids=ids, attention_mask=torch.ones_like(ids))
    hidden: torch.Tensor | None = getattr(output, "last_hidden_state", None)
    return hidden
