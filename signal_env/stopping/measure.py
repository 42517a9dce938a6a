"""The stopping criteria over an episode: what each has measured, and at how many labels it was first met."""

import inspect
from collections.abc import Mapping
from numbers import Real
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import numpy as np

from signal_env.stopping.criterion import StoppingCriterion, StoppingError, stopping_criteria
from signal_env.utils import plugins
from signal_env.utils.plugins import Plugin
from signal_env.utils.prediction import Floats, read_only
from signal_env.utils.typed import typed_values


class Known(Protocol):
    """The unlabeled set under the classifier just trained, a `View`."""

    @property
    def probabilities(self) -> Floats:
        """`(n, C)`."""
        ...

    @property
    def pool(self) -> Any:
        """The real pool R, a `View`."""
        ...


class Before(NamedTuple):
    """Predictions of the classifier before the last training.

    Attributes:
        unlabeled: `(n, C)` probabilities of the texts of U as it is after that training.
        pool: `(r, C)` probabilities of R.
    """

    unlabeled: Floats
    pool: Floats


class Stopping:
    """The stopping criteria registered at this moment, and the one that ends the episode.

    Args:
        chosen: The criterion that ends the episode: a registered name, a function, or None.
        options: Its options, the parameters that have a default.

    Attributes:
        chosen: Its name; None if none ends the episode.

    Raises:
        UnknownName: If no criterion has this name.
        StoppingError: If a criterion asks for an unknown argument, or has no such option.

    Example:
        >>> Stopping("stable_predictions", {"treshold": 0.9})
        Traceback (most recent call last):
        signal_env.stopping.criterion.StoppingError: ... has no option 'treshold'. Its options: threshold, window.
    """

    def __init__(
        self, chosen: str | StoppingCriterion | None = None, options: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        self.chosen = chosen if isinstance(chosen, str) else None
        if self.chosen is not None:
            stopping_criteria[self.chosen]  # an installed package may register it
        criteria = {name: stopping_criteria[name] for name in stopping_criteria.registered()}
        if callable(chosen):
            self.chosen = getattr(chosen, "__name__", type(chosen).__name__).strip("_<>") or "own"
            criteria[self.chosen] = chosen
        elif chosen is not None and self.chosen is None:
            raise StoppingError(
                f"stopping must be the name of a criterion ({', '.join(criteria)}), a function or None; got {chosen!r}."
            )
        self._criteria = {
            name: Plugin(criterion, name, "stopping criterion", plugins.STOPPING, StoppingError)
            for name, criterion in criteria.items()
        }
        if reserved := [name for name in self._criteria if name.startswith("_")]:
            raise StoppingError(
                f"A stopping criterion cannot be called {reserved[0]!r}: Gymnasium reserves names that begin with '_' "
                "in vector infos. Give it another name."
            )
        self._options = self._checked(options)
        self.reset()

    def reset(self) -> None:
        """Begin an episode."""
        self._values: dict[str, list[float]] = {}
        self._met_at: dict[str, int] = {}
        self._measured: dict[str, float] = {}

    def state_dict(self) -> dict[str, Any]:
        """Return what has been measured in the episode, as plain data."""
        return {"values": {name: list(v) for name, v in self._values.items()}, "met_at": dict(self._met_at)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._values = {name: list(values) for name, values in state["values"].items()}
        self._met_at, self._measured = dict(state["met_at"]), {}

    def measure(self, known: Known | None, before: Before | None, labeled: int) -> None:
        """Measure every criterion after a training.

        Args:
            known: The unlabeled set under the classifier; None if the round trained none: then nothing is measured.
            before: The predictions of the classifier before; None after the first training.
            labeled: The number of labels spent.

        Raises:
            StoppingError: If a criterion returns anything but a finite number and a bool, or None.
        """
        self._measured = {}
        if known is None:
            return
        given: dict[str, Any] = {"pool_probabilities": known.pool.probabilities}
        if before is not None:
            given["probabilities_before"] = read_only(before.unlabeled)
            given["pool_probabilities_before"] = read_only(before.pool)
        for name, criterion in self._criteria.items():
            if before is None and criterion.required & set(plugins.BEFORE):
                continue
            values = read_only(np.array(self._values.get(name, []), dtype=np.float64))
            options = self._options if name == self.chosen else {}
            result = _checked(name, criterion(known, {**given, "values": values}, **options))
            if result is None:
                continue
            self._measured[name], met = result
            self._values.setdefault(name, []).append(self._measured[name])
            if met:
                self._met_at.setdefault(name, labeled)

    @property
    def met(self) -> bool:
        """Whether the criterion that ends the episode is, or has been, met."""
        return self.chosen in self._met_at

    def report(self) -> dict[str, dict[str, float]]:
        """Return for each criterion the `value` of the last training and `met_at`, each left out if there is none."""
        report: dict[str, dict[str, float]] = {name: {} for name in sorted(self._measured.keys() | self._met_at.keys())}
        for name, entry in report.items():
            entry |= {"value": self._measured[name]} if name in self._measured else {}
            entry |= {"met_at": self._met_at[name]} if name in self._met_at else {}
        return report

    def _checked(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options of the criterion that ends the episode, or raise a StoppingError."""
        if self.chosen is None:
            if options:
                raise StoppingError(f"stopping_options {dict(options)} need a criterion: give stopping=NAME too.")
            return {}
        criterion = self._criteria[self.chosen]
        parameters = inspect.signature(criterion.function).parameters.values()
        known = [p.name for p in parameters if p.default is not p.empty and p.name not in criterion.asks]
        for name in options:
            if name not in known:
                raise StoppingError(
                    f"The stopping criterion {self.chosen!r} has no option {name!r}. Its options: "
                    f"{', '.join(known) or 'none'}."
                )
        return typed_values(options, criterion.function, StoppingError)


def _checked(name: str, result: Any) -> tuple[float, bool] | None:
    """Return what a criterion returned as a number and a bool, or None; raise a StoppingError for anything else."""
    if result is None:
        return None
    value, met = result if isinstance(result, tuple) and len(result) == 2 else (None, None)
    if not isinstance(value, Real) or not np.isfinite(float(value)) or not isinstance(met, bool | np.bool_):
        raise StoppingError(
            f"The stopping criterion {name!r} returned {result!r:.80}; expected a finite number and whether it meets "
            "the criterion, (float, bool), or None."
        )
    return float(value), bool(met)
