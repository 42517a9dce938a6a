"""`python -m experiments annotator`: fine-tunes a model on the full training file, to label synthetic texts."""

import dataclasses
from pathlib import Path

import numpy as np

from experiments.holdout import hold_out
from experiments.pretrain import save
from experiments.progress import console, progress_bar
from signal_env.classifiers.finetune import FinetuneClassifier
from signal_env.classifiers.training import Training, train
from signal_env.data import load
from signal_env.data.corpus import Split
from signal_env.tasks import Task, get_task
from signal_env.utils.storage import cache_dir


@dataclasses.dataclass(frozen=True)
class AnnotatorTraining(Training):
    """Hyperparameters of fine-tuning on a full training file."""

    epochs: int = 3
    """The number of passes over the texts."""
    batch_size: int = 32
    """Texts per optimizer step."""
    learning_rate: float | None = None
    """AdamW's learning rate at the peak of its linear warmup and decay. None is 0.0384 divided by the width of the
    hidden layers: 1e-4 for MiniLM (384), 5e-5 for BERT-base (768)."""
    target_loss: float = 0.0
    """Training stops if an epoch's mean loss falls below this."""

    def rate(self, width: int) -> float:
        """Return the peak learning rate for an encoder whose hidden layers have `width` units.

        Example:
            >>> f"{AnnotatorTraining().rate(384):.2g}, {AnnotatorTraining().rate(768):.2g}"
            '0.0001, 5e-05'
        """
        return 0.0384 / width if self.learning_rate is None else self.learning_rate


@dataclasses.dataclass(frozen=True)
class AnnotatorConfig:
    """Fine-tunes a model on a task's full training split and saves it where `annotator="model"` finds it.

    The evaluation split is read once, at the end, to record the accuracy. To choose settings, use --holdout.
    """

    task: str = "sst2"
    """A registered task, or the path of a task's .yaml file."""
    data_dir: str | None = None
    """Folder of the data; default: SIGNAL_ENV_DATA, else the hub."""
    encoder: str = "bert-base-uncased"
    """The model to fine-tune: "minilm", a folder, or a hub name."""
    out: Path | None = None
    """Folder to save to; default: the task's place in the cache (SIGNAL_ENV_CACHE)."""
    train_rows: int | None = None
    """The number of texts to train on, from the first on; default: all."""
    holdout: float = 0.0
    """Fraction of the whole training texts, those that are part of no other, to hold out with all their parts. The
    accuracy is then measured on these and not on the evaluation split, and the model is saved only with --out."""
    max_length: int = 128
    """The number of tokens after which a text is truncated."""
    training: AnnotatorTraining = AnnotatorTraining()
    """Hyperparameters of the training."""
    device: str = "cpu"
    """A torch device."""
    seed: int = 0
    """Seed of the order of the texts and of dropout."""


def main(config: AnnotatorConfig) -> Path | None:
    """Train, evaluate and save the annotator; return its folder, or None if it is not saved."""
    task = get_task(config.task)
    trained, measured, split = _splits(task, config)
    classifier = FinetuneClassifier(task, config.encoder, config.device, config.max_length, pooling="head")
    model, tokenizer = classifier.text_model.model, classifier.text_model.tokenizer
    console.print(f"Fine-tuning {config.encoder} on {len(trained.texts):,} texts of {task.name}.")
    with progress_bar() as progress:
        bar = progress.add_task(task.name, status="")
        steps = train(
            classifier.text_model,
            *trained,
            config.training,
            config.seed,
            lambda step, total, loss: progress.update(bar, completed=step, total=total, status=f"loss {loss:.3f}"),
        )
    predicted = classifier.predict_together(measured.texts).probabilities.argmax(axis=1)
    learning_rate = config.training.rate(model.config.hidden_size)
    record = {
        "task": task.name,
        "accuracy": float(np.mean(predicted == measured.labels)),
        "evaluation_split": split,
        "evaluation_rows": len(measured.texts),
        "train_rows": len(trained.texts),
        "encoder": config.encoder,
        "max_length": config.max_length,
        "steps": steps,
        "seed": config.seed,
        "training": dataclasses.asdict(config.training) | {"learning_rate": learning_rate},
    }
    out = config.out if config.holdout else config.out or cache_dir("annotators", task.name)
    if out is not None:
        save(model, tokenizer, out, "annotator.json", record)
    result = f"Accuracy {record['accuracy']:.4f} on {len(measured.texts):,} texts of {task.name}: {split}"
    console.print(f"{result}; saved to {out}." if out else f"{result}; not saved.")
    return out


def _splits(task: Task, config: AnnotatorConfig) -> tuple[Split, Split, str]:
    """Return the texts to train on, those to measure the accuracy on, and what the latter are."""
    corpus = load(task, config.data_dir)
    train = Split(corpus.train.texts[: config.train_rows], corpus.train.labels[: config.train_rows])
    if not config.holdout:
        return train, corpus.evaluation, task.evaluation
    kept, held = (
        Split(tuple(train.texts[i] for i in indices), train.labels[indices])
        for indices in hold_out(train.texts, config.holdout, config.seed)
    )
    return kept, held, f"{task.train}, held out"
