"""Choice among prompts: the features of sets, the prompt that is answered, and repetition to the bit."""

import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_env_of_sb3

from agents.llm import FrozenGenerator
from signal_env.config import ConfigError
from signal_env.wrappers import PromptSelection
from signal_env.wrappers.prompt_selection import FEATURES

REVIEWS = "SignalEnv-reviews-v0"
SMALL = {"pool_size": 40, "round_size": 4, "evaluation_size": 40, "n_examples": 2}


def shown_examples(prompt):
    return [line.partition(": ")[2] for line in prompt.splitlines()[1:-1]]


def joins(prompts):
    """A generator that writes the examples of a prompt in one line."""
    return [" and ".join(shown_examples(prompt)) for prompt in prompts]


def make(generator=joins, n_sets=5, **options):
    return PromptSelection(gym.make(REVIEWS, **(SMALL | options)), generator, n_sets)


def test_both_checkers_have_nothing_to_say():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env_of_sb3(make())
        warnings.filterwarnings("ignore", message=".*different from the unwrapped version.*")
        check_env(make())


def test_the_prompt_that_was_chosen_is_answered_and_the_answer_is_offered():
    asked = []

    def generator(prompts):
        asked.extend(prompts)
        return joins(prompts)

    env = make(generator, reward="signal - 0.5*repetition")
    env.reset(seed=0)
    for place in (2, 4, 0):
        prompt = env.prompts[place]
        _, reward, terminated, truncated, info = env.step(place)
        assert asked[-1] == prompt
        assert info["text"] == " and ".join(shown_examples(prompt))
        assert not terminated
        assert not truncated
        # Every n-gram of the text, except those across two examples, is in the shown prompt and in no other.
        assert info["reward_terms"]["repetition"]["raw"] > 0.5
        assert reward == pytest.approx(sum(term["contribution"] for term in info["reward_terms"].values()))
    assert len(asked) == 3


def test_features_are_means_over_the_examples():
    env = make()
    observation, _ = env.reset(seed=1)
    for _ in range(5):
        observation, *_ = env.step(0)
    learner = env.unwrapped.learner
    labeled = [text for text, _ in learner.labeled]
    known = learner.opened.pool
    p = dict(zip(known.texts, known.probabilities, strict=True))
    for i, prompt in enumerate(env.prompts):
        examples = shown_examples(prompt)
        assert len(set(examples)) == 2
        seen = dict(zip(FEATURES, observation[6 * i : 6 * (i + 1)], strict=True))
        assert seen["present"] == 1
        assert seen["labeled"] == pytest.approx(np.mean([text in labeled for text in examples]))
        assert seen["margin"] == pytest.approx(np.mean([1 - abs(p[t][0] - p[t][1]) for t in examples]), abs=1e-5)
        if all(text in labeled for text in examples):
            assert seen["distance"] == pytest.approx(0.0, abs=1e-3)
    assert np.array_equal(observation[5 * 6 :], learner.state(learner.offers_made))
    assert learner.offers_made == 1  # of the second round, for which the features were computed anew
    assert any(text in labeled for prompt in env.prompts for text in shown_examples(prompt))


def test_episodes_repeat_to_the_bit_with_a_frozen_language_model():
    traces = []
    for seed in (3, 3, 4):
        env = make(FrozenGenerator("embedded", max_new_tokens=12), budget=12)
        observation, _ = env.reset(seed=seed)
        trace, ended = [observation], False
        while not ended:
            observation, reward, ended, truncated, info = env.step(len(trace) % 5)
            trace.append((info["text"], reward, observation.tobytes(), truncated))
        traces.append(trace)
    assert np.array_equal(traces[0][0], traces[1][0])
    assert traces[0][1:] == traces[1][1:] != traces[2][1:]
    assert len(traces[0]) == 1 + 8
    assert len({text for text, *_ in traces[0][1:]}) > 4


def test_errors_name_the_remedy():
    with pytest.raises(ValueError, match="selection='acquisition'"):
        make(selection="submitted")
    with pytest.raises(ValueError, match="n_examples of at least 1; got 0"):
        make(n_examples=0)
    with pytest.raises(ValueError, match="n_sets must be at least 1"):
        make(n_sets=0)
    with pytest.raises(TypeError, match="Expected a SignalEnv"):
        PromptSelection(gym.make("CartPole-v1"), joins)
    env = make(lambda prompts: [])
    with pytest.raises(gym.error.ResetNeeded):
        env.step(0)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="one text per prompt"):
        env.step(0)
    with pytest.raises(ValueError, match="A place must be from 0 to 4; got 5"):
        env.step(5)


@pytest.mark.parametrize("returned", [None, "a", [3], ["a", "b"], 7])
def test_what_a_generator_returns_is_a_text_for_each_prompt(returned):
    env = PromptSelection(gym.make("SignalEnv-reviews-v0", pool_size=30, round_size=4), lambda prompts: returned)
    env.reset(seed=0)
    with pytest.raises(ConfigError, match="one text per prompt; for 1 it returned"):
        env.step(0)


def test_what_the_wrapper_is_given_is_checked():
    env = gym.make("SignalEnv-reviews-v0", pool_size=30, round_size=4)
    for n_sets in (2.5, True, "3"):
        with pytest.raises(ConfigError, match="n_sets must be a whole number; got"):
            PromptSelection(env, list, n_sets=n_sets)
    with pytest.raises(ConfigError, match="n_sets must be at least 1; got 0"):
        PromptSelection(env, list, n_sets=0)
    with pytest.raises(ConfigError, match="a function from prompts to texts; got 'small'"):
        PromptSelection(env, "small")

    def broken(prompts):
        raise RuntimeError("no model")

    env = PromptSelection(env, broken)
    env.reset(seed=0)
    with pytest.raises(RuntimeError) as caught:
        env.step(0)
    assert "the generator 'broken', on 1 text" in caught.value.__notes__[0]
