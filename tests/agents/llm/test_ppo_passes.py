"""PPO's passes: what is shared or left out is what the trainer would have computed, and passes add up to updates."""

import gymnasium as gym
import pytest
import torch

from agents.llm import PPOAgent
from agents.llm.comparison import divergence
from agents.llm.ppo_passes import Tail
from agents.rollout import rollout
from signal_env.config import ConfigError

SMALL = {"pool_size": 40, "round_size": 8, "offers_per_round": 16, "evaluation_size": 20, "budget": 24}
QUICK = {"max_new_tokens": 10, "lora_rank": 4, "learning_rate": 1e-2, "lift_texts": 4}


def envs():
    return gym.make_vec("SignalEnv-reviews-v0", num_envs=16, **SMALL)


def test_the_distance_and_the_values_are_those_of_passes_of_their_own():
    agent, seen = PPOAgent(**QUICK, temperature=0.7, texts_per_pass=4), []

    def distance(prompts, responses):
        """Measure by passes of the policy and the reference, and the base's hidden states, beside the shared ones."""
        own = divergence(agent._model, agent._policy, prompts, responses, 0.7, 5)
        ids, mask = agent._model.pad(agent._model.encode(prompts))
        lengths = [len(row) for row in responses]
        padding = agent._model.tokenizer.pad_token_id
        answers = torch.tensor([row + [padding] * (max(lengths) - len(row)) for row in responses])
        ids, mask = torch.cat([ids, answers], 1), torch.cat([mask, (answers != padding).long()], 1)
        with torch.no_grad(), agent._policy.disable_adapter():
            positions = mask.cumsum(1) - mask
            hidden = agent._model.model.base_model.model.model(ids * mask, mask, positions).last_hidden_state
        order = torch.tensor([3, 0, 7])
        shared = agent._passes.features(ids[order] * mask[order], mask[order]).hidden_states[-1]
        width = ids.shape[1] - answers.shape[1]
        for row, i in zip(shared, order.tolist(), strict=True):
            place = slice(width - 1, width + lengths[i])
            assert torch.allclose(row[place], hidden[i, place], atol=1e-4)
        measured = agent._passes.divergence(responses)
        seen.append((measured, own))
        return measured

    agent._distance = distance
    list(rollout(envs(), agent, 0))
    assert len(seen) == 2
    for measured, own in seen:
        assert measured == pytest.approx(own, abs=1e-3)
    assert abs(seen[1][0]["policy/kl"]) > 0.01  # the policy has moved


def test_passes_add_up_to_updates():
    """Each of the two batches makes `mini_batches` updates, whatever the texts of a pass are."""
    agent = PPOAgent(**QUICK, texts_per_pass=4, mini_batches=2)
    sizes = []
    steps = rollout(envs(), agent, 0)
    next(steps)
    agent._policy.register_forward_hook(
        lambda module, args, inputs, output: sizes.append(len(inputs["input_ids"])) if module.training else None,
        with_kwargs=True,
    )
    metrics = [step.metrics for step in steps if step.metrics]
    optimizer = agent._trainer.optimizer.optimizer
    assert {int(state["step"]) for state in optimizer.state.values()} == {2 * 2}
    assert sizes.count(4) == 2 * 16 // 4
    assert set(sizes) == {4, 16}  # 16: the reference's
    assert metrics[-1]["trainer/val/ratio"] == pytest.approx(1.0, abs=0.2)  # the mean over all passes


def test_a_mean_over_passes_of_equal_length_is_the_mean_over_all():
    """With texts of one token each pass weighs as much as its texts, so passes change nothing but rounding."""
    weights = []
    for size in (16, 4):
        agent = PPOAgent(**(QUICK | {"max_new_tokens": 1, "learning_rate": 1e-3}), texts_per_pass=size)
        list(rollout(gym.make_vec("SignalEnv-reviews-v0", num_envs=16, **SMALL | {"budget": 16}), agent, 0))
        weights.append({name: value.detach().clone() for name, value in agent._trained() if "lora_B" in name})
    assert all(value.abs().max() > 0 for value in weights[0].values())
    for name, value in weights[0].items():
        assert torch.allclose(value, weights[1][name], atol=2e-4)


def test_passes_divide_an_update():
    with pytest.raises(ConfigError, match=r"texts_per_pass divides the 16 texts of an update.*got 5"):
        list(rollout(envs(), PPOAgent(**QUICK, texts_per_pass=5), 0))


def test_only_the_responses_positions_can_be_read():
    kept = torch.arange(6).reshape(2, 3)
    assert torch.equal(Tail(kept, width=5)[:, 4:-1], kept[:, :2])
    with pytest.raises(IndexError, match="other positions"):
        Tail(kept, width=5)[:, 3:-1]
