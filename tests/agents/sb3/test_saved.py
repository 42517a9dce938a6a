"""A policy's folder: a loaded policy plays as the saved one, and errors name the reason."""

import json

import gymnasium as gym
import numpy as np
import pytest
import torch
from sb3_contrib import MaskablePPO
from stable_baselines3 import A2C, DQN, PPO

from agents.sb3.policies import CandidatePolicy, CandidateQPolicy, MaskableCandidatePolicy
from agents.sb3.saved import PolicyError, load_policy, save_policy
from signal_env.wrappers import CandidateSelection

SMALL = {"pool_size": 40, "round_size": 4, "evaluation_size": 40, "selection": "submitted"}
ALGORITHMS = {
    "maskable_ppo": (MaskablePPO, MaskableCandidatePolicy),
    "ppo": (PPO, CandidatePolicy),
    "a2c": (A2C, CandidatePolicy),
    "dqn": (DQN, CandidateQPolicy),
}


def make(n_candidates=6, embedding_size=2):
    return CandidateSelection(gym.make("SignalEnv-reviews-v0", **SMALL), n_candidates, embedding_size)


@pytest.mark.parametrize("name", sorted(ALGORITHMS))
def test_a_loaded_policy_chooses_as_the_saved_one(name, tmp_path):
    algorithm, policy_class = ALGORITHMS[name]
    env = make()
    model = algorithm(policy_class, env, policy_kwargs={"net_arch": [16, 8]}, seed=0)
    save_policy(model, tmp_path / "policy")
    assert {file.suffix for file in (tmp_path / "policy").iterdir()} == {".json", ".safetensors"}
    policy, saved = load_policy(tmp_path / "policy")
    assert isinstance(policy, policy_class)
    assert (saved.algorithm, saved.n_candidates, saved.embedding_size) == (name, 6, 2)
    assert saved.features == list(env.observation_space.features)
    assert saved.state_features == list(env.unwrapped.feature_names)
    assert policy.state_dict().keys() == model.policy.state_dict().keys()
    assert all(torch.equal(policy.state_dict()[key], tensor) for key, tensor in model.policy.state_dict().items())
    observations = np.stack([env.reset(seed=seed)[0] for seed in range(8)])
    ours, theirs = (one.predict(observations, deterministic=True)[0] for one in (policy, model))
    assert np.array_equal(ours, theirs)


def test_a_policy_of_six_candidates_chooses_among_twelve(tmp_path):
    save_policy(MaskablePPO(MaskableCandidatePolicy, make(6), seed=0), tmp_path / "policy")
    policy, _ = load_policy(tmp_path / "policy", n_candidates=12)
    env = make(12)
    observation, _ = env.reset(seed=0)
    with torch.no_grad():
        scores = policy.mlp_extractor.actor(torch.as_tensor(observation[None]))[0]
        first, _ = load_policy(tmp_path / "policy")
        narrow = np.concatenate([observation[: 6 * 8], observation[12 * 8 :]])
        assert torch.allclose(first.mlp_extractor.actor(torch.as_tensor(narrow[None]))[0], scores[:6], atol=1e-6)
    assert int(policy.predict(observation, deterministic=True)[0]) == int(scores.argmax())


def test_sb3_s_own_save_and_load(tmp_path):
    env = make()
    model = MaskablePPO(MaskableCandidatePolicy, env, n_steps=16, batch_size=16, seed=0).learn(16)
    model.save(tmp_path / "model")
    again = MaskablePPO.load(tmp_path / "model", env=env)
    observation, _ = env.reset(seed=0)
    for deterministic in (True, False):
        torch.manual_seed(0)
        one = model.predict(observation, action_masks=env.action_masks(), deterministic=deterministic)[0]
        torch.manual_seed(0)
        assert one == again.predict(observation, action_masks=env.action_masks(), deterministic=deterministic)[0]
    again.learn(16)  # training goes on


def test_other_policies_are_not_saved_this_way(tmp_path):
    with pytest.raises(PolicyError, match=r"agents\.sb3\.policies"):
        save_policy(PPO("MlpPolicy", make()), tmp_path / "policy")
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError):
        save_policy(PPO(CandidatePolicy, make()), tmp_path)


def test_a_policy_that_cannot_be_loaded_is_an_error_with_a_reason(tmp_path):
    with pytest.raises(PolicyError, match="holds no policy"):
        load_policy(tmp_path / "nowhere")
    folder = tmp_path / "policy"
    save_policy(PPO(CandidatePolicy, make(), seed=0), folder)
    file = folder / "policy.json"
    good = json.loads(file.read_text())
    changes = [
        {"net_arch": [3]},
        {"algorithm": "sac"},
        {"activation": "Tan"},
        {"features": good["features"][:-1]},
        {"more": 1},
    ]
    for change in changes:
        file.write_text(json.dumps(good | change))
        with pytest.raises(PolicyError, match="cannot be loaded"):
            load_policy(folder)
    file.write_text("{")
    with pytest.raises(PolicyError, match="cannot be loaded"):
        load_policy(folder)
    file.write_text(json.dumps(good))
    (folder / "policy.safetensors").write_bytes(b"not tensors")
    with pytest.raises(PolicyError, match="cannot be loaded"):
        load_policy(folder)
