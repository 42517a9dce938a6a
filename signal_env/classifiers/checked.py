"""A classifier whose answers are checked, so that what is wrong with one is said where it happens."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signal_env.classifiers import Classifier, ClassifierError
from signal_env.utils.prediction import Floats, Prediction


class CheckedClassifier:
    """A classifier, built in or a user's own, that raises a `ClassifierError` for anything unusable it returns.

    Args:
        classifier: The classifier.
        n_classes: The task's number of classes.
    """

    def __init__(self, classifier: Classifier, n_classes: int) -> None:
        self.classifier = classifier
        self.n_classes = n_classes
        self._size = 0

    def fit(self, texts: Sequence[str], labels: NDArray[np.int64], seed: int) -> None:
        """See `Classifier.fit`."""
        self.classifier.fit(texts, labels, seed)

    def predict(self, texts: Sequence[str]) -> Prediction:
        """See `Classifier.predict`; no texts have no rows, of as many columns as the texts before."""
        if not texts:
            return Prediction(np.zeros((0, self.n_classes)), np.zeros((0, self._size)))
        prediction = self.classifier.predict(texts)
        shapes = tuple(np.shape(values) for values in prediction)
        expected = ((len(texts), self.n_classes), (len(texts), *shapes[1][1:]))
        if shapes != expected:
            raise ClassifierError(
                f"The classifier returned probabilities and embeddings of the shapes {shapes} for {len(texts)} texts; "
                f"expected {expected[0]} and ({len(texts)}, d)."
            )
        for name, values in zip(prediction._fields, prediction, strict=True):
            _check_finite(name, values, texts)
        self._size = shapes[1][1]
        return prediction

    def pretrained(self, texts: Sequence[str]) -> Floats:
        """Encodings `(n, e)` of one or more texts by the pretrained encoder, see `Classifier`."""
        encodings = np.asarray(self._ability("pretrained")(texts))
        if encodings.ndim != 2 or len(encodings) != len(texts):
            raise ClassifierError(
                f"The classifier returned pretrained encodings of the shape {encodings.shape} for {len(texts)} texts; "
                f"expected ({len(texts)}, e)."
            )
        _check_finite("pretrained encodings", encodings, texts)
        return encodings

    def dropout(self, texts: Sequence[str], n_samples: int, seed: int) -> Floats:
        """Probabilities `(S, n, C)` of one or more texts in S passes with dropout, see `Classifier`."""
        samples = np.asarray(self._ability("dropout")(texts, n_samples, seed))
        expected = (n_samples, len(texts), self.n_classes)
        if samples.shape != expected:
            raise ClassifierError(
                f"The classifier returned probabilities under dropout of the shape {samples.shape}; "
                f"expected {expected}."
            )
        for sample in samples:
            _check_finite("probabilities under dropout", sample, texts)
        return samples

    def require(self, ability: str) -> None:
        """Raises a `ClassifierError` if the classifier lacks this ability, "pretrained" or "dropout"."""
        self._ability(ability)

    def _ability(self, name: str) -> Callable[..., Any]:
        method = getattr(self.classifier, _METHODS[name], None)
        if method is None:
            raise ClassifierError(f"{type(self.classifier).__name__} {_LACKS[name]}")
        found: Callable[..., Any] = method
        return found


_METHODS = {"pretrained": "encode_pretrained", "dropout": "predict_with_dropout"}

_LACKS = {
    "pretrained": "has no pretrained encoder (a method encode_pretrained), which 'bertkm' needs; take 'ft_bertkm', on "
    "the classifier's own embeddings, or classifier='linear' or 'finetune'.",
    "dropout": "has no dropout (a method predict_with_dropout), which 'bald' and 'answer_variance' need; take "
    "classifier='finetune' with an encoder whose configuration has dropout, such as bert-base-uncased or 'minilm'.",
}


def _check_finite(name: str, values: Floats, texts: Sequence[str]) -> None:
    finite = np.isfinite(values)
    if not finite.all():
        first = int(finite.all(axis=1).argmin())
        raise ClassifierError(f"The classifier's {name} of the text {texts[first]!r} are not finite.")
