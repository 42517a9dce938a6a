"""What the learner says of an offer and of a round."""

import dataclasses
from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from signal_env.utils.prediction import read_only


class TermValues(NamedTuple):
    """What a term is worth to `n` texts.

    Attributes:
        raw: `(n,)` the term's own values.
        value: `(n,)` the same after clipping and normalisation.
        weight: The term's weight in the composition.
    """

    raw: NDArray[np.float64]
    value: NDArray[np.float64]
    weight: float

    @property
    def share(self) -> NDArray[np.float64]:
        """`(n,)` the term's part of the reward: the shares of all terms sum to it."""
        return self.weight * self.value

    def row(self, index: int) -> dict[str, float]:
        """One text's values as plain numbers."""
        return {"raw": float(self.raw[index]), "weight": self.weight, "share": float(self.share[index])}

    def replaced_last(self, last: "TermValues") -> "TermValues":
        """The values with another one for the last text."""
        return TermValues(
            np.concatenate([self.raw[:-1], last.raw]), np.concatenate([self.value[:-1], last.value]), self.weight
        )

    def spread(self, valid: NDArray[np.bool_]) -> "TermValues":
        """The values of the valid texts among all: zeros for the others."""
        raw, value = np.zeros(len(valid)), np.zeros(len(valid))
        raw[valid], value[valid] = self.raw, self.value
        return TermValues(raw, value, self.weight)


@dataclasses.dataclass(frozen=True)
class Offer:
    """What became of the texts offered.

    Attributes:
        texts: `n` texts, in their one written form: `Task.write`, runs of white space as one space.
        rewards: `(n,)` rewards, each the sum of the shares of the text's terms.
        terms: For each reward term what it is worth to the texts; "invalid" is what invalid texts are paid.
        invalid: For each text why it is not valid ("empty", "too long", "malformed", "unparsable", "duplicate"), or "".
        real: For each text whether it is an unlabeled text of the real pool.
        at_close: For each term that only the close of a round pays, what it is worth to the last text, `(1,)`.
    """

    texts: tuple[str, ...]
    rewards: NDArray[np.float64]
    terms: dict[str, TermValues]
    invalid: tuple[str, ...]
    real: tuple[bool, ...]
    at_close: dict[str, TermValues] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(
        cls,
        texts: tuple[str, ...],
        terms: dict[str, TermValues],
        invalid: tuple[str, ...],
        real: tuple[bool, ...],
        at_close: dict[str, TermValues] | None = None,
    ) -> "Offer":
        """The offer with its rewards."""
        rewards = sum((term.share for term in terms.values()), np.zeros(len(texts)))
        at_close = at_close or {}
        for term in at_close.values():
            rewards[-1:] += term.share
        return cls(texts, read_only(rewards), terms, invalid, real, at_close)

    def closed(self, steps: dict[str, TermValues], at_close: dict[str, TermValues]) -> "Offer":
        """The offer with what the close of the round pays for its last text.

        Args:
            steps: What potentials pay for the closing step, `(1,)`.
            at_close: What terms pay that are paid at the close only, `(1,)`.
        """
        terms = self.terms | {name: self.terms[name].replaced_last(last) for name, last in steps.items()}
        return Offer.of(self.texts, terms, self.invalid, self.real, at_close)

    def rewards_without(self, names: Collection[str]) -> NDArray[np.float64]:
        """`(n,)` what the terms but these pay, and nothing of what the close does."""
        shares = (term.share for name, term in self.terms.items() if name not in names)
        return sum(shares, np.zeros(len(self.texts)))

    def reward_terms(self, index: int) -> dict[str, dict[str, float]]:
        """What each term is worth to one text: `raw`, `weight` and `share`; the shares sum to its reward."""
        shown = {name: term.row(index) for name, term in self.terms.items()}
        if index == len(self.texts) - 1:
            shown |= {name: term.row(0) for name, term in self.at_close.items()}
        return shown


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
        synthetic_target: The share of synthetic texts that the batch aimed at; None if none was aimed at: with the
            plain rule, with submitted texts, for the initial labels and for an empty U.
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
    synthetic_target: float | None
    label_counts: NDArray[np.int64]
    synthetic_label_counts: NDArray[np.int64]
    offers: int
    invalid_offers: int
    reward_mean: float
    score_selected: float
    score_unlabeled: float
    annotator_agreement: float | None
    finished: bool
