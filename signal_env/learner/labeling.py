"""Line 9 of Algorithm 1: the labels of a batch."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from signal_env.annotators import Annotator


class Labeling:
    """The labeling of batches: gold labels for real texts, the annotator's labels for synthetic ones.

    To measure how often it is right, the annotator also labels the real texts of a batch that has synthetic ones.

    Args:
        annotate: The annotator.
        n_classes: The number of classes C.
        gold: The texts of R with their gold labels, which stay hidden until they are in a batch.
        always: Whether the annotator labels the real texts of every batch.
    """

    def __init__(self, annotate: Annotator, n_classes: int, gold: Mapping[str, int], always: bool) -> None:
        self._annotate, self._n_classes, self._gold, self._always = annotate, n_classes, gold, always
        self._agreed = self._asked = 0

    @property
    def reliability(self) -> float:
        """The worth of the annotator's labels, from 0 to 1, by all of its answers so far; see `reliability` below."""
        return reliability(self._agreed, self._asked, self._n_classes)

    def __call__(self, batch: Sequence[str]) -> tuple[dict[str, int], float | None]:
        """Return the batch's labels, and the annotator's agreement with the gold labels of its real texts.

        The agreement is a fraction from 0 to 1, or None if the annotator did not label them.

        Raises:
            AnnotatorError: If the annotator cannot label a text.
        """
        real = {text: self._gold[text] for text in batch if text in self._gold}
        written = [text for text in batch if text not in real]
        agreement = None
        if real and (written or self._always):
            right = self._annotate(list(real)) == list(real.values())
            agreement = float(np.mean(right))
            self._agreed, self._asked = self._agreed + int(right.sum()), self._asked + len(real)
        synthetic = dict(zip(written, self._annotate(written).tolist(), strict=True)) if written else {}
        return {text: real[text] if text in real else synthetic[text] for text in batch}, agreement

    def state_dict(self) -> dict[str, Any]:
        """Return how often the annotator was asked, and how often it was right."""
        return {"agreed": self._agreed, "asked": self._asked}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._agreed, self._asked = state["agreed"], state["asked"]


def reliability(agreed: int, asked: int, n_classes: int) -> float:
    """Compute the worth of the annotator's label in correct labels, from 0 (a guess) to 1.

    It is kappa² with kappa = max(0, (a - 1/C) / (1 - 1/C)), the annotator's agreement a with gold labels corrected for
    chance (Cohen 1960). If two classes are confused with probability η, kappa is 1 - 2η, and learning takes
    1 / (1 - 2η)² times as many labels (Angluin & Laird 1988). The agreement is smoothed by one label of each class, of
    which a guess gets one right. An annotator that was never asked is worth 0.

    Args:
        agreed: Real texts that the annotator labeled right.
        asked: Real texts that it labeled.
        n_classes: The number of classes C.

    Example:
        >>> [round(reliability(agreed, 100, n_classes=2), 2) for agreed in (100, 90, 70, 50, 10)]
        [0.96, 0.62, 0.15, 0.0, 0.0]
        >>> reliability(0, 0, n_classes=2)
        0.0
    """
    agreement = (agreed + 1) / (asked + n_classes)
    return max(0.0, (agreement - 1 / n_classes) / (1 - 1 / n_classes)) ** 2
