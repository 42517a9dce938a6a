"""Annotators: the type, the registry, checks, noise and `make_annotator`.

An annotator is the oracle that labels synthetic texts. A real text keeps its gold label. In a round that labels both
kinds, the annotator also labels the real texts, which measures how often it agrees with the gold labels.
"""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from signal_env.tasks import Task
from signal_env.utils.errors import SignalError, at_work
from signal_env.utils.registry import Registry
from signal_env.utils.state import Unchanged, owners

Annotator = Callable[[Sequence[str]], NDArray[np.int64]]
"""A function from `n` written texts to `(n,)` labels from 0 to C - 1. Any such callable can be passed."""

annotators: Registry[Callable[[Task, str | None, str], Annotator]] = Registry("annotator")
"""Functions that make an annotator from the task, the name of a model (or None) and a torch device."""


class AnnotatorError(SignalError, ValueError):
    """A request that an annotator cannot serve; the message says what it can do."""


def noisy(annotator: Annotator, probability: float, n_classes: int, seed: int = 0) -> Annotator:
    """Return an annotator that replaces each label, with a given probability, by another class drawn uniformly.

    The noise of a text is a function of the text and the seed, so that a text always gets the same label.

    Args:
        annotator: The annotator whose labels get noise.
        probability: The probability of replacing a label, from 0 to 1.
        n_classes: The number of classes C.
        seed: Seed of the noise.

    Raises:
        AnnotatorError: If `probability` is not from 0 to 1.

    Example:
        >>> always_zero = lambda texts: np.zeros(len(texts), dtype=np.int64)
        >>> noisy(always_zero, 1.0, n_classes=2)(["a", "b"])
        array([1, 1])
    """
    if not 0.0 <= probability <= 1.0:
        raise AnnotatorError(f"Expected the annotator's noise to be a probability from 0 to 1; got {probability}.")

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
    """Make an annotator from its registered name or from a callable, with checks and noise.

    Args:
        annotator: "gold", "rule", "model", a name registered by a user, or a callable.
        task: The task.
        model: The folder or hub name of the model, for "model".
        noise: The probability of replacing a label by another class, from 0 to 1, see `noisy`.
        device: A torch device.

    Returns:
        An annotator that raises an `AnnotatorError` where the labels are not `n` integers from 0 to C - 1, or where it
        is an object that has changed since its last call: a text's label depends on the text alone.

    Raises:
        UnknownName: If no annotator has this name.
        AnnotatorError: If the annotator does not support the task, or `noise` is not from 0 to 1.

    Example:
        >>> from signal_env.tasks import get_task
        >>> annotate = make_annotator("rule", get_task("reviews"))
        >>> annotate(["a superb film", "a dull film"])
        array([1, 0])
    """
    if not isinstance(annotator, str) and not callable(annotator):
        raise AnnotatorError(
            f"Expected the name of an annotator ({', '.join(annotators)}) or a callable; got {annotator!r}."
        )
    if isinstance(annotator, str):
        name, maker = annotator, annotators[annotator]
        with at_work(f"the annotator {name!r}"):
            base = maker(task, model, device)
    else:
        name, base = getattr(annotator, "__name__", type(annotator).__name__), annotator
    base = _checked(base, name, task.n_classes)
    return noisy(base, noise, task.n_classes) if noise != 0 else base


def _checked(annotator: Annotator, name: str, n_classes: int) -> Annotator:
    """Return an annotator that raises an `AnnotatorError` unless there is one label from 0 to C - 1 per text.

    It also raises one if the annotator is an object that changes. An error inside the annotator gets a note with its
    name.
    """
    if not callable(annotator):
        raise AnnotatorError(
            f"The annotator {name!r} was made as {annotator!r:.80}; expected a function from texts to labels."
        )

    unchanged = Unchanged(owners(annotator), f"annotator {name!r}", "Label each text by the text alone", AnnotatorError)

    def annotate(texts: Sequence[str]) -> NDArray[np.int64]:
        unchanged.note()
        with at_work(f"the annotator {name!r}", texts):
            labels = np.asarray(annotator(texts))
        unchanged.check()
        if labels.shape != (len(texts),) or not np.isin(labels, np.arange(n_classes)).all():
            raise AnnotatorError(
                f"The annotator {name!r} returned {labels!r} for {len(texts)} texts; expected one label per text, "
                f"from 0 to {n_classes - 1}."
            )
        return labels.astype(np.int64)

    return annotate
