"""The generator G: a causal language model with its tokenizer, and the form of its responses."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.llm.answers import Tokens, hidden_tokens, line_ends, stop_at, until
from agents.llm.checks import chat_template, check_ends, check_prompt, rendered, template_values
from agents.llm.options import BUILT_IN, PLAIN, Form
from agents.llm.shared_prompts import share_prompts
from signal_env.classifiers.checkpoints import base_of
from signal_env.classifiers.gguf import checkpoint_of
from signal_env.classifiers.pretrained import (
    ModelError,
    blocks,
    load_pretrained,
    require_device,
    vocabulary_size,
)
from signal_env.learner.learner import Learner
from signal_env.learner.prompts import prompt
from signal_env.utils.answers import Answer, opened_by

if TYPE_CHECKING:
    import torch


class LanguageModel:
    """A causal language model with its tokenizer.

    Args:
        name: "embedded", "smollm2", a folder, a GGUF file, or a hub name.
        device: A torch device.
        precision: "float32" or "bfloat16".
        form: How prompts are put to the model, and which part of its answers is the text.

    Raises:
        ModelError: If there is no such model, its tokenizer does not fit it or has no end token, or its chat template
            refuses a user's message.
        ConfigError: If the form does not fit the model.

    Attributes:
        end_tokens: The tokenizer's end token, and others that the checkpoint's generation_config.json names, such as
            the end of a turn.
        own_padding: Whether the tokenizer has a padding token that differs from its end token.
        large: Whether the model has 100 million parameters or more.
    """

    def __init__(self, name: str, device: str, precision: str, form: Form = PLAIN) -> None:
        import torch
        from transformers import AutoModelForCausalLM, GenerationConfig

        require_device(device)
        model, self.tokenizer = load_pretrained(
            AutoModelForCausalLM, name, "generator", dtype=getattr(torch, precision)
        )
        if self.tokenizer.eos_token_id is None:
            raise ModelError(f"The tokenizer of {name} has no end token, which ends a text: set tokenizer.eos_token.")
        padding, prompt_style = BUILT_IN.get(name, (None, None))
        if padding is not None:
            self.tokenizer.pad_token = padding
        self.own_padding = self.tokenizer.pad_token_id not in (None, self.tokenizer.eos_token_id)
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self.tokenizer.padding_side = "left"
        self.end_tokens = [self.tokenizer.eos_token_id, *_other_ends(name, self.tokenizer.eos_token_id)]
        self.vocabulary = vocabulary_size(model)
        check_ends(name, self.end_tokens, self.vocabulary)
        self.large = model.num_parameters() >= 100e6
        self.name = name
        self.device = device
        style = prompt_style if form.prompt_style is None else form.prompt_style
        template = chat_template(self.tokenizer, name, style, dict(form.template_options))
        self.template_options = template_values(template, dict(form.template_options))
        self.chat = template is not None
        shown = rendered(self.tokenizer, name, self.messages("a prompt"), self.template_options) if self.chat else ""
        self.answer = Answer(form.answer, form.fields, opened_by(shown))
        self._hidden = hidden_tokens(self.tokenizer)
        self.model = model.to(device).eval()
        # The agent decides how to sample. A checkpoint's own settings, such as a repetition penalty, would change it.
        self.model.generation_config = GenerationConfig(
            bos_token_id=self.tokenizer.bos_token_id,
            eos_token_id=self.end_tokens,
            pad_token_id=self.tokenizer.pad_token_id,
        )
        self._line_ends = set(line_ends(self.tokenizer) if form.answer == "line" else ())
        share_prompts(self.model)
        if (head := self.model.get_output_embeddings()) is not None:
            head.register_forward_pre_hook(_contiguous)
        stop_at(self.model, sorted(self._line_ends), lambda tokens: self.answer.ends(self._decode(tokens)))

    def messages(self, shown: str) -> Any:
        """Return a prompt in the model's form: a user's message for the chat template, else the text as it is."""
        return [{"role": "user", "content": shown}] if self.chat else shown

    def encode(self, prompts: Sequence[str]) -> list[Tokens]:
        """Return the tokens of each prompt, in the chat template if the model is prompted by one."""
        if self.chat:
            encoded = self.tokenizer.apply_chat_template(
                [self.messages(shown) for shown in prompts],
                add_generation_prompt=True,
                return_dict=True,
                **self.template_options,
            )
        else:
            encoded = self.tokenizer(list(prompts))
        # A tokenizer may know special tokens, which a prompt may spell out, that its model does not.
        return [[token for token in tokens if token < self.vocabulary] for tokens in encoded["input_ids"]]

    def pad(self, rows: Sequence[Tokens], side: str = "left") -> tuple["torch.Tensor", "torch.Tensor"]:
        """Return tokens as one tensor `(n, longest)`, padded on the "left" or "right", and a mask of this shape."""
        import torch

        width = max(map(len, rows))
        ids = torch.full((len(rows), width), self.tokenizer.pad_token_id)
        mask = torch.zeros((len(rows), width), dtype=torch.long)
        for i, row in enumerate(rows):
            place = slice(width - len(row), None) if side == "left" else slice(len(row))
            ids[i, place] = torch.tensor(row, dtype=torch.long)
            mask[i, place] = 1
        return ids.to(self.device), mask.to(self.device)

    def respond(self, prompts: Sequence[Tokens], seed: int, **sampling: Any) -> list[Tokens]:
        """Sample a response to each prompt, up to and including the token that ends it.

        Args:
            prompts: The prompts' tokens.
            seed: Seed of the sampling.
            sampling: Options of `transformers.GenerationMixin.generate`.
        """
        import torch

        ids, mask = self.pad(prompts)
        devices = [self.device] if torch.device(self.device).type == "cuda" else []
        training = self.model.training
        self.model.eval()
        with torch.random.fork_rng(devices=devices), torch.inference_mode():
            torch.manual_seed(seed)
            sequences = self.model.generate(input_ids=ids, attention_mask=mask, do_sample=True, **sampling)
        self.model.train(training)
        return [self.ended(row) for row in sequences[:, ids.shape[1] :].tolist()]

    def ended(self, response: Tokens) -> Tokens:
        """Return a response up to and including the token that ends it: an end token, or the line end of its text."""
        response = until(response, set(self.end_tokens))
        for i, token in enumerate(response):
            if token in self._line_ends and self.answer.ends(self._decode(response[: i + 1])):
                return response[: i + 1]
        return response

    def respond_all(self, prompts: Sequence[str], batch: int, seeds: Iterator[int], **sampling: Any) -> list[Tokens]:
        """Sample a response to each prompt, in blocks.

        Args:
            prompts: The prompts.
            batch: Prompts per block.
            seeds: A seed of the sampling for each block.
            sampling: See `respond`.
        """
        seeded = zip(blocks(self.encode(prompts), batch), seeds, strict=False)
        return [response for block, seed in seeded for response in self.respond(block, seed, **sampling)]

    def text(self, response: Tokens) -> str:
        """Return the text of a response: the part that `Form.answer` names, before the first end token."""
        return self.answer.text(self._decode(takewhile(lambda token: token not in self.end_tokens, response)))

    def _decode(self, tokens: Iterable[int]) -> str:
        decoded: str = self.tokenizer.decode([token for token in tokens if token not in self._hidden])
        return decoded

    def log_probabilities(
        self, prompts: Sequence[Tokens], responses: Sequence[Tokens], temperature: float, batch: int
    ) -> tuple[list[np.ndarray[Any, Any]], list[np.ndarray[Any, Any]]]:
        """Compute the log-probability of each token of each response, and the model's entropy before it, in nats.

        Args:
            prompts: The prompts' tokens.
            responses: The responses' tokens.
            temperature: The temperature that divides the logits.
            batch: Responses per call of the model.

        Returns:
            For each response an array with one log-probability per token, and one with as many entropies.
        """
        import torch

        log_probabilities, entropies = [], []
        training = self.model.training
        self.model.eval()
        with torch.inference_mode():
            for block in blocks(list(zip(prompts, responses, strict=True)), batch):
                asked, answered = (list(side) for side in zip(*block, strict=True))
                sides = self.pad(asked), self.pad(answered, "right")
                ids, mask = (torch.cat(each, 1) for each in zip(*sides, strict=True))
                positions = (mask.cumsum(1) - 1).clamp(min=0)
                longest = max(map(len, answered))
                logits = self.model(
                    input_ids=ids, attention_mask=mask, position_ids=positions, logits_to_keep=longest + 1
                ).logits
                log_p = (logits[:, :-1].float() / temperature).log_softmax(-1)
                chosen = log_p.gather(-1, ids[:, -longest:, None])[..., 0].cpu().numpy()
                entropy = -(log_p.exp() * log_p).nan_to_num().sum(-1).cpu().numpy()
                for i, answer in enumerate(answered):
                    log_probabilities.append(chosen[i, : len(answer)])
                    entropies.append(entropy[i, : len(answer)])
        self.model.train(training)
        return log_probabilities, entropies

    def check_prompt(self, shown: str, tokens: Tokens) -> None:
        """Raise a `ModelError` if the tokens of a prompt are not those of its text, see `agents.llm.checks`."""
        check_prompt(self.tokenizer, self.name, shown, tokens, self.end_tokens)

    def check_context(self, learner: Learner, max_new_tokens: int) -> None:
        """Check that the model reads an experiment's longest prompt, and has room for it and a response.

        Raises:
            ModelError: If the tokens of the prompt are not those of its text (`agents.llm.checks`), or do not fit.
        """
        lengths = [len(tokens) for tokens in self.tokenizer(list(learner.pool))["input_ids"]]
        longest = np.argsort(lengths)[::-1][: learner.config.n_examples]
        shown = prompt(learner.task, [learner.pool[i] for i in longest])
        (tokens,) = self.encode([shown])
        self.check_prompt(shown, tokens)
        context = getattr(self.model.config, "max_position_embeddings", None)
        if context is not None and len(tokens) + max_new_tokens > context:
            raise ModelError(
                f"The generator {self.name} reads {context} tokens; the longest prompt has {len(tokens)}, and a "
                f"response up to {max_new_tokens} more. Give a generator with a longer context, fewer n_examples, "
                "or fewer max_new_tokens."
            )


def _other_ends(name: str, end: int) -> Tokens:
    """Return the end tokens that a checkpoint's generation_config.json names beside the tokenizer's, if it has one.

    An adapter has none; its base's counts.
    """
    from transformers import GenerationConfig

    path = checkpoint_of(name, "generator")
    path = base_of(path) or path
    if Path(path).is_dir() and not (Path(path) / "generation_config.json").is_file():
        return []
    try:
        named = GenerationConfig.from_pretrained(path).eos_token_id
    except (OSError, ValueError) as error:
        if not Path(path).is_dir():  # a model of the hub without such a file
            return []
        raise ModelError(f"The generation_config.json of {name} cannot be read: {error}") from error
    ends = [named] if isinstance(named, int) else named or []
    return [token for token in ends if token != end]


def _contiguous(head: "torch.nn.Module", inputs: tuple["torch.Tensor", ...]) -> tuple["torch.Tensor", ...]:
    """Copy hidden states `(n, tokens, width)` that are a slice of longer ones, before the logits are computed.

    Torch would copy the weights for each text instead where they are frozen, as under an adapter.
    """
    return tuple(hidden.contiguous() for hidden in inputs)


@lru_cache(maxsize=1)
def frozen_language_model(name: str, device: str, precision: str, form: Form = PLAIN) -> LanguageModel:
    """Return a model that nobody changes, loaded once per process."""
    return LanguageModel(name, device, precision, form)


def seeds(rng: np.random.Generator) -> Iterator[int]:
    """Yield random seeds, each drawn when it is asked for.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> [seed for _, seed in zip("ab", seeds(rng))]
        [1826701615, 1367864807]
    """
    while True:
        yield int(rng.integers(2**31))
