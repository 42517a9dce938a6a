"""The composition of reward terms into a reward."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Real
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from signal_env.rewards.expression import Factor, parse
from signal_env.rewards.instances import TermState, instance_of
from signal_env.rewards.term import Closing, RewardError, RewardTerm, TermValues, is_closing, reward_terms
from signal_env.utils import plugins
from signal_env.utils.plugins import Plugin

Values = NDArray[np.float64]

TERMS = "terms"
"""The key of the terms' states in a reward's state. The keys of running statistics end in a number."""


class Texts(Protocol):
    """Valid texts, with the arguments of terms as attributes (see `signal_env.utils.plugins`)."""

    texts: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class _Part:
    """A term with its weight in a composition."""

    factor: Factor
    weight: float
    term: Plugin


class Reward:
    """A weighted sum of reward terms.

    Most terms have a value for each valid text. A closing term, marked by `at_close`, has one for a round, which is
    added to the reward of the offer that closes it.

    `normalize(TERM)` is the term minus its mean, divided by its standard deviation, both over the episode's values up
    to and including this one (Welford 1962). It is 0 as long as all values are equal.

    A term with state is a class, or an object, with the methods `reset`, `state_dict` and `load_state_dict`. Each
    reward has its own instance, which is reset as an episode begins.

    Args:
        reward: An expression such as "signal + 0.1*novelty - 0.5*clip(repetition, 0, 1)"; a mapping from names or
            expressions to weights; or a function, class or object whose parameters name its arguments.

    Attributes:
        weights: The weight of each term.
        asks: The names that the terms ask for.
        closing_terms: The names of the closing terms.

    Raises:
        UnknownName: If a name is not registered.
        RewardError: If an expression is not well formed, a weight is not a finite number, a term asks for an unknown
            argument or keeps a state without all three methods, or there is no term.

    Example:
        >>> Reward("signal + 0.1*entropy").weights
        {'signal': 1.0, 'entropy': 0.1}
        >>> Reward({"signal": 1.0, "clip(entropy, 0, 0.5)": 0.1}).weights
        {'signal': 1.0, 'clip(entropy, 0, 0.5)': 0.1}
    """

    def __init__(self, reward: str | Mapping[str, float] | RewardTerm) -> None:
        weighted: dict[Factor, float] = {}
        own: dict[str, RewardTerm] = {}
        if isinstance(reward, str):
            weighted = {Factor(reward): 1.0} if reward in reward_terms else parse(reward)
        elif isinstance(reward, Mapping):
            weighted = _from_mapping(reward)
        elif callable(reward):
            name = getattr(reward, "__name__", type(reward).__name__).lstrip("_") or "reward"
            weighted, own = {Factor(name): 1.0}, {name: reward}
        if not weighted:
            raise RewardError(
                "A reward must be an expression such as 'signal + 0.1*novelty', a mapping from terms to weights, or a "
                f"function; got {reward!r}."
            )
        self._texts: list[_Part] = []
        self._closing: list[_Part] = []
        self._states: dict[str, TermState] = {}
        made: dict[str, Plugin] = {}
        for factor, weight in weighted.items():
            if factor.name == "invalid" or factor.name.startswith("_"):
                raise RewardError(
                    f"A reward term cannot be called {factor.name!r}: 'invalid' is the term of invalid texts, and "
                    "Gymnasium reserves names that begin with '_' in vector infos. Give it another name."
                )
            if not np.isfinite(weight):
                raise RewardError(
                    f"The weight of the reward term {str(factor)!r} must be a finite number; got {weight!r}."
                )
            name = factor.name
            if name not in made:
                term, state = instance_of(name, own[name] if name in own else reward_terms[name])
                known = plugins.CLOSING if is_closing(term) else plugins.REWARD
                made[name] = Plugin(term, name, "reward term", known, RewardError, stateful=state is not None)
                self._states |= {} if state is None else {name: state}
            part = _Part(factor, weight, made[name])
            (self._closing if is_closing(part.term.function) else self._texts).append(part)
        self.weights = {str(factor): float(weight) for factor, weight in weighted.items()}
        self.asks = {name for part in self._texts for name in part.term.asks}
        self.closing_terms = tuple(part.factor.name for part in self._closing)
        self.reset()

    def reset(self) -> None:
        """Begin an episode, with new running means and deviations, and terms without memory."""
        self._moments: dict[str, list[float]] = {}
        with self._changing():
            for state in self._states.values():
                state.reset()

    def state_dict(self) -> dict[str, Any]:
        """Return the running means and deviations, and under "terms" the states of terms with state, as plain data.

        Raises:
            RewardError: If the state of a term is no plain data, or a term has failed since the last reset or load.
        """
        self._require_known()
        kept: dict[str, Any] = {name: list(moments) for name, moments in self._moments.items()}
        return kept | ({TERMS: {name: one.state_dict() for name, one in self._states.items()}} if self._states else {})

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned.

        Raises:
            RewardError: If it is of other terms with state.
        """
        terms = state.get(TERMS, {})
        if terms.keys() != self._states.keys():
            raise RewardError(f"The state is of the terms {sorted(terms)}; the reward's are {sorted(self._states)}.")
        self._moments = {name: list(moments) for name, moments in state.items() if name != TERMS}
        with self._changing():
            for name, one in self._states.items():
                one.load_state_dict(terms[name])

    def of_texts(self, valid: Texts, since: Mapping[str, Any] | None = None) -> dict[str, TermValues]:
        """Compute the terms' values for each valid text of an offer; `n` may be 0.

        After an error, the running means and deviations are as before. What terms with state have remembered by then is
        not known: a copy before each offer would cost as much as all that they remember. The reward is refused until it
        is reset or loads a state.

        Args:
            valid: The valid texts.
            since: A state to begin from, after which the present one stays as it is, even after an error.

        Raises:
            RewardError: If a term returns the wrong shape or a value that is not finite, or a term has failed before.
        """
        self._require_known()
        moments, keeps = dict(self._moments), False
        undo = [] if since is None else [state.undo() for state in self._states.values()]
        try:
            if since is not None:
                self.load_state_dict(since)
            with self._changing():
                values = self._values(valid)
            keeps = since is None
        finally:
            if not keeps:
                self._moments = moments
            if since is not None:
                with self._changing():
                    for restore in undo:
                        restore()
        return values

    def of_closing(self, closing: Closing) -> dict[str, TermValues]:
        """Compute the closing terms' values for a round, `(1,)` each; 0 if nothing was labeled.

        Raises:
            RewardError: If a term returns anything but a finite number, or a term has failed before (see `of_texts`).
        """
        self._require_known()
        with self._changing():
            terms = {part.factor.name: part.term for part in self._closing}
            raw = {name: _closed(name, term, closing) for name, term in terms.items()}
        return {
            str(part.factor): self._valued(part, np.array([raw[part.factor.name]], dtype=np.float64))
            for part in self._closing
        }

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Note that the terms' states are not known if the block is left by an error."""
        self._known = not self._states
        yield
        self._known = True

    def _require_known(self) -> None:
        if not self._known:
            raise RewardError(
                "The reward has failed or was interrupted before, so that the state of its terms "
                f"{', '.join(map(repr, self._states))} is not known. Reset the environment, or load a state."
            )

    def _values(self, valid: Texts) -> dict[str, TermValues]:
        """Compute the values of `of_texts`, which change the state."""
        terms = {part.factor.name: part for part in self._texts}
        raw = {name: _checked(part, valid) if valid.texts else np.zeros(0) for name, part in terms.items()}
        values = {str(part.factor): self._valued(part, raw[part.factor.name]) for part in self._texts}
        for name, value in values.items():
            _check_finite(name, "contributes", value.contribution, valid.texts)
        return values

    def _valued(self, part: _Part, raw: Values) -> TermValues:
        """Clip and normalize a term's own values."""
        value = raw
        for i, limits in enumerate(part.factor.transforms):
            value = np.clip(value, limits[0], limits[1]) if limits else self._normalized(f"{part.factor} {i}", value)
        return TermValues(raw, value, part.weight)

    def _normalized(self, name: str, values: Values) -> Values:
        """Return standard scores by the running moments (count, mean, sum of squared deviations) of this name."""
        result = np.empty(len(values))
        count, mean, squares = self._moments.get(name, [0.0, 0.0, 0.0])
        for i, value in enumerate(values.tolist()):
            count += 1
            before = value - mean
            mean += before / count
            squares += before * (value - mean)
            deviation = (squares / count) ** 0.5
            result[i] = (value - mean) / deviation if deviation > 1e-12 * abs(mean) else 0.0
        self._moments[name] = [count, mean, squares]
        return result


def _from_mapping(reward: Mapping[str, float]) -> dict[Factor, float]:
    """Read the terms of a mapping, whose keys are names or expressions."""
    weighted: dict[Factor, float] = {}
    for name, weight in reward.items():
        if not isinstance(name, str):
            raise RewardError(f"The keys of a reward's mapping must be terms, as str; got {name!r}.")
        if isinstance(weight, bool) or not _is_finite(weight):
            raise RewardError(f"The weight of the reward term {name!r} must be a finite number; got {weight!r}.")
        for factor, inner in ({Factor(name): 1.0} if name in reward_terms else parse(name)).items():
            weighted[factor] = weighted.get(factor, 0.0) + inner * float(weight)
    return weighted


def _is_finite(value: object) -> bool:
    try:
        return isinstance(value, Real) and bool(np.isfinite(float(value)))
    except OverflowError:
        return False


def _closed(name: str, term: Plugin, closing: Closing) -> float:
    """Call a closing term, and return its value after checking it; 0 if nothing was labeled."""
    value = term(closing) if closing.batch_texts else 0.0
    if not _is_finite(value):
        raise RewardError(
            f"The reward term {name!r} returned {value!r:.80}; expected one finite number for the whole round."
        )
    return float(value)


def _check_finite(name: str, verb: str, values: Values, texts: Sequence[str]) -> None:
    finite = np.isfinite(values)
    if not finite.all():
        first = int(finite.argmin())
        raise RewardError(f"The reward term {name!r} {verb} {values[first]} for the text {texts[first]!r}.")


def _checked(part: _Part, valid: Texts) -> Values:
    """Call a term, and return its values `(n,)` after checking them."""
    name = part.factor.name
    returned = np.array(part.term(valid))
    if returned.dtype.kind not in "fiub":
        raise RewardError(f"The reward term {name!r} returned {returned!r:.80}; expected real numbers.")
    values = returned.astype(np.float64)
    if values.shape != (len(valid.texts),):
        raise RewardError(
            f"The reward term {name!r} returned the shape {values.shape}; expected {(len(valid.texts),)}."
        )
    _check_finite(name, "returned", values, valid.texts)
    return values
