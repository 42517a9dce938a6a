"""Shared weights: neither the order nor the number of candidates matters, nor do places without one."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from agents.sb3.policies import CandidatePolicy, CandidateQPolicy, MaskableCandidatePolicy
from signal_env.wrappers.candidate_draw import CandidateBox

FEATURES, STATE = ("present", "real", "entropy", "embedding/0"), ("round_progress", "labeled_share", "train_accuracy")
POLICIES = [CandidatePolicy, MaskableCandidatePolicy, CandidateQPolicy]


def policy_of(policy_class, k, seed=0):
    torch.manual_seed(seed)
    policy = policy_class(CandidateBox(k, FEATURES, STATE), Discrete(k), lambda _: 1e-3)
    if policy_class is not CandidateQPolicy:  # a new policy has nearly equal scores
        policy.mlp_extractor.actor.score.weight.data.mul_(300.0)
    return policy.eval()


def observations(n, k, seed=0):
    rng = np.random.default_rng(seed)
    candidates = rng.uniform(size=(n, k, len(FEATURES))).astype(np.float32)
    candidates[:, :, 0] = 1.0
    return candidates, rng.uniform(size=(n, len(STATE))).astype(np.float32)


def flat(candidates, state):
    return torch.as_tensor(np.hstack([candidates.reshape(len(candidates), -1), state]))


def said(policy, seen):
    """Return probabilities or action values, and the state's value."""
    with torch.no_grad():
        if isinstance(policy, CandidateQPolicy):
            return policy.q_net(seen), policy.q_net(seen).amax(dim=1)
        return policy.get_distribution(seen).distribution.probs, policy.predict_values(seen)[:, 0]


@pytest.mark.parametrize("policy_class", POLICIES)
def test_permuting_candidates_permutes_their_scores(policy_class):
    policy = policy_of(policy_class, 8)
    candidates, state = observations(5, 8)
    order = np.random.default_rng(1).permutation(8)
    scores, value = said(policy, flat(candidates, state))
    permuted, same_value = said(policy, flat(candidates[:, order], state))
    assert torch.allclose(permuted, scores[:, order], atol=1e-6)
    assert torch.allclose(value, same_value, atol=1e-6)
    assert float(scores.std(dim=1).min()) > 0.01  # the scores differ


@pytest.mark.parametrize("policy_class", POLICIES)
def test_the_weights_serve_any_number_of_candidates(policy_class):
    small, large = policy_of(policy_class, 4), policy_of(policy_class, 9, seed=1)
    large.load_state_dict(small.state_dict())
    candidates, state = observations(3, 4)
    wide = np.zeros((3, 9, len(FEATURES)), dtype=np.float32)
    wide[:, :4] = candidates
    scores, value = said(small, flat(candidates, state))
    with_absent, same_value = said(large, flat(wide, state))
    assert torch.allclose(with_absent[:, :4], scores, atol=1e-6)
    assert torch.allclose(value, same_value, atol=1e-6)
    if policy_class is not CandidateQPolicy:
        assert not with_absent[:, 4:].any()


@pytest.mark.parametrize("policy_class", POLICIES)
def test_nothing_to_choose_is_no_error(policy_class):
    policy = policy_of(policy_class, 4)
    candidates, state = observations(2, 4)
    scores, value = said(policy, flat(np.zeros_like(candidates), state))
    assert torch.isfinite(scores).all()
    assert float(scores.abs().max()) < 1e3
    assert torch.isfinite(value).all()


def test_an_absent_candidate_is_never_the_best_though_all_values_are_negative():
    policy = policy_of(CandidateQPolicy, 6)
    policy.q_net.q_net.score.bias.data.fill_(-50.0)
    candidates, state = observations(20, 6)
    candidates[:, [0, 3]] = 0.0
    actions, _ = policy.predict(flat(candidates, state).numpy(), deterministic=True)
    assert not np.isin(actions, [0, 3]).any()


def test_another_space_is_an_error():
    with pytest.raises(ValueError, match="CandidateSelection"):
        CandidatePolicy(Box(0, 1, (12,)), Discrete(3), lambda _: 1e-3)


def test_widths_and_activation_are_those_asked_for():
    space = CandidateBox(3, FEATURES, STATE)
    policy = MaskableCandidatePolicy(
        space, Discrete(3), lambda _: 1e-3, net_arch={"pi": [10], "vf": [20, 5]}, activation_fn=torch.nn.ReLU
    )
    actor, critic = policy.mlp_extractor.actor, policy.mlp_extractor.critic
    assert [layer.out_features for layer in actor.encode if isinstance(layer, torch.nn.Linear)] == [10]
    assert [layer.out_features for layer in critic.encode if isinstance(layer, torch.nn.Linear)] == [20, 5]
    assert isinstance(actor.encode[1], torch.nn.ReLU)
    assert policy.value_net.in_features == 2 * 5
    assert policy.optimizer.param_groups[0]["lr"] == 1e-3
    assert sum(p.numel() for group in policy.optimizer.param_groups for p in group["params"]) == sum(
        p.numel() for p in policy.parameters()
    )
