"""A trained policy in `rollout`: observations, offers and rewards equal those in the wrapper, to the bit."""

from functools import cache

import gymnasium as gym
import numpy as np
import pytest
from sb3_contrib import MaskablePPO
from stable_baselines3 import DQN, PPO

from agents.agent import get_agent
from agents.llm import FrozenGenerator
from agents.rollout import rollout, state_of
from agents.sb3 import SB3Agent
from agents.sb3.policies import CandidatePolicy, CandidateQPolicy, MaskableCandidatePolicy
from agents.sb3.saved import PolicyError, load_policy, save_policy
from signal_env.classifiers.checkpoints import ModelError
from signal_env.tasks import get_task
from signal_env.wrappers import CandidateSelection, PromptSelection

REVIEWS = "SignalEnv-reviews-v0"
SMALL = {"pool_size": 43, "round_size": 6, "evaluation_size": 40, "selection": "submitted"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A policy that has learned a little, so that its choices differ from chance."""
    env = CandidateSelection(gym.make(REVIEWS, reward="entropy", **SMALL), 5, 2)
    model = MaskablePPO(MaskableCandidatePolicy, env, n_steps=64, batch_size=64, learning_rate=1e-2, seed=0)
    place = tmp_path_factory.mktemp("trained") / "policy"
    save_policy(model.learn(128), place)
    return str(place)


def in_wrapper(folder, seed, n_candidates=5, generator=None, **options):
    policy, saved = load_policy(folder, n_candidates)
    env = CandidateSelection(gym.make(REVIEWS, **(SMALL | options)), n_candidates, saved.embedding_size, generator, 0.4)
    observation, info = env.reset(seed=seed)
    texts, rewards, rounds, ended = [], [], [info["round"]], False
    while not ended:
        action, _ = policy.predict(observation, deterministic=True, action_masks=env.action_masks())
        observation, reward, ended, _, info = env.step(int(action))
        texts.append(info["text"])
        rewards.append(reward)
        if "round" in info:
            rounds.append(info["round"])
    return texts, rewards, rounds


@pytest.fixture(scope="module")
def expected_play(folder):
    """Return a function from a generator's name to an episode of 20 choices in the wrapper, which is played once."""

    def play(generator):
        synthetic = FrozenGenerator(generator) if generator else None
        return in_wrapper(folder, 4, generator=synthetic, budget=26, reward="entropy")

    return cache(play)


def in_rollout(folder, seed, num_envs, options=None, **agent_options):
    envs = gym.make_vec(REVIEWS, num_envs=num_envs, **(SMALL | (options or {})))
    steps = list(rollout(envs, SB3Agent(policy=folder, **agent_options), seed))
    texts = [text for step in steps for text in step.texts]
    return texts, np.concatenate([step.rewards for step in steps]), [step.round for step in steps if step.round]


@pytest.mark.parametrize("num_envs", [1, 2, 3, 6])
@pytest.mark.parametrize("generator", [None, "embedded"])
def test_it_plays_as_in_the_wrapper(folder, expected_play, num_envs, generator):
    options = {"budget": 26, "reward": "entropy"}
    expected, earned, closed = expected_play(generator)
    texts, rewards, rounds = in_rollout(folder, 4, num_envs, options, generator=generator, synthetic_candidates=0.4)
    assert [text for text in texts if text] == expected
    assert len(expected) == 20
    assert texts[-4:] == [""] * 4  # 20 labels in rounds of 6: the agent passes where the wrapper does
    assert [reward for text, reward in zip(texts, rewards, strict=True) if text] == earned
    for one, other in zip(rounds, closed, strict=True):
        assert one["accuracy"] == other["accuracy"]
        assert one["labeled"] == other["labeled"]
    assert (rounds[-1]["synthetic_share"] > 0) == (generator is not None)


def test_it_plays_with_more_candidates_than_it_learned_with(folder):
    expected, _, _ = in_wrapper(folder, 1, n_candidates=9)
    texts, _, rounds = in_rollout(folder, 1, 6, n_candidates=9)
    assert [text for text in texts if text] == expected != in_wrapper(folder, 1)[0]
    assert rounds[-1]["labeled"] == 43


def test_it_goes_on_from_its_state(folder):
    envs, agent = gym.make_vec(REVIEWS, num_envs=3, **SMALL), SB3Agent(policy=folder)
    whole, state = [], None
    for step in rollout(envs, agent, seed=2):
        whole.append(step.texts)
        if step.round is not None and step.round["index"] == 3:
            state, done = state_of(envs, agent), len(whole)
    rest = rollout(gym.make_vec(REVIEWS, num_envs=3, **SMALL), SB3Agent(policy=folder), 2, state)
    assert [step.texts for step in rest] == whole[done:]


def test_drawing_from_the_probabilities_repeats_with_the_seed(folder):
    greedy, once, again = (in_rollout(folder, 3, 6, greedy=greedy)[0] for greedy in (True, False, False))
    assert once == again != greedy
    assert sorted(once) == sorted(greedy)  # both label the whole pool


def test_it_is_registered_and_names_what_is_missing(folder, tmp_path):
    assert get_agent("sb3") is SB3Agent
    assert SB3Agent.env_options == {"selection": "submitted"}

    def plays(agent, **options):
        return next(rollout(gym.make_vec(REVIEWS, num_envs=6, **(SMALL | options)), agent, 0))

    with pytest.raises(PolicyError, match="--policy FOLDER"):
        plays(SB3Agent())
    with pytest.raises(PolicyError, match="holds no policy"):
        plays(SB3Agent(policy=str(tmp_path)))
    with pytest.raises(ValueError, match="selection='submitted'"):
        plays(SB3Agent(policy=folder), selection="acquisition")
    env = CandidateSelection(gym.make(REVIEWS, **SMALL), 5, 2)
    save_policy(DQN(CandidateQPolicy, env), tmp_path / "dqn")
    plays(SB3Agent(policy=str(tmp_path / "dqn")))
    with pytest.raises(PolicyError, match="no probabilities"):
        plays(SB3Agent(policy=str(tmp_path / "dqn"), greedy=False))


def test_a_task_of_other_classes_is_an_error(folder, colors_task):
    options = {"task": colors_task, "classifier": "linear", "encoder": "embedded", "annotator": lambda texts: [0]}
    envs = gym.make_vec("SignalEnv-v0", num_envs=4, selection="submitted", pool_size=40, round_size=4, **options)
    with pytest.raises(PolicyError, match="13 features of the state; this task has 15"):
        next(rollout(envs, SB3Agent(policy=folder), 0))


def test_a_policy_that_chose_among_prompts_is_an_error(folder, tmp_path):
    env = PromptSelection(
        gym.make(REVIEWS, pool_size=43, round_size=6), lambda prompts: ["a film"] * len(prompts), n_sets=5
    )
    save_policy(PPO(CandidatePolicy, env, n_steps=8, batch_size=8, seed=0), tmp_path / "policy")
    envs = gym.make_vec(REVIEWS, num_envs=6, **SMALL)
    with pytest.raises(
        PolicyError, match=r"was trained on the features present, labeled, .*; this agent has present, real"
    ):
        SB3Agent(policy=str(tmp_path / "policy")).reset(envs, 0)


def test_rounds_without_candidates_truncate_the_episode(folder, monkeypatch):
    monkeypatch.setattr("agents.sb3.chooser.FrozenGenerator", lambda name, **form: lambda prompts: [""] * len(prompts))
    envs = gym.make_vec(REVIEWS, num_envs=6, max_idle_rounds=2, **SMALL)
    agent = SB3Agent(policy=folder, generator="silent", synthetic_candidates=1.0)
    *_, last = [step.round for step in rollout(envs, agent, seed=0) if step.round is not None]
    assert (last["index"], last["passes"], last["offers"]) == (2, 6, 0)
    assert last["end_reason"] == "2 rounds in a row labeled nothing"


def test_the_language_model_is_prompted_as_the_options_say(folder):
    agent = SB3Agent(policy=folder, template_options={"thinks": False}, answer="whole")
    expected = FrozenGenerator(
        "embedded", template_options={"thinks": False}, answer="whole", fields=("Question", "Sentence")
    )
    assert agent.writer("embedded", get_task("qnli")) == expected
    assert agent.writer(None, get_task("qnli")) is None
    envs = gym.make_vec(REVIEWS, num_envs=6, **SMALL)
    with pytest.raises(ModelError, match="has no chat template: give prompt_style='continuation'"):
        list(rollout(envs, SB3Agent(policy=folder, generator="embedded", prompt_style="chat"), seed=0))


def test_no_candidates_are_not_the_default(folder):
    with pytest.raises(ValueError, match="n_candidates must be at least 1; got 0"):
        SB3Agent(policy=folder, n_candidates=0).reset(gym.make_vec(REVIEWS, num_envs=6, **SMALL), 0)
