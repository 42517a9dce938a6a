"""A shared experiment in the form that TRL's trainers take, from TRL 1.12 on."""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from signal_env.config import ConfigError
from signal_env.shared import ExperimentEnded, LocalExperiment, Scored, SharedExperiment
from signal_env.utils.answers import Answer
from signal_env.utils.extras import require

BLOCK = 64
"""Prompts drawn at a time."""

REMEMBERED = 64
"""Batches whose rewards are kept for the functions that have not asked for them yet."""


class SignalSpec:
    """An experiment as TRL's trainers take it: prompts, one reward function per term, and an environment.

    Each batch of completions is offered once: the first reward function that is called with it offers its texts, and
    the others read the same result. Their values have the terms' weights and sum to the environment's reward.
    Several processes of one training share an experiment behind a URL; each offers the completions it has generated.

    Args:
        target: A registered id, such as "SignalEnv-sst2-v0", for an experiment in this process; the URL of a served
            one; or an experiment.
        seed: The seed of an experiment in this process; default: 0.
        token: The token of a served one.
        conversational: Whether prompts are messages, for models with a chat template, or plain texts.
        answer: The rule by which a text is found in a completion; default: its first line that is not empty, or a line
            for each field of the task's texts.
        name: The name of this stream of prompts. Whoever gives the same name to the same experiment reads the same
            prompts, as the processes of a training must.
        options: The options of an experiment in this process, fields of `signal_env.config.SignalConfig`.

    Attributes:
        experiment: The shared experiment.
        reward_funcs: A function for each reward term, under its name; "invalid" is `invalid_reward` for texts that are
            not valid.
        reward_weights: 1.0 for each function, TRL's default: asynchronous GRPO takes no other weights.

    Raises:
        ConfigError: If several processes would each begin an experiment of their own, or an experiment that
            exists is given a seed or options.

    Example:
        >>> import signal_env
        >>> spec = SignalSpec("SignalEnv-reviews-v0", pool_size=20, round_size=2, reward="signal - 0.5*length")
        >>> [function.__name__ for function in spec.reward_funcs], spec.reward_weights
        (['signal', 'length', 'invalid'], [1.0, 1.0, 1.0])
        >>> prompts = [row["prompt"] for row in spec.train_dataset.take(2)]
        >>> spec.reward_funcs[1](prompts=prompts, completions=["a warm film", "a dull plot of four \\nExample 5:"])
        [-1.5, -2.5]
    """

    def __init__(
        self,
        target: str | SharedExperiment,
        *,
        seed: int | None = None,
        token: str | None = None,
        conversational: bool = False,
        answer: Answer | None = None,
        name: str = "trl",
        **options: Any,
    ) -> None:
        self.experiment = _experiment(target, seed, token, options)
        self.conversational, self.name = conversational, name
        state = self.experiment.state()
        self._offers = Offers(self.experiment, answer or Answer(fields=state.field_names))
        self.reward_funcs: list[Callable[..., list[float | None]]] = [
            TermReward(self._offers, term, logs=i == 0) for i, term in enumerate(state.weights)
        ]
        self.reward_weights = [1.0] * len(self.reward_funcs)

    @cached_property
    def train_dataset(self) -> Any:
        """The experiment's prompts without end, a `datasets.IterableDataset` with the column `prompt`.

        A trainer repeats each prompt `num_generations` times itself. Give `max_steps`, and `shuffle_dataset=False`, as
        the prompts are random already.
        """
        datasets = require("datasets", "trl")
        return datasets.IterableDataset.from_generator(partial(_rows, self.experiment, self.name, self.conversational))

    @property
    def environment_factory(self) -> Callable[[], "TextEnvironment"]:
        """A maker of `TextEnvironment`, for GRPOTrainer and models that call tools.

        The reward functions then read what each environment's texts have earned; completions are not offered.
        """
        return partial(TextEnvironment, self._offers)

    @cached_property
    def callbacks(self) -> list[Any]:
        """Callbacks that end the training, in all processes, once the experiment is over."""
        transformers, accelerate = require("transformers", "trl"), require("accelerate", "trl")
        experiment = self.experiment

        class EndWithExperiment(transformers.TrainerCallback):  # type: ignore[misc, name-defined]  # it has no types
            def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                (ended,) = accelerate.utils.broadcast_object_list([experiment.state().ended])
                control.should_training_stop |= ended

        return [EndWithExperiment()]


class Offers:
    """The batches of completions that were offered, each once.

    Args:
        experiment: The experiment.
        answer: The rule by which a text is found in a completion.
    """

    def __init__(self, experiment: SharedExperiment, answer: Answer) -> None:
        self._experiment, self._answer = experiment, answer
        self._batches: deque[tuple[Any, Scored, set[str]]] = deque(maxlen=REMEMBERED)  # with the terms that read it
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        """Return the attributes without the lock, for trainers that pickle reward functions."""
        return {"experiment": self._experiment, "answer": self._answer}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Begin without batches."""
        self.__init__(**state)  # type: ignore[misc]

    def result(self, term: str, prompts: Sequence[Any], completions: Sequence[Any]) -> Scored:
        """Return the result of a batch for one term; the first term that asks offers it.

        A term asks once for each batch: when it asks again, an equal batch is another one.
        """
        texts = [self._answer.text(_content(completion)) for completion in completions]
        asked = [_content(prompt) for prompt in prompts]
        with self._lock:
            for known, result, readers in self._batches:
                if known == (texts, asked) and term not in readers:
                    readers.add(term)
                    return result
            result = self.offer(texts, asked)
            self._batches.append(((texts, asked), result, {term}))
            return result

    def offer(self, texts: Sequence[str], prompts: Sequence[str]) -> Scored:
        """Offer texts; after the experiment's end, score them."""
        try:
            return self._experiment.offer(texts, prompts)
        except ExperimentEnded:
            return self._experiment.score(texts, prompts)

    def numbers(self) -> dict[str, float]:
        """Return the state of the experiment for a trainer's logs."""
        last = self._experiment.state().round
        return {f"experiment/{name}": float(last[name]) for name in ("accuracy", "labeled", "index")}


class TermReward:
    """A reward function of TRL: the contributions of one reward term to the environment's reward.

    Args:
        offers: The offered batches.
        term: The term, whose name the trainer logs.
        logs: Whether it gives the experiment's state to the trainer's logs.
    """

    def __init__(self, offers: Offers, term: str, logs: bool) -> None:
        self.__name__ = term
        self._offers, self._logs = offers, logs

    def __call__(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        environments: Sequence[Any] | None = None,
        log_metric: Callable[[str, float], None] | None = None,
        **_: Any,
    ) -> list[float | None]:
        """Return the contribution for each completion, or for all texts of its environment; None for others'."""
        values: list[float | None]
        if environments is None:
            values = self._offers.result(self.__name__, prompts, completions).term(self.__name__).tolist()
        else:
            values = [self._earned(environment) for environment in environments]
        if self._logs and log_metric is not None:
            for name, value in self._offers.numbers().items():
                log_metric(name, value)
        return values

    def _earned(self, environment: Any) -> float | None:
        """Return the sum over the texts of a rollout; None if the environment is another trainer's."""
        if not isinstance(environment, TextEnvironment):
            return None
        return float(environment._earned().term(self.__name__).sum())


class TextEnvironment:
    """One rollout of a model that calls tools: it may offer several texts, and reads what each has earned.

    A rollout that offers none counts as one empty text.

    Args:
        offers: The offered batches.

    Example:
        >>> import signal_env
        >>> spec = SignalSpec("SignalEnv-reviews-v0", pool_size=20, round_size=2)
        >>> environment = spec.environment_factory()
        >>> environment.reset(prompt=[{"role": "user", "content": "Write."}])
        >>> environment.offer_text("")
        'reward 0.0000 (empty)'
    """

    def __init__(self, offers: Offers) -> None:
        self._offers = offers
        self._prompt = ""
        self._results: list[Scored] = []

    def reset(self, prompt: Any = "", **_: Any) -> None:
        """Begin a rollout; the data set has its prompt."""
        self._prompt, self._results = _content(prompt), []

    def offer_text(self, text: str) -> str:
        """Offer a text to the experiment.

        Args:
            text: The text.

        Returns:
            The reward that it has earned, and the reason if it is not valid.
        """
        result = self._offers.offer([text], [self._prompt])
        self._results.append(result)
        reason = f" ({result.invalid[0]})" if result.invalid[0] else ""
        return f"reward {result.rewards[0]:.4f}{reason}"

    def _earned(self) -> Scored:
        """Return the results of the rollout's texts together."""
        if not self._results:
            self.offer_text("")
        rewards = np.concatenate([result.rewards for result in self._results])
        return Scored(rewards, tuple(info for result in self._results for info in result.infos))


def _experiment(
    target: str | SharedExperiment, seed: int | None, token: str | None, options: Mapping[str, Any]
) -> SharedExperiment:
    """Return the experiment that a target names."""
    here = isinstance(target, str) and "://" not in target
    if not here and (given := [*(["seed"] if seed is not None else []), *options]):
        raise ConfigError(
            f"The experiment has its seed and its options already; got {', '.join(given)}. Give them to `serve` or "
            "`LocalExperiment`."
        )
    if isinstance(target, str) and not here:
        from signal_env.shared.client import Client

        return Client(target, token=token)
    if not isinstance(target, str) and not isinstance(target, LocalExperiment):
        return target
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError(
            "Each process of this training would have an experiment of its own. Serve one, and give its URL: "
            "python -m experiments serve --env ENV"
        )
    return LocalExperiment(target, seed or 0, **options) if isinstance(target, str) else target


def _rows(experiment: SharedExperiment, name: str, conversational: bool) -> Iterator[dict[str, Any]]:
    """Yield the rows of a stream of prompts, which are drawn in blocks. A block's key makes it the same for all."""
    block = 0
    while True:
        for prompt in experiment.prompts(BLOCK, key=f"{name}/prompts/{block}").texts:
            yield {"prompt": [{"role": "user", "content": prompt}] if conversational else prompt}
        block += 1


def _content(value: Any) -> str:
    """Return a prompt or a completion as a text; of messages, the content of the last one."""
    content = value if isinstance(value, str) else (value[-1].get("content") or "" if value else "")
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
