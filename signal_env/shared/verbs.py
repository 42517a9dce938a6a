"""The verbs of a shared experiment and their results, which survive JSON to the bit.

An experiment is one episode: it begins when it is made and ends once. Every result has `to_dict`, which returns plain
data, and `from_dict`, which restores it from that data after a way through JSON.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from signal_env.utils.errors import SignalError

Info = dict[str, Any]
"""`SignalEnv`'s info of one text; see its section "Information"."""


class ExperimentEnded(SignalError, RuntimeError):
    """A text that is offered to an experiment that is over."""


@dataclasses.dataclass(frozen=True)
class Prompts:
    """The next prompts of an experiment.

    Attributes:
        first: The number of prompts drawn before.
        texts: `n` prompts.
    """

    first: int
    texts: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the prompts as plain data."""
        return {"first": self.first, "texts": list(self.texts)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Restore what `to_dict` returned."""
        return cls(data["first"], tuple(data["texts"]))


@dataclasses.dataclass(frozen=True)
class Scored:
    """The rewards of a batch of texts.

    Attributes:
        rewards: `(n,)` rewards, float64.
        infos: The `n` infos, each that of `SignalEnv.step`.
    """

    rewards: NDArray[np.float64]
    infos: tuple[Info, ...]

    @property
    def invalid(self) -> tuple[str, ...]:
        """For each text the reason why it is not valid, or ""."""
        return tuple(info["invalid"] for info in self.infos)

    def term(self, name: str, part: str = "contribution") -> NDArray[np.float64]:
        """Return a reward term's values `(n,)`; 0 where it has none, as closing terms within a round.

        Args:
            name: The term.
            part: "raw", "weight" or "contribution". The contributions of all terms sum to the rewards.
        """
        rows = (info["reward_terms"].get(name) for info in self.infos)
        return np.array([0.0 if row is None else row[part] for row in rows], dtype=np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain data."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return values | {"rewards": self.rewards.tolist(), "infos": [plain(info) for info in self.infos]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Restore what `to_dict` returned."""
        rewards = np.array(data["rewards"], dtype=np.float64)
        return cls(**{**data, "rewards": rewards, "infos": tuple(map(restored, data["infos"]))})


@dataclasses.dataclass(frozen=True)
class Offered(Scored):
    """The result of offering a batch of texts.

    The texts are offered in order. A round closes as soon as it is full, so a batch may close several: later texts are
    then rewarded under the retrained classifier. Texts behind the one that ends the experiment are not offered; their
    rewards are those of `score`.

    Attributes:
        first: The number of texts offered before.
        offered: The number of texts of this batch that were offered: all, or those up to the experiment's end.
        ended: Whether the experiment is over.
    """

    first: int
    offered: int
    ended: bool

    @property
    def rounds(self) -> tuple[Info, ...]:
        """The rounds that the batch closed; see `signal_env.learner.outcomes.Round`."""
        return tuple(info["round"] for info in self.infos if "round" in info)


@dataclasses.dataclass(frozen=True)
class State:
    """The state of an experiment.

    Attributes:
        round: The last closed round, with `index`, `accuracy`, `labeled`, `budget`, `end_reason` and more; see
            `signal_env.learner.outcomes.Round`.
        drawn: The number of prompts drawn.
        offered: The number of texts offered.
        offers_made: The number of them in the open round.
        offers_per_round: The number at which a round closes.
        classifier: The classifier vector of the observation, float32.
        feature_names: The names of its features.
        field_names: The names of the fields of the task's texts.
        weights: The reward's terms with their weights; "invalid" is the term of texts that are not valid.
        terminated: Whether the experiment has ended; see `SignalEnv`.
        truncated: Whether it was cut off.
    """

    round: Info
    drawn: int
    offered: int
    offers_made: int
    offers_per_round: int
    classifier: NDArray[np.float32]
    feature_names: tuple[str, ...]
    field_names: tuple[str, ...]
    weights: dict[str, float]
    terminated: bool
    truncated: bool

    @property
    def ended(self) -> bool:
        """Whether the experiment is over."""
        return self.terminated or self.truncated

    def to_dict(self) -> dict[str, Any]:
        """Return the state as plain data."""
        changed = {"round": plain(self.round), "classifier": self.classifier.tolist(), "weights": dict(self.weights)}
        return vars(self) | changed | {name: list(getattr(self, name)) for name in ("feature_names", "field_names")}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Restore what `to_dict` returned."""
        changed: dict[str, Any] = {name: tuple(data[name]) for name in ("feature_names", "field_names")}
        changed |= {"round": restored(data["round"]), "classifier": np.array(data["classifier"], dtype=np.float32)}
        return cls(**{**data, **changed})


class SharedExperiment(Protocol):
    """An experiment that many writers share: `LocalExperiment` in this process, `Client` over HTTP.

    Batches take effect one after the other. Results depend on their order and on nothing else.
    """

    def prompts(self, n: int, key: str | None = None) -> Prompts:
        """Draw the next n prompts.

        Args:
            n: The number of prompts, at least 0.
            key: The request's own key. A request that repeats a key is answered as the first one was.
        """
        ...

    def offer(self, texts: Sequence[str], prompts: Sequence[str] = (), key: str | None = None) -> Offered:
        """Offer texts; see `Offered`.

        Args:
            texts: `n` texts, any number.
            prompts: The prompts that they answer, for reward terms that read them: `n`, or none.
            key: The request's own key. A request that repeats a key is answered as the first one was.

        Raises:
            ExperimentEnded: If the experiment is over.
            ActionError: If one is no `str`.
        """
        ...

    def score(self, texts: Sequence[str], prompts: Sequence[str] = ()) -> Scored:
        """Return what texts would earn as the open round's first ones. Nothing is offered, and nothing changes."""
        ...

    def state(self) -> State:
        """Return the state, at once even while a round closes: it is then that of before."""
        ...


def plain(value: Any) -> Any:
    """Return NumPy's arrays and numbers in nested mappings as Python's.

    Example:
        >>> plain({"label_counts": np.array([2, 3]), "stopping": {"a": {"value": np.float64(0.5)}}})
        {'label_counts': [2, 3], 'stopping': {'a': {'value': 0.5}}}
    """
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value


def restored(value: Any) -> Any:
    """Return what `plain` returned with its lists as arrays again.

    Example:
        >>> restored({"label_counts": [2, 3], "index": 1})
        {'label_counts': array([2, 3]), 'index': 1}
    """
    if isinstance(value, Mapping):
        return {name: restored(each) for name, each in value.items()}
    return np.array(value) if isinstance(value, list) else value
