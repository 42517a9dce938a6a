"""A trained policy as a folder: safetensors and plain JSON, no pickle."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from gymnasium.spaces import Discrete
from safetensors import SafetensorError
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file

from agents.sb3.chooser import embedding_size_of
from agents.sb3.errors import PolicyError
from agents.sb3.normalization import Normalization, normalization_of
from agents.sb3.places import DESCRIPTION, STATISTICS, TENSORS, find_policy
from agents.sb3.policies import (
    MLP_POLICIES,
    CandidatePolicy,
    CandidateQPolicy,
    MaskableCandidatePolicy,
    extracts_nothing,
)
from signal_env.utils.reading import read_json
from signal_env.utils.storage import new_folder, write_text
from signal_env.utils.typed import typed_values
from signal_env.wrappers.candidate_draw import CandidateBox

__all__ = ["POLICIES", "PolicyError", "SavedPolicy", "load_policy", "save_policy"]

POLICIES: dict[str, Any] = {
    "maskable_ppo": MaskableCandidatePolicy,
    "ppo": CandidatePolicy,
    "a2c": CandidatePolicy,
    "dqn": CandidateQPolicy,
}
"""The policy class of each algorithm of `python -m experiments train`. These play with any number of candidates."""

CLASSES: dict[str, Any] = {kind.__name__: kind for kind in (*POLICIES.values(), *MLP_POLICIES)}
"""The policy classes that are saved, by name."""


@dataclasses.dataclass(frozen=True)
class SavedPolicy:
    """The description of a trained policy, without its weights.

    Attributes:
        algorithm: "maskable_ppo", "ppo", "a2c", "dqn", or the name of another class of algorithms in lower case.
        n_candidates: K in training.
        features: The names of a candidate's features.
        state_features: The names of the state's features.
        net_arch: The widths of its hidden layers.
        activation: The name of the activation after them, a class of `torch.nn`.
        policy: The name of its class, one of `CLASSES`; "" in older files, for that of `POLICIES`.
        normalization: The normalization of its observations, or None.
    """

    algorithm: str
    n_candidates: int
    features: Sequence[str]
    state_features: Sequence[str]
    net_arch: Any
    activation: str
    policy: str = ""
    normalization: Normalization | None = None

    @property
    def embedding_size(self) -> int:
        """The number of directions in which candidates' encodings are shown."""
        return embedding_size_of(self.features)

    @property
    def any_number(self) -> bool:
        """Whether it plays with any number of candidates. SB3's own policies and statistics have one for each place."""
        return self._class in POLICIES.values() and self.normalization is None

    @property
    def _class(self) -> Any:
        return CLASSES[self.policy] if self.policy else POLICIES[self.algorithm]

    def build(self, n_candidates: int) -> Any:
        """Return a new policy of SB3 for this K, with random weights.

        Raises:
            ValueError: If it plays only with the number of candidates in its training.
        """
        if n_candidates != self.n_candidates and not self.any_number:
            cause = "its observations are normalized" if self.normalization else f"it is an SB3 {self.policy}"
            raise ValueError(
                f"{cause}, so that it plays only with n_candidates={self.n_candidates}, as in its training; got "
                f"{n_candidates}."
            )
        space = CandidateBox(n_candidates, self.features, self.state_features)
        activation = getattr(torch.nn, self.activation)
        return self._class(
            space, Discrete(n_candidates), lambda _: 0.0, net_arch=self.net_arch, activation_fn=activation
        )


def save_policy(model: Any, folder: str | Path, checked: bool = False) -> None:
    """Save the policy of a model of SB3 that chooses among candidates, for `load_policy` and the agent "sb3".

    The statistics of a `VecNormalize` around the model's environments are saved with it.

    Args:
        model: A model, such as MaskablePPO, PPO, A2C or DQN, with a policy of `agents.sb3.policies` or SB3's own
            "MlpPolicy", trained on `CandidateSelection`.
        folder: The folder to write. A policy in it is replaced.
        checked: Whether `agents.sb3.normalization.check_wrappers(model)` has passed already. Ctrl-C ends the processes
            of environments too, which then cannot be asked.

    Raises:
        PolicyError: If the model has another policy or other observations.
        FileExistsError: If the folder holds something else.
    """
    policy, normalization = model.policy, normalization_of(model, ask=not checked)
    _check_saved(policy)
    algorithms = {name.replace("_", ""): name for name in POLICIES}
    kinds = _names(type(model))
    algorithm = next((algorithms[kind] for kind in kinds if kind in algorithms), kinds[0])
    space = policy.observation_space
    plain = {
        "algorithm": algorithm,
        "n_candidates": space.n_candidates,
        "features": space.features,
        "state_features": space.state_features,
        "net_arch": policy.net_arch,
        "activation": policy.activation_fn.__name__,
        "policy": type(policy).__name__,
    }
    with new_folder(Path(folder), mark=DESCRIPTION) as place:
        save_file({key: tensor.contiguous() for key, tensor in policy.state_dict().items()}, place / TENSORS)
        if normalization is not None:
            arrays = {"mean": normalization.mean, "variance": normalization.variance}
            save_arrays(arrays, place / STATISTICS)
            plain["normalization"] = {"clip": normalization.clip, "epsilon": normalization.epsilon}
        write_text(place / DESCRIPTION, json.dumps(plain, indent=2) + "\n")


def _check_saved(policy: Any) -> None:
    """Raise a PolicyError if a policy cannot be made anew from names and plain values."""
    kind = type(policy)
    if CLASSES.get(kind.__name__) is not kind:
        raise PolicyError(
            f"Expected a policy of agents.sb3.policies or SB3's own 'MlpPolicy'; got {kind.__name__}. Save it by "
            "model.save(FILE), and play the model itself by agents.sb3.ModelAgent(model)."
        )
    if not isinstance(policy.observation_space, CandidateBox):
        raise PolicyError(
            f"Expected the observations of signal_env.wrappers.CandidateSelection; got {policy.observation_space!r}. "
            "Play the model itself by agents.sb3.ModelAgent(model, transform=FUNCTION)."
        )
    if not extracts_nothing(policy):
        raise PolicyError(
            f"Expected SB3's FlattenExtractor; got {policy.features_extractor_class.__name__}, which cannot be made "
            "anew by name. Play the model itself by agents.sb3.ModelAgent(model)."
        )
    if policy.activation_fn not in vars(torch.nn).values():
        raise PolicyError(
            f"The activation must be a class of torch.nn, to be found by its name; got {policy.activation_fn}."
        )


def _names(kind: type) -> list[str]:
    """Return the names of a class and of its bases, in lower case."""
    return [one.__name__.lower() for one in kind.__mro__]


def load_policy(folder: str | Path, n_candidates: int | None = None) -> tuple[Any, SavedPolicy]:
    """Load a policy that `save_policy` saved.

    Args:
        folder: The folder of the policy, or that of a training, which has the policy in `policy`.
        n_candidates: K; default: that of the training. See `SavedPolicy.any_number`.

    Returns:
        The policy of SB3, on the CPU, and its description.

    Raises:
        PolicyError: If the folder holds no policy, its parts do not fit together, or it does not play with this K.
    """
    place = find_policy(folder)
    try:
        saved = _read(place)
        policy = saved.build(saved.n_candidates if n_candidates is None else n_candidates)
        policy.load_state_dict(load_file(place / TENSORS))
    except (TypeError, KeyError, AttributeError, ValueError, RuntimeError, OSError, SafetensorError) as error:
        raise PolicyError(f"The policy in {place} cannot be loaded: {error}") from error
    policy.set_training_mode(False)
    return policy, saved


def _read(place: Path) -> SavedPolicy:
    """Return the description of a policy in a folder, with its normalization."""
    plain = read_json(place / DESCRIPTION, DESCRIPTION, PolicyError)
    if plain.get("normalization") is not None:
        arrays = load_arrays(place / STATISTICS)
        size = plain["n_candidates"] * len(plain["features"]) + len(plain["state_features"])
        if any(arrays[name].shape != (size,) for name in ("mean", "variance")):
            raise ValueError(f"{STATISTICS} has other sizes than the observation's {size} numbers.")
        plain["normalization"] = Normalization(arrays["mean"], arrays["variance"], **plain["normalization"])
    return SavedPolicy(**typed_values(plain, SavedPolicy, PolicyError))
