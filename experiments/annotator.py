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
from signal_env.tasks import get_task
from signal_env.utils.storage import cache_dir


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
    max_length: int = 64
    """The number of tokens after which a text is truncated."""
    training: Training = Training(epochs=3, batch_size=32, learning_rate=5e-5, target_loss=0.0)
    """Hyperparameters of the training."""
    device: str = "cpu"
    """A torch device."""
    seed: int = 0
    """Seed of the order of the texts and of dropout."""


def main(config: AnnotatorConfig) -> Path | None:
    """Train, evaluate and save the annotator; return its folder, or None if it is not saved."""
    task = get_task(config.task)
    corpus = load(task, config.data_dir)
    texts, labels = corpus.train.texts[: config.train_rows], corpus.train.labels[: config.train_rows]
    measured, split = corpus.evaluation, task.evaluation
    out = config.out or cache_dir("annotators", task.name)
    if config.holdout:
        kept, held = hold_out(texts, config.holdout, config.seed)
        measured, split = Split(tuple(texts[i] for i in held), labels[held]), f"{task.train}, held out"
        texts, labels, out = tuple(texts[i] for i in kept), labels[kept], config.out
    classifier = FinetuneClassifier(task, config.encoder, config.device, config.max_length)
    console.print(f"Fine-tuning {config.encoder} on {len(texts):,} texts of {task.name}.")
    with progress_bar() as progress:
        bar = progress.add_task(task.name, status="")
        steps = train(
            classifier.text_model,
            texts,
            labels,
            config.training,
            config.seed,
            lambda step, total, loss: progress.update(bar, completed=step, total=total, status=f"loss {loss:.3f}"),
        )
    predicted = classifier.predict(measured.texts).probabilities.argmax(axis=1)
    record = {
        "task": task.name,
        "accuracy": float(np.mean(predicted == measured.labels)),
        "evaluation_split": split,
        "evaluation_rows": len(measured.texts),
        "train_rows": len(texts),
        "encoder": config.encoder,
        "max_length": config.max_length,
        "steps": steps,
        "seed": config.seed,
        "training": dataclasses.asdict(config.training),
    }
    if out is not None:
        save(classifier.text_model.model, classifier.text_model.tokenizer, out, "annotator.json", record)
    result = f"Accuracy {record['accuracy']:.4f} on {len(measured.texts):,} texts of {task.name}: {split}"
    console.print(f"{result}; saved to {out}." if out else f"{result}; not saved.")
    return out
