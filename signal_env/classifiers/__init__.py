"""The target classifier M: its protocol, the registry of classifiers, and `make_classifier`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from signal_env.classifiers.options import takes_options_of, typed_options, wrong_options
from signal_env.tasks import Task
from signal_env.utils.errors import SignalError, at_work
from signal_env.utils.prediction import Prediction
from signal_env.utils.registry import Registry

__all__ = ["Classifier", "ClassifierError", "Prediction", "classifiers", "make_classifier"]


class ClassifierError(SignalError, ValueError):
    """Invalid output or an option of a classifier, or a missing method; the message says what was expected."""


@runtime_checkable
class Classifier(Protocol):
    """The protocol of target classifiers. Any object with these two methods can be passed as `classifier=`.

    `predict` should give a text the same numbers whatever other texts are in the call. Otherwise rewards depend on how
    many texts one step offers. The built-in classifiers satisfy this on a CPU.

    An object serves one environment. For several environments, register a function that makes a new object.

    `predict_together(texts)` is optional: it returns the same up to rounding, and is called for the evaluation texts,
    which are always predicted together and may be batched.

    Three more methods are optional. Acquisition functions and reward terms with the parameters `pretrained`, `dropout`
    and `predicted_loss` need them:

    - `encode_pretrained(texts) -> (n, e)`: encodings by the pretrained encoder;
    - `predict_with_dropout(texts, n_samples, seed) -> (n_samples, n, C)`: probabilities in forward passes with
      dropout;
    - `predict_loss(texts) -> (n,)`: predicted losses, of which only the order has a meaning.

    Example:
        >>> class Prior:
        ...     def fit(self, texts, labels, seed):
        ...         self.share = float(np.mean(labels))
        ...
        ...     def predict(self, texts):
        ...         row = [1 - self.share, self.share]
        ...         return Prediction(np.array([row] * len(texts)), np.ones((len(texts), 1)))
        >>> isinstance(Prior(), Classifier)
        True
    """

    def fit(self, texts: Sequence[str], labels: NDArray[np.int64], seed: int) -> None:
        """Train on the whole labeled set, starting from the pretrained weights.

        Args:
            texts: `n` written texts, at least one.
            labels: `(n,)` integers from 0 to C - 1. Some classes may be missing.
            seed: Seed of all random numbers in training.
        """
        ...

    def predict(self, texts: Sequence[str]) -> Prediction:
        """Return probabilities `(n, C)` and embeddings `(n, d)` of `n` texts, at least one."""
        ...


ClassifierFactory = Callable[..., Classifier]
"""Makes a classifier from a task, the name of an encoder, a device and the classifier's own options (keywords).

The parameters after the first three are the options that `--help` and errors list."""

classifiers: Registry[ClassifierFactory] = Registry("classifier")


@classifiers.register("linear")
@takes_options_of("signal_env.classifiers.linear:LinearClassifier")
def _linear(task: Task, encoder: str, device: str, **options: Any) -> Classifier:
    from signal_env.classifiers.linear import LinearClassifier

    return LinearClassifier(task, encoder, device, **options)


@classifiers.register("finetune")
@takes_options_of("signal_env.classifiers.finetune:FinetuneClassifier", "signal_env.classifiers.training:Training")
def _finetune(task: Task, encoder: str, device: str, **options: Any) -> Classifier:
    from signal_env.classifiers.finetune import FinetuneClassifier

    return FinetuneClassifier(task, encoder, device, **options)


def checked_options(classifier: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a registered classifier's options as the types that its signature has.

    Raises:
        UnknownName: If no classifier has this name.
        ClassifierError: If the classifier does not take an option, or lacks one; the message lists its options.
    """
    factory = classifiers[classifier]
    if wrong := wrong_options(factory, classifier, options):
        raise ClassifierError(wrong)
    return typed_options(factory, classifier, options, ClassifierError)


def make_classifier(
    classifier: str | Classifier, task: Task, encoder: str, device: str = "cpu", **options: Any
) -> Classifier:
    """Make a classifier from its registered name. An object that has the protocol's methods is returned unchanged.

    Args:
        classifier: "linear", "finetune", a name registered by a user, or an object.
        task: The task, which sets the number of classes and the fields of a text.
        encoder: A pretrained encoder: "embedded", "minilm", a folder, or a hub name.
        device: A torch device.
        options: Hyperparameters of the classifier. An object takes none, since it is made already.

    Raises:
        UnknownName: If no classifier has this name.
        ModelError: If the encoder cannot be loaded.
        ClassifierError: If the classifier does not take an option, or lacks one; the message lists its options.
        TypeError: If the object lacks a method of the protocol.

    Example:
        >>> from signal_env.tasks import get_task
        >>> classifier = make_classifier("linear", get_task("reviews"), encoder="embedded")
        >>> classifier.fit(["a superb film", "a dull film"], np.array([1, 0]), seed=0)
        >>> probabilities, embeddings = classifier.predict(["a superb plot"])
        >>> probabilities.shape, embeddings.shape
        ((1, 2), (1, 128))
    """
    if isinstance(classifier, str):
        factory, options = classifiers[classifier], checked_options(classifier, options)
        with at_work(f"the classifier {classifier!r}"):
            return factory(task, encoder, device, **options)
    if isinstance(classifier, type) or not isinstance(classifier, Classifier):
        raise TypeError(
            f"Expected a classifier's name ({', '.join(classifiers)}) or an object with the methods fit and predict; "
            f"got {classifier!r}."
        )
    if options:
        raise ClassifierError(f"A classifier that is an object takes no options; got {', '.join(options)}.")
    return classifier
