"""The paper's agent: a generator tuned by proximal policy optimization, with TRL's own PPOTrainer."""

import dataclasses
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from types import ModuleType
from typing import Any, ClassVar

from agents.agent import agents
from agents.llm.answers import Tokens
from agents.llm.trained import TrainedGenerator
from signal_env.config import SignalConfig
from signal_env.utils.extras import MissingExtra, require


@agents.register("ppo")
@dataclasses.dataclass
class PPOAgent(TrainedGenerator):
    """Proximal policy optimization (Schulman et al. 2017) with a KL penalty per token (Ziegler et al. 2019).

    The values come from a small head on the frozen base, so that nothing is held twice. For Qwen2.5-7B (7.6 billion
    parameters, hidden size 3,584) in bfloat16:

    | | parameters trained | weights | with AdamW's moments, in float32 |
    |---|---|---|---|
    | the base, frozen | | 15.2 GB | |
    | the policy: LoRA of rank 16 on all linear layers | 40.4 M | 0.16 GB | 0.48 GB |
    | the reference: the base with the adapter off | | nothing | |
    | the values: this head | 0.9 M | 4 MB | 11 MB |
    | saved: a value model of its own, LoRA over a second base | 40.4 M | 15.4 GB | 0.48 GB |

    TRL has the trainer up to 1.12 (`trl.experimental.ppo`).
    """

    trainer_name: ClassVar[str] = "PPO"
    stateless: ClassVar[bool] = True  # beside the state of its base

    gae_lambda: float = 1.0
    """λ of generalized advantage estimation (Schulman et al. 2016). A text is rewarded at its end. Under 1, as long as
    the values are not learned, its last tokens get more of the credit than its first, and texts shrink."""
    value_size: int = 256
    """Width of the value head's hidden layer."""

    def check_available(self, options: SignalConfig, seed: int) -> None:
        """Look for TRL with its PPOTrainer, peft and the base, without loading them; `reset` documents the errors."""
        super().check_available(options, seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the warning that the module is experimental
            try:
                found = find_spec("trl.experimental.ppo")
            except ModuleNotFoundError:  # there is no trl.experimental
                found = None
        if found is None:
            self._import()

    def _import(self) -> ModuleType:
        trl = super()._import()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the warning that the module is experimental
                return require("trl.experimental.ppo", "trl")
        except MissingExtra as error:
            raise MissingExtra(
                f"TRL {trl.__version__} has no PPOTrainer any more. Install a version that has it: "
                "pip install 'trl>=1.12,<1.13'; or take the agent 'rloo' or 'grpo', which work with newer versions."
            ) from error

    def _make_trainer(self, seed: int, updates: int) -> Any:
        from agents.llm.ppo_trainer import make_trainer

        size = self._pass_size()
        config = self._config(
            seed=seed,
            kl_coef=self.kl_coef,
            lam=self.gae_lambda,
            num_ppo_epochs=self.epochs,
            num_mini_batches=self.mini_batches,
            per_device_train_batch_size=size,
            gradient_accumulation_steps=self._num_envs // size,
            local_rollout_forward_batch_size=self._num_envs,  # one exchange of responses and rewards per batch
            total_episodes=updates * self._num_envs,
            response_length=self.max_new_tokens,
            num_sample_generations=0,  # samples would step the environment
        )
        arguments = self._arguments(config)
        trainer_class = self._trainers.PPOTrainer
        trainer, self._passes = make_trainer(trainer_class, self._exchange, self._model, self.value_size, arguments)
        return trainer

    def _distance(self, prompts: Sequence[str], responses: Sequence[Tokens]) -> dict[str, float]:
        return self._passes.divergence(responses)

    @property
    def _policy(self) -> Any:
        return self._trainer.policy_model
