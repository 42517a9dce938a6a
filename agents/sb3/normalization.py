"""The normalization of observations that a model of Stable-Baselines3 has learned with."""

import dataclasses
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from agents.sb3.errors import PolicyError
from signal_env.utils.extras import require

require("stable_baselines3", "sb3")

from stable_baselines3.common.off_policy_algorithm import (  # noqa: E402  (after the check that it is installed)
    OffPolicyAlgorithm,
)
from stable_baselines3.common.vec_env import (  # noqa: E402
    VecCheckNan,
    VecEnvWrapper,
    VecMonitor,
    VecNormalize,
    VecVideoRecorder,
)

UNCHANGING = (VecMonitor, VecCheckNan, VecVideoRecorder)
"""Wrappers of SB3 that leave observations unchanged."""


@dataclasses.dataclass(frozen=True)
class Normalization:
    """The statistics of SB3's `VecNormalize`, as they are at the end of a training.

    Attributes:
        mean: `(n,)` means of the observation's numbers.
        variance: `(n,)` their variances.
        clip: The largest absolute value of a normalized number.
        epsilon: Added to the variance.

    Example:
        >>> Normalization(np.array([0.5, 0.0]), np.array([0.25, 0.0]), clip=10.0, epsilon=1e-8)(np.array([0.0, 1.0]))
        array([-1., 10.], dtype=float32)
    """

    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    clip: float
    epsilon: float

    def __call__(self, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the normalized observation, as `VecNormalize.normalize_obs` does."""
        scaled = (observation - self.mean) / np.sqrt(self.variance + self.epsilon)
        return np.clip(scaled, -self.clip, self.clip).astype(np.float32)


def normalization_of(model: Any, ask: bool = True) -> Normalization | None:
    """Return the normalization of a model's observations, or None if they are those of its environments.

    Args:
        model: A model of SB3.
        ask: Whether to `check_wrappers` too.

    Raises:
        PolicyError: If a wrapper changes observations in another way, or the model lacks the `VecNormalize` that it has
            learned with.
    """
    normalizers = _normalizers(model.get_env())
    if ask:
        check_wrappers(model)
    if not normalizers:
        _check_learned_without(model)
    found = [one for one in normalizers if one.norm_obs]
    if len(found) > 1:
        raise PolicyError("The model's observations are normalized twice: wrap its environments in one VecNormalize.")
    if not found:
        return None
    used = found[0]
    mean, variance = (np.array(each, dtype=np.float64) for each in (used.obs_rms.mean, used.obs_rms.var))
    return Normalization(mean, variance, clip=float(used.clip_obs), epsilon=float(used.epsilon))


def _normalizers(envs: Any) -> list[VecNormalize]:
    """Return each VecNormalize around environments, or raise a PolicyError if a wrapper is not played."""
    found = []
    while isinstance(envs, VecEnvWrapper):
        if type(envs) is VecNormalize:
            found.append(envs)
        elif type(envs) not in UNCHANGING:
            raise PolicyError(
                f"The model's environments are wrapped in {type(envs).__name__}, which may change observations. Of "
                "the wrappers of SB3's vector environments, policies are played only with VecNormalize, VecMonitor, "
                "VecCheckNan and VecVideoRecorder. If it changes none, give the model its environments without it: "
                "model.set_env(model.get_env().venv)."
            )
        envs = envs.venv
    return found


def check_wrappers(model: Any) -> None:
    """Raise a PolicyError if a wrapper of Gymnasium changes the observations of a model's environments.

    Environments in processes of their own can be asked only while these run.
    """
    envs = model.get_env()
    try:
        wrapped = envs is not None and any(envs.env_is_wrapped(gym.ObservationWrapper))
    except (EOFError, OSError) as error:
        raise PolicyError(
            "The processes of the model's environments have ended, so it cannot be checked that no ObservationWrapper "
            "of Gymnasium is around them. Call agents.sb3.normalization.check_wrappers(model) before they end, then "
            "save_policy(model, FOLDER, checked=True); or save it by model.save(FILE), and load it with environments."
        ) from error
    if wrapped:
        raise PolicyError(
            "The model's environments are wrapped in an ObservationWrapper of Gymnasium, which a saved policy would be "
            "played without. Play the model itself: agents.sb3.ModelAgent(model, transform=FUNCTION) repeats what the "
            "wrapper does."
        )


def _check_learned_without(model: Any) -> None:
    """Raise a PolicyError if a model that has no VecNormalize has learned with one, or if that is unknown.

    SB3 keeps `_last_original_obs` in its files. On-policy algorithms set it only under a VecNormalize. Off-policy ones
    always set it. Their last observations tell, but SB3 drops these when it loads a model with environments.
    """
    last, original = getattr(model, "_last_obs", None), getattr(model, "_last_original_obs", None)
    space = model.observation_space
    if not isinstance(model, OffPolicyAlgorithm):
        if original is None:
            return
        found, plain = "has learned under a VecNormalize", ""
    else:
        inside = last is None or all(space.contains(np.asarray(one, dtype=space.dtype)) for one in last)
        if inside and (last is not None or original is None):
            return
        found = "may have learned under a VecNormalize" if inside else "has learned from observations outside its space"
        plain = " If there was none, wrap its environments: VecNormalize(ENVS, norm_obs=False)."
    raise PolicyError(
        f"The model {found}: load it with its VecNormalize, also one with norm_obs=False, as in "
        f"{type(model).__name__}.load(FILE, env=VecNormalize.load(STATISTICS, DummyVecEnv([make]))).{plain}"
    )
