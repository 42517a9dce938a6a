"""Which part of a language model's answer is the text."""

import dataclasses
import re
from typing import Literal

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
