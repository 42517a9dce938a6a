"""The choice of a candidate by a model of Stable-Baselines3, and the agent's part that all such models share."""

import dataclasses
import inspect
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from agents.agent import Agent, Envs, base
from agents.llm.frozen import FrozenGenerator
from agents.llm.options import TemplateOptions, several
from agents.sb3.errors import PolicyError
from signal_env.tasks import Task
from signal_env.utils.answers import Part
from signal_env.wrappers.candidate_draw import CandidateDraw, candidate_features

Observe = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Returns the observation of a model, from that of `CandidateSelection`."""


class Chooser:
    """A model of SB3, or a policy of one, that chooses a place.

    Args:
        model: The model or the policy.
        greedy: Whether it chooses the likeliest place. Otherwise it draws from the policy's probabilities.
        observe: The functions that an observation goes through first.

    Raises:
        PolicyError: If a place is to be drawn, and the policy has no probabilities.
    """

    def __init__(self, model: Any, greedy: bool, observe: Sequence[Observe] = ()) -> None:
        self._model, self._policy, self._observe = model, getattr(model, "policy", model), observe
        if not greedy and not hasattr(self._policy, "get_distribution"):
            raise PolicyError(
                f"{type(self._policy).__name__} has no probabilities to draw from, like all policies of DQN: give "
                "greedy=True."
            )
        self._greedy = greedy
        self._masked = "action_masks" in inspect.signature(model.predict).parameters

    def choose(self, seen: NDArray[np.float32], mask: NDArray[np.bool_], rng: np.random.Generator) -> int:
        """Return the place chosen.

        Args:
            seen: The observation of `CandidateSelection`.
            mask: `(K,)` the places that hold a candidate. Policies without masks may choose another one.
            rng: The random numbers of a draw.

        Raises:
            PolicyError: If the policy is recurrent.
        """
        for function in self._observe:
            seen = function(seen)
        masks = {"action_masks": mask} if self._masked else {}
        if self._greedy:
            place, state = self._model.predict(seen, deterministic=True, **masks)
            if state is not None:
                raise PolicyError(f"{type(self._model).__name__} is recurrent; policies with a state are not played.")
            return int(place)
        import torch

        with torch.no_grad():
            shown = self._policy.obs_to_tensor(seen)[0]
            distribution = self._policy.get_distribution(shown, **masks).distribution
        probabilities = distribution.probs[0].double().cpu().numpy()
        return int(rng.choice(len(mask), p=probabilities / probabilities.sum()))


@dataclasses.dataclass(kw_only=True)
class WritingOptions:
    """How the language model that writes synthetic candidates is prompted, and what of its answers is the text."""

    stateless: ClassVar[bool] = True

    prompt_style: Literal["chat", "continuation"] | None = None
    """The language model's prompts: messages in its chat template, or texts that go on; default: "chat" where it has a
    template."""
    template_options: TemplateOptions = dataclasses.field(default_factory=dict)
    """Options of its chat template, by name."""
    answer: Part = "line"
    """The part of its answer that is the text: the first "line" that is not empty, the "last_line", or the "whole"."""

    def writer(self, generator: str | None, task: Task) -> FrozenGenerator | None:
        """Return the function that writes candidates with a language model; None if there is no model."""
        if generator is None:
            return None
        form = {name: getattr(self, name) for name in ("prompt_style", "template_options", "answer")}
        return FrozenGenerator(generator, fields=several(task), **form)


class ChoosingAgent(Agent):
    """An agent that shows candidates to a `Chooser`, with the draws of `CandidateSelection`.

    It passes (offers the empty text) once the round's labels are taken, or when no text is left.
    """

    env_options = {"selection": "submitted"}

    def begin(
        self,
        envs: Envs,
        seed: int,
        chooser: Chooser,
        n_candidates: int,
        embedding_size: int,
        writer: FrozenGenerator | None,
        synthetic_candidates: float,
    ) -> None:
        """Begin an episode.

        The writer is the `generator` of `CandidateSelection`, and the other arguments are named as there.

        Raises:
            ConfigError: If the environment's acquisition function chooses the texts to label.
        """
        learner = self._learner = base(envs).learner
        self._draw = CandidateDraw(learner, n_candidates, embedding_size, writer, synthetic_candidates)
        self._chooser, self._rng = chooser, np.random.default_rng(seed)
        self._draw.reset(self._rng)

    def act(self, observations: dict[str, Any]) -> Sequence[str]:
        """Return the model's choice for each prompt, among the candidates that earlier choices have left."""
        made = self._learner.offers_made
        return [self._choice(self._draw.draw(made + i, prompt)) for i, prompt in enumerate(observations["prompt"])]

    def _choice(self, seen: NDArray[np.float32]) -> str:
        if not self._draw.mask.any():
            return ""
        return self._draw.take(self._chooser.choose(seen, self._draw.mask, self._rng))

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the random numbers."""
        return {"rng": self._rng.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._rng.bit_generator.state = state["rng"]


def check_features(
    features: Sequence[str], state_features: Sequence[str], learner_features: Sequence[str], whose: str
) -> None:
    """Check that a policy was trained on the features of this experiment.

    Args:
        features: The policy's features of a candidate.
        state_features: Its features of the state.
        learner_features: The experiment's features of the state.
        whose: The policy, for the message.

    Raises:
        PolicyError: If the features of candidates or the number of classes differ.
    """
    expected = candidate_features(embedding_size_of(features))
    if tuple(features) != expected:
        raise PolicyError(
            f"{whose} was trained on the features {', '.join(features)}; this agent has {', '.join(expected)}: train "
            "it again on CandidateSelection."
        )
    if len(state_features) != len(learner_features):
        raise PolicyError(
            f"{whose} was trained on {len(state_features)} features of the state; this task has "
            f"{len(learner_features)}. Give a task with as many classes as in training."
        )


def embedding_size_of(features: Sequence[str]) -> int:
    """Return the number of directions in which candidates' encodings are shown."""
    return sum(name.startswith("embedding/") for name in features)
