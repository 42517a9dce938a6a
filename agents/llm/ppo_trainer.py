"""TRL's PPOTrainer in the loop of a rollout: the one place that reaches into its internals.

The trainer owns its loop, takes prompts from a data set and rewards from a model, and has no options to change that.
`make_trainer` changes five things:

1. Prompts: `trainer.dataloader` becomes `Prompts`. Accelerate's own loader fetches one batch ahead. It would wait for
   ever for prompts that the environment shows only after the rewards of the last ones.
2. Rewards: the reward model is `EnvironmentReward`, a module that hands the responses to the rollout.
3. End of a text: the trainer clears the end tokens of the policy's generation configuration. They are put back, since
   a line end ends a text too.
4. End of training: `args.num_total_batches` is out of reach, because the end of the episode ends the loop.
5. Passes through the model: `agents.llm.ppo_passes` leaves out what is computed twice or never read.

Values come from `ValueHead`, a small head on the frozen base. A value model of its own would hold the base twice.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from agents.llm.answers import until
from agents.llm.exchange import Exchange
from agents.llm.language_model import LanguageModel
from agents.llm.ppo_passes import SharedPasses


def make_trainer(
    trainer_class: Any, exchange: Exchange, model: LanguageModel, value_size: int, arguments: Mapping[str, Any]
) -> tuple[Any, SharedPasses]:
    """Return a PPOTrainer that trains on the environment's prompts and rewards, and its passes through the model.

    Args:
        trainer_class: TRL's `PPOTrainer`.
        exchange: The exchange with the rollout.
        model: The base of the policy.
        value_size: Width of the value head's hidden layer.
        arguments: The arguments that all of TRL's trainers share.
    """
    from datasets import Dataset

    base = model.model
    generation_config = deepcopy(base.generation_config)
    value = ValueHead(base, value_size).to(base.device)
    prompts = Prompts(exchange, model)
    config = arguments["args"]
    n = config.local_rollout_forward_batch_size  # the texts of a step
    trainer = trainer_class(
        ref_model=None,  # the base with the adapter off
        reward_model=EnvironmentReward(exchange, prompts),
        value_model=value,
        train_dataset=Dataset.from_dict({"input_ids": [[0]] * n}),  # never read, but as long as a batch
        **arguments,
    )
    scale, size = config.temperature + 1e-7, config.per_device_train_batch_size  # TRL's, texts per pass
    passes = SharedPasses(trainer.policy_model, base, lambda: prompts.width, scale, size)
    value.passes = passes
    trainer.policy_model.generation_config = generation_config
    trainer.dataloader = prompts
    trainer.args.num_total_batches = 2**31
    trainer.accelerator.print = lambda *_: None
    # TRL counts the passes of a batch, and accelerate the passes of an update.
    trainer.args.gradient_accumulation_steps //= config.num_mini_batches
    trainer.accelerator.gradient_accumulation_steps = trainer.args.gradient_accumulation_steps
    return trainer, passes


class Prompts:
    """The environment's prompts as the trainer's batches.

    Attributes:
        width: Tokens of each prompt in the last batch, with padding.

    Args:
        exchange: The exchange with the rollout.
        model: The model that encodes the prompts.
    """

    def __init__(self, exchange: Exchange, model: LanguageModel) -> None:
        self._exchange, self._model = exchange, model
        self.width = 0

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        """Yield the tokens `(n, width)` of each step's prompts, padded on the left."""
        while True:
            ids, _ = self._model.pad(self._model.encode(self._exchange.next_prompts()))
            self.width = ids.shape[1]
            yield {"input_ids": ids}


class EnvironmentReward(torch.nn.Module):
    """The environment in the form of a reward model.

    TRL calls the backbone named by `base_model_prefix`, and `score` on the last of the hidden states that it returns.

    Args:
        exchange: The exchange with the rollout.
        prompts: The batches, which know how long the prompts are.
    """

    base_model_prefix = "backbone"

    def __init__(self, exchange: Exchange, prompts: Prompts) -> None:
        super().__init__()
        self._exchange, self._prompts = exchange, prompts

    def backbone(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **_: Any) -> SimpleNamespace:
        """Return the rewards of the responses as hidden states `(n, tokens, 1)`."""
        # The trainer credits the tokens before the first padding token.
        padded = torch.where(attention_mask.bool(), input_ids, -1)[:, self._prompts.width :]
        responses = [[token for token in until(row, {-1}) if token >= 0] for row in padded.tolist()]
        rewards = torch.as_tensor(self._exchange.rewards(responses).astype(np.float32), device=input_ids.device)
        return SimpleNamespace(hidden_states=[rewards[:, None, None].expand(-1, input_ids.shape[1], 1)])

    def score(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return the rewards as they are."""
        return hidden


class ValueHead(torch.nn.Module):
    """A value model in TRL's form: one hidden layer on the last hidden states of the frozen base. It begins at 0.

    Attributes:
        passes: The passes through the base; set when the trainer has made the policy.

    Args:
        base: The base of the policy.
        size: Width of the hidden layer.
    """

    base_model_prefix = "features"
    passes: SharedPasses

    def __init__(self, base: Any, size: int) -> None:
        super().__init__()
        self.hidden = torch.nn.Linear(base.config.hidden_size, size)
        self.value = torch.nn.Linear(size, 1)
        torch.nn.init.zeros_(self.value.weight)
        torch.nn.init.zeros_(self.value.bias)

    def features(self, **inputs: Any) -> Any:
        """Return the output of the base, without its adapter and without gradients."""
        return self.passes.features(**inputs)

    def score(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return the values `(n, tokens, 1)` of hidden states `(n, tokens, width)`."""
        values: torch.Tensor = self.value(torch.tanh(self.hidden(hidden.to(self.hidden.weight.dtype))))
        return values
