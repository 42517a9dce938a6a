"""Line 8 of Algorithm 1: the batch to label, and its split between real and synthetic texts.

By the paper's plain rule the batch is the b best texts of U, real or synthetic. Its section 5.4 finds that synthetic
texts waste labels early on, and proposes a gradual shift from real to synthetic texts: the option `synthetic_share`.
"""

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from signal_env.acquisition import AcquisitionError, Strategy, top
from signal_env.config import ConfigError, Sizes
from signal_env.learner.view import View

SyntheticShare = float | Literal["linear", "adaptive"] | None


class Allocated(NamedTuple):
    """The batch to label.

    Attributes:
        indices: `(b,)` indices of texts of U; with a target the best real ones come before the synthetic ones.
        scores: `(n,)` acquisition scores of U; None where there are none.
        synthetic_target: The target fraction of synthetic texts; None if the plain rule chose.
    """

    indices: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
    scores: NDArray[np.float64] | None = None
    synthetic_target: float | None = None

    @property
    def selected(self) -> NDArray[np.float64] | None:
        """The scores of the batch, `(b,)`."""
        return None if self.scores is None else self.scores[self.indices]


NOTHING = Allocated()
"""The result where no acquisition function chose."""


class Allocation:
    """The choice of an episode's batches.

    With a share, a batch of b texts has the best round(share * b) synthetic texts by the acquisition function, and the
    best real ones for the rest. The remainder of rounding is carried into the next round, so that the shares add up.
    Where one kind has too few texts, the other makes up for it. A function that chooses a batch as a whole ("badge",
    "bertkm", "coreset") chooses the part of each kind separately.

    The share is a number, "linear" (see `linear_share`), or "adaptive" (see `adaptive_share`). The adaptive share is
    that of the batch with the highest sum of weighted scores. The weight is the worth of the label: 1 for a gold label,
    the annotator's reliability for one of its own. A label goes to a synthetic text only if its score makes up for the
    annotator's errors. Early on that is rare: few answers have shown that the annotator is reliable, and the best real
    texts are not labeled yet.

    Args:
        strategy: The acquisition function.
        share: The environment's option `synthetic_share`.
        sizes: The numbers of the experiment.

    Raises:
        ConfigError: If the share is "adaptive" and the function gives no scores.
    """

    def __init__(self, strategy: Strategy, share: SyntheticShare, sizes: Sizes) -> None:
        if share == "adaptive" and not strategy.gives_scores:
            raise ConfigError(
                f"synthetic_share='adaptive' compares scores, but the acquisition function {strategy.name!r} chooses a "
                "batch as a whole; give synthetic_share='linear' or a number, or a function such as 'signal'."
            )
        self._strategy, self._share, self._sizes = strategy, share, sizes
        self.reset()

    @property
    def needs_reliability(self) -> bool:
        """Whether batches depend on how often the annotator is right, so that it labels real texts too."""
        return self._share == "adaptive"

    def reset(self) -> None:
        """Begin an episode."""
        self.left_over = 0.0
        """The remainder of rounding so far, in synthetic texts, from -0.5 to 0.5."""

    def state_dict(self) -> dict[str, Any]:
        """Return the remainder of rounding."""
        return {"left_over": self.left_over}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.left_over = state["left_over"]

    def __call__(self, unlabeled: View, labeled: int, reliability: float, rng: np.random.Generator) -> Allocated:
        """Choose a batch.

        Args:
            unlabeled: U.
            labeled: The size of L.
            reliability: Worth of the annotator's labels, from 0 to 1; see `Labeling.reliability`.
            rng: Random numbers of the acquisition function.

        Raises:
            AcquisitionError: If the function returns unusable values.
        """
        if self._share is None or not len(unlabeled):
            return Allocated(*self._strategy(unlabeled, len(unlabeled), rng))
        scores = self._strategy(unlabeled, len(unlabeled), rng).scores if self._strategy.gives_scores else None
        if self._share == "linear":
            target = linear_share(labeled, self._sizes.initial, self._sizes.budget)
        elif self._share == "adaptive" and scores is not None:
            target = adaptive_share(scores, unlabeled.real, unlabeled.batch_size, reliability)
        else:
            target = float(self._share)
        due = target * unlabeled.batch_size + self.left_over
        n_synthetic = int(np.floor(due + 0.5))
        self.left_over = due - n_synthetic
        return Allocated(self._best(unlabeled, scores, n_synthetic, rng), scores, target)

    def _best(
        self, unlabeled: View, scores: NDArray[np.float64] | None, n_synthetic: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Return the indices of the best texts of each kind, `n_synthetic` synthetic ones if both kinds have enough."""
        real, synthetic = np.flatnonzero(unlabeled.real), np.flatnonzero(~unlabeled.real)
        n_synthetic = min(max(n_synthetic, unlabeled.batch_size - len(real)), len(synthetic))
        parts = []
        for texts, n in ((real, unlabeled.batch_size - n_synthetic), (synthetic, n_synthetic)):
            if scores is not None:
                best = top(scores[texts], n)
            elif n:
                best = self._strategy(unlabeled.rows(texts), len(texts), rng, n).indices
            else:
                best = texts[:0]
            parts.append(texts[best])
        return np.concatenate(parts)


def linear_share(labeled: int, initial: int, budget: int) -> float:
    """Compute the fraction of the labels after the initial ones that are spent: 0 at first, 1 at the budget.

    Example:
        >>> [linear_share(labeled, initial=10, budget=50) for labeled in (10, 20, 50)]
        [0.0, 0.25, 1.0]
    """
    return (labeled - initial) / (budget - initial)


def adaptive_share(scores: NDArray[np.float64], real: NDArray[np.bool_], batch_size: int, reliability: float) -> float:
    """Compute the fraction of synthetic texts among the b best by s_x, or by reliability * s_x if x is synthetic.

    With a reliability of 1 these are the b best texts of the plain rule. With 0 they are real texts.

    Args:
        scores: `(n,)` acquisition scores, at least 0.
        real: `(n,)` whether each text is real.
        batch_size: The number of texts to choose, b, from 1 to n.
        reliability: Worth of a label of the annotator, from 0 to 1.

    Raises:
        AcquisitionError: If a score is negative.

    Example: the two synthetic texts are the best ones at first sight.
        >>> scores, real = np.array([1.0, 2.0, 4.0, 6.0]), np.array([True, True, False, False])
        >>> [adaptive_share(scores, real, batch_size=2, reliability=worth) for worth in (1.0, 0.4, 0.1)]
        [1.0, 0.5, 0.0]
    """
    if scores.min(initial=0.0) < 0:
        raise AcquisitionError(
            f"synthetic_share='adaptive' needs scores of at least 0, since it weights them; got {scores.min()}."
        )
    best = top(np.where(real, scores, reliability * scores), batch_size)
    return float((~real[best]).mean())
