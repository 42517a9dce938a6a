"""GAAL: only uncertainty is rewarded, and the texts written are labeled."""

import gymnasium as gym
import numpy as np
import pytest

from agents.llm import GAALAgent
from agents.rollout import rollout

OPTIONS = {"pool_size": 40, "round_size": 8, "evaluation_size": 40, "budget": 24}


class Watched(GAALAgent):
    """An agent that keeps the classifier's predictions for its offers, before the classifier is retrained."""

    def reset(self, envs, seed, exchange=None):
        super().reset(envs, seed, exchange)
        self.leads = []

    def act(self, observations):
        texts = super().act(observations)
        p = self._learner._classifier.predict([" ".join(text.split()) for text in texts]).probabilities
        self.leads.append(abs(p[:, 0] - p[:, 1]))
        return texts


def test_the_reward_is_the_margin_and_the_texts_written_are_labeled():
    envs = gym.make_vec("SignalEnv-reviews-v0", num_envs=4, **GAALAgent.env_options, **OPTIONS)
    agent = Watched(max_new_tokens=10)
    steps = list(rollout(envs, agent, seed=0))[1:]
    offered = []
    for step, leads in zip(steps, agent.leads, strict=True):
        valid = step.infos["invalid"] == ""
        assert step.rewards[valid] == pytest.approx(1 - leads[valid], abs=1e-6)
        assert (step.rewards[~valid] == 0).all()
        offered += list(step.infos["text"][valid])
    assert np.ptp(np.concatenate([step.rewards for step in steps])) > 0.01
    labeled = [text for text, _ in envs.unwrapped.learner.labeled]
    assert labeled[8:] == offered
    assert steps[-1].round["synthetic_share"] == pytest.approx(sum(t not in agent._learner.pool for t in labeled) / 24)
    assert {"reward/margin", "lift/mean", "texts/distinct_2", "labels/synthetic"} <= steps[-1].metrics.keys()
