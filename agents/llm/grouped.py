"""What RLOO and GRPO have in common: trainers that compare the texts of one prompt, and are paid by a function."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from agents.llm.language_model import until
from agents.llm.trained import TrainedGenerator
from signal_env.learner.learner import Learner


@dataclasses.dataclass
class GroupedAgent(TrainedGenerator):
    """An agent whose trainer wants several texts of each prompt: the environment's `prompt_group`, by default 8.

    A text that a line end cut off is followed by one end token that nobody sampled, since TRL knows no other end; the
    trainer credits it too.
    """

    env_options: ClassVar[Mapping[str, Any]] = {"prompt_group": 8}
    trainer_name: ClassVar[str]

    def _check(self, learner: Learner) -> None:
        super()._check(learner)
        group = learner.config.prompt_group
        if group < 2 or self._num_envs % group:
            raise ValueError(
                f"{self.trainer_name} compares texts of one prompt: give the environment a prompt_group of at least 2 "
                f"that divides the {self._num_envs} texts of a step (num_envs); got {group}."
            )

    def _make_trainer(self, seed: int, updates: int) -> Any:
        from datasets import Dataset

        tokenizer = self._model.tokenizer
        config = self._config(
            getattr(self._trainers, f"{self.trainer_name}Config"),
            seed=seed,
            beta=self.kl_coef,
            num_iterations=self.epochs,
            steps_per_generation=self.mini_batches,
            per_device_train_batch_size=self._num_envs // self.mini_batches,
            num_generations=self._learner.config.prompt_group,
            max_completion_length=self.max_new_tokens,
            max_steps=2**31,  # the episode ends the loop
            top_k=0,
            disable_dropout=True,
            generation_kwargs={"eos_token_id": self._model.stop_tokens, "pad_token_id": tokenizer.eos_token_id},
        )
        exchange, repeats = self._exchange, self.mini_batches * self.epochs

        class Batches:
            """The environment's prompts, each batch as often as the trainer makes updates from it."""

            def __iter__(_) -> Iterator[list[dict[str, Any]]]:
                while True:
                    batch = [{"prompt": self._model.messages(shown)} for shown in exchange.next_prompts()]
                    yield from [batch] * repeats

        def environment(completion_ids: list[list[int]], **_: Any) -> list[float]:
            """The reward function."""
            rewards: list[float] = exchange.rewards(
                [until(tokens, {tokenizer.eos_token_id}) for tokens in completion_ids]
            ).tolist()
            return rewards

        trainer_class = getattr(self._trainers, f"{self.trainer_name}Trainer")

        class Trainer(trainer_class):  # type: ignore[misc, valid-type]  # one of two, known when it runs
            def get_train_dataloader(self) -> Batches:
                return Batches()  # accelerate's own fetches a batch ahead, and would wait for ever

            def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
                return super().create_scheduler(updates * repeats, optimizer)

        return Trainer(
            model=self._model.model,
            reward_funcs=environment,
            args=config,
            train_dataset=Dataset.from_dict({"prompt": [""]}),
            processing_class=tokenizer,
            callbacks=[self._log_to()],
            peft_config=self._lora(),
        )

    @property
    def _policy(self) -> Any:
        return self._trainer.model
