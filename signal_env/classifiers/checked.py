"""A wrapper that checks the output of a classifier, so that an error is raised where it arises."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signal_env.classifiers import Classifier, ClassifierError
from signal_env.utils.copying import deep_copy
from signal_env.utils.errors import at_work
from signal_env.utils.prediction import Floats, Prediction, not_probabilities


class CheckedClassifier:
    """Wraps a classifier and raises a `ClassifierError` where it returns arrays of a wrong shape, NaN or infinity.

    Args:
        classifier: The classifier.
        n_classes: The number of classes C of the task.

    Example:
        >>> class Constant:
        ...     def fit(self, texts, labels, seed): ...
        ...     def predict(self, texts):
        ...         return Prediction(np.full((1, 2), 0.5), np.zeros((1, 3)))
        >>> checked = CheckedClassifier(Constant(), n_classes=2)
        >>> checked.predict(["one text"]).embeddings
        array([[0., 0., 0.]])
        >>> checked.predict(["two", "texts"])
        Traceback (most recent call last):
        signal_env.classifiers.ClassifierError: The classifier returned probabilities and embeddings of ...
    """

    def __init__(self, classifier: Classifier, n_classes: int) -> None:
        self.classifier = classifier
        self.n_classes = n_classes
        self._embedding_size = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> "CheckedClassifier":
        """Return a copy of the classifier, with the same checks.

        Raises:
            ClassifierError: If the classifier cannot be copied.
        """
        try:
            return deep_copy(self, memo)
        except Exception as error:
            raise ClassifierError(
                f"The classifier {type(self.classifier).__name__} cannot be copied, as copy.deepcopy(env) does: write "
                f"__deepcopy__ in its class. Python reported: {error}"
            ) from error

    def fit(self, texts: Sequence[str], labels: NDArray[np.int64], seed: int) -> None:
        """Train the classifier, see `Classifier.fit`."""
        with self._at_work("fit", texts):
            self.classifier.fit(texts, labels, seed)

    def predict(self, texts: Sequence[str]) -> Prediction:
        """Return the classifier's prediction, see `Classifier.predict`.

        An empty list of texts gives arrays without rows, as wide as those of the last call.

        Raises:
            ClassifierError: If it returns no pair of dense arrays, shapes are wrong, values are not finite, or
                probabilities do not sum to 1.
        """
        if not texts:
            return Prediction(np.zeros((0, self.n_classes)), np.zeros((0, self._embedding_size)))
        return self._checked("predict", texts)

    def predict_together(self, texts: Sequence[str]) -> Prediction:
        """Return the prediction of texts that are always predicted together, by `predict_together` if there is one.

        Raises:
            ClassifierError: As `predict`.
        """
        together = getattr(self.classifier, "predict_together", None) is not None
        return self._checked("predict_together" if together else "predict", texts)

    def _checked(self, method: str, texts: Sequence[str]) -> Prediction:
        """Return what a method of the classifier predicts of `n` texts, at least one, once it is known to be valid."""
        with self._at_work(method, texts):
            returned = getattr(self.classifier, method)(texts)
        prediction = self._as_prediction(returned, method)
        shapes, n = tuple(values.shape for values in prediction), len(texts)
        if shapes[0] != (n, self.n_classes) or len(shapes[1]) != 2 or len(prediction.embeddings) != n:
            few = len(shapes[0]) == 2 and shapes[0][1] < self.n_classes
            missing = " Classes without labels have columns too: give them the probability 0." if few else ""
            raise ClassifierError(
                f"The classifier returned probabilities and embeddings of the shapes {shapes} for {n} texts; "
                f"expected {(n, self.n_classes)} and ({n}, d).{missing}"
            )
        for name, values in zip(prediction._fields, prediction, strict=True):
            _check_finite(name, values, texts)
        _check_probabilities(prediction.probabilities, texts)
        self._embedding_size = shapes[1][1]
        return prediction

    def _as_prediction(self, returned: Any, method: str) -> Prediction:
        """Return what a method of the classifier returned as a prediction, if it is two dense arrays of numbers."""
        values = returned if isinstance(returned, tuple) else (returned,)
        kinds = ", ".join(type(value).__name__ for value in values)
        said = (
            f"{type(self.classifier).__name__}.{method} returned {kinds}; expected "
            "Prediction(probabilities, embeddings), two dense arrays of numbers, (n, C) and (n, d)."
        )
        try:
            arrays = [np.asarray(value) for value in values]
        except (TypeError, ValueError, RuntimeError) as error:  # ragged lists, tensors with gradients
            raise ClassifierError(f"{said} NumPy reported: {error}") from error
        if len(arrays) != 2 or any(array.dtype.kind not in "fiub" for array in arrays):
            raise ClassifierError(said)
        return Prediction(*arrays)

    def pretrained(self, texts: Sequence[str]) -> Floats:
        """Return encodings `(n, e)` of `n` texts, at least one, by the pretrained encoder, see `Classifier`.

        Raises:
            ClassifierError: If the classifier has no pretrained encoder, or the encodings are not valid.
        """
        method = self._method("pretrained")
        with self._at_work("encode_pretrained", texts):
            encodings = np.asarray(method(texts))
        if encodings.ndim != 2 or len(encodings) != len(texts):
            raise ClassifierError(
                f"The classifier returned pretrained encodings of the shape {encodings.shape} for {len(texts)} texts; "
                f"expected ({len(texts)}, e)."
            )
        _check_finite("pretrained encodings", encodings, texts)
        return encodings

    def dropout(self, texts: Sequence[str], n_samples: int, seed: int) -> Floats:
        """Return probabilities `(S, n, C)` of `n` texts, at least one, in S passes with dropout, see `Classifier`.

        Raises:
            ClassifierError: If the classifier has no dropout, or the probabilities are not valid.
        """
        method = self._method("dropout")
        with self._at_work("predict_with_dropout", texts):
            samples = np.asarray(method(texts, n_samples, seed))
        expected = (n_samples, len(texts), self.n_classes)
        if samples.shape != expected:
            raise ClassifierError(
                f"The classifier returned probabilities under dropout of the shape {samples.shape}; "
                f"expected {expected}."
            )
        for sample in samples:
            _check_finite("probabilities under dropout", sample, texts)
            _check_probabilities(sample, texts)
        return samples

    def predicted_loss(self, texts: Sequence[str]) -> Floats:
        """Return predicted losses `(n,)` of `n` texts, at least one, see `Classifier`.

        Raises:
            ClassifierError: If the classifier predicts no losses, or they are not valid.
        """
        method = self._method("predicted_loss")
        with self._at_work("predict_loss", texts):
            losses = np.asarray(method(texts))
        if losses.shape != (len(texts),):
            raise ClassifierError(
                f"The classifier returned predicted losses of the shape {losses.shape} for {len(texts)} texts; "
                f"expected ({len(texts)},)."
            )
        _check_finite("predicted losses", losses[:, None], texts)
        return losses

    def require(self, ability: str) -> None:
        """Raise a `ClassifierError` if the classifier lacks an optional method.

        Args:
            ability: "pretrained" (the method `encode_pretrained`), "dropout" (`predict_with_dropout`) or
                "predicted_loss" (`predict_loss`).
        """
        self._method(ability)

    def _at_work(self, method: str, texts: Sequence[str]) -> AbstractContextManager[None]:
        """Return the block in which an error gets a note with the classifier and its method."""
        return at_work(f"the classifier {type(self.classifier).__name__} ({method})", texts)

    def _method(self, ability: str) -> Callable[..., Any]:
        """Return the classifier's method for an ability, or raise a `ClassifierError`."""
        method = getattr(self.classifier, _METHODS[ability], None)
        if method is None:
            raise ClassifierError(f"{type(self.classifier).__name__} {_MISSING[ability]}")
        found: Callable[..., Any] = method
        return found


_METHODS = {
    "pretrained": "encode_pretrained",
    "dropout": "predict_with_dropout",
    "predicted_loss": "predict_loss",
}

ABILITIES = frozenset(_METHODS)
"""Names of plug-in arguments that only classifiers with an optional method give."""

_MISSING = {
    "pretrained": "has no pretrained encoder (no method encode_pretrained), which 'bertkm' needs; use 'ft_bertkm', "
    "which takes the classifier's own embeddings, or classifier='linear' or 'finetune'.",
    "dropout": "has no dropout (no method predict_with_dropout), which 'bald' and 'answer_variance' need; use "
    "classifier='finetune' with an encoder whose configuration has dropout, such as bert-base-uncased or 'minilm'.",
    "predicted_loss": "predicts no losses (no method predict_loss), which 'learning_loss' needs; use "
    "classifier='finetune' and classifier_options={'loss_prediction': True}.",
}


def _check_probabilities(values: Floats, texts: Sequence[str]) -> None:
    """Raise a `ClassifierError` that names the first text whose probabilities are none."""
    if bad := not_probabilities(np.asarray(values)):
        raise ClassifierError(
            f"The classifier's probabilities of the text {texts[bad[0]]!r:.80} are none: {bad[1]}. Are they logits? "
            "`signal_env.utils.prediction.softmax` makes probabilities of these."
        )


def _check_finite(name: str, values: Floats, texts: Sequence[str]) -> None:
    """Raise a `ClassifierError` that names the first text with NaN or infinity in its row of `values`."""
    finite = np.isfinite(values)
    if not finite.all():
        first = int(finite.all(axis=1).argmin())
        value = values[first][~finite[first]][0]
        raise ClassifierError(f"The classifier's {name} of the text {texts[first]!r} are not finite: got {value}.")
