"""Which part of a language model's answer is the text, and where that part ends."""

import dataclasses
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import torch

Tokens = list[int]
"""Token ids of a text."""

Part = Literal["line", "last_line", "whole"]
"""The first line of an answer that is not empty, the last one, or all of its lines, joined by spaces."""

THINKING = {"<think>": "</think>", "<thinking>": "</thinking>", "[THINK]": "[/THINK]"}
"""The marks of thinking blocks: what begins one, and what ends it."""

LINE_END = re.compile("[\r\n]+")


@dataclasses.dataclass(frozen=True)
class Answer:
    """The rule by which a text is found in an answer.

    A thinking block at the beginning of the answer is no part of the text. Neither are empty lines.

    Attributes:
        part: The part that is the text.
        fields: The names of the fields of a task with several ones, whose texts may be written with a line for each.
        closing: The mark that ends a thinking block which the prompt has begun; "" if it has not.

    Example:
        >>> Answer().text("<think>It should be short.</think>\\n\\n a warm film \\nExample 5: ...")
        'a warm film'
        >>> Answer("last_line").text("Here is one more:\\na warm film")
        'a warm film'
        >>> Answer(fields=("Question", "Sentence")).text("Question: Who?\\nSentence: She did.\\nQuestion: ...")
        'Question: Who? Sentence: She did.'
    """

    part: Part = "line"
    fields: tuple[str, ...] = ()
    closing: str = ""

    def text(self, answer: str) -> str:
        """Return the text in an answer; "" if there is none, or the thinking block does not end."""
        lines = self._lines(answer)
        if self.part == "whole":
            return " ".join(lines)
        if self.part == "last_line":
            return lines[-1] if lines else ""
        text = lines[:1]
        for name, line in zip(self.fields[1:], lines[1:], strict=False):
            if not line.startswith(f"{name}:"):
                break
            text.append(line)
        return " ".join(text)

    def ends(self, answer: str) -> bool:
        """Return whether the text in an answer that ends with a line end is complete: what follows cannot change it."""
        if self.part != "line":
            return False
        lines = self._lines(answer)
        later = [f"{name}:" for name in self.fields[1:]]
        return len(lines) > len(later) or (bool(lines) and all(f" {name}" in f" {' '.join(lines)}" for name in later))

    def _lines(self, answer: str) -> list[str]:
        """Return the lines of an answer that are not empty, after its thinking block."""
        return [line.strip() for line in LINE_END.split(after_thinking(answer, self.closing)) if line.strip()]


def after_thinking(answer: str, closing: str = "") -> str:
    """Return an answer without the thinking block at its beginning; "" if that does not end.

    Args:
        answer: The answer.
        closing: The mark that ends a block which the prompt has begun.

    Example:
        >>> after_thinking("<think> a film? </think> a film"), after_thinking("a film <think>")
        (' a film', 'a film <think>')
    """
    if closing:
        answer = answer.partition(closing)[2]
    while mark := next((mark for mark in THINKING if answer.lstrip().startswith(mark)), None):
        answer = answer.partition(THINKING[mark])[2]
    return answer


def opened_by(prompt: str) -> str:
    """Return the mark that ends the thinking block which a prompt begins at its end; "" if it begins none.

    Example:
        >>> opened_by("<assistant><think>\\n"), opened_by("<assistant><think></think>")
        ('</think>', '')
    """
    return next((closing for mark, closing in THINKING.items() if prompt.rstrip().endswith(mark)), "")


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
