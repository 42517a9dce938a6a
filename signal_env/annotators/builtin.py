"""The built-in annotators: "gold", "rule" and "model"."""

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signal_env.annotators.annotator import Annotator, AnnotatorError, annotators
from signal_env.classifiers.checkpoints import model_path, require_checkpoint
from signal_env.tasks import Task, TaskError
from signal_env.utils.fingerprint import digest_of_folder
from signal_env.utils.reading import read_json
from signal_env.utils.storage import cache_dir
from signal_env.utils.typed import typed


@annotators.register("gold")
def gold(task: Task, model: str | None, device: str) -> Annotator:
    """Make an annotator that refuses every text, for experiments without synthetic texts.

    Real texts keep their gold labels and need no annotator.

    Raises:
        AnnotatorError: When a text is labeled.
    """

    def annotate(texts: Sequence[str]) -> NDArray[np.int64]:
        raise AnnotatorError(
            f"The annotator 'gold' labels real texts only, and {texts[0]!r} is synthetic. "
            "Give annotator='model' (or 'rule' for the task 'reviews'), or a callable."
        )

    return annotate


@annotators.register("rule")
def rule(task: Task, model: str | None, device: str) -> Annotator:
    """Make an annotator that labels texts by the rule of the reviews corpus (`signal_env.data.reviews.sentiment`).

    The rule is exact on the corpus and defined on any text.

    Raises:
        AnnotatorError: If the task is not "reviews".
    """
    if task.name != "reviews":
        raise AnnotatorError(
            f"The annotator 'rule' belongs to the task 'reviews', not {task.name!r}; "
            "give annotator='model' or a callable."
        )
    from signal_env.data.reviews import sentiment

    return lambda texts: np.array([sentiment(text) for text in texts], dtype=np.int64)


@annotators.register("model")
def model(task: Task, model: str | None, device: str) -> Annotator:
    """Make an annotator from a sequence classifier fine-tuned on the full task (section 5.3 of the paper).

    The model is loaded when the first text is labeled.

    Args:
        task: The task.
        model: A folder or a hub name. None is the model that `python -m experiments annotator` saves for the task.
        device: A torch device.

    Raises:
        AnnotatorError: When a text is labeled, if there is no model, or the names of its classes (`id2label` in its
            config.json) are not the task's. Their order may differ.
        ModelError: When a text is labeled, if the model cannot be loaded.
    """

    @cache
    def loaded() -> Annotator:
        name = find_model(task, model)
        folder = Path(name)
        return _model_annotator(task, name, device, digest_of_folder(folder) if folder.is_dir() else "")

    return lambda texts: loaded()(texts)


def find_model(task: Task, model: str | None) -> str:
    """Return the folder or hub name of the model of the annotator "model", which loads it with the first text.

    Raises:
        AnnotatorError: If `model` is None, and none has been made for the task.
        ModelError: If `model` is a folder that does not exist.
    """
    if model is not None:
        return model_path(model)
    saved = cache_dir("annotators", task.name)
    if not saved.is_dir():
        raise AnnotatorError(
            f"No annotator for task {task.name!r} at {saved}. Train one with `python -m experiments annotator "
            f"--task {task.name}` (or the task's .yaml file), or give annotator_model=FOLDER or a hub name, or "
            "another annotator."
        )
    return str(saved)


def check_model(task: Task, model: str | None) -> None:
    """Raise an error if the annotator "model" could not label a text: it is missing, or has other classes.

    The model is not loaded. The classes of one of the hub are compared when it is loaded.

    Raises:
        AnnotatorError: If none has been made for the task, or the names of its classes are not the task's.
        ModelError: If there is no such model, or its folder lacks a part.
    """
    folder = Path(find_model(task, model))
    require_checkpoint(folder if folder.is_dir() else str(model))
    if folder.is_dir():
        classes = _read_record(folder / "config.json").get("id2label")
        if classes:
            what = f"id2label in {folder / 'config.json'}"
            classes = typed(classes, Mapping[str, str], what, AnnotatorError)
            if wrong := [number for number in classes if not number.isdecimal()]:
                raise AnnotatorError(f"{what} must name classes by their numbers, from 0 on; got {wrong[0]!r}.")
            _labels_of(task, {int(number): name for number, name in classes.items()}, str(folder))


def _read_record(file: Path) -> dict[str, Any]:
    """Return the mapping in a file of an annotator's folder."""
    values: dict[str, Any] = typed(
        read_json(file, str(file), AnnotatorError), dict[str, Any], str(file), AnnotatorError
    )
    return values


def _labels_of(task: Task, classes: Mapping[int, str], name: str) -> list[int]:
    """Return the task's label of each of a model's classes, by number."""
    try:
        return task.labels_of([classes[number] for number in sorted(classes)], f"The annotator {name}")
    except TaskError as error:
        raise AnnotatorError(str(error)) from error


@lru_cache(maxsize=2)
def _model_annotator(task: Task, name: str, device: str, content: str) -> Annotator:
    """Load a sequence classifier as an annotator, once per process and content of its folder."""
    import torch
    from transformers import AutoModelForSequenceClassification

    from signal_env.classifiers.pretrained import Batch, TextModel, load_pretrained

    classifier, tokenizer = load_pretrained(AutoModelForSequenceClassification, name)
    labels = np.array(_labels_of(task, classifier.config.id2label, name))
    record = Path(model_path(name)) / "annotator.json"
    max_length = _read_record(record).get("max_length", 128) if record.is_file() else 128
    max_length = typed(max_length, int, f"max_length in {record}", AnnotatorError)
    text_model = TextModel(classifier, tokenizer, task, max_length, device)

    def forward(batch: Batch) -> tuple[torch.Tensor, ...]:
        return (classifier(**batch).logits,)

    def annotate(texts: Sequence[str]) -> NDArray[np.int64]:
        (logits,) = text_model.run(texts, forward)
        return np.asarray(labels[logits.argmax(axis=1)], dtype=np.int64)

    return annotate
