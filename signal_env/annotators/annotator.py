"""The oracle that labels synthetic texts. A real text keeps its gold label, whatever the annotator would say of it.

In a round that labels both kinds, the annotator is also asked about the real texts, to measure how often it is right.
"""

import hashlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from signal_env.tasks import Task
from signal_env.utils.registry import Registry
from signal_env.utils.storage import cache_dir

Annotator = Callable[[Sequence[str]], NDArray[np.int64]]
"""Maps `n` written texts to `(n,)` labels from 0 to C - 1. Any callable of this form can be passed."""

annotators: Registry[Callable[[Task, str | None, str], Annotator]] = Registry("annotator")
"""Each entry makes an annotator from the task, the name of a model (or None) and a device."""


class AnnotatorError(ValueError):
    """An annotator that cannot do what is asked of it; the message says what can."""


@annotators.register("gold")
def gold(task: Task, model: str | None, device: str) -> Annotator:
    """Knows the pool's own labels only: for experiments without synthetic texts."""

    def annotate(texts: Sequence[str]) -> NDArray[np.int64]:
        raise AnnotatorError(
            f"The annotator 'gold' labels real texts only, and {texts[0]!r} is synthetic. "
            "Give annotator='model' (or 'rule' for the reviews task), or a callable."
        )

    return annotate


@annotators.register("rule")
def rule(task: Task, model: str | None, device: str) -> Annotator:
    """The reviews corpus's own labelling rule, exact on its sentences and defined on any text."""
    if task.name != "reviews":
        raise AnnotatorError(f"The annotator 'rule' belongs to the task 'reviews', not {task.name!r}; give 'model'.")
    from signal_env.data.reviews import sentiment

    return lambda texts: np.array([sentiment(text) for text in texts], dtype=np.int64)


@annotators.register("model")
def model(task: Task, model: str | None, device: str) -> Annotator:
    """A sequence classifier fine-tuned on the full task, as in section 5.3.

    It is a folder or a hub name; by default the one that `python -m experiments annotator` has made for the task. It
    is loaded, and missed, when the first synthetic text is labeled.
    """
    made = cache_dir("annotators", task.name)

    def annotate(texts: Sequence[str]) -> NDArray[np.int64]:
        if model is None and not made.is_dir():
            raise AnnotatorError(
                f"No annotator for task {task.name!r} at {made}. Make it with `python -m experiments annotator --task "
                f"{task.name}` (or its .yaml file), or give annotator_model=FOLDER or a hub name, or another annotator."
            )
        return _model_annotator(task, model or str(made), device)(texts)

    return annotate


@lru_cache(maxsize=2)
def _model_annotator(task: Task, name: str, device: str) -> Annotator:
    """Loads a sequence classifier once per process."""
    import json

    import torch
    from transformers import AutoModelForSequenceClassification

    from signal_env.classifiers.pretrained import Batch, TextModel, load_pretrained, model_path

    classifier, tokenizer = load_pretrained(AutoModelForSequenceClassification, name)
    if classifier.config.num_labels != task.n_classes:
        raise AnnotatorError(
            f"The annotator {name} knows {classifier.config.num_labels} classes; "
            f"task {task.name!r} has {task.n_classes}."
        )
    record = Path(model_path(name)) / "annotator.json"
    max_length = json.loads(record.read_text(encoding="utf-8")).get("max_length", 128) if record.is_file() else 128
    text_model = TextModel(classifier, tokenizer, task, max_length, device)

    def forward(batch: Batch) -> tuple[torch.Tensor, ...]:
        return (classifier(**batch).logits,)

    def annotate(texts: Sequence[str]) -> NDArray[np.int64]:
        (logits,) = text_model.run(texts, forward)
        return np.asarray(logits.argmax(axis=1), dtype=np.int64)

    return annotate


def noisy(annotator: Annotator, probability: float, n_classes: int, seed: int = 0) -> Annotator:
    """Replaces a label by another class, drawn uniformly, with a probability.

    A text's noise is a function of the text and the seed: asked twice, the annotator gives the same answer.

    Args:
        annotator: Whose labels are made noisy.
        probability: The share of wrong labels, from 0 to 1.
        n_classes: The number of classes C.
        seed: Seed of the noise.

    Example:
        >>> always_zero = lambda texts: np.zeros(len(texts), dtype=np.int64)
        >>> noisy(always_zero, 1.0, n_classes=2)(["a", "b"])
        array([1, 1])
    """
    if not 0.0 <= probability <= 1.0:
        raise AnnotatorError(f"The annotator's noise is a probability from 0 to 1; got {probability}.")

    def annotate(texts: Sequence[str]) -> NDArray[np.int64]:
        labels = np.array(annotator(texts), dtype=np.int64)
        for i, text in enumerate(texts):
            digest = hashlib.blake2b(f"{seed}:{text}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
            rng = np.random.default_rng(int.from_bytes(digest, "big"))
            if rng.random() < probability:
                labels[i] = (labels[i] + rng.integers(1, n_classes)) % n_classes
        return labels

    return annotate


def make_annotator(
    annotator: str | Annotator, task: Task, model: str | None = None, noise: float = 0.0, device: str = "cpu"
) -> Annotator:
    """Makes an annotator from its registered name; a callable is used as it is.

    Args:
        annotator: "gold", "rule", "model", a name registered by a user, or a callable.
        task: The task.
        model: The folder or hub name for "model".
        noise: The probability of a wrong label.
        device: A torch device.

    Raises:
        UnknownName: If no annotator has this name.
        AnnotatorError: If the annotator does not fit the task, or the noise is no probability.
    """
    if not isinstance(annotator, str) and not callable(annotator):
        raise AnnotatorError(f"An annotator is a name ({', '.join(annotators)}) or a callable; got {annotator!r}.")
    base = annotators[annotator](task, model, device) if isinstance(annotator, str) else annotator
    base = _checked(base, task.n_classes)
    return noisy(base, noise, task.n_classes) if noise != 0 else base


def _checked(annotator: Annotator, n_classes: int) -> Annotator:
    """Raises an AnnotatorError where an annotator returns anything but one label per text."""

    def annotate(texts: Sequence[str]) -> NDArray[np.int64]:
        labels = np.asarray(annotator(texts))
        if labels.shape != (len(texts),) or not np.isin(labels, np.arange(n_classes)).all():
            raise AnnotatorError(
                f"The annotator returned {labels!r} for {len(texts)} texts; expected as many labels from 0 to "
                f"{n_classes - 1}."
            )
        return labels.astype(np.int64)

    return annotate
