"""A trained policy as a folder: safetensors and plain JSON, no pickle."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from gymnasium.spaces import Discrete
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from agents.sb3.policies import CandidatePolicy, CandidateQPolicy, MaskableCandidatePolicy
from signal_env.utils.errors import SignalError
from signal_env.utils.storage import new_folder, write_text
from signal_env.wrappers.candidate_draw import CandidateBox

POLICIES: dict[str, Any] = {
    "maskable_ppo": MaskableCandidatePolicy,
    "ppo": CandidatePolicy,
    "a2c": CandidatePolicy,
    "dqn": CandidateQPolicy,
}
"""The policy class of each algorithm."""

DESCRIPTION, TENSORS = "policy.json", "policy.safetensors"


class PolicyError(SignalError, ValueError):
    """A policy that cannot be saved, loaded or played; the message gives the reason."""


@dataclasses.dataclass(frozen=True)
class SavedPolicy:
    """The description of a trained policy, without its weights.

    Attributes:
        algorithm: "maskable_ppo", "ppo", "a2c" or "dqn".
        n_candidates: K in training. The policy plays with any K.
        features: The names of a candidate's features.
        state_features: The names of the state's features.
        net_arch: The widths of its hidden layers.
        activation: The name of the activation after them, a class of `torch.nn`.
    """

    algorithm: str
    n_candidates: int
    features: Sequence[str]
    state_features: Sequence[str]
    net_arch: Any
    activation: str

    @property
    def embedding_size(self) -> int:
        """The number of directions in which candidates' encodings are shown."""
        return sum(name.startswith("embedding/") for name in self.features)

    def build(self, n_candidates: int) -> Any:
        """Return a new policy of SB3 for this K, with random weights."""
        space = CandidateBox(n_candidates, self.features, self.state_features)
        activation = getattr(torch.nn, self.activation)
        return POLICIES[self.algorithm](
            space, Discrete(n_candidates), lambda _: 0.0, net_arch=self.net_arch, activation_fn=activation
        )


def save_policy(model: Any, folder: str | Path) -> None:
    """Save the policy of a model of SB3 that chooses among candidates, for `load_policy` and the agent "sb3".

    Args:
        model: A MaskablePPO, PPO, A2C or DQN with a policy of `agents.sb3.policies`.
        folder: The folder to write. A policy in it is replaced.

    Raises:
        PolicyError: If the model has another policy.
        FileExistsError: If the folder holds something else.
    """
    policy = model.policy
    algorithms = {name.replace("_", ""): name for name in POLICIES}
    name = next((algorithms[kind] for kind in _names(type(model)) if kind in algorithms), "")
    if not isinstance(policy, POLICIES.get(name, ())):
        raise PolicyError(
            f"Expected a policy of agents.sb3.policies, trained by {', '.join(POLICIES)}; got "
            f"{type(policy).__name__} of {type(model).__name__}. Use SB3's own model.save(...) for it."
        )
    if policy.activation_fn not in vars(torch.nn).values():
        raise PolicyError(
            f"The activation must be a class of torch.nn, to be found by its name; got {policy.activation_fn}."
        )
    space = policy.observation_space
    activation: str = policy.activation_fn.__name__
    saved = SavedPolicy(name, space.n_candidates, space.features, space.state_features, policy.net_arch, activation)
    with new_folder(Path(folder), mark=DESCRIPTION) as place:
        save_file({key: tensor.contiguous() for key, tensor in policy.state_dict().items()}, place / TENSORS)
        write_text(place / DESCRIPTION, json.dumps(dataclasses.asdict(saved), indent=2) + "\n")


def _names(kind: type) -> list[str]:
    """Return the names of a class and of its bases, in lower case."""
    return [one.__name__.lower() for one in kind.__mro__]


def load_policy(folder: str | Path, n_candidates: int | None = None) -> tuple[Any, SavedPolicy]:
    """Load a policy that `save_policy` saved.

    Args:
        folder: The folder of the policy, or that of a training, which has the policy in `policy`.
        n_candidates: K; default: that of the training.

    Returns:
        The policy of SB3, on the CPU, and its description.

    Raises:
        PolicyError: If the folder holds no policy, or its parts do not fit together.
    """
    place = Path(folder).expanduser()
    if not (place / DESCRIPTION).is_file() and (place / "policy" / DESCRIPTION).is_file():
        place = place / "policy"
    if not (place / DESCRIPTION).is_file() or not (place / TENSORS).is_file():
        raise PolicyError(
            f"{place} holds no policy: expected {DESCRIPTION} and {TENSORS}, written by save_policy(model, folder) "
            "or `python -m experiments train`."
        )
    try:
        saved = SavedPolicy(**json.loads((place / DESCRIPTION).read_text(encoding="utf-8")))
        policy = saved.build(saved.n_candidates if n_candidates is None else n_candidates)
        policy.load_state_dict(load_file(place / TENSORS))
    except (TypeError, KeyError, AttributeError, ValueError, RuntimeError, SafetensorError) as error:
        raise PolicyError(f"The policy in {place} cannot be loaded: {error}") from error
    policy.set_training_mode(False)
    return policy, saved
