"""The options of agents that write, and where their language model is."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from signal_env.classifiers.checkpoints import ModelError, require_checkpoint
from signal_env.config import ConfigError, SignalConfig
from signal_env.learner.experiment import experiment_sizes, task_of
from signal_env.learner.learner import Learner
from signal_env.tasks import Task
from signal_env.utils.answers import Part
from signal_env.utils.reading import read_json
from signal_env.utils.storage import cache_dir
from signal_env.utils.typed import typed

PAPER = "Qwen/Qwen2.5-7B-Instruct"
"""The paper's generator."""

BUILT_IN = {"smollm2": ("<|endoftext|>", "continuation")}
"""Models whose tokenizer pads with the end token: a token that it has to spare instead, and the prompts' style."""

TemplateOptions = Mapping[str, int | float | bool | str]
"""Values of a chat template's own options, by name."""


@dataclasses.dataclass(frozen=True)
class Form:
    """How a prompt is put to a model, and which part of its answer is the text.

    Attributes:
        prompt_style: See `GeneratorOptions`.
        template_options: Names and values of the chat template's options, as pairs.
        answer: The part of an answer that is the text.
        fields: The names of the task's fields, if it has several.

    Raises:
        ConfigError: If `answer` has an unknown value.
    """

    prompt_style: str | None = None
    template_options: tuple[tuple[str, Any], ...] = ()
    answer: Part = "line"
    fields: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.answer not in get_args(Part):
            raise ConfigError(f"answer must be {', '.join(map(repr, get_args(Part)))}; got {self.answer!r}.")


PLAIN = Form()
"""The model's own style of prompts, and texts of one line."""


@dataclasses.dataclass
class GeneratorOptions:
    """The options of agents that write: the language model and its sampling."""

    stateless: ClassVar[bool] = True  # for agents that take them as a base
    offers_written: ClassVar[bool] = True  # the annotator labels written texts

    generator: str | None = None
    """The model: "embedded" (trained on the reviews corpus), "small" (made by `experiments pretrain --task` for the
    task), "smollm2" (SmolLM2-135M-Instruct), a folder, a GGUF file, or a hub name. Default: "embedded" for the reviews
    task, else Qwen/Qwen2.5-7B-Instruct."""
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
    prompt_style: Literal["chat", "continuation"] | None = None
    """"chat": a prompt is a user's message in the tokenizer's chat template; "continuation": a text that goes on.
    Default: "chat" where the tokenizer has a template, but "continuation" for "smollm2"."""
    template_options: TemplateOptions = dataclasses.field(default_factory=dict)
    """Options of the chat template, by name: `enable_thinking False`."""
    answer: Part = "line"
    """The part of an answer that is the text: its first "line" that is not empty, its "last_line", or the "whole", in
    one line. A thinking block (`<think>...</think>`) is no part of it, and max_new_tokens count its tokens too."""

    def form(self, learner: Learner) -> Form:
        """Return the form of prompts and answers for an experiment.

        Raises:
            ConfigError: If `answer` has an unknown value.
        """
        return Form(self.prompt_style, tuple(self.template_options.items()), self.answer, several(learner.task))

    def check_available(self, options: SignalConfig, seed: int) -> None:
        """Look for the model, without loading it.

        Raises:
            ModelError: If there is no such model, or it does not suit the experiment.
        """
        require_checkpoint(self.model_for(task_of(options), experiment_sizes(options).pool, seed), "generator")

    def model_name(self, learner: Learner, seed: int) -> str:
        """Return the folder or hub name of the model for an experiment, see `model_for`."""
        return self.model_for(learner.task, learner.sizes.pool, seed)

    def model_for(self, task: Task, pool_size: int, seed: int) -> str:
        """Return the folder or hub name of the model for a task, the size of R, and a seed.

        Raises:
            ModelError: If the option is "small", and no small generator suits the experiment.
        """
        name = self.generator or ("embedded" if task.name == "reviews" else PAPER)
        return str(small_generator(task, pool_size, seed)) if name == "small" else name


def several(task: Task) -> tuple[str, ...]:
    """Return the names of a task's fields, if it has several; see `Form`."""
    return task.field_names if len(task.field_names) > 1 else ()


def small_generator(task: Task, pool_size: int, seed: int) -> Path:
    """Return the folder of the generator that `experiments pretrain --task` has made for the task.

    Raises:
        ModelError: If there is none, its training.json cannot be read, or it may have read texts of this experiment's
            pool.
    """
    folder = cache_dir("generators", task.name)
    if not folder.is_dir():
        raise ModelError(
            f"No small generator at {folder}. Make it: `python -m experiments pretrain --task {task.name}`"
        )
    what = str(folder / "training.json")
    made = typed(read_json(Path(what), what, ModelError), dict[str, Any], what, ModelError)
    seeds, largest = (
        typed(made.get(name), int, f"{name} in {what}", ModelError) for name in ("excluded_seeds", "excluded_pool_size")
    )
    if seed >= seeds or pool_size > largest:
        raise ModelError(
            f"The generator at {folder} may have read this pool of {pool_size} texts (seed {seed}). Only the "
            f"pools of up to {largest} texts of seeds under {seeds} were kept out of its training: make it anew with "
            "other --exclude-seeds or --exclude-fraction."
        )
    return folder
