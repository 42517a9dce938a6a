"""Comparison of a policy with its reference, the same model with the adapter off."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.llm.answers import Tokens
from agents.llm.language_model import LanguageModel
from signal_env.learner.learner import Learner
from signal_env.utils.extras import require


def lift(learner: Learner, prompts: Sequence[str], texts: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """Score texts of the policy and of the reference on the same prompts, as the first ones of the round.

    Args:
        learner: The environment's learner, which stays as it is.
        prompts: The prompts, one for each pair of texts.
        texts: The policy's texts.
        references: The reference's texts.

    Returns:
        The mean difference of rewards (`lift/mean`), half its 95 % interval (`lift/half`, left out with one prompt),
        and the mean rewards of the policy and of the reference (`lift/policy`, `lift/reference`).
    """
    policy, reference = (learner.score(each, prompts).rewards for each in (texts, references))
    mean, half = paired_lift(prompts, policy, reference)
    means = {"lift/policy": float(policy.mean()), "lift/reference": float(reference.mean())}
    return {"lift/mean": mean, **({"lift/half": half} if np.isfinite(half) else {}), **means}


def paired_lift(
    prompts: Sequence[str], policy: NDArray[np.float64], reference: NDArray[np.float64]
) -> tuple[float, float]:
    """Compute the mean difference of two policies' rewards on the same prompts, and half its 95 % interval.

    The interval is Student's. The texts of one prompt are averaged first, because prompts are independent draws and
    their texts are not. With one prompt the interval is NaN.

    Args:
        prompts: `n` prompts, equal ones among them.
        policy: `(n,)` rewards of one policy's texts.
        reference: `(n,)` rewards of the other's.

    Example:
        >>> mean, half = paired_lift(["a", "a", "b"], np.array([1.0, 3.0, 2.0]), np.array([0.0, 0.0, 1.0]))
        >>> mean, round(half, 2)
        (1.5, 6.35)
    """
    groups: dict[str, list[float]] = {}
    for shown, difference in zip(prompts, policy - reference, strict=True):
        groups.setdefault(shown, []).append(float(difference))
    means = np.array([np.mean(values) for values in groups.values()])
    if len(means) < 2:
        return float(means.mean()), float("nan")
    stats = require("scipy.stats", "trl")
    half = float(stats.t.ppf(0.975, len(means) - 1)) * float(means.std(ddof=1)) / len(means) ** 0.5
    return float(means.mean()), half


def divergence(
    model: LanguageModel,
    policy: Any,
    prompts: Sequence[str],
    responses: Sequence[Tokens],
    temperature: float,
    batch: int,
) -> dict[str, float]:
    """Estimate how far a policy is from its reference, on responses that the policy has sampled.

    Args:
        model: The policy with its tokenizer.
        policy: The same policy, as the peft model whose adapter can be turned off.
        prompts: The prompts.
        responses: The tokens of their responses.
        temperature: The temperature that they were sampled at.
        batch: Responses per call of the model.

    Returns:
        The mean of log p(policy) - log p(reference) in nats per text (`policy/kl`), and the policy's mean entropy in
        nats per token (`policy/entropy`).
    """
    sampled = model.encode(prompts), responses, temperature, batch
    ours, entropies = model.log_probabilities(*sampled)
    with policy.disable_adapter():
        theirs, _ = model.log_probabilities(*sampled)
    differences = [float(one.sum() - other.sum()) for one, other in zip(ours, theirs, strict=True)]
    return {"policy/kl": float(np.mean(differences)), "policy/entropy": float(np.concatenate(entropies).mean())}
