"""One convention for every plug-in function: it gets what its parameters name, and nothing else.

| name | reward terms | acquisition functions | value |
|---|---|---|---|
| `texts` | x | x | the `n` texts: those offered, or the unlabeled ones |
| `probabilities` | x | x | `(n, C)` predicted by the current classifier |
| `embeddings` | x | x | `(n, d)` its encodings Φ, not normalized |
| `neighbors` | x | x | the texts' nearest labeled neighbors: `indices` and `distances`, both `(n, k)` |
| `distances` | x | x | `(n, k)` Euclidean distances to these neighbors, the nearest first |
| `scores` | x | x | `(n,)` acquisition scores s_x of the paper |
| `dropout` | x | x | `(S, n, C)` probabilities in S forward passes with dropout |
| `pretrained` | x | x | `(n, e)` encodings by the pretrained encoder |
| `predicted_loss` | x | x | `(n,)` losses that the classifier predicts (learning loss) |
| `labeled` | x | x | the labeled set's `Prediction`: `(m, C)` probabilities and `(m, d)` embeddings |
| `labels` | x | x | `(m,)` labels of the labeled set |
| `labeled_texts` | x | x | the `m` texts of the labeled set |
| `n_neighbors`, `normalize` | x | x | the environment's options of these names |
| `prompts` | x | | the prompt that each text answers, or "" |
| `unlabeled` | x | | the unlabeled set as the round opened, a `View` |
| `offered` | x | | the valid texts offered earlier in the round, a `View` |
| `earlier` | x | | the valid texts offered earlier in the episode, a `View` |
| `pool` | x | | the real pool R, labeled and unlabeled, a `View` |
| `batch_size` | | x | the number of texts to choose; with it a function returns indices, not scores |
| `rng` | | x | a `numpy.random.Generator` |

Closing terms get `batch_texts` and `batch_labels` (the batch just labeled), `labeled_texts` and `labels` (the labeled
set before it), `accuracy` (trains a classifier and tests it) and `seed`. Potentials get features of the classifier's
state by name (`train_accuracy`, `entropy_unlabeled`, ...), `label_share` and `predicted_share` as `(C,)` arrays, or the
whole vector as `state`.

Stopping criteria get the names that both columns have, but for `dropout` and `pretrained`, with the unlabeled set as
the `n` texts, under the classifier just trained. They also get `pool_probabilities`, `(r, C)` of the real pool R;
`probabilities_before` and `pool_probabilities_before`, the same two arrays by the classifier before; and `values`, the
numbers that the criterion measured earlier in the episode. Their options are parameters with a default.

The environment knows most of these already; the others (`dropout`, `pretrained`, `predicted_loss`, `pool`, `earlier`)
are computed once, when a function names them. Arrays are read-only. A parameter with a default may have any other name.
"""

import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from copy import copy, deepcopy
from types import MappingProxyType
from typing import Any

from signal_env.utils.errors import at_work
from signal_env.utils.state import Unchanged, owners

TEXTS = (
    *("texts", "probabilities", "embeddings", "neighbors", "distances", "scores", "dropout", "pretrained"),
    "predicted_loss",
    *("labeled", "labels", "labeled_texts", "n_neighbors", "normalize"),
)
"""Names that reward terms and acquisition functions share."""

REWARD = (*TEXTS, "prompts", "unlabeled", "offered", "earlier", "pool")
ACQUISITION = (*TEXTS, "batch_size", "rng")
BEFORE = ("probabilities_before", "pool_probabilities_before")
STOPPING = (
    *(name for name in TEXTS if name not in ("dropout", "pretrained", "predicted_loss")),
    *("pool_probabilities", *BEFORE, "values"),
)
CLOSING = ("batch_texts", "batch_labels", "labeled_texts", "labels", "accuracy", "seed")

_MISSING = object()

ADVICE = {
    "reward term": "Write the methods reset, state_dict and load_state_dict",
    "acquisition function": "Compute from the arguments alone, and draw from `rng`",
    "stopping criterion": "Compute from the arguments alone; `values` has what was measured before",
}
"""What to do about state that nothing keeps, for each kind of plug-in."""


class Plugin:
    """A function with the names of the arguments that it asks for.

    Args:
        function: The function, or any callable with a signature.
        name: The plug-in's name, for messages.
        kind: The plug-in's kind, for messages ("reward term", "acquisition function", ...).
        known: The names that it may ask for.
        error: Type of the error for a name that is not known.
        stateful: Whether something keeps the function's state. Otherwise an object that changes is an error.

    Attributes:
        required: The names that it asks for by parameters without a default.
        asks: These, and the names of its other parameters that are known.

    Raises:
        error: If the function asks for a name that is not known, or, in a call, if it is an object that has changed.

    Example:
        >>> def brevity(texts, scale=10):
        ...     return [1 / (scale + len(text)) for text in texts]
        >>> sorted(Plugin(brevity, "brevity", "reward term", REWARD, ValueError).asks)
        ['texts']
        >>> Plugin(lambda text: 0, "short", "reward term", ["texts"], ValueError)
        Traceback (most recent call last):
        ValueError: The reward term 'short' asks for 'text'. It may ask for: texts; or give the parameter a default.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        name: str,
        kind: str,
        known: Collection[str],
        error: type[Exception],
        stateful: bool = False,
    ) -> None:
        self.function, self.name, self.kind, self.stateful = function, name, kind, stateful
        self.unchanged = Unchanged([] if stateful else owners(function), f"{kind} {name!r}", ADVICE.get(kind), error)
        given = function.keywords if isinstance(function, functools.partial) else {}
        self.required: set[str] = set()
        self.asks: set[str] = set()
        try:
            parameters = inspect.signature(function).parameters.values()
        except (TypeError, ValueError) as unreadable:
            raise error(
                f"The {kind} {name!r} has no signature that can be read: wrap it in a function."
            ) from unreadable
        for parameter in parameters:
            variable = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
            by_name = parameter.kind is not parameter.POSITIONAL_ONLY
            if parameter.name in known and parameter.name not in given and by_name and not variable:
                self.asks.add(parameter.name)
                if parameter.default is parameter.empty:
                    self.required.add(parameter.name)
            elif parameter.default is parameter.empty and not variable:
                if not by_name:
                    raise error(f"The {kind} {name!r} takes {parameter.name!r} by position: remove the '/'.")
                raise error(
                    f"The {kind} {name!r} asks for {parameter.name!r}. It may ask for: {', '.join(known)}; "
                    "or give the parameter a default."
                )

    def __call__(self, source: Any, values: Mapping[str, Any] = MappingProxyType({}), **options: Any) -> Any:
        """Call the function with what it asks for.

        An error inside the function gets a note with the plug-in's name and the first texts.

        Args:
            source: An object with the values as attributes; those of parameters with a default may be missing.
            values: Values that go before those of the source.
            options: Values of other parameters.
        """
        arguments = {name: values[name] for name in self.asks & values.keys()}
        arguments |= {name: getattr(source, name) for name in self.required - values.keys()}
        for name in self.asks - self.required - values.keys():
            if inspect.getattr_static(source, name, _MISSING) is not _MISSING:
                arguments[name] = getattr(source, name)
        texts = next((getattr(source, name) for name in ("texts", "batch_texts") if hasattr(source, name)), ())
        self.unchanged.note()
        with at_work(f"the {self.kind} {self.name!r}", texts):
            result = self.function(**arguments, **options)
        self.unchanged.check()
        return result

    def __deepcopy__(self, memo: dict[int, Any]) -> "Plugin":
        """Return the plug-in itself, or a copy with a copy of its function if that has a state."""
        if not self.stateful:
            return self
        copied = copy(self)
        copied.function = deepcopy(self.function, memo)
        return copied
