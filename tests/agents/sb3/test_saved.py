"""A policy's folder: a loaded policy plays as the saved one, and errors name the reason."""

import json

import gymnasium as gym
import numpy as np
import pytest
import torch
from sb3_contrib import MaskablePPO
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecFrameStack, VecMonitor, VecNormalize

from agents.sb3.normalization import check_wrappers
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


class OwnPolicy(ActorCriticPolicy):
    """A policy class of a user's own."""


class OwnExtractor(BaseFeaturesExtractor):
    """An extractor of a user's own."""

    def __init__(self, space):
        super().__init__(space, 7)
        self.layer = torch.nn.Linear(space.shape[0], 7)

    def forward(self, observations):
        return self.layer(observations)


def test_other_policies_are_not_saved_this_way(tmp_path):
    with pytest.raises(PolicyError, match=r"got OwnPolicy.*ModelAgent\(model\)"):
        save_policy(PPO(OwnPolicy, make()), tmp_path / "policy")
    with pytest.raises(PolicyError, match=r"got OwnExtractor.*ModelAgent\(model\)"):
        save_policy(
            PPO("MlpPolicy", make(), policy_kwargs={"features_extractor_class": OwnExtractor}), tmp_path / "policy"
        )
    with pytest.raises(PolicyError, match=r"observations of signal_env\.wrappers\.CandidateSelection; got Box"):
        save_policy(PPO("MlpPolicy", gym.make("CartPole-v1")), tmp_path / "policy")
    assert not (tmp_path / "policy").exists()
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError):
        save_policy(PPO(CandidatePolicy, make()), tmp_path)


@pytest.mark.parametrize("algorithm", [MaskablePPO, PPO, A2C, DQN])
def test_an_mlp_policy_is_saved_and_has_as_many_candidates_as_in_training(algorithm, tmp_path):
    env = make()
    model = algorithm("MlpPolicy", env, policy_kwargs={"net_arch": [24], "activation_fn": torch.nn.ReLU}, seed=0)
    save_policy(model, tmp_path / "policy")
    policy, saved = load_policy(tmp_path / "policy")
    assert type(policy) is type(model.policy)
    assert not saved.any_number
    observations = np.stack([env.reset(seed=seed)[0] for seed in range(8)])
    ours, theirs = (one.predict(observations, deterministic=True)[0] for one in (policy, model))
    assert np.array_equal(ours, theirs)
    assert len(set(theirs.tolist())) > 1
    with pytest.raises(PolicyError, match="plays only with n_candidates=6, as in its training; got 12"):
        load_policy(tmp_path / "policy", n_candidates=12)


def test_the_statistics_of_a_normalization_are_saved(tmp_path):
    envs = VecMonitor(VecNormalize(DummyVecEnv([make]), norm_reward=False, clip_obs=2.0, epsilon=1e-3))
    model = MaskablePPO(MaskableCandidatePolicy, envs, n_steps=32, batch_size=32, seed=0).learn(32)
    save_policy(model, tmp_path / "policy")
    assert {file.suffix for file in (tmp_path / "policy").iterdir()} == {".json", ".safetensors"}
    _, saved = load_policy(tmp_path / "policy")
    normalize = model.get_vec_normalize_env()
    for seed in range(4):
        observation, _ = make().reset(seed=seed)
        assert np.array_equal(saved.normalization(observation), normalize.normalize_obs(observation))
    assert np.abs(saved.normalization(observation)).max() == 2.0
    with pytest.raises(PolicyError, match="observations are normalized, so that it plays only with n_candidates=6"):
        load_policy(tmp_path / "policy", n_candidates=7)


def test_a_normalization_keeps_the_signs_that_tell_which_places_hold_a_candidate():
    envs = VecNormalize(DummyVecEnv([make]))
    envs.seed(0)
    envs.reset()
    masks, signs = [], []
    for step in range(400):  # the pool's last texts leave places empty
        observation, _, done, _ = envs.step([step % 6])
        if not done[0]:
            masks.append(envs.env_method("action_masks")[0])
            signs.append(observation[0, : 6 * 8].reshape(6, 8)[:, 0] > 0)
    assert np.array_equal(masks, signs)
    assert 0 < np.mean(masks) < 1


def test_a_normalization_of_rewards_alone_is_nothing_to_save(tmp_path):
    model = PPO(CandidatePolicy, VecNormalize(DummyVecEnv([make]), norm_obs=False), seed=0)
    save_policy(model, tmp_path / "policy")
    assert load_policy(tmp_path / "policy")[1].normalization is None


def test_other_changes_of_observations_are_refused(tmp_path):
    stacked = VecFrameStack(DummyVecEnv([make]), 2)
    wrapped = gym.wrappers.TransformObservation(make(), lambda seen: seen / 2, make().observation_space)
    twice = VecNormalize(VecNormalize(DummyVecEnv([make])))
    for envs, message in (
        (stacked, r"wrapped in VecFrameStack.*model\.set_env\(model\.get_env\(\)\.venv\)"),
        (wrapped, "ObservationWrapper of Gymnasium"),
        (twice, "normalized twice"),
    ):
        with pytest.raises(PolicyError, match=message):
            save_policy(PPO("MlpPolicy", envs), tmp_path / "policy")


def test_wrappers_are_checked_while_the_processes_of_environments_run(tmp_path):
    small = dict(SMALL)
    envs = SubprocVecEnv([lambda: CandidateSelection(gym.make("SignalEnv-reviews-v0", **small))])  # no test's module
    model = PPO(CandidatePolicy, envs, seed=0)
    check_wrappers(model)
    envs.close()
    with pytest.raises(PolicyError, match=r"processes of the model's environments have ended.*checked=True"):
        save_policy(model, tmp_path / "policy")
    save_policy(model, tmp_path / "policy", checked=True)
    assert load_policy(tmp_path / "policy")[1].any_number


LEARNING = {
    MaskablePPO: {"n_steps": 16, "batch_size": 16},
    PPO: {"n_steps": 16, "batch_size": 16},
    A2C: {},
    DQN: {"learning_starts": 4, "buffer_size": 100},
}


@pytest.mark.parametrize("algorithm", LEARNING)
def test_a_model_that_was_loaded_without_its_normalization_is_refused(algorithm, tmp_path):
    envs = VecNormalize(DummyVecEnv([make]))
    algorithm("MlpPolicy", envs, **LEARNING[algorithm], seed=0).learn(16).save(tmp_path / "model")
    envs.save(str(tmp_path / "statistics.pkl"))
    for env in (None, DummyVecEnv([make])):
        model = algorithm.load(tmp_path / "model", env=env)
        with pytest.raises(PolicyError, match=rf"{algorithm.__name__}\.load\(FILE, env=VecNormalize\.load"):
            save_policy(model, tmp_path / "policy")
    again = VecNormalize.load(str(tmp_path / "statistics.pkl"), DummyVecEnv([make]))
    save_policy(algorithm.load(tmp_path / "model", env=again), tmp_path / "policy")
    _, saved = load_policy(tmp_path / "policy")
    assert np.array_equal(saved.normalization.mean, envs.obs_rms.mean)


@pytest.mark.parametrize("algorithm", [PPO, DQN])
def test_a_model_that_learned_without_a_normalization_of_observations_is_loaded_as_it_was(algorithm, tmp_path):
    for envs in (DummyVecEnv([make]), VecNormalize(DummyVecEnv([make]), norm_obs=False)):
        model = algorithm("MlpPolicy", envs, **LEARNING[algorithm], seed=0).learn(16)
        model.save(tmp_path / "model")
        save_policy(model, tmp_path / "policy")
        rewards = VecNormalize(DummyVecEnv([make]), norm_obs=False)
        save_policy(algorithm.load(tmp_path / "model", env=rewards), tmp_path / "policy")
        assert load_policy(tmp_path / "policy")[1].normalization is None
    model = algorithm("MlpPolicy", make(), **LEARNING[algorithm], seed=0).learn(16)
    model.save(tmp_path / "model")
    save_policy(algorithm.load(tmp_path / "model"), tmp_path / "policy")
    plain = algorithm.load(tmp_path / "model", env=make())
    if algorithm is PPO:
        save_policy(plain, tmp_path / "policy")
    else:  # its file does not tell, once it is loaded with environments
        with pytest.raises(PolicyError, match=r"may have learned.*wrap its environments: VecNormalize\(ENVS"):
            save_policy(plain, tmp_path / "policy")
        plain.set_env(VecNormalize(plain.get_env(), norm_obs=False))
        save_policy(plain, tmp_path / "policy")


def test_a_folder_of_an_earlier_version_plays(tmp_path):
    save_policy(PPO(CandidatePolicy, make(), seed=0), tmp_path / "policy")
    file = tmp_path / "policy" / "policy.json"
    earlier = {name: value for name, value in json.loads(file.read_text()).items() if name != "policy"}
    file.write_text(json.dumps(earlier))
    policy, saved = load_policy(tmp_path / "policy", n_candidates=9)
    assert isinstance(policy, CandidatePolicy)
    assert saved.any_number


def test_a_policy_that_cannot_be_loaded_is_an_error_with_a_reason(tmp_path):
    with pytest.raises(PolicyError, match="holds no policy"):
        load_policy(tmp_path / "nowhere")
    folder = tmp_path / "policy"
    save_policy(PPO(CandidatePolicy, make(), seed=0), folder)
    file = folder / "policy.json"
    good = json.loads(file.read_text())
    changes = [
        {"net_arch": [3]},
        {"policy": "", "algorithm": "sac"},
        {"activation": "Tan"},
        {"features": good["features"][:-1]},
        {"more": 1},
        {"policy": "OwnPolicy"},
        {"normalization": {"clip": 10.0, "epsilon": 1e-8}},  # without the file of its statistics
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
