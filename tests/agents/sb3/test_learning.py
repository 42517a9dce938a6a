"""The four algorithms of Stable-Baselines3 learn to earn a reward, with SB3's own tools around them."""

import gymnasium as gym
import numpy as np
import pytest
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.callbacks import MaskableEvalCallback
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.logger import configure
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

from agents.sb3.policies import CandidatePolicy, CandidateQPolicy, MaskableCandidatePolicy
from signal_env.wrappers import CandidateSelection

OPTIONS = {"pool_size": 80, "round_size": 10, "budget": 50, "evaluation_size": 20, "selection": "submitted"}
LEARNERS = {
    "maskable_ppo": (MaskablePPO, MaskableCandidatePolicy, {"n_steps": 128, "batch_size": 128, "ent_coef": 0.0}, 1024),
    "ppo": (PPO, CandidatePolicy, {"n_steps": 128, "batch_size": 128, "ent_coef": 0.0}, 1024),
    "a2c": (A2C, CandidatePolicy, {"n_steps": 32, "normalize_advantage": True}, 1024),
    "dqn": (DQN, CandidateQPolicy, {"learning_starts": 100, "train_freq": 2, "exploration_fraction": 0.3}, 1024),
}


def make(n_candidates=16):
    return CandidateSelection(gym.make("SignalEnv-reviews-v0", reward="entropy", **OPTIONS), n_candidates, 0)


def mean_rank(model, n_candidates=16):
    """Return the mean rank of the chosen candidate's entropy, from 0 (lowest) to 1 (highest); by chance it is 0.5."""
    env, ranks = make(n_candidates), []
    for seed in (100, 101):
        observation, _ = env.reset(seed=seed)
        ended = False
        while not ended:
            entropies = observation[: n_candidates * 6].reshape(n_candidates, 6)[:, 2]
            action, _ = model.predict(observation, deterministic=True)
            ranks.append((entropies < entropies[action]).mean() * n_candidates / (n_candidates - 1))
            observation, _, ended, _, _ = env.step(action)
    assert len(ranks) == 80
    return np.mean(ranks)


@pytest.mark.parametrize("name", sorted(LEARNERS))
def test_it_learns_to_choose_uncertain_texts(name):
    algorithm, policy, options, steps = LEARNERS[name]
    envs = make_vec_env(make, 2, seed=0)
    model = algorithm(policy, envs, seed=0, gamma=0.0, learning_rate=3e-3, **options)
    model.learn(steps)
    assert mean_rank(model) > 0.8


def test_monitor_evaluation_callback_and_logger_work(tmp_path):
    env, evaluation = Monitor(make(), str(tmp_path / "train"), info_keywords=("accuracy",)), Monitor(make())
    model = MaskablePPO(MaskableCandidatePolicy, env, n_steps=64, batch_size=64, seed=0)
    model.set_logger(configure(str(tmp_path), ["csv", "tensorboard"]))
    callback = MaskableEvalCallback(
        evaluation, eval_freq=64, n_eval_episodes=1, best_model_save_path=str(tmp_path), verbose=0
    )
    model.learn(128, callback=callback)
    model.logger.close()
    assert (tmp_path / "best_model.zip").is_file()
    assert list(tmp_path.glob("events.out.tfevents*"))
    header = (tmp_path / "progress.csv").read_text().splitlines()[0].split(",")
    assert {"rollout/ep_rew_mean", "eval/mean_reward", "train/loss"} <= set(header)
    episodes = (tmp_path / "train.monitor.csv").read_text().splitlines()[2:]
    assert [int(line.split(",")[1]) for line in episodes] == [40, 40, 40]  # labels from 10 to 50
    accuracies = [float(line.split(",")[3]) for line in episodes]
    assert [20 * accuracy for accuracy in accuracies] == [
        round(20 * accuracy) for accuracy in accuracies
    ]  # of 20 texts
    mean, _ = evaluate_policy(model, evaluation, n_eval_episodes=1)
    assert 0 < mean < 40 * np.log(2)


MONITORS = {
    "Monitor": lambda make: DummyVecEnv([lambda: Monitor(make(), info_keywords=("accuracy",))]),
    "VecMonitor": lambda make: VecMonitor(DummyVecEnv([make]), info_keywords=("accuracy",)),
}


@pytest.mark.parametrize("monitor", sorted(MONITORS))
@pytest.mark.parametrize("options", [{}, {"offers_per_round": 13}])
def test_monitors_find_the_accuracy_of_the_episode_s_last_round(monitor, options):
    def make():
        return CandidateSelection(gym.make("SignalEnv-reviews-v0", **(OPTIONS | {"budget": 25} | options)), 16, 0)

    envs = MONITORS[monitor](make)
    envs.seed(3)
    envs.reset()
    done = [False]
    while not done[0]:
        _, _, done, (info,) = envs.step([0])
    assert info["episode"]["accuracy"] == info["accuracy"] == info["round"]["accuracy"]
    assert info["round"]["labeled"] == 25


@pytest.mark.parametrize("algorithm", [PPO, A2C, DQN, MaskablePPO])
@pytest.mark.parametrize("policy", ["MlpPolicy", "MultiInputPolicy"])
def test_an_environment_without_a_wrapper_is_refused_with_the_names_of_both(algorithm, policy):
    with pytest.raises(AssertionError, match=r"wrap the environment in .*CandidateSelection.*PromptSelection"):
        algorithm(policy, gym.make("SignalEnv-reviews-v0", **OPTIONS))
    with pytest.raises(AssertionError, match=r"wrap the environment in .*CandidateSelection.*PromptSelection"):
        algorithm(policy, make_vec_env("SignalEnv-reviews-v0", env_kwargs=OPTIONS | {"render_mode": None}))
