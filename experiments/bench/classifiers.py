"""`python -m experiments bench classifiers`: accuracy and training time of classifiers on random labeled sets."""

import dataclasses
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE
from rich.table import Table

from experiments.config import RunError
from experiments.progress import console, progress_bar
from signal_env.classifiers import classifiers, make_classifier
from signal_env.classifiers.checked import CheckedClassifier
from signal_env.classifiers.linear import shared_encoder
from signal_env.data import load
from signal_env.data.corpus import Corpus
from signal_env.learner.experiment import draw_pool, evaluation_texts
from signal_env.learner.metrics import Metrics
from signal_env.tasks import Task, get_task

Row = Mapping[str, Any]
"""The values of `KEY` for a training, with its metrics and seconds."""

MAX_LENGTH = 128
"""The classifiers' default number of tokens to which a text is truncated."""

RECIPES: dict[str, dict[str, Any]] = {
    "linear": {"classifier": "linear"},
    "linear-unweighted": {"classifier": "linear", "class_weight": None},
    "finetune": {"classifier": "finetune"},
    "finetune-plain": {
        "classifier": "finetune",
        "pooling": "head",
        "initial_head": "random",
        "class_weight": None,
        "epochs": 20,
        "min_steps": 0,
        "learning_rate": 5e-5,
    },
}
"""Classifiers with their options. The last one is the usual recipe: the checkpoint's own head, drawn at random."""


@dataclasses.dataclass(frozen=True)
class ClassifiersBenchConfig:
    """Trains classifiers on the same random labeled sets, and measures them on a fixed part of the evaluation split.

    It continues where it was interrupted, if `out` is the same.
    """

    tasks: tuple[str, ...] = ("sst2", "agnews", "trec")
    """Registered tasks, or paths of tasks' .yaml files."""
    labels: tuple[int, ...] = (7, 14, 28, 67, 134, 673)
    """Sizes of the labeled sets, drawn from the training split. A small set is the beginning of a larger one."""
    sets: int = 20
    """Labeled sets of each size."""
    recipes: tuple[str, ...] = tuple(RECIPES)
    """Classifiers: names of `RECIPES`, or registered ones with their default options."""
    encoder: str = "minilm"
    """The pretrained encoder."""
    evaluation_size: int = 1000
    """The largest number of texts of the evaluation split."""
    out: Path = Path("runs/classifiers.jsonl")
    """The file to which the figures are appended."""


def main(config: ClassifiersBenchConfig) -> list[Row]:
    """Print tables of accuracy and of seconds per training; return a row for each training."""
    known_names = list(dict.fromkeys((*RECIPES, *classifiers)))
    if unknown := sorted(set(config.recipes) - set(known_names)):
        raise RunError(f"Expected recipes among {', '.join(known_names)}; got {', '.join(unknown)}.")
    for name, value in (("sets", config.sets), ("evaluation_size", config.evaluation_size)):
        if value < 1:
            raise RunError(f"Expected {name} to be at least 1; got {value}.")
    for name in config.tasks:
        n_texts = len(load(get_task(name), None).train.texts)
        if outside := [n for n in config.labels if not 1 <= n <= n_texts]:
            raise RunError(f"Expected labels from 1 to the {n_texts:,} training texts of {name}; got {outside[0]:,}.")
    known = _read(config.out)
    left = [key for key in _keys(config) if key not in known]
    config.out.parent.mkdir(parents=True, exist_ok=True)
    with progress_bar() as progress, open(config.out, "a", encoding="utf-8") as file:
        bar = progress.add_task("bench classifiers", status="", total=len(left))
        prepared: dict[tuple[str, str], _Prepared] = {}
        for key in left:
            name, recipe, n, seed, *_ = key
            progress.update(bar, status=f"{name}, {recipe}, {n} labels")
            if (name, recipe) not in prepared:
                prepared[name, recipe] = _Prepared(name, recipe, config)
            known[key] = dict(zip(KEY, key, strict=True)) | prepared[name, recipe].train(n, seed)
            file.write(json.dumps(known[key]) + "\n")
            file.flush()
            progress.advance(bar)
    rows = [known[key] for key in _keys(config)]
    console.print(
        *(as_table([row for row in rows if row["task"] == name], name) for name in dict.fromkeys(config.tasks))
    )
    return rows


KEY = ("task", "recipe", "labels", "set", "encoder", "evaluation_size")
"""The values that identify a training."""


def _keys(config: ClassifiersBenchConfig) -> Iterator[tuple[Any, ...]]:
    """Yield the values of `KEY` for each training, those of one set after each other."""
    names, sizes, recipes = (dict.fromkeys(each) for each in (config.tasks, config.labels, config.recipes))
    for seed, name, n, recipe in product(range(config.sets), names, sizes, recipes):
        yield name, recipe, n, seed, config.encoder, config.evaluation_size


def _read(file: Path) -> dict[tuple[Any, ...], Row]:
    """Return the rows of an earlier benchmark, by the values of `KEY`. A last line that is cut off does not count."""
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True) if file.is_file() else []
    rows = [json.loads(line) for line in lines if line.endswith("\n")]
    if lines and not lines[-1].endswith("\n"):
        file.write_text("".join(lines[:-1]), encoding="utf-8")
    return {tuple(row[name] for name in KEY): row for row in rows}


class _Prepared:
    """A task's texts and a classifier to train on them."""

    def __init__(self, name: str, recipe: str, config: ClassifiersBenchConfig) -> None:
        options = dict(RECIPES.get(recipe, {"classifier": recipe}))
        self.task: Task = get_task(name)
        self.corpus: Corpus = load(self.task, None)
        size = min(config.evaluation_size, len(self.corpus.evaluation.texts))
        self.texts, self.gold = evaluation_texts(self.corpus.evaluation, size)
        self.encoder = shared_encoder(self.task, config.encoder, "cpu", MAX_LENGTH)
        classifier = make_classifier(options.pop("classifier"), self.task, config.encoder, **options)
        self.classifier = CheckedClassifier(classifier, self.task.n_classes)

    def train(self, n: int, seed: int) -> dict[str, float]:
        """Train on `n` labels; return the metrics and the seconds of the training, frozen embeddings cached."""
        all_texts, labels = self.corpus.train
        chosen = draw_pool(len(all_texts), n, seed)
        texts = tuple(all_texts[i] for i in chosen)
        self.encoder(texts)
        begun = time.perf_counter()
        self.classifier.fit(texts, labels[chosen], seed)
        seconds = time.perf_counter() - begun
        metrics = Metrics.of(self.classifier.predict_together(self.texts).probabilities, self.gold)
        return {**metrics._asdict(), "seconds": seconds}


def as_table(rows: Sequence[Row], title: str) -> Table:
    """Return means and standard deviations of the accuracy over the labeled sets, and median seconds of a training."""
    recipes = list(dict.fromkeys(row["recipe"] for row in rows))
    table = Table("labels", "sets", *recipes, *(f"{recipe}, s" for recipe in recipes), title=title, box=SIMPLE)
    for n in dict.fromkeys(row["labels"] for row in rows):
        of = [[row for row in rows if row["labels"] == n and row["recipe"] == recipe] for recipe in recipes]
        accuracies = [np.array([row["accuracy"] for row in some]) for some in of]
        spread = [f" ± {values.std(ddof=1):.3f}" if len(values) > 1 else "" for values in accuracies]
        table.add_row(
            *(str(n), str(len(accuracies[0]))),
            *(f"{values.mean():.3f}{plus}" for values, plus in zip(accuracies, spread, strict=True)),
            *(f"{np.median([row['seconds'] for row in some]):.3f}" for some in of),
        )
    return table
