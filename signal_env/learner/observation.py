"""What an agent sees: a prompt, and the classifier's state as a vector of named features."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signal_env.acquisition import contrast, entropy, margin
from signal_env.acquisition.neighbors import Neighbors
from signal_env.tasks import Task
from signal_env.utils.prediction import Prediction


def prompt(task: Task, examples: Sequence[str]) -> str:
    """An instruction and p in-context examples, in the paper's form (section 4.1).

    Example:
        >>> from signal_env.tasks import get_task
        >>> print(prompt(get_task("sst2"), ["of an authentic feel", "is listless , witless"]))
        Based on the following examples of movie reviews, come up with a new example:
        Example 1: of an authentic feel
        Example 2: is listless , witless
        New Example:
    """
    lines = [f"Example {i}: {example}" for i, example in enumerate(examples, start=1)]
    return "\n".join([task.instruction, *lines, "New Example:"])


class Prompts:
    """The prompts of an episode, one after the other (Algorithm 1, line 1).

    Args:
        task: The task.
        pool: R, of which the in-context examples are drawn.
        rng: For the draws.
        n_examples: The paper's p, examples per prompt.
        group: How often in a row each prompt is shown.
        fixed: Whether the first prompt is shown for good.

    Example:
        >>> from signal_env.tasks import get_task
        >>> prompts = Prompts(get_task("sst2"), ("dull", "witty"), np.random.default_rng(0), 1, group=2, fixed=False)
        >>> shown = [prompts.next() for _ in range(4)]
        >>> shown[0] == shown[1], shown[2] == shown[3]
        (True, True)
    """

    def __init__(
        self, task: Task, pool: Sequence[str], rng: np.random.Generator, n_examples: int, group: int, fixed: bool
    ) -> None:
        self._task, self._pool, self._rng = task, pool, rng
        self._n_examples, self._group, self._fixed = n_examples, group, fixed
        self._shown, self._uses = "", 0

    def next(self) -> str:
        """A new prompt, or the last one as long as its group is not complete, or for good if it is fixed."""
        if self._shown and self._fixed:
            return self._shown
        if self._uses == 0:
            p = min(self._n_examples, len(self._pool))
            draw = self._rng.choice(len(self._pool), size=p, replace=False)
            self._shown, self._uses = prompt(self._task, [self._pool[i] for i in draw]), self._group
        self._uses -= 1
        return self._shown

    def state_dict(self) -> list[str | int]:
        """The last prompt, and how often it is still to be shown; the random numbers are their owner's."""
        return [self._shown, self._uses]

    def load_state_dict(self, state: list[Any]) -> None:
        """Restores what `state_dict` returned."""
        self._shown, self._uses = state


def feature_names(task: Task) -> tuple[str, ...]:
    """The names of the classifier vector's features, in order. All lie between 0 and 1.

    They are computed from the labeled set and the unlabeled texts; the evaluation split and hidden labels have no part.

    - `round_progress`: offers made in this round, as a share of `offers_per_round`.
    - `labeled_share`: labeled instances, as a share of the budget.
    - `synthetic_share`: the share of synthetic texts in the labeled set.
    - `train_accuracy`: accuracy on the labeled set.
    - `entropy_labeled`, `entropy_unlabeled`: mean predictive entropy over log C.
    - `margin_unlabeled`: mean of 1 minus the lead of the likeliest class.
    - `distance_unlabeled`, `score_unlabeled`: mean distance d to the nearest labeled neighbour and mean s_x of the
      unlabeled texts, each squashed as v / (1 + v).
    - `label_share/CLASS`: share of the class among the labels.
    - `predicted_share/CLASS`: share of the class among the predictions for the unlabeled texts.

    Example:
        >>> from signal_env.tasks import get_task
        >>> feature_names(get_task("sst2"))[-2:]
        ('predicted_share/negative', 'predicted_share/positive')
    """
    return (
        *("round_progress", "labeled_share", "synthetic_share", "train_accuracy", "entropy_labeled"),
        *("entropy_unlabeled", "margin_unlabeled", "distance_unlabeled", "score_unlabeled"),
        *(f"label_share/{name}" for name in task.class_names),
        *(f"predicted_share/{name}" for name in task.class_names),
    )


def features(
    labeled: Prediction,
    labels: NDArray[np.int64],
    unlabeled: Prediction,
    neighbors: Neighbors | None,
    *,
    labeled_share: float,
    synthetic_share: float,
) -> NDArray[np.float32]:
    """The classifier's state after a retraining, in the order of `feature_names`, with `round_progress` 0.

    Args:
        labeled, labels: The labeled set.
        unlabeled: The unlabeled set.
        neighbors: The nearest labeled neighbours of the unlabeled set; None if it is empty.
        labeled_share, synthetic_share: See `feature_names`.
    """
    n_classes = labeled.probabilities.shape[1]
    margin_unlabeled = entropy_unlabeled = distance = score = 0.0
    predicted_share = np.zeros(n_classes)
    if neighbors is not None:
        distance = float(neighbors.distances[:, 0].mean())
        score = float(contrast(unlabeled.probabilities, labeled.probabilities, neighbors).mean())
        entropy_unlabeled = float(entropy(unlabeled.probabilities).mean()) / np.log(n_classes)
        margin_unlabeled = float(margin(unlabeled.probabilities).mean())
        predicted_share = _shares(unlabeled.probabilities.argmax(axis=1), n_classes)
    values = [
        *(0.0, labeled_share, synthetic_share, float((labeled.probabilities.argmax(axis=1) == labels).mean())),
        *(float(entropy(labeled.probabilities).mean()) / np.log(n_classes), entropy_unlabeled, margin_unlabeled),
        *(distance / (1 + distance), score / (1 + score)),
        *_shares(labels, n_classes),
        *predicted_share,
    ]
    return np.asarray(np.clip(values, 0.0, 1.0), dtype=np.float32)


def _shares(labels: NDArray[np.int64], n_classes: int) -> NDArray[np.float64]:
    return np.bincount(labels, minlength=n_classes) / len(labels)
