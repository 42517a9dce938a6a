"""`python -m experiments bench writing`: what a frozen language model writes, for each way to put prompts to it."""

import dataclasses
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.table import Table

from agents.llm.checks import STYLES
from agents.llm.language_model import frozen_language_model, seeds
from agents.llm.options import Form
from agents.llm.report import distinct
from experiments.config import RunError
from experiments.progress import console, progress_bar
from signal_env.classifiers.linear import shared_encoder
from signal_env.config import SignalConfig
from signal_env.data import load
from signal_env.learner import Learner
from signal_env.learner.experiment import draw_pool
from signal_env.tasks import get_task

MAX_LENGTH = 128
"""Tokens of a text that the encoder reads."""


@dataclasses.dataclass(frozen=True)
class WritingConfig:
    """Lets a frozen generator write for the tasks' prompts in each style, and measures its texts without an annotator.

    Figures of each task and style:

    - `valid`: fraction of texts that the environment takes, duplicates among those that it does not.
    - `distinct`, `distinct-2`: fraction of different texts, and of different pairs of words (Li et al. 2016).
    - `copied`: fraction of texts that repeat one of their prompt's in-context examples.
    - `on topic`: mean cosine of the texts' embeddings with those of the pool, in units in which other real texts of the
      task have 1, and real texts of the other tasks have 0 on average.
    - `words`: mean number of words of a text.
    """

    generator: str = "smollm2"
    """The model, as for the agent `generator`."""
    tasks: tuple[str, ...] = ("sst2", "agnews", "trec")
    """Two registered tasks or more, or paths of tasks' .yaml files."""
    styles: tuple[str, ...] = ("chat", "continuation")
    """The values of `prompt_style`."""
    texts: int = 128
    """Texts of each task and style."""
    n_examples: int = 2
    """In-context examples of a prompt."""
    pool_size: int = 134
    """Real texts of which the examples are drawn."""
    max_new_tokens: int = 48
    """Tokens per text, at most."""
    batch: int = 16
    """Prompts per call of the model."""
    encoder: str = "minilm"
    """The encoder of the embeddings."""
    device: str = "cpu"
    """Torch device of the generator."""
    precision: str = "float32"
    """Arithmetic of the generator."""
    seed: int = 100
    """Seed of the pools, the prompts and the sampling."""
    samples: int = 0
    """Texts of each task and style to print."""


def main(config: WritingConfig) -> list[dict[str, Any]]:
    """Write, print the table, and return its rows."""
    if len(config.tasks) < 2:
        raise RunError(f"Texts are measured against those of other tasks: give two tasks or more; got {config.tasks}.")
    if unknown := sorted(set(config.styles) - set(STYLES[:-1])):
        raise RunError(f"Expected styles among 'chat' and 'continuation'; got {', '.join(unknown)}.")
    real = {name: _Real(name, config) for name in config.tasks}
    rows: list[dict[str, Any]] = []
    shown: list[str] = []
    with progress_bar() as progress:
        bar = progress.add_task("bench writing", status="", total=len(config.tasks) * len(config.styles))
        for style, name in product(config.styles, config.tasks):
            progress.update(bar, status=f"{name}, {style}")
            prompts, texts = write(real[name].learner, style, config)
            others = [each for other, each in real.items() if other != name]
            rows.append({"task": name, "style": style, **real[name].measure(prompts, texts, others)})
            shown += [f"{name}, {style}: {text!r}" for text in texts[: config.samples]]
            progress.advance(bar)
    rows.sort(key=lambda row: config.tasks.index(row["task"]))
    table = Table(*rows[0], box=SIMPLE, title=f"{config.generator}, {config.texts} texts each")
    for row in rows:
        table.add_row(*(value if isinstance(value, str) else f"{value:.2f}" for value in row.values()))
    console.print(table)
    for line in shown:
        console.print(line, markup=False, highlight=False)
    return rows


def write(learner: Learner, style: str, config: WritingConfig) -> tuple[list[str], list[str]]:
    """Return an experiment's next prompts, and the generator's text for each."""
    fields = learner.task.field_names if len(learner.task.field_names) > 1 else ()
    form = Form(style, fields=fields)
    model = frozen_language_model(config.generator, config.device, config.precision, form)
    model.check_context(learner, config.max_new_tokens)
    prompts = learner.prompts(config.texts)
    rng = np.random.default_rng(config.seed)
    sampling = {"temperature": 1.0, "top_k": 0, "max_new_tokens": config.max_new_tokens}
    responses = model.respond_all(prompts, config.batch, seeds(rng), **sampling)
    return prompts, [model.text(response) for response in responses]


class _Real:
    """A task's experiment, and real texts in it and outside.

    Attributes:
        learner: The experiment.
        outside: Unit embeddings of real texts outside the pool.
    """

    def __init__(self, name: str, config: WritingConfig) -> None:
        task = get_task(name)
        options: dict[str, Any] = {"classifier": "linear", "encoder": config.encoder, "evaluation_size": 2}
        options |= {"annotator": "gold", "pool_size": config.pool_size, "n_examples": config.n_examples}
        self.learner = Learner(SignalConfig(task=name, **options))
        self.learner.reset(seed=config.seed)
        train, pool = load(task).train.texts, set(self.learner.pool)
        drawn = draw_pool(len(train), config.pool_size + config.texts, config.seed + 1)
        held = [train[i] for i in drawn if train[i] not in pool][: config.texts]
        self._encode = shared_encoder(task, config.encoder, "cpu", MAX_LENGTH)
        self._pool = self._embed(self.learner.pool)
        self.outside = self._embed(held)

    def _embed(self, texts: Sequence[str]) -> NDArray[np.float64]:
        rows = self._encode(list(texts)).astype(np.float64)
        unit: NDArray[np.float64] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit

    def measure(self, prompts: Sequence[str], texts: Sequence[str], others: Sequence["_Real"]) -> dict[str, float]:
        """Return the figures of texts; see `WritingConfig`."""
        words = [text.split() for text in texts]
        visible = [text for text in texts if text.strip()]
        own, foreign = (on_topic(self._pool, each) for each in (self.outside, np.vstack([o.outside for o in others])))
        written = on_topic(self._pool, self._embed(visible)) if visible else foreign
        pairs = zip(prompts, texts, strict=True)
        return {
            "valid": float(np.mean([not reason for reason in self.learner.check_texts(texts).invalid])),
            "distinct": len(set(texts)) / len(texts),
            "distinct-2": distinct(words, 2),
            "copied": float(np.mean([bool(text) and f": {text}\n" in prompt for prompt, text in pairs])),
            "on topic": (written - foreign) / (own - foreign),
            "words": float(np.mean([len(each) for each in words])),
        }


def on_topic(pool: NDArray[np.float64], texts: NDArray[np.float64]) -> float:
    """Compute the mean cosine of all pairs of a pool's text and another text.

    Args:
        pool: `(n, d)` unit embeddings.
        texts: `(m, d)` unit embeddings.

    Example:
        >>> on_topic(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 0.0]]))
        0.5
    """
    return float(pool.mean(axis=0) @ texts.mean(axis=0))
