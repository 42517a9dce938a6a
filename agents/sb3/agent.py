"""The agent that plays a policy of Stable-Baselines3 trained on `CandidateSelection`."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.agent import Agent, Envs, agents, base
from agents.llm.frozen import FrozenGenerator
from signal_env.utils.extras import require
from signal_env.wrappers.candidate_draw import CandidateDraw, candidate_features

if TYPE_CHECKING:
    from agents.sb3.saved import SavedPolicy


@agents.register("sb3")
@dataclasses.dataclass
class SB3Agent(Agent):
    """A trained policy of SB3, with the same observations and draws as in `CandidateSelection`.

    It passes (offers the empty text) once the round's labels are taken, or when no text is left.
    """

    env_options: ClassVar[Mapping[str, Any]] = {"selection": "submitted"}

    policy: str | None = None
    """The folder of the policy, made by `python -m experiments train` or by `agents.sb3.saved.save_policy`."""
    n_candidates: int | None = None
    """Texts to choose from; default: as many as in the policy's training."""
    generator: str | None = None
    """A language model that writes synthetic candidates: "embedded", a folder, or a hub name; default: none."""
    synthetic_candidates: float = 0.5
    """The fraction of the candidates that the language model writes."""
    greedy: bool = True
    """Whether it chooses the likeliest candidate; otherwise it draws from the policy's probabilities (not with DQN)."""

    def reset(self, envs: Envs, seed: int) -> None:
        """Load the policy and begin an episode.

        Raises:
            MissingExtra: If Stable-Baselines3 is not installed.
            PolicyError: If there is no such policy, it was trained on other features, or an option does not fit it.
            ConfigError: If the environment's acquisition function chooses the texts to label.
        """
        require("stable_baselines3", "sb3")
        from agents.sb3.saved import PolicyError, load_policy

        if self.policy is None:
            raise PolicyError(
                "The agent 'sb3' needs a policy: give --policy FOLDER, made by `python -m experiments train`."
            )
        if self.n_candidates is not None and self.n_candidates < 1:
            raise PolicyError(f"n_candidates must be at least 1; got {self.n_candidates}.")
        self._policy, saved = load_policy(self.policy, self.n_candidates)
        if not self.greedy and saved.algorithm == "dqn":
            raise PolicyError("A policy of DQN has no probabilities to draw from: give greedy=True.")
        learner = self._learner = base(envs).learner
        self._draw = CandidateDraw(
            learner,
            saved.n_candidates if self.n_candidates is None else self.n_candidates,
            saved.embedding_size,
            None if self.generator is None else FrozenGenerator(self.generator),
            self.synthetic_candidates,
        )
        check_features(saved, learner.feature_names, self.policy)
        self._rng = np.random.default_rng(seed)
        self._draw.reset(self._rng)

    def act(self, observations: dict[str, Any]) -> Sequence[str]:
        """Return the policy's choice for each prompt, among the candidates that earlier choices have left."""
        made = self._learner.offers_made
        return [self._choice(self._draw.draw(made + i, prompt)) for i, prompt in enumerate(observations["prompt"])]

    def _choice(self, seen: NDArray[np.float32]) -> str:
        mask = self._draw.mask
        if not mask.any():
            return ""
        if self.greedy:
            place, _ = self._policy.predict(seen, deterministic=True)
        else:
            import torch

            with torch.no_grad():
                distribution = self._policy.get_distribution(self._policy.obs_to_tensor(seen)[0]).distribution
            probabilities = distribution.probs[0].double().numpy()
            place = self._rng.choice(len(mask), p=probabilities / probabilities.sum())
        return self._draw.take(int(place))

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the random numbers."""
        return {"rng": self._rng.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._rng.bit_generator.state = state["rng"]


def check_features(saved: "SavedPolicy", state_features: Sequence[str], folder: str) -> None:
    """Check that a policy was trained on the features of this experiment.

    Raises:
        PolicyError: If the features of candidates or the number of classes differ.
    """
    from agents.sb3.saved import PolicyError

    if tuple(saved.features) != candidate_features(saved.embedding_size):
        raise PolicyError(
            f"The policy in {folder} was trained on the features {', '.join(saved.features)}; this agent has "
            f"{', '.join(candidate_features(saved.embedding_size))}: train it again on CandidateSelection."
        )
    if len(saved.state_features) != len(state_features):
        raise PolicyError(
            f"The policy in {folder} was trained on {len(saved.state_features)} features of the state; this task has "
            f"{len(state_features)}. Give a task with as many classes as in training."
        )
