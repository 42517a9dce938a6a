"""A frozen language model as a plain function from prompts to texts."""

import dataclasses
import zlib
from collections.abc import Sequence
from itertools import count

from agents.llm.language_model import frozen_language_model
from agents.llm.options import Form, TemplateOptions
from signal_env.utils.answers import Part


@dataclasses.dataclass(frozen=True)
class FrozenGenerator:
    """A function that writes one text for each prompt, for `CandidateSelection` and `PromptSelection`.

    The prompts and the seed determine the sampling, so that equal calls return equal texts. Equal prompts of one call
    get different texts.

    Example:
        >>> generator = FrozenGenerator("embedded", max_new_tokens=8)
        >>> prompt = "Based on the following examples of movie reviews, come up with a new example:\\nNew Example:"
        >>> texts = generator([prompt, prompt])
        >>> texts == generator([prompt, prompt]), len(set(texts))
        (True, 2)
    """

    generator: str
    """The model: "embedded" (trained on the reviews corpus), a folder, or a hub name."""
    temperature: float = 1.0
    """Sampling temperature."""
    max_new_tokens: int = 64
    """Tokens per text, at most."""
    seed: int = 0
    """Seed of the sampling."""
    batch: int = 64
    """Prompts per call of the model."""
    device: str = "cpu"
    """Torch device of the model."""
    precision: str = "float32"
    """Arithmetic of the model, "float32" or "bfloat16"."""
    prompt_style: str | None = None
    """"chat" or "continuation", see `GeneratorOptions`."""
    template_options: TemplateOptions = dataclasses.field(default_factory=dict, hash=False)
    """Options of the chat template, by name."""
    answer: Part = "line"
    """The part of an answer that is the text, see `GeneratorOptions`."""
    fields: tuple[str, ...] = ()
    """The names of the task's fields, if it has several, which an answer may write with a line for each:
    `get_task("qnli").field_names`."""

    def __call__(self, prompts: Sequence[str]) -> list[str]:
        """Return the text in the model's answer to each prompt."""
        form = Form(self.prompt_style, tuple(self.template_options.items()), self.answer, tuple(self.fields))
        model = frozen_language_model(self.generator, self.device, self.precision, form)
        for prompt in prompts[:1]:
            model.check_prompt(prompt, model.encode([prompt])[0])
        seed = zlib.crc32("\0".join(prompts).encode("utf-8", errors="backslashreplace"), self.seed)
        sampling = {"temperature": self.temperature, "top_k": 0, "max_new_tokens": self.max_new_tokens}
        return [model.text(response) for response in model.respond_all(prompts, self.batch, count(seed), **sampling)]
