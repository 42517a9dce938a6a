"""Acquisition functions: which unlabeled texts to label, as pure functions over arrays.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> probabilities, embeddings = rng.dirichlet([1, 1], size=1000), rng.normal(size=(1000, 16))
    >>> len(select("badge", probabilities=probabilities, embeddings=embeddings, batch_size=100, rng=0))
    100

The registry `acquisitions` holds them by name: `scores.py` and `error_reduction.py` have those that give every text a
score, of which the highest are chosen, `batches.py` those that choose a batch as a whole.
"""

from signal_env.acquisition.batches import badge, bertkm, class_balanced, coreset, ft_bertkm, random
from signal_env.acquisition.error_reduction import expected_error_reduction
from signal_env.acquisition.scores import (
    SMALLEST,
    TYPICAL_NEIGHBORS,
    bald,
    cal,
    closeness,
    contrast,
    contrastive,
    entropy,
    find_neighbors,
    informativeness,
    learning_loss,
    least_confidence,
    margin,
    relevance,
    signal,
    typical,
    typicality,
)
from signal_env.acquisition.select import select
from signal_env.acquisition.strategy import (
    AcquisitionError,
    AcquisitionFunction,
    Choice,
    Strategy,
    acquisitions,
    top,
)

__all__ = [
    "SMALLEST",
    "TYPICAL_NEIGHBORS",
    "AcquisitionError",
    "AcquisitionFunction",
    "Choice",
    "Strategy",
    "acquisitions",
    "badge",
    "bald",
    "bertkm",
    "cal",
    "class_balanced",
    "closeness",
    "contrast",
    "contrastive",
    "coreset",
    "entropy",
    "expected_error_reduction",
    "find_neighbors",
    "ft_bertkm",
    "informativeness",
    "learning_loss",
    "least_confidence",
    "margin",
    "random",
    "relevance",
    "select",
    "signal",
    "top",
    "typical",
    "typicality",
]
