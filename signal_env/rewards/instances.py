"""The instances of reward terms: each reward has its own of a term with state, so that episodes share no memory."""

import functools
import inspect
import json
from collections.abc import Callable
from copy import deepcopy
from types import MethodType
from typing import Any

from signal_env.rewards.term import RewardError, RewardTerm
from signal_env.utils.errors import at_work
from signal_env.utils.state import METHODS, Stateful, lacking, owners


class TermState:
    """The state of a term with state, with checks.

    Args:
        name: The term's name, for messages.
        term: The object with the three methods.
    """

    def __init__(self, name: str, term: Stateful) -> None:
        self._name, self._term = name, term

    def reset(self) -> None:
        """Begin an episode."""
        self._called(self._term.reset)

    def state_dict(self) -> Any:
        """Return a copy of the term's state.

        Raises:
            RewardError: If it does not survive JSON unchanged.
        """
        state = self._called(self._term.state_dict)
        kept = json.loads(self._written(state))
        if kept != state:
            raise self._unusable("is not the same after it was written as JSON and read")
        return kept

    def load_state_dict(self, state: Any) -> None:
        """Restore what `state_dict` returned."""
        self._called(self._term.load_state_dict, json.loads(json.dumps(state)))

    def undo(self) -> Callable[[], None]:
        """Return a function that restores the present state."""
        written = self._written(self._called(self._term.state_dict))
        return lambda: self._called(self._term.load_state_dict, json.loads(written))

    def _written(self, state: Any) -> str:
        try:
            return json.dumps(state)
        except (TypeError, ValueError) as error:
            raise self._unusable(f"could not be written as JSON ({error})") from error

    def _called(self, method: Callable[..., Any], *arguments: Any) -> Any:
        with at_work(f"the reward term {self._name!r} ({method.__name__})"):
            return method(*arguments)

    def _unusable(self, what: str) -> RewardError:
        return RewardError(
            f"The state of the reward term {self._name!r} {what}: state_dict returns None, bools, numbers, strings, "
            "and lists and dictionaries of them, such as sorted(a_set) and an_array.tolist()."
        )


def instance_of(name: str, term: RewardTerm) -> tuple[RewardTerm, TermState | None]:
    """Return a term that one reward may call, and its state if it has one.

    A class, or a `functools.partial` of one, is instantiated. An object with the methods `reset`, `state_dict` and
    `load_state_dict` is copied. Any other callable is returned as it is.

    Args:
        name: The term's name, for messages.
        term: The registered class, object or function.

    Raises:
        RewardError: If a class cannot be instantiated without arguments, or some of the three methods are missing.
    """
    of = term.func if isinstance(term, functools.partial) else term
    if isinstance(of, type):
        try:
            inspect.signature(term).bind()
        except (TypeError, ValueError) as error:
            raise RewardError(
                f"The class {of.__name__} of the reward term {name!r} is made without arguments for each environment: "
                f"{error}. Give its parameters defaults, or give functools.partial({of.__name__}, ...)."
            ) from error
        term = term()
        if not callable(term):
            raise RewardError(f"The class {of.__name__} of the reward term {name!r} needs a method __call__.")
    owner = _owner(term)
    if owner is None or not any(hasattr(owner, method) for method in METHODS[1:]):
        return term, None
    if missing := lacking(owner):
        raise RewardError(
            f"The reward term {name!r} keeps a state, but {type(owner).__name__} has no {' and no '.join(missing)}: "
            f"write {', '.join(METHODS)}, or set `stateless = True` in the class if there is nothing to keep."
        )
    if not isinstance(of, type):
        try:
            owner = _owner(term := deepcopy(term))
        except Exception as error:
            raise RewardError(
                f"The reward term {name!r} cannot be copied for an environment of its own: give its class instead of "
                "an object, or write __deepcopy__."
            ) from error
    return term, TermState(name, owner)


def _owner(term: Any) -> Any:
    """Return the object whose method a term calls; None if it is a function or has no state."""
    while isinstance(term, functools.partial):
        term = term.func
    return next(iter(owners(term.__self__ if isinstance(term, MethodType) else term)), None)
