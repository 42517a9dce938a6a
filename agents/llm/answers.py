"""The tokens of a language model's answer, and where the text in it ends."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from signal_env.utils.answers import THINKING

if TYPE_CHECKING:
    import torch

Tokens = list[int]
"""Token ids of a text."""


def until(tokens: Tokens, stops: set[int]) -> Tokens:
    """Return the tokens up to and including the first one in `stops`.

    Example:
        >>> until([5, 6, 1, 0, 0], {1})
        [5, 6, 1]
    """
    end = next((i for i, token in enumerate(tokens) if token in stops), len(tokens))
    return tokens[: end + 1]


@lru_cache(maxsize=4)
def line_ends(tokenizer: Any) -> Tokens:
    """Return the tokens that contain a line end."""
    texts = tokenizer.batch_decode([[token] for token in range(len(tokenizer))])
    return [token for token, text in enumerate(texts) if "\n" in text or "\r" in text]


def hidden_tokens(tokenizer: Any) -> set[int]:
    """Return the special tokens, which are no part of an answer, without the marks of thinking blocks."""
    marks = {*THINKING, *THINKING.values()}
    return {token for token in tokenizer.all_special_ids if tokenizer.convert_ids_to_tokens(token) not in marks}


def stop_at(model: Any, candidates: Sequence[int], ended: Callable[[Tokens], bool]) -> None:
    """Let a model's `generate` end a response at a token for which `ended` holds, whoever calls it.

    TRL's trainers call `generate` themselves, and can name tokens that end a text, but no rule. After its end a
    response is filled with the padding token, as after an end token.

    Args:
        model: A model of transformers.
        candidates: The tokens at which a response may end.
        ended: Returns whether a response, with its last token among the candidates, has ended.
    """
    import torch
    from transformers import StoppingCriteria, StoppingCriteriaList

    class TextEnd(StoppingCriteria):  # type: ignore[misc]  # its base has no types
        eos_token_id = None  # `generate` fills what has ended where a criterion has this attribute

        def __init__(self, shown: "torch.Tensor") -> None:
            self.width = shown.shape[1]
            self.candidates = torch.tensor(candidates, dtype=torch.long, device=shown.device)

        def __call__(self, input_ids: "torch.Tensor", scores: Any, **_: Any) -> "torch.Tensor":
            over = torch.isin(input_ids[:, -1], self.candidates)
            for row in over.nonzero()[:, 0].tolist():
                over[row] = ended(input_ids[row, self.width :].tolist())
            return over

    own = model.generate

    def generate(inputs: Any = None, **options: Any) -> Any:
        shown: Any = options.get("input_ids") if inputs is None else inputs
        criteria = StoppingCriteriaList([*(options.pop("stopping_criteria", None) or ()), TextEnd(shown)])
        return own(inputs, stopping_criteria=criteria, **options)

    model.generate = generate
