"""Models of Stable-Baselines3 as they are, and normalized ones: the agents choose as the model does in the wrapper."""

import gymnasium as gym
import numpy as np
import pytest
from sb3_contrib import MaskablePPO
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from agents.rollout import rollout
from agents.sb3 import ModelAgent, PolicyError, SB3Agent
from agents.sb3.policies import MaskableCandidatePolicy
from agents.sb3.saved import save_policy
from signal_env.wrappers import CandidateSelection, PromptSelection

REVIEWS = "SignalEnv-reviews-v0"
SMALL = {"pool_size": 43, "round_size": 6, "evaluation_size": 40, "selection": "submitted", "reward": "entropy"}


def make():
    return CandidateSelection(gym.make(REVIEWS, **SMALL), 5, 2)


class FewerFeatures(gym.ObservationWrapper):
    """The observation of `CandidateSelection` without the last five features of the state."""

    def __init__(self, env):
        super().__init__(env)
        space = env.observation_space
        self.observation_space = gym.spaces.Box(space.low[:-5], space.high[:-5], dtype=np.float32)

    def observation(self, observation):
        return observation[:-5]


def in_wrapper(model, seed, normalize=None, view=lambda seen: seen, **predict):
    """Return the texts that a model chooses in an episode, by SB3's own means."""
    env, texts, ended = make(), [], False
    seen, _ = env.reset(seed=seed)
    while not ended:
        shown = view(seen) if normalize is None else normalize.normalize_obs(view(seen))
        masks = {"action_masks": env.action_masks()} if isinstance(model, MaskablePPO) else {}
        action, _ = model.predict(shown, deterministic=True, **masks)
        seen, _, ended, truncated, info = env.step(int(action))
        texts.append(info["text"])
        ended = ended or truncated
    return texts


def in_rollout(agent, seed, **options):
    envs = gym.make_vec(REVIEWS, num_envs=6, **(SMALL | options))
    steps = list(rollout(envs, agent, seed))
    return [text for step in steps for text in step.texts if text]


@pytest.mark.parametrize("policy", [MaskableCandidatePolicy, "MlpPolicy"])
def test_a_normalized_model_chooses_alike_in_the_wrapper_saved_and_as_an_object(tmp_path, policy):
    envs = VecNormalize(DummyVecEnv([make]))
    model = MaskablePPO(policy, envs, n_steps=64, batch_size=64, learning_rate=1e-2, seed=0).learn(192)
    save_policy(model, tmp_path / "policy")
    expected = in_wrapper(model, 4, envs)
    assert len(expected) == 37
    assert in_rollout(SB3Agent(policy=str(tmp_path / "policy")), 4) == expected
    assert in_rollout(ModelAgent(model), 4) == expected
    assert in_wrapper(model, 4) != expected  # the statistics matter


@pytest.mark.parametrize("algorithm", [PPO, DQN])
def test_sb3_s_own_policies_and_files_play(tmp_path, algorithm):
    model = algorithm("MlpPolicy", make(), learning_rate=1e-2, seed=0).learn(100)
    model.save(tmp_path / "model.zip")
    save_policy(model, tmp_path / "policy")
    expected = in_wrapper(model, 4)
    assert in_rollout(ModelAgent(algorithm.load(tmp_path / "model.zip")), 4) == [text for text in expected if text]
    assert in_rollout(SB3Agent(policy=str(tmp_path / "policy")), 4) == [text for text in expected if text]


def test_a_model_on_observations_of_its_own_plays_with_the_same_view():
    model = MaskablePPO("MlpPolicy", FewerFeatures(make()), seed=0)
    expected = in_wrapper(model, 4, view=lambda seen: seen[:-5])
    agent = ModelAgent(model, transform=lambda seen: seen[:-5], embedding_size=2)
    assert in_rollout(agent, 4) == expected
    with pytest.raises(PolicyError, match="give transform, the function from an observation"):
        in_rollout(ModelAgent(MaskablePPO("MlpPolicy", gym.make("CartPole-v1"))), 4)


def test_drawing_repeats_with_the_seed_and_leaves_torch_s_random_numbers_alone():
    import torch

    model = MaskablePPO("MlpPolicy", make(), seed=0)
    before = torch.get_rng_state()
    once, again = (in_rollout(ModelAgent(model, greedy=False), 3) for _ in range(2))
    assert once == again != in_rollout(ModelAgent(model), 3)
    assert torch.equal(torch.get_rng_state(), before)


class Recurrent:
    """A model with a state, in the form of sb3-contrib's RecurrentPPO."""

    def __init__(self):
        self.observation_space, self.action_space = make().observation_space, gym.spaces.Discrete(5)

    def get_env(self):
        return None

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        return np.array(0), (np.zeros(1),)


def test_models_that_do_not_fit_are_named():
    with pytest.raises(PolicyError, match=r"the action space Discrete\(K\).*has Discrete\(5\), and n_candidates is 9"):
        in_rollout(ModelAgent(PPO("MlpPolicy", make()), n_candidates=9), 0)
    with pytest.raises(PolicyError, match="no probabilities"):
        in_rollout(ModelAgent(DQN("MlpPolicy", make()), greedy=False), 0)
    with pytest.raises(PolicyError, match="Recurrent is recurrent"):
        in_rollout(ModelAgent(Recurrent()), 0)
    among = gym.make(REVIEWS, pool_size=43, round_size=6)
    prompts = PromptSelection(among, lambda prompts: ["a film"] * len(prompts), n_sets=5)
    with pytest.raises(PolicyError, match="The model was trained on the features present, labeled"):
        in_rollout(ModelAgent(PPO("MlpPolicy", prompts)), 0)
    with pytest.raises(ValueError, match="selection='submitted'"):
        in_rollout(ModelAgent(PPO("MlpPolicy", make())), 0, selection="acquisition")
