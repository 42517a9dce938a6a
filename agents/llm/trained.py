"""The base of agents that learn to write: a LoRA policy over a frozen model, and one of TRL's trainers."""

import dataclasses
import tempfile
import warnings
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.agent import Agent, Envs, base
from agents.llm.exchange import Exchange, Random
from agents.llm.language_model import GeneratorOptions, LanguageModel
from agents.llm.report import RoundReport, paired_lift
from agents.llm.scale import RewardScale
from signal_env.classifiers.pretrained import ModelError, blocks, quiet_transformers
from signal_env.learner.learner import Learner
from signal_env.utils.extras import require


@dataclasses.dataclass
class TrainedGenerator(GeneratorOptions, Agent):
    """A language model that learns to write texts with high rewards, near what it wrote before (section 4.3).

    The policy is a LoRA adapter (Hu et al. 2021) over a frozen base, and the reference the same base with the adapter
    off. A trainer of TRL, which owns its loop, plays in the rollout through an `Exchange`: each step of the environment
    is one batch of the trainer. The trainer gets rewards divided by their running standard deviation; logs have the
    rewards themselves.

    At each round's close the metrics of `RoundReport` come with those of the trainer's updates (`trainer/...`) and

    - `lift/mean`, `lift/half`: mean reward of the round's last `lift_texts` texts minus that of texts by the reference
      on the same prompts, both under the round's classifier, and half its 95 % interval; `lift/policy` and
      `lift/reference`: the two means. Both are scored as the first texts of the round (`Learner.score`). A rising
      reward alone proves nothing: as the classifier sharpens, every text scores higher;
    - `policy/kl`, `policy/entropy`: of the last step's texts, log p(policy) - log p(reference) in nats per text, and
      the policy's entropy in nats per token.
    """

    learning_rate: float | None = None
    """Of AdamW; default: 2e-3 for a generator of under 100 million parameters, which is small, and 1e-4 for others."""
    kl_coef: float = 0.01
    """Weight of the penalty for leaving the reference."""
    epochs: int = 1
    """Passes over each batch."""
    mini_batches: int = 1
    """Updates per pass."""
    lora_rank: int = 16
    """Rank of the adapter's matrices, which stand beside every linear layer."""
    lora_alpha: int = 32
    """The adapter's scale, over its rank."""
    lift_texts: int = 128
    """How many of a round's texts, its last ones, are compared with texts of the reference at its close; 0: none."""
    trl: Mapping[str, int | float | bool | str] = dataclasses.field(default_factory=dict)
    """Any other field of TRL's own configuration, by its name."""

    SET_ELSEWHERE: ClassVar[tuple[str, ...]] = (
        "output_dir",
        "temperature",
        "learning_rate",
        "use_cpu",
        "gradient_accumulation_steps",
        *("top_p", "min_p", "repetition_penalty"),  # with which the policy would sample unlike its reference
        *("missing_eos_penalty", "mask_truncated_completions"),  # which take a line end for no end
    )
    """Fields of TRL's configuration that are options of the agent or would break it, beside those of each trainer."""

    def reset(self, envs: Envs, seed: int, exchange: Exchange | None = None) -> None:
        """Loads the base, and starts the trainer with a new adapter, through an exchange of one's own if need be.

        Raises:
            MissingExtra: If TRL or peft is not installed, or TRL lacks the trainer.
            ModelError: If the model cannot be trained, or its context is too short.
            ValueError: If an option does not fit.
        """
        self.close()
        self._trainers = self._import()
        learner = base(envs).learner
        self._learner = learner
        self._num_envs = envs.num_envs
        self._check(learner)
        self._rng = np.random.default_rng(seed)
        name = self.model_name(learner, seed)
        self._model = LanguageModel(name, self.generator_device, self.generator_precision)
        if not self._model.own_padding:
            raise ModelError(
                f"The tokenizer of {name} has no padding token of its own. A policy that learns when to end a text "
                "needs one that differs from the end token: set tokenizer.pad_token, and save the tokenizer in the "
                "model's folder."
            )
        self._model.check_context(learner, self.max_new_tokens)
        self._report = RoundReport(learner)
        self._scale = RewardScale()
        self._logs: list[dict[str, float]] = []
        self._offered: list[tuple[str, str]] = []  # the round's prompts and texts
        self._lift: dict[str, float] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="signal_env.")
        self._exchange = exchange or Exchange()
        self._exchange.start(self._train, seed)

    def act(self, observations: dict[str, Any]) -> Sequence[str]:
        """The policy's text for each prompt."""
        prompts = observations["prompt"]
        with self._report.generating():
            responses = self._exchange.respond(prompts)
        texts = [self._model.text(response) for response in responses]
        self._report.wrote(prompts, texts, responses)
        self._offered += zip(prompts, texts, strict=True)
        if len(self._offered) == self._learner.sizes.offers:
            if self.lift_texts:
                self._lift = self._measure_lift() | self._measure_distance(prompts, responses)
            self._offered = []
        return texts

    def learn(self, rewards: NDArray[np.float64], infos: dict[str, Any]) -> dict[str, float]:
        """Hand the rewards to the trainer, which learns; return the metrics when the round is closed."""
        with self._report.learning():
            self._exchange.learn(self._scale(rewards))
        metrics = self._report.rewarded(rewards, infos)
        if metrics:
            metrics |= self._lift
            names = dict.fromkeys(name for logs in self._logs for name in logs)
            means = {name: np.mean([logs[name] for logs in self._logs if name in logs]) for name in names}
            metrics |= {f"trainer/{name}": float(mean) for name, mean in means.items()}
            self._logs, self._lift = [], {}
        return metrics

    def close(self) -> None:
        """Ends the trainer's thread."""
        if hasattr(self, "_exchange"):
            self._exchange.close()
            self._folder.cleanup()

    def save(self, folder: Path) -> None:
        """Saves the adapter to `folder/adapter`, as `peft.PeftModel.from_pretrained` reads it."""
        self._policy.save_pretrained(str(folder / "adapter"))

    def state_dict(self) -> dict[str, Any]:
        """All that the agent has learned and counted, and its random numbers; between two rounds."""
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
        """Goes on from what `state_dict` returned, after a reset with the same seed."""
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

    def _import(self) -> ModuleType:
        """TRL's module of the trainer."""
        require("peft", "trl")
        return require("trl", "trl")

    def _check(self, learner: Learner) -> None:
        """Checks that the options fit the experiment."""
        if self._num_envs % self.mini_batches:
            raise ValueError(
                f"mini_batches divides the {self._num_envs} texts of a step (num_envs); got {self.mini_batches}."
            )

    @abstractmethod
    def _make_trainer(self, seed: int, updates: int) -> Any:
        """TRL's trainer; `updates` is the number of batches that the episode will have."""

    @property
    @abstractmethod
    def _policy(self) -> Any:
        """The peft model that is trained."""

    def _train(self) -> None:
        """The trainer's thread, from its making to its end."""
        from transformers.trainer_callback import PrinterCallback, ProgressCallback

        sizes = self._learner.sizes
        rounds = -(-(sizes.budget - sizes.initial) // sizes.round)
        seed = int(self._rng.integers(2**31))
        with quiet_transformers():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # TRL and transformers about each other
                self._trainer = self._make_trainer(seed, rounds * sizes.offers // self._num_envs)
            for callback in (PrinterCallback, ProgressCallback):  # they print each update
                self._trainer.remove_callback(callback)
            self._model.model = self._policy
            self._trainer.train()

    def _config(self, of: type[Any], **values: Any) -> Any:
        """TRL's configuration: ours, what the user says beside it, and what is the same for all trainers."""
        known = [field.name for field in dataclasses.fields(of)]
        for name in self.trl:
            if name in self.SET_ELSEWHERE or name in values:
                raise ValueError(
                    f"trl cannot set {name!r}: an option of the agent says it, or it would break the agent."
                )
            if name not in known:
                close = get_close_matches(name, known, n=1)
                guess = f" Did you mean {close[0]!r}?" if close else ""
                raise ValueError(f"{of.__name__} of TRL has no {name!r}.{guess}")
        ours = {
            "output_dir": self._folder.name,
            "learning_rate": self._default_learning_rate() if self.learning_rate is None else self.learning_rate,
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
        config = of(**{**ours, **values, **self.trl})
        config._n_gpu = min(1, config.n_gpu)  # one process, one device: no DataParallel
        return config

    def _default_learning_rate(self) -> float:
        return 2e-3 if self._model.model.num_parameters() < 100e6 else 1e-4

    def _lora(self) -> Any:
        from peft import LoraConfig

        return LoraConfig(
            task_type="CAUSAL_LM",
            r=self.lora_rank,
            lora_alpha=self.lora_alpha,
            lora_dropout=0.0,
            target_modules="all-linear",
        )

    def _log_to(self) -> Any:
        """A callback that keeps what the trainer logs of each update."""
        from transformers import TrainerCallback

        class Keep(TrainerCallback):  # type: ignore[misc]  # its base has no types
            def on_log(_, args: Any, state: Any, control: Any, logs: Any = None, **rest: Any) -> None:
                self._logs.append({k: float(v) for k, v in logs.items() if isinstance(v, int | float)})

        return Keep()

    def _trained(self) -> Iterator[tuple[str, Any]]:
        """The parameters that are trained, by name."""
        return ((name, value) for name, value in self._trainer.model.named_parameters() if value.requires_grad)

    def _measure_lift(self) -> dict[str, float]:
        """The policy's last texts beside the reference's on the same prompts; the environment stays as it is."""
        prompts, texts = zip(*self._offered[-self.lift_texts :], strict=True)
        written: list[str] = []
        with self._policy.disable_adapter():
            for block in blocks(self._model.encode(prompts), self.generation_batch):
                responses = self._model.respond(
                    block,
                    int(self._rng.integers(2**31)),
                    temperature=self.temperature,
                    top_k=0,
                    max_new_tokens=self.max_new_tokens,
                )
                written += map(self._model.text, responses)
        policy, reference = (self._learner.score(each, prompts).rewards for each in (texts, written))
        mean, half = paired_lift(prompts, policy, reference)
        means = {"lift/policy": float(policy.mean()), "lift/reference": float(reference.mean())}
        return {"lift/mean": mean, "lift/half": half, **means}

    def _measure_distance(self, prompts: Sequence[str], responses: Sequence[list[int]]) -> dict[str, float]:
        """How far the policy is from its reference, in what it has just written."""
        said = self._model.encode(prompts), responses, self.temperature, self.generation_batch
        now, entropies = self._model.log_probabilities(*said)
        with self._policy.disable_adapter():
            before, _ = self._model.log_probabilities(*said)
        apart = [float(ours.sum() - theirs.sum()) for ours, theirs in zip(now, before, strict=True)]
        return {"policy/kl": float(np.mean(apart)), "policy/entropy": float(np.concatenate(entropies).mean())}
