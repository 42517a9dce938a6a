"""Every option of the environment, as plain data."""

import dataclasses
from collections.abc import Mapping
from difflib import get_close_matches
from numbers import Integral
from typing import Any, Literal

from signal_env.acquisition import AcquisitionFunction
from signal_env.annotators import Annotator
from signal_env.classifiers import Classifier
from signal_env.rewards import RewardTerm
from signal_env.stopping import StoppingCriterion
from signal_env.tasks import Task
from signal_env.utils.documentation import documented
from signal_env.utils.errors import SignalError
from signal_env.utils.typed import type_hints, typed


class ConfigError(SignalError, ValueError):
    """Options that do not fit together; the message names them and the values that would fit."""


@documented
@dataclasses.dataclass(frozen=True)
class SignalConfig:
    """The options of an experiment. Plain values survive JSON. Objects and callables work too, but cannot be saved."""

    task: str | Task | None = None
    """A registered task, or the path of a task's .yaml file."""
    data_dir: str | None = None
    """Folder of the data; default: SIGNAL_ENV_DATA, else the hub."""
    pool_size: int | None = None
    """Texts in the real pool R, at most those of the training split; default: by `pool_fraction`."""
    pool_fraction: float = 0.01
    """The real pool as a fraction of the original training split, above 0 to 1 (the paper: 0.001 and 0.01)."""
    initial_labeled: int | None = None
    """Texts of R labeled at the start, from 1 to |R|; default: `round_size`."""
    round_size: int | None = None
    """The paper's b, instances labeled per round, from 1 to |R|; default: by `round_fraction`."""
    round_fraction: float = 0.1
    """`round_size` as a fraction of R, from 0 to 1; at least one text."""
    offers_per_round: int | None = None
    """Texts offered per round, at least 1; default: `round_size`, as in the paper. With more, a policy practices
    without labels."""
    prompt_group: int = 1
    """Times in a row that each prompt is shown, a divisor of `offers_per_round`. RLOO and GRPO compare texts of one
    prompt."""
    fixed_prompt: bool = False
    """Whether every prompt is the episode's first one. Otherwise examples are drawn anew, as in the paper."""
    keep_best: int | None = None
    """Synthetic offers of a round that stay in U at its close, at least 0, those with the highest rewards; default:
    all."""
    budget: int | None = None
    """Labeled instances at which the episode terminates, more than `initial_labeled`; default: by `budget_fraction`."""
    budget_fraction: float | None = None
    """The budget as a fraction of R; default: the paper's 2.0 with selection="acquisition" and 1.0 with "submitted"."""
    stopping: str | StoppingCriterion | None = None
    """The stopping criterion that ends the episode when it is met: a registered name or a function. All registered ones
    are measured in any case."""
    stopping_options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """The options of this criterion, such as its threshold."""
    max_idle_rounds: int = 10
    """Rounds in a row that label nothing after which the episode is truncated, at least 1."""
    selection: Literal["acquisition", "submitted"] = "acquisition"
    """The choice of the texts to label. With "acquisition" the acquisition function chooses among all of U. With
    "submitted" the agent does: the round's first valid texts are labeled, and the empty text passes."""
    acquisition: str | AcquisitionFunction = "signal"
    """The acquisition function: a registered name or a callable."""
    synthetic_share: float | Literal["linear", "adaptive"] | None = None
    """The fraction of synthetic texts in a round's batch: a number from 0 to 1; "linear", from 0 at the initial labels
    to 1 at the budget; or "adaptive". The best texts of each kind are labeled. Where one kind has too few, the other
    makes up for it. Default: the paper's plain rule, the best texts of U of either kind. See
    `signal_env.learner.allocation.Allocation`."""
    n_neighbors: int = 10
    """The paper's k, labeled neighbors per text, at least 1; of a smaller labeled set all are neighbors."""
    normalize: bool = True
    """Whether neighbors are found, and distances measured, among l2-normalized encodings."""
    dropout_samples: int = 20
    """Forward passes with dropout, at least 2, for the acquisition function "bald" and the reward term
    "answer_variance"."""
    reward: str | Mapping[str, float] | RewardTerm = "signal"
    """The reward: an expression such as "signal + 0.1*novelty", a mapping from terms to weights, or a function."""
    invalid_reward: float = 0.0
    """The reward of an empty, over-long, unparsable or duplicate text, any finite number."""
    retrain: bool = True
    """Whether the classifier is retrained at each round's close. Otherwise it stays as trained on the initial labels,
    and texts are scored against these. The reward is then stationary, except for duplicates and for terms with a memory
    ("novelty", "diversity", "repetition", normalize(...))."""
    classifier: str | Classifier = "finetune"
    """The target classifier M: "finetune", "linear", a registered name, or an object."""
    encoder: str = "bert-base-uncased"
    """The classifier's pretrained encoder: "embedded", "minilm", a folder, or a hub name."""
    classifier_options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """The classifier's own hyperparameters; `python -m experiments run --help` lists them."""
    annotator: str | Annotator = "model"
    """The annotator of synthetic texts: "model", "rule", "gold" (none), a registered name, or a callable."""
    annotator_model: str | None = None
    """Folder or hub name of the annotator "model"; default: the model made by `python -m experiments annotator`."""
    annotator_noise: float = 0.0
    """Probability that the annotator's label is replaced by another class, from 0 to 1."""
    n_examples: int = 3
    """The paper's p, in-context examples per prompt, at least 0."""
    evaluation_size: int | None = None
    """Texts of the evaluation split on which accuracy is measured, at least 1; default: all."""
    max_text_length: int = 2000
    """Characters of the longest text that may be labeled, at least 1."""
    device: str = "cpu"
    """Torch device of the classifier and the annotator."""

    def __post_init__(self) -> None:
        for name, hint in type_hints(SignalConfig).items():
            value = getattr(self, name)
            if value is not vars(SignalConfig).get(name, self):  # a default has its type
                object.__setattr__(self, name, typed(value, hint, name, ConfigError))


def make_config(options: Mapping[str, Any]) -> SignalConfig:
    """Return the configuration of these options.

    Raises:
        TypeError: If an option is not known; the message names the nearest known one.
    """
    known = [field.name for field in dataclasses.fields(SignalConfig)]
    for name in options:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            guess = f" Did you mean {close[0]!r}?" if close else ""
            raise TypeError(f"The environment has no option {name!r}.{guess} Known: {', '.join(known)}.")
    return SignalConfig(**options)


@dataclasses.dataclass(frozen=True)
class Sizes:
    """The numbers of an experiment, computed from the options and the size of the training split.

    Attributes:
        pool: Texts in the real pool R.
        initial: Texts labeled at the start.
        round: The paper's b, instances labeled per round.
        offers: Texts offered per round.
        budget: Labeled instances at which the episode terminates.
    """

    pool: int
    initial: int
    round: int
    offers: int
    budget: int

    @classmethod
    def of(cls, config: SignalConfig, original: int, available: int, budget_fraction: float) -> "Sizes":
        """Compute the sizes.

        Args:
            config: The options.
            original: Texts in the original training split, of which `pool_fraction` is a fraction.
            available: Distinct texts in the training split at hand.
            budget_fraction: The default budget, as a fraction of R.

        Raises:
            ConfigError: If they do not fit together.

        Example: SST-2 at 1 %, with the paper's defaults.
            >>> Sizes.of(SignalConfig(), original=67_349, available=66_978, budget_fraction=2.0)
            Sizes(pool=673, initial=67, round=67, offers=67, budget=1346)
        """
        fractions = {name: getattr(config, name) for name in ("pool_fraction", "round_fraction", "budget_fraction")}
        for name, value in fractions.items():
            fits = value is None or (isinstance(value, int | float) and 0 <= value < float("inf"))
            _expect(fits, f"{name} must be a number of at least 0; got {value!r}.")
        pool = round(original * config.pool_fraction) if config.pool_size is None else config.pool_size
        _range("pool_size", pool, 1, available, f"{available} texts of the training split")
        labels = max(1, round(pool * config.round_fraction)) if config.round_size is None else config.round_size
        _range("round_size", labels, 1, pool, f"the pool's {pool} texts")
        initial = labels if config.initial_labeled is None else config.initial_labeled
        _range("initial_labeled", initial, 1, pool, f"the pool's {pool} texts")
        offers = labels if config.offers_per_round is None else config.offers_per_round
        _range("offers_per_round", offers, 1)
        _range("prompt_group", config.prompt_group, 1)
        _expect(
            offers % config.prompt_group == 0,
            f"prompt_group must divide offers_per_round = {offers}; got {config.prompt_group}.",
        )
        fraction = budget_fraction if config.budget_fraction is None else config.budget_fraction
        budget = round(pool * fraction) if config.budget is None else config.budget
        _range("budget", budget)
        _expect(
            budget > initial,
            f"The budget of {budget} labels is spent by the {initial} initial ones; give a larger budget or a smaller "
            "initial_labeled.",
        )
        _expect(
            config.keep_best != 0 or budget <= pool,
            f"With keep_best=0 no synthetic text is ever labeled, so the budget must be at most the pool's {pool} "
            f"texts; got {budget}.",
        )
        return cls(pool, initial, labels, offers, budget)


def check(config: SignalConfig) -> None:
    """Check the options that need no data.

    Raises:
        ConfigError: If an option is out of its range.
    """
    _range("max_idle_rounds", config.max_idle_rounds, 1)
    _range("n_neighbors", config.n_neighbors, 1)
    _range("dropout_samples", config.dropout_samples, 2)
    _range("n_examples", config.n_examples, 0)
    _range("max_text_length", config.max_text_length, 1)
    if config.keep_best is not None:
        _range("keep_best", config.keep_best, 0)
    _check_synthetic_share(config)
    for name in ("retrain", "fixed_prompt"):
        value = getattr(config, name)
        _expect(isinstance(value, bool), f"{name} must be True or False; got {value!r}.")
    _expect(
        config.stopping is None or config.retrain,
        f"stopping={config.stopping!r} needs a classifier that is retrained; got retrain=False.",
    )
    if config.evaluation_size is not None:
        _range("evaluation_size", config.evaluation_size, 1)
    _expect(abs(config.invalid_reward) < float("inf"), f"invalid_reward must be finite; got {config.invalid_reward}.")


def _check_synthetic_share(config: SignalConfig) -> None:
    share = config.synthetic_share
    if share is None:
        return
    is_share = isinstance(share, int | float) and not isinstance(share, bool) and 0 <= share <= 1
    _expect(
        is_share or share in ("linear", "adaptive"),
        f"synthetic_share must be a number from 0 to 1, 'linear', 'adaptive' or None; got {share!r}.",
    )
    _expect(
        share != "adaptive" or config.annotator != "gold",
        "synthetic_share='adaptive' needs an annotator of real texts too; got annotator='gold', which is none.",
    )


def _range(name: str, value: int, low: int | None = None, high: int | None = None, top: str = "") -> None:
    """Check that an option is a whole number in its range; `top` describes the upper bound."""
    _expect(
        isinstance(value, Integral) and not isinstance(value, bool), f"{name} must be a whole number; got {value!r}."
    )
    limits = f"at least {low}" if high is None else f"from {low} to {top}"
    fits = (low is None or value >= low) and (high is None or value <= high)
    _expect(fits, f"{name} must be {limits}; got {value}.")


def _expect(condition: bool, message: str) -> None:
    if not condition:
        raise ConfigError(message)
