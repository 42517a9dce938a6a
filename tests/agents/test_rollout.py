"""The rollout loop: a user's own agent in ten lines, and the built-in agents."""

import gymnasium as gym
import numpy as np
import pytest

from agents.agent import Agent, agents, get_agent
from agents.pool import pool_agent
from agents.rollout import rollout

REVIEWS = "SignalEnv-reviews-v0"
SMALL = {"pool_size": 43, "round_size": 4, "evaluation_size": 40}


class CountingAgent(Agent):
    """An agent that offers numbered texts and keeps its rewards."""

    def reset(self, envs, seed):
        self.num_envs, self.count, self.rewards = envs.num_envs, 0, []

    def act(self, observations):
        assert len(observations["prompt"]) == self.num_envs
        self.count += self.num_envs
        return [f"film number {self.count - i}" for i in range(self.num_envs)]

    def learn(self, rewards, infos):
        self.rewards.extend(rewards)
        return {"rewards": float(np.sum(rewards))}


def test_an_agent_of_a_users_own_sees_prompts_and_rewards():
    envs, agent = gym.make_vec(REVIEWS, num_envs=2, budget=12, **SMALL), CountingAgent()
    steps = list(rollout(envs, agent, seed=0))
    assert [step.round["labeled"] for step in steps if step.round] == [4, 8, 12]
    assert steps[0].texts == ()
    assert len(agent.rewards) == 8
    assert sum(step.metrics.get("rewards", 0.0) for step in steps) == pytest.approx(sum(agent.rewards))
    assert agent.state_dict() == {}


def random_texts(seed, num_envs=4):
    envs = gym.make_vec(REVIEWS, num_envs=num_envs, selection="submitted", **SMALL)
    steps = list(rollout(envs, pool_agent("random")(), seed=seed))
    return [text for step in steps for text in step.texts], steps, envs


def test_random_labels_the_whole_pool_and_no_text_twice():
    texts, steps, envs = random_texts(0)
    offered = [text for text in texts if text]
    assert len(offered) == len(set(offered)) == 39
    assert set(offered) | set(envs.unwrapped.learner.pool[:4]) == set(envs.unwrapped.learner.pool)
    assert steps[-1].round["labeled"] == 43
    assert texts[-1] == ""  # 39 texts do not fill ten rounds of 4: the last one passes


@pytest.mark.parametrize("num_envs", [1, 2])
def test_random_offers_no_text_twice_in_a_round_of_several_steps(num_envs):
    texts, steps, _ = random_texts(0, num_envs)
    offered = [text for text in texts if text]
    assert len(offered) == len(set(offered)) == 39
    assert steps[-1].round["labeled"] == 43


def test_random_repeats_with_its_seed_and_only_then():
    assert random_texts(1)[0] == random_texts(1)[0] != random_texts(2)[0]


def test_random_draws_each_text_equally_often():
    """Test the first draw over many seeds by chi-squared, at a level of 0.001."""
    from scipy.stats import chisquare

    envs = gym.make_vec(REVIEWS, num_envs=1, selection="submitted", pool_size=12, round_size=2, evaluation_size=5)
    observations, _ = envs.reset(seed=0)
    agent, counts = pool_agent("random")(), dict.fromkeys(envs.unwrapped.unlabeled.texts, 0)
    for seed in range(600):
        agent.reset(envs, seed)
        counts[agent.act(observations)[0]] += 1
    assert chisquare(list(counts.values())).pvalue > 1e-3


def test_an_agent_goes_on_from_its_state():
    envs = gym.make_vec(REVIEWS, num_envs=2, selection="submitted", **SMALL)
    observations, _ = envs.reset(seed=0)
    one, other = pool_agent("random")(), pool_agent("random")()
    one.reset(envs, 0)
    one.act(observations)
    other.reset(envs, 0)
    other.load_state_dict(one.state_dict())
    assert one.act(observations) == other.act(observations)


def test_names():
    assert get_agent("random") is pool_agent("random")
    assert {"random", "generator"} <= set(agents)
    with pytest.raises(ValueError, match="Did you mean 'random'"):
        get_agent("randon")


def test_random_offers_unlabeled_texts_again():
    options = SMALL | {"offers_per_round": 8}
    envs = gym.make_vec(REVIEWS, num_envs=8, selection="submitted", **options)
    steps = list(rollout(envs, pool_agent("random")(), seed=0))
    assert steps[-1].round["labeled"] == 43


def test_random_needs_the_submitted_selection():
    envs = gym.make_vec(REVIEWS, num_envs=4, **SMALL)
    with pytest.raises(ValueError, match="selection='submitted'"):
        next(rollout(envs, pool_agent("random")(), seed=0))


def test_what_cannot_be_played_is_named():
    with pytest.raises(TypeError, match=r"Expected a SignalVectorEnv, .*make_vec"):
        next(rollout(gym.make("SignalEnv-reviews-v0"), pool_agent("random")(), seed=0))
    envs = gym.make_vec("SignalEnv-reviews-v0", num_envs=2)
    with pytest.raises(TypeError, match=r"not its class: write random\(\)"):
        next(rollout(envs, pool_agent("random"), seed=0))
