"""The generator G: a causal language model with its tokenizer, and the form of its responses."""

import dataclasses
import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from signal_env.classifiers.pretrained import ModelError, blocks, load_pretrained, model_path, require_device
from signal_env.learner.learner import Learner
from signal_env.learner.prompts import prompt
from signal_env.utils.storage import cache_dir

if TYPE_CHECKING:
    import torch

PAPER = "Qwen/Qwen2.5-7B-Instruct"
"""The paper's generator."""

Tokens = list[int]
"""Token ids of a text."""


@dataclasses.dataclass
class GeneratorOptions:
    """The options of agents that write: the language model and its sampling."""

    stateless: ClassVar[bool] = True  # for agents that take them as a base

    generator: str | None = None
    """The model: "embedded" (trained on the reviews corpus), "small" (made by `experiments pretrain --task` for the
    task), a folder, or a hub name. Default: "embedded" for the reviews task, else Qwen/Qwen2.5-7B-Instruct."""
    temperature: float = 1.0
    """Sampling temperature."""
    max_new_tokens: int = 64
    """Tokens per text, at most."""
    generation_batch: int = 64
    """Prompts per call of the frozen model. A policy in training answers a whole step at once."""
    generator_device: str = "cpu"
    """Torch device of the model."""
    generator_precision: Literal["float32", "bfloat16"] = "float32"
    """Arithmetic of the model."""

    def model_name(self, learner: Learner, seed: int) -> str:
        """Return the folder or hub name of the model for an experiment.

        Raises:
            ModelError: If the option is "small", and no small generator suits the experiment.
        """
        name = self.generator or ("embedded" if learner.task.name == "reviews" else PAPER)
        return str(small_generator(learner, seed)) if name == "small" else name


class LanguageModel:
    """A causal language model with its tokenizer.

    Args:
        name: "embedded", a folder, or a hub name.
        device: A torch device.
        precision: "float32" or "bfloat16".

    Raises:
        ModelError: If there is no such model, or its tokenizer has no end token.

    Attributes:
        end_tokens: The tokenizer's end token, and others that the checkpoint's generation_config.json names, such as
            the end of a turn.
        own_padding: Whether the tokenizer has a padding token that differs from its end token.
    """

    def __init__(self, name: str, device: str, precision: str) -> None:
        import torch
        from transformers import AutoModelForCausalLM, GenerationConfig

        require_device(device)
        model, self.tokenizer = load_pretrained(
            AutoModelForCausalLM, name, "generator", dtype=getattr(torch, precision)
        )
        if self.tokenizer.eos_token_id is None:
            raise ModelError(f"The tokenizer of {name} has no end token, which ends a text: set tokenizer.eos_token.")
        self.own_padding = self.tokenizer.pad_token_id not in (None, self.tokenizer.eos_token_id)
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self.tokenizer.padding_side = "left"
        self.end_tokens = [self.tokenizer.eos_token_id, *_other_ends(name, self.tokenizer.eos_token_id)]
        self.name = name
        self.device = device
        self.model = model.to(device).eval()
        # The agent decides how to sample. A checkpoint's own settings, such as a repetition penalty, would change it.
        self.model.generation_config = GenerationConfig(
            bos_token_id=self.tokenizer.bos_token_id,
            eos_token_id=self.stop_tokens,
            pad_token_id=self.tokenizer.pad_token_id,
        )

    @property
    def stop_tokens(self) -> Tokens:
        """The tokens that end a text: the end tokens, and all tokens that contain a line end."""
        return [*self.end_tokens, *line_ends(self.tokenizer)]

    def messages(self, shown: str) -> Any:
        """Return a prompt in the model's form: a user's message if it has a chat template, else the text as it is."""
        return [{"role": "user", "content": shown}] if self.tokenizer.chat_template else shown

    def encode(self, prompts: Sequence[str]) -> list[Tokens]:
        """Return the tokens of each prompt, in the model's chat template if it has one."""
        if self.tokenizer.chat_template:
            encoded = self.tokenizer.apply_chat_template(
                [self.messages(shown) for shown in prompts], add_generation_prompt=True, return_dict=True
            )
        else:
            encoded = self.tokenizer(list(prompts))
        tokens: list[Tokens] = encoded["input_ids"]
        return tokens

    def pad(self, rows: Sequence[Tokens]) -> tuple["torch.Tensor", ...]:
        """Return tokens as one tensor `(n, longest)`, padded on the left, and its mask of the same shape."""
        import torch

        width = max(map(len, rows))
        ids = torch.full((len(rows), width), self.tokenizer.pad_token_id)
        mask = torch.zeros((len(rows), width), dtype=torch.long)
        for i, row in enumerate(rows):
            ids[i, width - len(row) :] = torch.tensor(row, dtype=torch.long)
            mask[i, width - len(row) :] = 1
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
        stops = set(self.stop_tokens)
        return [until(row, stops) for row in sequences[:, ids.shape[1] :].tolist()]

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
        """Return the text of a response, up to the first end token or line end."""
        before = list(takewhile(lambda token: token not in self.end_tokens, response))
        return first_line(self.tokenizer.decode(before, skip_special_tokens=True))

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
                ids, mask = self.pad([question + answer for question, answer in block])
                positions = (mask.cumsum(1) - 1).clamp(min=0)
                longest = max(len(answer) for _, answer in block)
                logits = self.model(
                    input_ids=ids, attention_mask=mask, position_ids=positions, logits_to_keep=longest + 1
                ).logits
                log_p = (logits[:, :-1].float() / temperature).log_softmax(-1)
                chosen = log_p.gather(-1, ids[:, -longest:, None])[..., 0].cpu().numpy()
                entropy = -(log_p.exp() * log_p).nan_to_num().sum(-1).cpu().numpy()
                for i, (_, answer) in enumerate(block):
                    log_probabilities.append(chosen[i, longest - len(answer) :])
                    entropies.append(entropy[i, longest - len(answer) :])
        self.model.train(training)
        return log_probabilities, entropies

    def check_context(self, learner: Learner, max_new_tokens: int) -> None:
        """Check that the longest prompt of an experiment, and a response to it, fit into the model's context.

        Raises:
            ModelError: If they do not.
        """
        context = getattr(self.model.config, "max_position_embeddings", None)
        if context is None:
            return
        lengths = [len(tokens) for tokens in self.tokenizer(list(learner.pool))["input_ids"]]
        longest = np.argsort(lengths)[::-1][: learner.config.n_examples]
        (tokens,) = self.encode([prompt(learner.task, [learner.pool[i] for i in longest])])
        if len(tokens) + max_new_tokens > context:
            raise ModelError(
                f"The generator {self.name} reads {context} tokens; the longest prompt has {len(tokens)}, and a "
                f"response up to {max_new_tokens} more. Give a generator with a longer context, fewer n_examples, "
                "or fewer max_new_tokens."
            )


def _other_ends(name: str, end: int) -> Tokens:
    """Return the end tokens that a checkpoint's generation_config.json names beside the tokenizer's, if it has one."""
    from transformers import GenerationConfig

    try:
        named = GenerationConfig.from_pretrained(model_path(name, "generator")).eos_token_id
    except OSError:  # there is no such file
        return []
    ends = [named] if isinstance(named, int) else named or []
    return [token for token in ends if token != end]


@lru_cache(maxsize=1)
def frozen_language_model(name: str, device: str, precision: str) -> LanguageModel:
    """Return a model that nobody changes, loaded once per process."""
    return LanguageModel(name, device, precision)


@lru_cache(maxsize=4)
def line_ends(tokenizer: Any) -> Tokens:
    """Return the tokens that contain a line end."""
    texts = tokenizer.batch_decode([[token] for token in range(len(tokenizer))])
    return [token for token, text in enumerate(texts) if "\n" in text or "\r" in text]


def seeds(rng: np.random.Generator) -> Iterator[int]:
    """Yield random seeds, each drawn when it is asked for.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> [seed for _, seed in zip("ab", seeds(rng))]
        [1826701615, 1367864807]
    """
    while True:
        yield int(rng.integers(2**31))


def until(tokens: Tokens, stops: set[int]) -> Tokens:
    """Return the tokens up to and including the first one in `stops`.

    Example:
        >>> until([5, 6, 1, 0, 0], {1})
        [5, 6, 1]
    """
    end = next((i for i, token in enumerate(tokens) if token in stops), len(tokens))
    return tokens[: end + 1]


def first_line(answer: str) -> str:
    """Return an answer up to its first line end, without white space around it.

    Example:
        >>> first_line(" a warm and funny film \\nExample 5: ...")
        'a warm and funny film'
    """
    return re.split("[\r\n]", answer, maxsplit=1)[0].strip()


def small_generator(learner: Learner, seed: int) -> Path:
    """Return the folder of the generator that `experiments pretrain --task` has made for the task.

    Raises:
        ModelError: If there is none, or it may have read texts of this experiment's pool.
    """
    task = learner.task
    folder = cache_dir("generators", task.name)
    if not folder.is_dir():
        raise ModelError(
            f"No small generator at {folder}. Make it: `python -m experiments pretrain --task {task.name}`"
        )
    made = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    if seed >= made["excluded_seeds"] or learner.sizes.pool > made["excluded_pool_size"]:
        raise ModelError(
            f"The generator at {folder} may have read this pool of {learner.sizes.pool} texts (seed {seed}). Only the "
            f"pools of up to {made['excluded_pool_size']} texts of seeds under {made['excluded_seeds']} were kept out "
            f"of its training: make it anew with other --exclude-seeds or --exclude-fraction."
        )
    return folder
