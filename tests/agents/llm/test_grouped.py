"""RLOO and GRPO in passes: they add up to the same updates."""

import gymnasium as gym
import pytest
import torch

from agents.llm import GRPOAgent, RLOOAgent
from agents.rollout import rollout
from signal_env.config import ConfigError

SMALL = {"pool_size": 40, "round_size": 8, "offers_per_round": 16, "evaluation_size": 20, "prompt_group": 4}
QUICK = {"max_new_tokens": 8, "lora_rank": 4, "learning_rate": 1e-3, "kl_coef": 0.0, "lift_texts": 0}


def trained(agent, budget=16):
    """Play rounds of one batch each, and return the adapter's weights, the passes' sizes and the updates."""
    sizes = []
    steps = rollout(gym.make_vec("SignalEnv-reviews-v0", num_envs=16, **SMALL, budget=budget), agent, 0)
    next(steps)
    agent._policy.register_forward_hook(
        lambda module, args, inputs, output: (
            sizes.append(len(inputs["input_ids"])) if torch.is_grad_enabled() else None
        ),
        with_kwargs=True,
    )
    list(steps)
    optimizer = agent._trainer.optimizer.optimizer
    (updates,) = {int(state["step"]) for state in optimizer.state.values()}
    return {name: value.detach().clone() for name, value in agent._trained()}, sizes, updates


@pytest.mark.parametrize("agent_class", [RLOOAgent, GRPOAgent])
def test_passes_make_the_same_update(agent_class):
    weights, _, updates = trained(agent_class(**QUICK))
    parts, _, updates_of_parts = trained(agent_class(**QUICK, texts_per_pass=4))
    assert updates == updates_of_parts == 1
    moved = [name for name in weights if "lora_B" in name]
    assert all(weights[name].abs().max() > 0 for name in moved)
    close = [torch.isclose(weights[name], parts[name], atol=2e-4).float().mean() for name in moved]
    assert min(close) > 0.98  # Adam's first step is the gradient's sign, which rounding may turn where it is near 0


@pytest.mark.parametrize("agent_class", [RLOOAgent, GRPOAgent])
def test_passes_add_up_to_updates(agent_class):
    _, sizes, updates = trained(agent_class(**QUICK, texts_per_pass=4, mini_batches=2, epochs=2), budget=24)
    assert updates == 2 * 2 * 2  # batches, mini-batches, epochs
    assert set(sizes) == {4}
    assert len(sizes) == 2 * 4 * 2  # batches, passes, epochs


def test_a_pass_divides_an_update():
    with pytest.raises(ConfigError, match=r"texts_per_pass divides the 8 texts of an update.*got 3"):
        list(rollout(gym.make_vec("SignalEnv-reviews-v0", num_envs=16, **SMALL),
                     RLOOAgent(**QUICK, mini_batches=2, texts_per_pass=3), 0))  # fmt: skip
