"""A callback of Stable-Baselines3 that logs accuracy while a model learns.

| name | content |
|---|---|
| `eval/accuracy` | accuracy at the episodes' ends, mean over the seeds |
| `eval/area` | mean accuracy along the learning curves, by labels, mean over the seeds |
| `rollout/ep_accuracy_mean` | accuracy at the ends of the training's last episodes, mean |
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from agents.agent import Envs
from agents.rollout import rollout
from agents.sb3.agent import ModelAgent
from signal_env.utils.extras import require

require("stable_baselines3", "sb3")

from stable_baselines3.common.callbacks import BaseCallback  # noqa: E402  (after the check that it is installed)


class AccuracyEvaluation(BaseCallback):  # type: ignore[misc]  # SB3 is not followed by mypy
    """Plays the model on unseen seeds as it learns, by its likeliest choices, and logs accuracy to SB3's logger.

    It plays before the first choice, then every `every` choices or more, when the policy has been updated, and at the
    end of the training. Accuracy is measured on the evaluation split: it is for reading, and no setting, and no
    moment to stop, may be chosen by it. Playing changes nothing in what the model learns.

    The module's table has the names that it logs. The last one needs SB3's `Monitor(env, info_keywords=("accuracy",))`
    around the training's environments.

    Args:
        envs: A vector environment as for `agents.rollout.rollout`, with `selection="submitted"`.
        seeds: The seeds of the episodes.
        every: Choices between two evaluations.
        options: Options of `ModelAgent`, such as a generator.

    Attributes:
        last: The values of the last evaluation by name, empty before it.
    """

    def __init__(self, envs: Envs, seeds: Sequence[int], every: int, **options: Any) -> None:
        super().__init__()
        if every < 1 or not seeds:
            raise ValueError(f"every must be at least 1, with a seed or more; got {every} and {seeds!r}.")
        self.envs, self.seeds, self.every, self.options = envs, seeds, every, options
        self.last: dict[str, float] = {}
        self._next, self._evaluated = 0, -1

    def _on_step(self) -> bool:
        return True  # go on

    def _on_rollout_start(self) -> None:
        if self.num_timesteps >= self._next:
            self._evaluate()

    def _on_rollout_end(self) -> None:
        episodes = [episode["accuracy"] for episode in self.model.ep_info_buffer if "accuracy" in episode]
        if episodes:
            self.logger.record("rollout/ep_accuracy_mean", float(np.mean(episodes)))

    def _on_training_end(self) -> None:
        if self.num_timesteps != self._evaluated:
            self._evaluate()

    def _evaluate(self) -> None:
        """Play the episodes, and log the means of their measures."""
        measures = [self._play(seed) for seed in self.seeds]
        self.last = {name: float(np.mean([one[name] for one in measures])) for name in ("eval/accuracy", "eval/area")}
        for name, value in self.last.items():
            self.logger.record(name, value)
        self.logger.record("time/total_timesteps", self.num_timesteps, exclude="tensorboard")
        self.logger.dump(self.num_timesteps)
        self._evaluated = self.num_timesteps
        self._next = self.num_timesteps + self.every

    def _play(self, seed: int) -> dict[str, float]:
        """Play one episode; return the measures of its learning curve."""
        agent = ModelAgent(self.model, **self.options)  # type: ignore[abstract]  # defaults that do nothing are complete
        rounds = [step.round for step in rollout(self.envs, agent, seed) if step.round is not None]
        labels, accuracies = (np.array([one[name] for one in rounds]) for name in ("labeled", "accuracy"))
        span = labels[-1] - labels[0]
        area = np.trapezoid(accuracies, labels) / span if span else accuracies[-1]
        return {"eval/accuracy": float(accuracies[-1]), "eval/area": float(area)}
