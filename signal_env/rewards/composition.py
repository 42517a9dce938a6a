"""A composition of reward terms: what each is worth to a text, and their sum."""

import dataclasses
import operator
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signal_env.learner.outcomes import TermValues
from signal_env.rewards.expression import Factor, parse
from signal_env.rewards.term import Candidates, Closing, RewardError, RewardTerm, potentials, reward_terms
from signal_env.utils.registry import Registry

Values = NDArray[np.float64]
State = Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class _Part:
    """A term with its weight in a composition."""

    factor: Factor
    weight: float
    function: Callable[..., Any]


class Reward:
    """A weighted sum of reward terms.

    There are three kinds of terms. Most value a valid text. A potential is shaping that leaves the optimal policy alone
    (Ng, Harada & Russell 1999): every step is paid gamma times the potential of the state after it minus that of the
    state before, and the state at the episode's end has the potential 0. That holds for an agent whose own discount is
    this gamma, and whose step is an offer; in a vector environment the steps are the offers of all columns in turn. A
    term marked by `at_close` is paid once a round, with the offer that closes it; so is what a potential pays for that
    step, whose new state only then is known.

    `normalize(TERM)` is the term minus its mean over its standard deviation, both over the episode's values up to and
    with this one (Welford 1962); 0 as long as they do not differ.

    Args:
        reward: An expression such as "signal + 0.1*novelty - 0.5*clip(repetition, 0, 1)"; a mapping from names or
            expressions to weights; or a function of `Candidates` or, marked by `at_close`, of `Closing`.

    Raises:
        UnknownName: If a name is not registered.
        RewardError: If an expression is not well formed, a weight is not a finite number, or there is no term.

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
                "A reward is an expression such as 'signal + 0.1*novelty', a mapping from terms to weights, or a "
                f"function; got {reward!r}."
            )
        self._texts: list[_Part] = []
        self._potentials: list[_Part] = []
        self._closing: list[_Part] = []
        for factor, weight in weighted.items():
            if factor.name == "invalid" or factor.name.startswith("_"):
                raise RewardError(
                    f"A reward term cannot be called {factor.name!r}: 'invalid' is what invalid texts are paid, and "
                    "names that begin with '_' are Gymnasium's own in vector infos."
                )
            if not np.isfinite(weight):
                raise RewardError(f"The weight of the reward term {str(factor)!r} is a finite number; got {weight!r}.")
            if factor.gamma is not None:
                self._potentials.append(_Part(factor, weight, _potential(factor.name)))
                continue
            term = own[factor.name] if factor.name in own else reward_terms[factor.name]
            kind = self._closing if getattr(term, "paid_at_close", False) else self._texts
            kind.append(_Part(factor, weight, term))
        self.weights = {str(factor): float(weight) for factor, weight in weighted.items()}
        self._moments: dict[str, list[float]] = {}

    def require_features(self, features: Sequence[str]) -> None:
        """Raises an `UnknownName` if a potential is neither registered nor one of these features of the state."""
        known: Registry[None] = Registry("potential")
        for name in (*potentials, *features):
            known.register(name)(None)
        for part in self._potentials:
            known[part.factor.name]

    @property
    def paid_at_close(self) -> tuple[str, ...]:
        """The names of the terms that are paid at a round's close."""
        return tuple(part.factor.name for part in self._closing)

    @property
    def names(self) -> set[str]:
        """The names of the terms that value texts."""
        return {part.factor.name for part in self._texts}

    @property
    def potentials(self) -> set[str]:
        """The potentials, as `terms` has them."""
        return {str(part.factor) for part in self._potentials}

    def reset(self) -> None:
        """Begins an episode: running means and deviations start anew."""
        self._moments = {}

    def state_dict(self) -> dict[str, list[float]]:
        """The running means and deviations, as plain data."""
        return {name: list(moments) for name, moments in self._moments.items()}

    def load_state_dict(self, state: dict[str, list[float]]) -> None:
        """Restores what `state_dict` returned."""
        self._moments = {name: list(moments) for name, moments in state.items()}

    def of_texts(self, candidates: Candidates, keep: bool = True) -> dict[str, TermValues]:
        """What the terms are worth to each valid text of an offer; `n` may be 0.

        Args:
            candidates: The valid texts.
            keep: Whether running means and deviations keep what they learn from these texts.

        Raises:
            RewardError: If a term returns the wrong shape or a value that is not finite.
        """
        raw = {name: np.zeros(0) for name in self.names}
        if candidates.texts:
            terms = {part.factor.name: part for part in self._texts}
            raw = {name: _checked(part, candidates) for name, part in terms.items()}
        kept, keeps = self.state_dict(), False
        try:
            values = {str(part.factor): self._valued(part, raw[part.factor.name]) for part in self._texts}
            for name, value in values.items():
                _check_finite(name, "is worth", value.share, candidates.texts)
            keeps = keep
        finally:
            if not keeps:
                self._moments = kept
        return values

    @property
    def shaped(self) -> bool:
        """Whether potentials have a part in it."""
        return bool(self._potentials)

    def of_steps(self, states: Sequence[State], n: int) -> dict[str, TermValues]:
        """What the potentials pay for the steps between states, the last of which may be the end, `{}`.

        Args:
            states: The states before and after each step.
            n: The number of values; those beyond the steps are 0.
        """
        paid = {}
        for part in self._potentials:
            heights = np.array([_height(part, state) for state in states])
            raw = np.zeros(n)
            raw[: max(0, len(states) - 1)] = (part.factor.gamma or 0.0) * heights[1:] - heights[:-1]
            paid[str(part.factor)] = TermValues(raw, raw, part.weight)
        return paid

    def of_closing(self, closing: Closing) -> dict[str, TermValues]:
        """What the terms that are paid at a round's close are worth to it, `(1,)` each; 0 if nothing was labeled.

        Raises:
            RewardError: If a term returns anything but a finite number.
        """
        paid = {}
        for part in self._closing:
            value = _called(part, closing) if closing.texts else 0.0
            if not _is_finite(value):
                raise RewardError(
                    f"The reward term {part.factor.name!r} returned {value!r:.80}; expected a finite number, one "
                    "for the whole round."
                )
            paid[str(part.factor)] = self._valued(part, np.array([value], dtype=np.float64))
        return paid

    def _valued(self, part: _Part, raw: Values) -> TermValues:
        """Clips and normalises."""
        value = raw
        for i, limits in enumerate(part.factor.transforms):
            value = np.clip(value, limits[0], limits[1]) if limits else self._normalized(f"{part.factor} {i}", value)
        return TermValues(raw, value, part.weight)

    def _normalized(self, name: str, values: Values) -> Values:
        """Standard scores by the running moments (count, mean, sum of squared deviations) kept under this name."""
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
    """The terms of a mapping, whose keys are names or expressions."""
    weighted: dict[Factor, float] = {}
    for name, weight in reward.items():
        if not isinstance(name, str):
            raise RewardError(f"A reward's mapping goes from terms, as text, to weights; got {name!r}.")
        if isinstance(weight, bool) or not _is_finite(weight):
            raise RewardError(f"The weight of the reward term {name!r} is a finite number; got {weight!r}.")
        for factor, inner in ({Factor(name): 1.0} if name in reward_terms else parse(name)).items():
            weighted[factor] = weighted.get(factor, 0.0) + inner * float(weight)
    return weighted


def _potential(name: str) -> Callable[[State], float]:
    """The registered potential of this name, or else the feature of the classifier's state."""
    return potentials[name] if name in potentials else operator.itemgetter(name)


def _height(part: _Part, state: State) -> float:
    """The potential of a state; that of the end is 0 (Ng et al. 1999, for episodes that end)."""
    if not state:
        return 0.0
    height = _called(part, MappingProxyType(state))
    if not _is_finite(height):
        raise RewardError(f"The potential {part.factor.name!r} returned {height!r}; expected a finite number.")
    return float(height)


def _is_finite(value: object) -> bool:
    try:
        return isinstance(value, Real) and bool(np.isfinite(float(value)))
    except OverflowError:
        return False


def _check_finite(name: str, verb: str, values: Values, texts: Sequence[str]) -> None:
    for text, value in zip(texts, values, strict=True):
        if not np.isfinite(value):
            raise RewardError(f"The reward term {name!r} {verb} {value} for the text {text!r}.")


def _called(part: _Part, argument: Any) -> Any:
    """What a term says; what it raises tells its name."""
    try:
        return part.function(argument)
    except Exception as error:
        error.add_note(f"This came out of the reward term {part.factor.name!r}.")
        raise


def _checked(part: _Part, candidates: Candidates) -> Values:
    """A term's values, if they are as they should be."""
    name = part.factor.name
    returned = np.array(_called(part, candidates))
    if returned.dtype.kind not in "fiub":
        raise RewardError(f"The reward term {name!r} returned {returned!r:.80}; expected real numbers.")
    values = returned.astype(np.float64)
    if values.shape != (len(candidates.texts),):
        raise RewardError(
            f"The reward term {name!r} returned the shape {values.shape}; expected {(len(candidates.texts),)}."
        )
    _check_finite(name, "returned", values, candidates.texts)
    return values
