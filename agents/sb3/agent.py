"""The agents that play policies of Stable-Baselines3 trained on `CandidateSelection`: saved ones, and objects."""

import dataclasses
from typing import Any, ClassVar

from gymnasium.spaces import Discrete

from agents.agent import Envs, agents, base
from agents.sb3.chooser import Chooser, ChoosingAgent, Observe, WritingOptions, check_features, embedding_size_of
from agents.sb3.errors import PolicyError
from agents.sb3.places import find_policy
from signal_env.classifiers.checkpoints import require_checkpoint
from signal_env.config import SignalConfig
from signal_env.utils.extras import require, require_installed
from signal_env.wrappers.candidate_draw import CandidateBox


@agents.register("sb3")
@dataclasses.dataclass
class SB3Agent(WritingOptions, ChoosingAgent):
    """A saved policy of SB3, with the same observations and draws as in `CandidateSelection`.

    It passes (offers the empty text) once the round's labels are taken, or when no text is left.
    """

    policy: str | None = None
    """The folder of the policy, made by `python -m experiments train` or by `agents.sb3.saved.save_policy`."""
    n_candidates: int | None = None
    """Texts to choose from; default: as many as in the policy's training. SB3's own policies have no other number."""
    generator: str | None = None
    """A language model that writes synthetic candidates: "embedded", a folder, or a hub name; default: none."""
    synthetic_candidates: float = 0.5
    """The fraction of the candidates that the language model writes."""
    greedy: bool = True
    """Whether it chooses the likeliest candidate; otherwise it draws from the policy's probabilities (not with DQN)."""

    def check_available(self, options: SignalConfig, seed: int) -> None:
        """Look for Stable-Baselines3, the policy and the language model.

        Raises:
            MissingExtra: If Stable-Baselines3 is not installed.
            PolicyError: If there is no such policy.
            ModelError: If there is no such language model.
        """
        require_installed("stable_baselines3", "sb3")
        find_policy(_given(self.policy))
        if self.generator is not None:
            require_checkpoint(self.generator, "generator")

    def reset(self, envs: Envs, seed: int) -> None:
        """Load the policy and begin an episode.

        Raises:
            MissingExtra: If Stable-Baselines3 is not installed.
            PolicyError: If there is no such policy, it was trained on other features, or an option does not fit it.
            ConfigError: If the environment's acquisition function chooses the texts to label.
        """
        require("stable_baselines3", "sb3")
        from agents.sb3.saved import load_policy

        place = _given(self.policy)
        if self.n_candidates is not None and self.n_candidates < 1:
            raise PolicyError(f"n_candidates must be at least 1; got {self.n_candidates}.")
        policy, saved = load_policy(place, self.n_candidates)
        chooser = Chooser(policy, self.greedy, [saved.normalization] if saved.normalization else [])
        self.begin(
            envs,
            seed,
            chooser,
            saved.n_candidates if self.n_candidates is None else self.n_candidates,
            saved.embedding_size,
            self.writer(self.generator, base(envs).learner.task),
            self.synthetic_candidates,
        )
        names = base(envs).learner.feature_names
        check_features(saved.features, saved.state_features, names, f"The policy in {self.policy}")


@dataclasses.dataclass
class ModelAgent(WritingOptions, ChoosingAgent):
    """A model of SB3 as an object, whatever its policy: `ModelAgent(PPO.load("model.zip"))`.

    Loading such a file runs the code that it holds, so the file has to be one's own. `save_policy` writes policies that
    can be handed on.

    Its observations are normalized as in the model's training if the model has its `VecNormalize`. A model without
    action masks may choose a place without a candidate, which passes, as in `CandidateSelection`.

    Raises:
        PolicyError: At `reset`, if the model does not fit `CandidateSelection`, or lacks its normalization.

    Example: a model that has learned nothing yet.
        >>> import gymnasium as gym
        >>> import signal_env
        >>> from sb3_contrib import MaskablePPO
        >>> from agents.rollout import rollout
        >>> from signal_env.wrappers import CandidateSelection
        >>> small = {"selection": "submitted", "pool_size": 40, "round_size": 10}
        >>> model = MaskablePPO("MlpPolicy", CandidateSelection(gym.make("SignalEnv-reviews-v0", **small)), seed=0)
        >>> envs = gym.make_vec("SignalEnv-reviews-v0", num_envs=10, **small)
        >>> [step.round["labeled"] for step in rollout(envs, ModelAgent(model), seed=0)]
        [10, 20, 30, 40]
    """

    stateless: ClassVar[bool] = True  # beside the state of its base

    model: Any
    """A model of SB3 or sb3-contrib with the action space Discrete(K)."""
    transform: Observe | None = None
    """A function from the observation of CandidateSelection to the model's own; default: they are equal."""
    n_candidates: int | None = None
    """Texts to choose from; default: the model's actions."""
    embedding_size: int | None = None
    """Directions in which encodings are shown; default: the model's, if its observations have the names."""
    generator: str | None = None
    """A language model that writes synthetic candidates: "embedded", a folder, or a hub name; default: none."""
    synthetic_candidates: float = 0.5
    """The fraction of the candidates that the language model writes."""
    greedy: bool = True
    """Whether it chooses the likeliest candidate; otherwise it draws from the policy's probabilities (not with DQN)."""

    def reset(self, envs: Envs, seed: int) -> None:
        """Begin an episode; the class documents the errors."""
        require("stable_baselines3", "sb3")
        from agents.sb3.normalization import normalization_of

        normalization = normalization_of(self.model, ask=self.transform is None)
        observe = [function for function in (self.transform, normalization) if function is not None]
        n_candidates, embedding_size = self._sizes()
        self.begin(
            envs,
            seed,
            Chooser(self.model, self.greedy, observe),
            n_candidates,
            embedding_size,
            self.writer(self.generator, base(envs).learner.task),
            self.synthetic_candidates,
        )
        space = self.model.observation_space
        if self.transform is None and isinstance(space, CandidateBox):
            names = base(envs).learner.feature_names
            check_features(space.features, space.state_features, names, "The model")

    def __deepcopy__(self, memo: dict[int, Any]) -> "ModelAgent":
        """Return an agent of the same model, which playing does not change."""
        return dataclasses.replace(self)

    def __content__(self) -> dict[str, Any]:
        """Return what the agent is known by: its options, and the weights and the normalization of its model."""
        own = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        statistics = getattr(self.model.get_vec_normalize_env(), "obs_rms", None)
        return own | {"model": (type(self.model), self.model.policy.state_dict(), statistics)}

    def _sizes(self) -> tuple[int, int]:
        """Return K and the number of directions, or raise a PolicyError if the model does not tell or has others."""
        space, actions = self.model.observation_space, self.model.action_space
        if not isinstance(actions, Discrete) or self.n_candidates not in (None, actions.n):
            raise PolicyError(
                f"ModelAgent needs a model with the action space Discrete(K) for K candidates; this one has {actions!r}"
                + ("." if self.n_candidates is None else f", and n_candidates is {self.n_candidates}.")
            )
        named = isinstance(space, CandidateBox)
        if not named and (self.transform is None or self.embedding_size is None):
            raise PolicyError(
                f"The model's observations are {space!r}, not those of CandidateSelection: give transform, the "
                "function from an observation of CandidateSelection to the model's, and embedding_size."
            )
        size = self.embedding_size
        return int(actions.n), embedding_size_of(space.features) if size is None else size


def _given(policy: str | None) -> str:
    """Return the folder of a policy, or raise a PolicyError if there is none."""
    if policy is None:
        raise PolicyError(
            "The agent 'sb3' needs a policy: give --policy FOLDER, made by `python -m experiments train`."
        )
    return policy
