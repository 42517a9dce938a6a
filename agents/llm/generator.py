"""A frozen language model that answers the environment's prompts."""

import dataclasses
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from agents.agent import Agent, Envs, agents, base
from signal_env.classifiers.pretrained import ModelError, blocks, load_pretrained, require_device
from signal_env.learner import Learner
from signal_env.storage import cache_dir

PAPER = "Qwen/Qwen2.5-7B-Instruct"
"""The paper's generator."""


@agents.register("generator")
@dataclasses.dataclass
class GeneratorAgent(Agent):
    """Samples one text per prompt from a frozen language model: the paper's G without its reinforcement learning."""

    generator: str | None = None
    """The model: "embedded" (the reviews corpus's), "small" (the one that `experiments pretrain --task` has made for
    the task), a folder, or a hub name. Default: "embedded" for the reviews task, else Qwen/Qwen2.5-7B-Instruct."""
    temperature: float = 1.0
    """Sampling temperature."""
    top_p: float = 1.0
    """Nucleus sampling: the smallest set of tokens with this probability."""
    top_k: int = 0
    """Samples among the k likeliest tokens; 0: among all."""
    max_new_tokens: int = 64
    """Tokens per text, at most."""
    generation_batch: int = 64
    """Prompts per call of the model."""
    generator_device: str = "cpu"
    """Torch device of the model."""
    generator_precision: Literal["float32", "bfloat16"] = "float32"
    """Arithmetic of the model."""

    def reset(self, envs: Envs, seed: int) -> None:
        """Loads the model (once per process) and seeds the sampling."""
        self._rng = np.random.default_rng(seed)
        learner = base(envs).learner
        name = self.generator or ("embedded" if learner.task.name == "reviews" else PAPER)
        if name == "small":
            name = str(small_generator(learner, seed))
        self._model, self._tokenizer = load_generator(name, self.generator_device, self.generator_precision)

    def act(self, observations: dict[str, Any]) -> Sequence[str]:
        """The first line of the model's answer to each prompt."""
        prompts = [as_model_input(self._tokenizer, prompt) for prompt in observations["prompt"]]
        return [text for block in blocks(prompts, self.generation_batch) for text in self._generate(block)]

    def _generate(self, prompts: Sequence[str]) -> list[str]:
        import torch

        has_template = bool(getattr(self._tokenizer, "chat_template", None))  # which writes the special tokens itself
        batch = self._tokenizer(
            list(prompts), return_tensors="pt", padding=True, padding_side="left", add_special_tokens=not has_template
        )
        batch = batch.to(self.generator_device)
        devices = [self.generator_device] if self._model.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices), torch.inference_mode():
            torch.manual_seed(int(self._rng.integers(2**31)))
            tokens = self._model.generate(
                **batch,
                do_sample=True,
                temperature=self.temperature,
                top_p=self.top_p,
                top_k=self.top_k,
                max_new_tokens=self.max_new_tokens,
                pad_token_id=self._tokenizer.pad_token_id,
            )
        answers = self._tokenizer.batch_decode(tokens[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
        return [first_line(answer) for answer in answers]

    def state_dict(self) -> dict[str, Any]:
        """The state of the random numbers."""
        return {"rng": self._rng.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what `state_dict` returned."""
        self._rng.bit_generator.state = state["rng"]


def small_generator(learner: Learner, seed: int) -> Path:
    """The folder of the generator that `experiments pretrain --task` has made for the task.

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
            f"The generator at {folder} may have read this pool of {learner.sizes.pool} texts (seed {seed}). It was "
            f"kept from the pools of up to {made['excluded_pool_size']} texts of the seeds under "
            f"{made['excluded_seeds']}: make it anew with other --exclude-seeds or --exclude-fraction."
        )
    return folder


@lru_cache(maxsize=1)
def load_generator(name: str, device: str, precision: str) -> tuple[Any, Any]:
    """Loads a causal language model and its tokenizer, once per process.

    Raises:
        ModelError: If there is no such model, or its tokenizer has neither a padding nor an end token.
    """
    import torch
    from transformers import AutoModelForCausalLM

    require_device(device)
    model, tokenizer = load_pretrained(AutoModelForCausalLM, name, "generator", dtype=getattr(torch, precision))
    if tokenizer.pad_token_id is None:
        if tokenizer.eos_token_id is None:
            raise ModelError(f"The tokenizer of {name} has neither a padding nor an end token; give it one.")
        tokenizer.pad_token = tokenizer.eos_token
    return model.to(device).eval(), tokenizer


def as_model_input(tokenizer: Any, prompt: str) -> str:
    """The prompt as the model expects it: in its chat template if it has one, else as it is."""
    if not getattr(tokenizer, "chat_template", None):
        return prompt
    messages = [{"role": "user", "content": prompt}]
    return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))


def first_line(answer: str) -> str:
    """The first line of an answer that holds more than white space, or "".

    Example:
        >>> first_line("\\n  a warm and funny film \\nExample 5: ...")
        'a warm and funny film'
    """
    return next((line.strip() for line in answer.splitlines() if line.strip()), "")
