"""The two ways to choose the texts to label: by an acquisition function among all of U, or by submission."""

from abc import ABC, abstractmethod
from typing import ClassVar

from signal_env.config import ConfigError, SignalConfig
from signal_env.learner.allocation import NOTHING, Allocated
from signal_env.learner.episode import Episode
from signal_env.learner.open_round import OpenRound


class Selection(ABC):
    """One of the two ways to choose. No other module depends on which one it is.

    Attributes:
        name: Its name, as the option `selection` has it.
        chooser: The one who chooses, "agent" or "acquisition function".
        budget_fraction: The default budget as a fraction of R.
        submits_real: Whether a text that equals an unlabeled real one *is* that instance. Otherwise it is a duplicate.
        empty_passes: Whether the empty text is a pass. Otherwise it is invalid.
    """

    name: ClassVar[str]
    chooser: ClassVar[str]
    budget_fraction: ClassVar[float]
    submits_real: ClassVar[bool]
    empty_passes: ClassVar[bool]

    def require(self, chooser: str, who: str) -> None:
        """Raise a `ConfigError` if the chooser is another one than `who` needs."""
        if self.chooser != chooser:
            (needed,) = (way.name for way in SELECTIONS.values() if way.chooser == chooser)
            raise ConfigError(
                f"{who} needs an experiment in which the {chooser} chooses what is labeled: selection={needed!r}; "
                f"the environment has {self.name!r}."
            )

    def check(self, config: SignalConfig) -> None:  # noqa: B027  (a way may accept every option)
        """Raise a `ConfigError` for an option that has no effect here."""

    def batch_size(self, labels: int, offers: int) -> int:
        """Return the number of texts that may be labeled at a close, from the labels left and the offers of a round."""
        return labels

    def end_reason(self, episode: Episode) -> str | None:
        """Return the reason why no text can be labeled any more, or None."""
        return None

    def discard(self, opened: OpenRound) -> None:  # noqa: B027  (a way may keep every offer)
        """Remove offers from U that shall not stay there."""

    @abstractmethod
    def choose(self, opened: OpenRound) -> tuple[list[str], Allocated]:
        """Return the batch to label (line 8)."""


class ByAcquisition(Selection):
    """Choice by the acquisition function among all of U (Algorithm 1)."""

    name, chooser, budget_fraction = "acquisition", "acquisition function", 2.0
    submits_real, empty_passes = False, False

    def discard(self, opened: OpenRound) -> None:
        """Leave only the best `keep_best` offers in U, if this is given."""
        if opened.config.keep_best is not None:
            for text in opened.best_offered()[opened.config.keep_best :]:
                del opened.episode.unlabeled[text]

    def choose(self, opened: OpenRound) -> tuple[list[str], Allocated]:
        """Return the acquisition function's choice among all of U."""
        episode, view = opened.episode, opened.selectable()
        chosen = episode.allocation(view, len(episode.labeled), episode.labeling.reliability, episode.selection_rng)
        return [view.texts[i] for i in chosen.indices], chosen


class BySubmission(Selection):
    """Choice by the agent: the first valid texts that it submits are the batch, up to the round's labels."""

    name, chooser, budget_fraction = "submitted", "agent", 1.0
    submits_real, empty_passes = True, True

    def check(self, config: SignalConfig) -> None:
        """Raise a `ConfigError` for options that only apply to the other way."""
        for option in ("keep_best", "synthetic_share"):
            if getattr(config, option) is not None:
                raise ConfigError(
                    f"{option} is for selection='acquisition'; with 'submitted' the agent chooses what is labeled."
                )

    def batch_size(self, labels: int, offers: int) -> int:
        """Return the number of labels left, or of offers if these are fewer."""
        return min(labels, offers)

    def end_reason(self, episode: Episode) -> str | None:
        """Return a reason if all real texts are labeled, unless the agent writes and its last round labeled a text."""
        if episode.real_left or (episode.n_synthetic and not episode.idle_rounds):
            return None
        return "all real texts are labeled"

    def choose(self, opened: OpenRound) -> tuple[list[str], Allocated]:
        """Return the first valid texts."""
        return list(opened.offered.texts[: opened.batch_size]), NOTHING


SELECTIONS: dict[str, Selection] = {way.name: way for way in (ByAcquisition(), BySubmission())}


def selection_of(config: SignalConfig) -> Selection:
    """Return the way that the options name.

    Raises:
        ConfigError: If there is no such way, or an option has no effect with it.
    """
    if config.selection not in list(SELECTIONS):
        raise ConfigError(f"selection must be {' or '.join(map(repr, SELECTIONS))}; got {config.selection!r}.")
    selection = SELECTIONS[config.selection]
    selection.check(config)
    return selection
