"""The paper's agent: a generator tuned by proximal policy optimisation, with TRL's own PPOTrainer."""

import dataclasses
import warnings
from collections.abc import Iterator
from copy import deepcopy
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.agent import agents
from agents.llm.exchange import Exchange
from agents.llm.language_model import LanguageModel, until
from agents.llm.trained import TrainedGenerator
from signal_env.utils.extras import MissingExtra, require

if TYPE_CHECKING:
    import torch


@agents.register("ppo")
@dataclasses.dataclass
class PPOAgent(TrainedGenerator):
    """Proximal policy optimisation (Schulman et al. 2017) with a KL penalty per token (Ziegler et al. 2019).

    The values come from a small head on the frozen base, so that nothing is held twice. For Qwen2.5-7B (7.6 billion
    parameters, hidden size 3,584) in bfloat16:

    | | parameters trained | weights | with AdamW's moments, in float32 |
    |---|---|---|---|
    | the base, frozen | | 15.2 GB | |
    | the policy: LoRA of rank 16 on all linear layers | 40.4 M | 0.16 GB | 0.48 GB |
    | the reference: the base with the adapter off | | nothing | |
    | the values: this head | 0.9 M | 4 MB | 11 MB |
    | what it saves: a value model of its own, LoRA over a second base | 40.4 M | 15.4 GB | 0.48 GB |

    TRL has the trainer up to 1.12 (`trl.experimental.ppo`).
    """

    gae_lambda: float = 1.0
    """Of generalised advantage estimation (Schulman et al. 2016). A text is paid at its end; under 1, as long as the
    values are not learned, its last tokens are credited for more of that than its first, and texts shrink."""
    value_size: int = 256
    """Width of the value head's hidden layer."""

    def _import(self) -> ModuleType:
        trl = super()._import()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that the module is experimental
                return require("trl.experimental.ppo", "trl")
        except MissingExtra as error:
            raise MissingExtra(
                f"TRL {trl.__version__} has no PPOTrainer any more. Install a version that has it: "
                "pip install 'trl>=1.12,<1.13'; or take the agent 'rloo' or 'grpo', which work with newer versions."
            ) from error

    def _make_trainer(self, seed: int, updates: int) -> Any:
        from datasets import Dataset

        config = self._config(
            self._trainers.PPOConfig,
            seed=seed,
            kl_coef=self.kl_coef,
            lam=self.gae_lambda,
            num_ppo_epochs=self.epochs,
            num_mini_batches=self.mini_batches,
            per_device_train_batch_size=self._num_envs,
            local_rollout_forward_batch_size=self._num_envs,
            total_episodes=updates * self._num_envs,
            response_length=self.max_new_tokens,
            num_sample_generations=0,
        )
        generation_config = deepcopy(self._model.model.generation_config)
        base = self._model.model
        value = make_value_head(base, self.value_size)
        reward, batches = make_reward(self._exchange, self._model)
        trainer = self._trainers.PPOTrainer(
            args=config,
            processing_class=self._model.tokenizer,
            model=base,
            ref_model=None,
            reward_model=reward,
            train_dataset=Dataset.from_dict({"input_ids": [[0]] * self._num_envs}),
            value_model=value,
            callbacks=[self._log_to()],
            peft_config=self._lora(),
        )
        trainer.policy_model.generation_config = generation_config  # the trainer took the end tokens out
        value.features.policy = trainer.policy_model
        trainer.dataloader = batches  # accelerate's own fetches a batch ahead, and would wait for ever
        trainer.args.num_total_batches = 2**31  # the episode ends the loop
        trainer.accelerator.print = lambda *_: None
        return trainer

    @property
    def _policy(self) -> Any:
        return self._trainer.policy_model


def make_reward(exchange: Exchange, model: LanguageModel) -> tuple[Any, Iterator[dict[str, "torch.Tensor"]]]:
    """The environment as the trainer's reward model, and its prompts as the trainer's batches."""
    import torch

    width = 0

    def batches() -> Iterator[dict[str, torch.Tensor]]:
        nonlocal width
        while True:
            ids, _ = model.pad(model.encode(exchange.next_prompts()))
            width = ids.shape[1]
            yield {"input_ids": ids}

    class EnvironmentReward(torch.nn.Module):
        """What TRL asks of a reward model: a backbone whose hidden states `score` turns into a value per token."""

        base_model_prefix = "backbone"

        def backbone(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **_: Any) -> SimpleNamespace:
            # Padding begins where the trainer stops crediting tokens.
            padded = torch.where(attention_mask.bool(), input_ids, -1)[:, width:]
            responses = [[token for token in until(row, {-1}) if token >= 0] for row in padded.tolist()]
            rewards = torch.as_tensor(exchange.rewards(responses).astype(np.float32), device=input_ids.device)
            return SimpleNamespace(hidden_states=[rewards[:, None, None].expand(-1, input_ids.shape[1], 1)])

        def score(self, hidden: torch.Tensor) -> torch.Tensor:
            return hidden

    return EnvironmentReward(), batches()


def make_value_head(base: Any, size: int) -> Any:
    """A value model in TRL's form: a small head on the last hidden states of the frozen base."""
    import torch

    class Features:
        """The base without its adapter and without gradients; a plain object, so that no weight is counted twice."""

        policy: Any = None

        def __call__(self, **inputs: Any) -> Any:
            with torch.no_grad(), self.policy.disable_adapter():
                return getattr(base, base.base_model_prefix)(**inputs)

    class ValueHead(torch.nn.Module):
        base_model_prefix = "features"

        def __init__(self) -> None:
            super().__init__()
            self.features = Features()
            self.hidden = torch.nn.Linear(base.config.hidden_size, size)
            self.value = torch.nn.Linear(size, 1)
            torch.nn.init.zeros_(self.value.weight)
            torch.nn.init.zeros_(self.value.bias)

        def score(self, hidden: torch.Tensor) -> torch.Tensor:
            values: torch.Tensor = self.value(torch.tanh(self.hidden(hidden.to(self.hidden.weight.dtype))))
            return values

    return ValueHead().to(base.device)
