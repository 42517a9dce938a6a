"""The common part of RLOO and GRPO, whose trainers compare the texts of one prompt."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from agents.llm.trained import TrainedGenerator
from signal_env.config import ConfigError
from signal_env.learner.learner import Learner


@dataclasses.dataclass
class GroupedAgent(TrainedGenerator):
    """An agent whose trainer needs several texts of each prompt: the environment's `prompt_group`, by default 8.

    A text that ends with a line end is followed by one end token that the policy did not sample, since TRL knows no
    other end. The trainer credits this token too.
    """

    env_options: ClassVar[Mapping[str, Any]] = {"prompt_group": 8}
    stateless: ClassVar[bool] = True  # beside the state of its base

    def _check(self, learner: Learner) -> None:
        super()._check(learner)
        group = learner.config.prompt_group
        if group < 2 or self._num_envs % group:
            raise ConfigError(
                f"{self.trainer_name} compares texts of one prompt: give the environment a prompt_group of at least 2 "
                f"that divides the {self._num_envs} texts of a step (num_envs); got {group}."
            )

    def _make_trainer(self, seed: int, updates: int) -> Any:
        from agents.llm.grouped_trainer import make_trainer

        end, size = self._model.tokenizer.eos_token_id, self._pass_size()
        passes = self._num_envs // size
        config = self._config(
            seed=seed,
            beta=self.kl_coef,
            num_iterations=self.epochs,
            steps_per_generation=passes,
            gradient_accumulation_steps=passes // self.mini_batches,
            per_device_train_batch_size=size,
            num_generations=self._learner.config.prompt_group,
            max_completion_length=self.max_new_tokens,
            max_steps=2**31,  # the end of the episode ends the loop
            chat_template_kwargs=self._model.template_options,
            top_k=0,
            disable_dropout=True,
            generation_kwargs={"eos_token_id": self._model.end_tokens, "pad_token_id": end},
        )
        trainer_class = getattr(self._trainers, f"{self.trainer_name}Trainer")
        repeats, arguments = passes * self.epochs, self._arguments(config)
        updates *= self.mini_batches * self.epochs
        return make_trainer(trainer_class, self._exchange, self._model, updates, repeats, arguments)

    @property
    def _policy(self) -> Any:
        return self._trainer.model
