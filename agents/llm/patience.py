"""How long agents that write go on when nothing comes of it any more."""

from typing import Any

from signal_env.vector_env import closed_round

PATIENCE = 10
"""Rounds in a row without a label after which a generator is given up."""


class CollapseError(ValueError):
    """A generator that writes nothing that could be labeled; the message says what to change."""


class Patience:
    """Counts the rounds in a row in which nothing was labeled: without labels an episode would never end.

    Attributes:
        rounds: Their number so far.
    """

    def __init__(self) -> None:
        self.rounds = 0

    def note(self, infos: dict[str, Any]) -> None:
        """Takes note of a step.

        Raises:
            CollapseError: If it closes the last of `PATIENCE` rounds without a label.
        """
        closed = closed_round(infos)
        if closed is None:
            return
        labeled = closed["selected_real"] + closed["selected_synthetic"]
        self.rounds = 0 if labeled or closed["finished"] else self.rounds + 1
        if self.rounds == PATIENCE:
            raise CollapseError(
                f"Nothing could be labeled in {PATIENCE} rounds: the generator repeats itself, or writes what is not "
                "valid. Give it a higher temperature, more max_new_tokens, or take another generator."
            )
