"""M, the target classifier: what a user plugs in, and the registered ones."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from signal_env.tasks import Task
from signal_env.utils.prediction import Prediction
from signal_env.utils.registry import Registry

__all__ = ["Classifier", "ClassifierError", "Prediction", "classifiers", "make_classifier"]


class ClassifierError(ValueError):
    """A classifier that returned something unusable; the message says what was expected."""


@runtime_checkable
class Classifier(Protocol):
    """A target classifier. Any object with these two methods can be passed as `classifier=`.

    The environment is deterministic, and equal with one text a step or many, as far as `predict` gives a text the
    same numbers whatever other texts it comes with; the built-in classifiers do so on a CPU. An object serves
    one environment: for several, register a name that makes one each.

    Two more methods are optional, for the acquisition functions that ask for what they return:

    - `encode_pretrained(texts) -> (n, e)`: encodings by the pretrained encoder (`bertkm`);
    - `predict_with_dropout(texts, n_samples, seed) -> (n_samples, n, C)`: probabilities in forward passes with dropout
      (`bald`).
    """

    def fit(self, texts: Sequence[str], labels: NDArray[np.int64], seed: int) -> None:
        """Trains from the pretrained weights on all of the labeled set, which may lack some of the classes.

        Args:
            texts: `n` written texts.
            labels: `(n,)` integers from 0 to C - 1.
            seed: Seed of whatever is random in training.
        """
        ...

    def predict(self, texts: Sequence[str]) -> Prediction:
        """Probabilities and encodings of one or more texts."""
        ...


ClassifierFactory = Callable[..., Classifier]
"""Makes a classifier from a task, an encoder's name, a device and its own options."""

classifiers: Registry[ClassifierFactory] = Registry("classifier")


@classifiers.register("linear")
def _linear(task: Task, encoder: str, device: str, **options: Any) -> Classifier:
    from signal_env.classifiers.linear import LinearClassifier

    return LinearClassifier(task, encoder, device, **options)


@classifiers.register("finetune")
def _finetune(task: Task, encoder: str, device: str, **options: Any) -> Classifier:
    from signal_env.classifiers.finetune import FinetuneClassifier

    return FinetuneClassifier(task, encoder, device, **options)


def make_classifier(
    classifier: str | Classifier, task: Task, encoder: str, device: str = "cpu", **options: Any
) -> Classifier:
    """Makes a classifier from its registered name; an object with the protocol's methods is returned as it is.

    Args:
        classifier: "linear", "finetune", a name registered by a user, or an object.
        task: The task, for the number of classes and the fields of a text.
        encoder: A transformers model: "embedded", "minilm", a folder, or a hub name.
        device: A torch device.
        options: The classifier's own hyperparameters.

    Raises:
        UnknownName: If no classifier has this name.
        ModelError: If the encoder cannot be loaded.
        TypeError: If the object lacks one of the methods, or the classifier does not know an option.
    """
    if isinstance(classifier, str):
        return classifiers[classifier](task, encoder, device, **options)
    if not isinstance(classifier, Classifier):
        raise TypeError(f"A classifier has the methods fit and predict; got {classifier!r}.")
    return classifier
