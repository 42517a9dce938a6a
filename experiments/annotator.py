"""`python -m experiments annotator`: fine-tunes a model on the full training file, to label synthetic texts."""

import dataclasses
from pathlib import Path

import numpy as np

from experiments.pretrain import save
from experiments.progress import console, progress_bar
from signal_env.classifiers.finetune import FinetuneClassifier
from signal_env.classifiers.training import Training, train
from signal_env.data import load
from signal_env.tasks import get_task
from signal_env.utils.storage import cache_dir


@dataclasses.dataclass(frozen=True)
class AnnotatorConfig:
    """Fine-tunes a model on a task's full training split and saves it where `annotator="model"` finds it.

    The defaults were fixed before the first run; the evaluation split is used once, at the end, to record the accuracy.
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
    max_length: int = 64
    """The number of tokens after which a text is truncated."""
    training: Training = Training(epochs=3, batch_size=32, learning_rate=5e-5, target_loss=0.0)
    """Hyperparameters of the training."""
    device: str = "cpu"
    """A torch device."""
    seed: int = 0
    """Seed of the order of the texts and of dropout."""


def main(config: AnnotatorConfig) -> Path:
    """Train, evaluate and save the annotator; return its folder."""
    task = get_task(config.task)
    corpus = load(task, config.data_dir)
    out = config.out or cache_dir("annotators", task.name)
    texts, labels = corpus.train.texts[: config.train_rows], corpus.train.labels[: config.train_rows]
    classifier = FinetuneClassifier(task, config.encoder, config.device, config.max_length, pooling="head")
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
    predicted = classifier.predict(corpus.evaluation.texts).probabilities.argmax(axis=1)
    record = {
        "task": task.name,
        "accuracy": float(np.mean(predicted == corpus.evaluation.labels)),
        "evaluation_split": task.evaluation,
        "evaluation_rows": len(corpus.evaluation.texts),
        "train_rows": len(texts),
        "encoder": config.encoder,
        "max_length": config.max_length,
        "steps": steps,
        "seed": config.seed,
        "training": dataclasses.asdict(config.training),
    }
    save(classifier.text_model.model, classifier.text_model.tokenizer, out, "annotator.json", record)
    console.print(f"Accuracy {record['accuracy']:.4f} on the {task.evaluation} split of {task.name}; saved to {out}")
    return out
