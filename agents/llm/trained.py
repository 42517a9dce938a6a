"""The base of agents that learn to write: a LoRA policy over a frozen model, and one of TRL's trainers."""

import dataclasses
import tempfile
import warnings
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.agent import Agent, Envs, base
from agents.llm.answers import Tokens
from agents.llm.checks import check_trainable
from agents.llm.comparison import divergence, lift
from agents.llm.exchange import Exchange, Random
from agents.llm.language_model import LanguageModel, seeds
from agents.llm.options import GeneratorOptions
from agents.llm.report import RoundReport
from agents.llm.scale import RewardScale
from agents.llm.trl_options import SET_ELSEWHERE, check_trl
from signal_env.classifiers.pretrained import ModelError, quiet_transformers
from signal_env.config import ConfigError, SignalConfig
from signal_env.learner.experiment import experiment_sizes, task_of
from signal_env.learner.learner import Learner
from signal_env.utils.extras import require, require_installed

LARGE_PASS = 8
"""Texts per pass of a large generator, at most."""


@dataclasses.dataclass
class TrainedGenerator(GeneratorOptions, Agent):
    """A language model that learns to write texts with high rewards and stays near its reference (section 4.3).

    The policy is a LoRA adapter (Hu et al. 2021) over a frozen base. The reference is the same base with the adapter
    off. A trainer of TRL, which owns its loop, plays in the rollout through an `Exchange`: each step of the environment
    is one batch of the trainer. The trainer gets rewards divided by their running standard deviation. Logs have the
    rewards themselves.

    At each round's close the metrics are those of `RoundReport`, the means of the trainer's own (`trainer/...`), and

    - `lift/mean`, `lift/half`: mean reward of the round's last `lift_texts` texts minus that of texts by the reference
      on the same prompts, both under the round's classifier, and half its 95 % interval. `lift/policy` and
      `lift/reference` are the two means. Both are scored as the first texts of the round (`Learner.score`). A rising
      reward alone proves nothing: as the classifier sharpens, every text scores higher.
    - `policy/kl`, `policy/entropy`: of the last step's texts, log p(policy) - log p(reference) in nats per text, and
      the policy's entropy in nats per token.

    Attributes:
        trainer_name: "PPO", "RLOO" or "GRPO", the beginning of the names of TRL's classes.
    """

    trainer_name: ClassVar[str]

    learning_rate: float | None = None
    """Learning rate of AdamW; default: 2e-3 for generators of under 100 million parameters, 1e-4 for larger ones."""
    kl_coef: float = 0.01
    """Weight of the KL penalty, which keeps the policy near the reference."""
    epochs: int = 1
    """Passes over each batch."""
    mini_batches: int = 1
    """Updates per pass."""
    lora_rank: int = 16
    """Rank of the adapter's matrices, one pair beside every linear layer."""
    lora_alpha: int = 32
    """LoRA's α: the adapter's output is multiplied by α over the rank."""
    texts_per_pass: int | None = None
    """Texts that an update holds in memory at once, a divisor of those of an update. A pass reads each of its prompts
    once, so that large passes are faster where prompts repeat (`prompt_group`). PPO's loss is the mean over an update's
    passes, each a mean over its tokens. Default: all for generators of under 100 million parameters, else at most 8."""
    lift_texts: int = 128
    """Texts of each round, its last ones, that are compared with texts of the reference at its close; 0: none."""
    trl: Mapping[str, int | float | bool | str] = dataclasses.field(default_factory=dict)
    """Any other field of TRL's own configuration, by its name."""

    def check_available(self, options: SignalConfig, seed: int) -> None:
        """Look for TRL, peft and the base, without loading them; `reset` documents the errors."""
        for module in ("peft", "trl"):
            require_installed(module, "trl")
        super().check_available(options, seed)
        check_trainable(self.model_for(task_of(options), experiment_sizes(options).pool, seed))

    def reset(self, envs: Envs, seed: int, exchange: Exchange | None = None) -> None:
        """Load the base, and start the trainer with a new adapter.

        Args:
            envs: The environment.
            seed: Seed of the sampling, of the adapter and of the trainer.
            exchange: An exchange in the place of the usual one, for measurements.

        Raises:
            MissingExtra: If TRL or peft is not installed, or TRL lacks the trainer.
            ModelError: If the model cannot be trained, or its context is too short.
            ConfigError: If an option does not fit.
        """
        self.close()
        self._trainers = self._import()
        self._learner = base(envs).learner
        self._num_envs = envs.num_envs
        self._check(self._learner)
        self._rng = np.random.default_rng(seed)
        self._model = self._load(seed)
        self._report = RoundReport(self._learner)
        self._scale = RewardScale()
        self._logs: list[dict[str, float]] = []
        self._offered: list[tuple[str, str]] = []  # the round's prompts and texts
        self._compared: dict[str, float] = {}  # metrics of the policy beside its reference
        self._folder = tempfile.TemporaryDirectory(prefix="signal_env.")
        self._exchange = exchange or Exchange()
        self._exchange.start(self._train, seed)

    def act(self, observations: dict[str, Any]) -> Sequence[str]:
        """Return the policy's text for each prompt."""
        prompts = observations["prompt"]
        with self._report.generating():
            responses = self._exchange.respond(prompts)
        texts = [self._model.text(response) for response in responses]
        self._report.wrote(prompts, texts, responses)
        self._offered += zip(prompts, texts, strict=True)
        if len(self._offered) == self._learner.sizes.offers:
            if self.lift_texts:
                self._compared = self._compare(prompts, responses)
            self._offered = []
        return texts

    def learn(self, rewards: NDArray[np.float64], infos: dict[str, Any]) -> dict[str, float]:
        """Hand the rewards to the trainer, which learns; return the metrics when the round is closed."""
        with self._report.learning():
            self._exchange.learn(self._scale(rewards))
        metrics = self._report.rewarded(rewards, infos)
        if metrics:
            names = dict.fromkeys(name for logs in self._logs for name in logs)
            means = {name: float(np.mean([logs[name] for logs in self._logs if name in logs])) for name in names}
            metrics |= self._compared | {f"trainer/{name}": m for name, m in means.items() if not _undefined(name, m)}
            self._logs, self._compared = [], {}
        return metrics

    def close(self) -> None:
        """End the trainer's thread."""
        if hasattr(self, "_exchange"):
            self._exchange.close()
            self._folder.cleanup()

    def save(self, folder: Path) -> None:
        """Save the adapter to `folder/adapter`, in the form of `peft.AutoPeftModelForCausalLM.from_pretrained`.

        Its `base_model_name_or_path` is the absolute folder of the base, or its hub name. The tokenizer is beside it,
        so that the folder is a generator too.
        """
        self._policy.save_pretrained(str(folder / "adapter"))
        self._model.tokenizer.save_pretrained(str(folder / "adapter"))

    def state_dict(self) -> dict[str, Any]:
        """Return all that the agent has learned and counted, and its random numbers, between two rounds."""
        return {
            "rng": self._rng.bit_generator.state,
            "scale": self._scale.state_dict(),
            "random": self._exchange.random.state_dict(),
            "weights": {name: parameter.detach() for name, parameter in self._trained()},
            "optimizer": self._trainer.optimizer.state_dict(),
            "scheduler": self._trainer.lr_scheduler.state_dict(),
            "progress": {name: getattr(self._trainer.state, name) for name in ("global_step", "num_input_tokens_seen")},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned, after a reset with the same seed."""
        import torch

        self._rng.bit_generator.state = state["rng"]
        self._scale.load_state_dict(state["scale"])
        self._exchange.random = Random.from_state_dict(state["random"])
        with torch.no_grad():
            for name, parameter in self._trained():
                parameter.copy_(state["weights"][name])
        self._trainer.optimizer.load_state_dict(state["optimizer"])
        self._trainer.lr_scheduler.load_state_dict(state["scheduler"])
        for name, value in state["progress"].items():
            setattr(self._trainer.state, name, value)

    # The parts that depend on the trainer.

    def _import(self) -> ModuleType:
        """Return TRL's module of the trainer."""
        require("peft", "trl")
        return require("trl", "trl")

    def _check(self, learner: Learner) -> None:
        """Raise a ConfigError if the options do not fit the experiment."""
        if self._num_envs % self.mini_batches:
            raise ConfigError(
                f"mini_batches divides the {self._num_envs} texts of a step (num_envs); got {self.mini_batches}."
            )

    def _pass_size(self) -> int:
        """Return the number of texts of a pass.

        Raises:
            ConfigError: If it does not divide the texts of an update.
        """
        update = self._num_envs // self.mini_batches
        if self.texts_per_pass is None:
            most = min(LARGE_PASS, update) if self._model.large else update
            return max(n for n in range(1, most + 1) if update % n == 0)
        if self.texts_per_pass < 1 or update % self.texts_per_pass:
            raise ConfigError(
                f"texts_per_pass divides the {update} texts of an update (num_envs / mini_batches); got "
                f"{self.texts_per_pass}."
            )
        return self.texts_per_pass

    @abstractmethod
    def _make_trainer(self, seed: int, updates: int) -> Any:
        """Return TRL's trainer; `updates` is the number of batches in the episode."""

    @property
    @abstractmethod
    def _policy(self) -> Any:
        """The peft model that is trained."""

    # The parts that all trainers share.

    def _load(self, seed: int) -> LanguageModel:
        """Load the base, and check that a policy over it can learn when to end a text."""
        name = self.model_name(self._learner, seed)
        check_trainable(name)
        model = LanguageModel(name, self.generator_device, self.generator_precision, self.form(self._learner))
        if not model.own_padding:
            raise ModelError(
                f"The tokenizer of {name} has no padding token of its own. A policy that learns when to end a text "
                "needs one that differs from the end token: set tokenizer.pad_token, and save the tokenizer in the "
                "model's folder."
            )
        model.check_context(self._learner, self.max_new_tokens)
        return model

    def _train(self) -> None:
        """Make the trainer and run its loop, in a thread of its own."""
        from transformers.trainer_callback import PrinterCallback, ProgressCallback

        sizes = self._learner.sizes
        rounds = -(-(sizes.budget - sizes.initial) // sizes.round)
        seed = int(self._rng.integers(2**31))
        with quiet_transformers():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # TRL's use of what transformers deprecates
                self._trainer = self._make_trainer(seed, rounds * sizes.offers // self._num_envs)
            for callback in (PrinterCallback, ProgressCallback):  # they print each update
                self._trainer.remove_callback(callback)
            self._model.model = self._policy
            self._trainer.train()

    def _config(self, **values: Any) -> Any:
        """Return the trainer's configuration from its own values, the user's, and those common to all trainers."""
        config_class = getattr(self._trainers, f"{self.trainer_name}Config")
        check_trl(self.trl, config_class, {*SET_ELSEWHERE, *values})
        common = {
            "output_dir": self._folder.name,
            "learning_rate": (1e-4 if self._model.large else 2e-3)
            if self.learning_rate is None
            else self.learning_rate,
            "lr_scheduler_type": "constant",
            "temperature": self.temperature,
            "gradient_accumulation_steps": 1,
            "gradient_checkpointing": False,
            "bf16": False,  # the base has its precision already, and the adapter is better off in single precision
            "use_cpu": self.generator_device == "cpu",
            "disable_tqdm": True,
            "logging_steps": 1,
            "report_to": "none",
            "save_strategy": "no",
        }
        config = config_class(**{**common, **values, **self.trl})
        config._n_gpu = min(1, config.n_gpu)  # one process, one device: no DataParallel
        return config

    def _arguments(self, config: Any) -> dict[str, Any]:
        """Return the arguments that all of TRL's trainers share."""
        from peft import LoraConfig

        adapter = LoraConfig(
            task_type="CAUSAL_LM",
            r=self.lora_rank,
            lora_alpha=self.lora_alpha,
            lora_dropout=0.0,
            target_modules="all-linear",
        )
        return {
            "args": config,
            "model": self._model.model,
            "processing_class": self._model.tokenizer,
            "callbacks": [self._log_to()],
            "peft_config": adapter,
        }

    def _log_to(self) -> Any:
        """Return a callback that keeps the trainer's log of each update."""
        from transformers import TrainerCallback

        class Keep(TrainerCallback):  # type: ignore[misc]  # its base has no types
            def on_log(_, args: Any, state: Any, control: Any, logs: Any = None, **rest: Any) -> None:
                self._logs.append({k: float(v) for k, v in logs.items() if isinstance(v, int | float)})

        return Keep()

    def _trained(self) -> Iterator[tuple[str, Any]]:
        """Yield the parameters that are trained, by name."""
        return ((name, value) for name, value in self._trainer.model.named_parameters() if value.requires_grad)

    def _compare(self, prompts: Sequence[str], responses: Sequence[Tokens]) -> dict[str, float]:
        """Return the metrics of the policy beside its reference; `responses` are those of the last step."""
        asked, texts = zip(*self._offered[-self.lift_texts :], strict=True)
        sampling = {"temperature": self.temperature, "top_k": 0, "max_new_tokens": self.max_new_tokens}
        with self._policy.disable_adapter():
            answers = self._model.respond_all(asked, self.generation_batch, seeds(self._rng), **sampling)
        lifted = lift(self._learner, asked, texts, [self._model.text(answer) for answer in answers])
        return lifted | self._distance(prompts, responses)

    def _distance(self, prompts: Sequence[str], responses: Sequence[Tokens]) -> dict[str, float]:
        """Return how far the policy is from the reference on the last step's responses."""
        return divergence(self._model, self._policy, prompts, responses, self.temperature, self.generation_batch)


def _undefined(name: str, value: float) -> bool:
    """Return whether a number of the trainer is the spread of a single value, which is not defined."""
    return bool(np.isnan(value)) and name.endswith(("_var", "_std", "/std"))
