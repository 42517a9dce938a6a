"""The results of an offer and of a round."""

import dataclasses
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signal_env.rewards.term import TermValues
from signal_env.utils.prediction import read_only


@dataclasses.dataclass(frozen=True)
class Offer:
    """The result of offering texts.

    Attributes:
        texts: `n` texts in canonical form: `Task.write`, with runs of white space as one space.
        terms: For each reward term its values; "invalid" is the term of texts that are not valid.
        invalid: For each text the reason why it is not valid, or "": "empty", "too long", "malformed", "unparsable" or
            "duplicate".
        real: For each text whether it is an unlabeled text of the real pool.
        passed: For each text whether it is a pass, the empty text with selection="submitted".
        at_close: For each term that is computed at the round's close, its values for the last text, `(1,)`.
        rewards: `(n,)` rewards, each the sum of the contributions of the text's terms.
    """

    texts: tuple[str, ...]
    terms: Mapping[str, TermValues]
    invalid: tuple[str, ...]
    real: tuple[bool, ...]
    passed: tuple[bool, ...]
    at_close: Mapping[str, TermValues] = dataclasses.field(default_factory=dict)
    rewards: NDArray[np.float64] = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        rewards = sum((term.contribution for term in self.terms.values()), np.zeros(len(self.texts)))
        for term in self.at_close.values():
            rewards[-1:] += term.contribution
        object.__setattr__(self, "rewards", read_only(rewards))

    def closed(self, at_close: Mapping[str, TermValues]) -> "Offer":
        """Return the offer with the closing terms of its last text, which closes the round."""
        return dataclasses.replace(self, at_close=at_close) if at_close else self

    def reward_terms(self, index: int) -> dict[str, dict[str, float]]:
        """Return each term's `raw` value, `weight` and `contribution` for one text; contributions sum to its reward."""
        shown = {name: term.row(index) for name, term in self.terms.items()}
        if index == len(self.texts) - 1:
            shown |= {name: term.row(0) for name, term in self.at_close.items()}
        return shown


@dataclasses.dataclass(frozen=True)
class Round:
    """The state of the experiment after a round's close.

    Attributes:
        index: 0 for the initial labeled set, then 1, 2, ...
        pool: Size of the real pool R.
        budget: Number of labels at which the episode ends.
        accuracy: Accuracy on the evaluation split, from 0 to 1.
        macro_f1: Mean over the classes of F1 on the evaluation split, from 0 to 1; 0 for a class that is neither
            predicted nor there.
        nll: Mean negative log-likelihood of the evaluation split's labels, in nats; lower is better.
        evaluation_size: Number of texts on which these three were measured.
        labeled: Size of the labeled set L.
        unlabeled: Size of the unlabeled set U.
        selected_real: Real texts labeled in this round.
        selected_synthetic: Synthetic texts labeled in this round.
        synthetic_share: Fraction of synthetic texts in L.
        synthetic_target: Target fraction of synthetic texts in the batch; None if there was none: with the plain rule,
            with submitted texts, for the initial labels and for an empty U.
        label_counts: `(C,)` labels in L.
        synthetic_label_counts: `(C,)` labels that the annotator gave to this round's synthetic texts.
        offers: Texts offered in this round, without passes.
        invalid_offers: Those of them that were not valid.
        passes: Passes in this round.
        reward_mean: The round's rewards over its offers; 0 if there were none.
        score_selected: Mean acquisition score of the texts labeled; None where no function scored them.
        score_unlabeled: Mean acquisition score of U before the selection; None likewise.
        annotator_agreement: Fraction of this round's real texts on which the annotator agrees with the gold label; None
            in rounds in which it labeled none of them.
        stopping: For each stopping criterion `value`, what it measured after the round's training, and `met_at`, the
            number of labels at which it was first met; each is left out where there is none. See `signal_env.stopping`.
        idle_rounds: Rounds in a row, up to this one, that labeled nothing.
        finished: Whether the episode ends with this round.
        end_reason: The reason why it ends; None if it goes on.
        last_offer: The round's last offer with what closing the round earned; None without offers. No part of logs.
    """

    index: int
    pool: int
    budget: int
    accuracy: float
    macro_f1: float
    nll: float
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
    passes: int
    reward_mean: float
    score_selected: float | None
    score_unlabeled: float | None
    annotator_agreement: float | None
    stopping: Mapping[str, Mapping[str, float]]
    idle_rounds: int
    finished: bool
    end_reason: str | None
    last_offer: Offer | None = dataclasses.field(default=None, repr=False)

    def measured(self) -> dict[str, Any]:
        """Return the fields that have a value, without `last_offer`: the info of a round, and its line in a log."""
        kept = {name: value for name, value in vars(self).items() if value is not None and name != "last_offer"}
        return {name: deepcopy(value) for name, value in kept.items()}

    def state_dict(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return {name: v.tolist() if isinstance(v, np.ndarray) else v for name, v in self.measured().items()}

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Any]) -> "Round":
        """Restore what `state_dict` returned."""
        optional: dict[str, Any] = {f.name: None for f in dataclasses.fields(cls) if f.name != "last_offer"}
        kept: dict[str, Any] = {
            name: np.array(value) if isinstance(value, list) else value for name, value in state.items()
        }
        return cls(**{**optional, **kept})
