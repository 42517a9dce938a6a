"""TRL's RLOOTrainer and GRPOTrainer in the loop of a rollout: the one place that reaches into their internals.

The trainers own their loop and take prompts from a data set and rewards from a function. `make_trainer` changes three
things:

1. Prompts: `get_train_dataloader` returns `Prompts`. Accelerate's own loader fetches one batch ahead. It would wait for
   ever for prompts that the environment shows only after the rewards of the last ones.
2. Rewards: the reward function hands the responses to the rollout.
3. Learning rate: `create_scheduler` gets the number of updates in the episode, not `max_steps`, which is out of reach
   because the end of the episode ends the loop.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from agents.llm.answers import until
from agents.llm.exchange import Exchange
from agents.llm.language_model import LanguageModel


def make_trainer(
    trainer_class: Any,
    exchange: Exchange,
    model: LanguageModel,
    updates: int,
    repeats: int,
    arguments: Mapping[str, Any],
) -> Any:
    """Return a trainer that trains on the environment's prompts and rewards.

    Args:
        trainer_class: TRL's `RLOOTrainer` or `GRPOTrainer`.
        exchange: The exchange with the rollout.
        model: The base of the policy.
        updates: The number of updates in the episode.
        repeats: The number of passes that the trainer makes over parts of a batch.
        arguments: The arguments that all of TRL's trainers share.
    """
    from datasets import Dataset

    def environment(completion_ids: list[list[int]], **_: Any) -> list[float]:
        """Return the rewards of the responses. The trainer logs them under this function's name."""
        responses = [until(tokens, {model.tokenizer.eos_token_id}) for tokens in completion_ids]
        rewards: list[float] = exchange.rewards(responses).tolist()
        return rewards

    class Trainer(trainer_class):  # type: ignore[misc]  # one of two classes, chosen at run time
        """The trainer with the environment's prompts."""

        def get_train_dataloader(self) -> Prompts:
            return Prompts(exchange, model, repeats)

        def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
            return super().create_scheduler(updates, optimizer)

    return Trainer(
        reward_funcs=environment,
        train_dataset=Dataset.from_dict({"prompt": [""]}),  # never read
        **arguments,
    )


class Prompts:
    """The environment's prompts as the trainer's batches.

    Args:
        exchange: The exchange with the rollout.
        model: The model that reads the prompts.
        repeats: The number of times in a row that the trainer asks for each batch.
    """

    def __init__(self, exchange: Exchange, model: LanguageModel, repeats: int) -> None:
        self._exchange, self._model, self._repeats = exchange, model, repeats

    def __iter__(self) -> Iterator[list[dict[str, Any]]]:
        """Yield the prompts of each step."""
        while True:
            batch = [{"prompt": self._model.messages(shown)} for shown in self._exchange.next_prompts()]
            yield from [batch] * self._repeats
