"""The two ways to choose what is labeled: by an acquisition function among all of U, or by the agent's submissions."""

from abc import ABC, abstractmethod
from typing import ClassVar

from signal_env.config import ConfigError, SignalConfig
from signal_env.learner.allocation import NOTHING, Allocated
from signal_env.learner.episode import Episode
from signal_env.learner.open_round import OpenRound


class Selection(ABC):
    """One of the two ways; no other module asks which one it is.

    Attributes:
        name: Its name, as the option `selection` has it.
        chooser: Who chooses.
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
        """Raise a `ConfigError` if it is not this chooser, "agent" or "acquisition function", that someone needs."""
        if self.chooser != chooser:
            (needed,) = (way.name for way in SELECTIONS.values() if way.chooser == chooser)
            raise ConfigError(
                f"{who} needs an experiment in which the {chooser} chooses what is labeled: selection={needed!r}; "
                f"the environment has {self.name!r}."
            )

    def check(self, config: SignalConfig) -> None:  # noqa: B027  (a way may have nothing to refuse)
        """Raise a `ConfigError` for an option that means nothing here."""

    def batch_size(self, labels: int, offers: int) -> int:
        """Return how many texts may be labeled at a close, of so many labels that are left and offers a round."""
        return labels

    def end_reason(self, episode: Episode) -> str | None:
        """Return why nothing can be labeled any more, or None."""
        return None

    @abstractmethod
    def choose(self, opened: OpenRound) -> tuple[list[str], Allocated]:
        """Return the batch to label (line 8)."""


class ByAcquisition(Selection):
    """The acquisition function chooses the batch among all of U (Algorithm 1)."""

    name, chooser, budget_fraction = "acquisition", "acquisition function", 2.0
    submits_real, empty_passes = False, False

    def choose(self, opened: OpenRound) -> tuple[list[str], Allocated]:
        """Discard all but the best offers, if so configured, and choose among what is left."""
        episode = opened.episode
        if opened.config.keep_best is not None:
            for text in opened.best_entered()[opened.config.keep_best :]:
                del episode.unlabeled[text]
        view = opened.selectable()
        chosen = episode.allocation(view, len(episode.labeled), episode.labeling.reliability, episode.selection_rng)
        return [view.texts[i] for i in chosen.indices], chosen


class BySubmission(Selection):
    """The agent chooses: the first valid texts that it submits are the batch, as many as the round may label."""

    name, chooser, budget_fraction = "submitted", "agent", 1.0
    submits_real, empty_passes = True, True

    def check(self, config: SignalConfig) -> None:
        """Raise a `ConfigError` for options of the acquisition function's choice."""
        for option in ("keep_best", "synthetic_share"):
            if getattr(config, option) is not None:
                raise ConfigError(
                    f"{option} is for selection='acquisition'; with 'submitted' the agent chooses what is labeled."
                )

    def batch_size(self, labels: int, offers: int) -> int:
        """Return at most as many as there are offers."""
        return min(labels, offers)

    def end_reason(self, episode: Episode) -> str | None:
        """Return that all real texts are labeled, unless the agent writes and its last round labeled something."""
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
        ConfigError: If there is no such way, or an option means nothing with it.
    """
    if config.selection not in list(SELECTIONS):
        raise ConfigError(f"selection is {' or '.join(map(repr, SELECTIONS))}; got {config.selection!r}.")
    selection = SELECTIONS[config.selection]
    selection.check(config)
    return selection
