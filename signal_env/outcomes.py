"""What the learner says of an offer and of a round."""

import dataclasses

import numpy as np
from numpy.typing import NDArray


@dataclasses.dataclass(frozen=True)
class Offer:
    """What became of the texts offered.

    Attributes:
        texts: `n` texts, in their one written form: `Task.write`, runs of white space as one space.
        rewards: `(n,)` rewards, each the sum of the text's terms.
        terms: For each reward term its weighted values `(n,)`; "invalid" holds what invalid texts are paid.
        invalid: For each text why it is not valid ("empty", "too long", "malformed", "unparsable", "duplicate"), or "".
        real: For each text whether it is an unlabeled text of the real pool.
    """

    texts: tuple[str, ...]
    rewards: NDArray[np.float64]
    terms: dict[str, NDArray[np.float64]]
    invalid: tuple[str, ...]
    real: tuple[bool, ...]


@dataclasses.dataclass(frozen=True)
class Round:
    """The state of the experiment after a retraining.

    Attributes:
        index: 0 for the initial labeled set, then 1, 2, ...
        pool: The size of the real pool R.
        budget: The number of labels at which the episode ends.
        accuracy: Accuracy on the evaluation split.
        evaluation_size: The number of texts that it was measured on.
        labeled: The size of the labeled set L.
        unlabeled: The size of the unlabeled set U.
        selected_real: Real texts labeled in this round.
        selected_synthetic: Synthetic texts labeled in this round.
        synthetic_share: The share of synthetic texts in L.
        label_counts: `(C,)` the labels in L.
        synthetic_label_counts: `(C,)` the labels that the annotator gave to this round's synthetic texts.
        offers: Texts offered in this round.
        invalid_offers: Those of them that were not valid.
        reward_mean: Mean reward of the round's offers; 0 if there were none.
        score_selected: Mean acquisition score of the texts labeled; 0 where no function chose them.
        score_unlabeled: Mean acquisition score of U before the selection; 0 likewise.
        annotator_agreement: The share of this round's real texts on which the annotator agrees with the gold label;
            None in rounds that asked the annotator nothing.
        finished: Whether the episode ends with this round.
    """

    index: int
    pool: int
    budget: int
    accuracy: float
    evaluation_size: int
    labeled: int
    unlabeled: int
    selected_real: int
    selected_synthetic: int
    synthetic_share: float
    label_counts: NDArray[np.int64]
    synthetic_label_counts: NDArray[np.int64]
    offers: int
    invalid_offers: int
    reward_mean: float
    score_selected: float
    score_unlabeled: float
    annotator_agreement: float | None
    finished: bool
