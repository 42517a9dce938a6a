"""The action, the observation and the state, as OpenEnv sends them."""

import json
from typing import Annotated, Any

from openenv.core.env_server.types import Action, Observation, State
from pydantic import BeforeValidator, Field


def as_text(value: Any) -> Any:
    """Return an action's value as a text that UTF-8 can hold.

    Clients that read JSON out of a model's answer turn the answer "12" into a number; it becomes "12" again. A lone
    surrogate becomes U+FFFD.

    Example:
        >>> as_text("a warm film"), as_text(12), as_text(["a", None]), as_text("\\ud800")
        ('a warm film', '12', '["a", null]', '�')
    """
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class SignalAction(Action):  # type: ignore[misc]  # it has no types
    """A text. It is the only required field, so that generic clients may send a model's answer as it is."""

    text: Annotated[str, BeforeValidator(as_text)] = Field(..., description="The text to offer.")


class SignalObservation(Observation):  # type: ignore[misc]
    """The next prompt, and what the last text has earned.

    `metadata` has the text's info, with its `reward_terms`; see `SignalEnv`, section "Information". `offered` is false
    if the experiment was over, so that the text was scored only.
    """

    prompt: str = Field(default="", description="The prompt to answer; empty once the episode is done.")


class SignalState(State):  # type: ignore[misc]
    """The session's episode, and the state of its experiment."""

    round: int | None = Field(default=None, description="Index of the last closed round; null before an experiment.")
    accuracy: float | None = Field(default=None, description="The classifier's accuracy on the evaluation split.")
    labeled: int = Field(default=0, description="Labeled instances.")
    budget: int = Field(default=0, description="Labeled instances at which the experiment ends.")
    offered: int = Field(default=0, description="Texts offered to the experiment, by all sessions that share it.")
    offers_made: int = Field(default=0, description="Texts offered in the open round.")
    offers_per_round: int = Field(default=0, description="Texts at which a round closes.")
    ended: bool = Field(default=False, description="Whether the experiment is over.")
    classifier: dict[str, float] = Field(default_factory=dict, description="The classifier vector, by feature.")
