"""BGADL: the most informative real texts are labeled and shown to the generator, whose texts are labeled too."""

import gymnasium as gym
import numpy as np
import pytest
from scipy.stats import entropy

from agents.llm import BGADLAgent
from agents.rollout import rollout
from signal_env.acquisition import select

OPTIONS = {"pool_size": 40, "round_size": 10, "evaluation_size": 40, "selection": "submitted", "budget_fraction": 2.0}


class Watched(BGADLAgent):
    """An agent that keeps the unlabeled texts of each round, and its own prompts."""

    def reset(self, envs, seed):
        super().reset(envs, seed)
        self.rounds = []

    def act(self, observations):
        if self._batch is None:
            self.rounds.append((self._learner.unlabeled, []))
        return super().act(observations)

    def _write(self, prompts):
        self.rounds[-1][1].extend(prompts)
        return super()._write(prompts)


def play(agent, num_envs=10, **options):
    envs = gym.make_vec("SignalEnv-reviews-v0", num_envs=num_envs, **{**OPTIONS, **options})
    steps = list(rollout(envs, agent, seed=0))
    return envs, [
        [step for step in steps[1:]][i : i + 10 // num_envs] for i in range(0, len(steps) - 1, 10 // num_envs)
    ]


def examples(prompt):
    return [line.split(": ", 1)[1] for line in prompt.splitlines() if line.startswith("Example ")]


@pytest.mark.parametrize("num_envs", [2, 10])
def test_the_most_informative_texts_are_labeled_and_shown(num_envs):
    agent = Watched(max_new_tokens=10)
    _, rounds = play(agent, num_envs)
    for steps, (unlabeled, prompts) in zip(rounds, agent.rounds, strict=True):
        offered = [text for step in steps for text in step.texts]
        if not len(unlabeled):
            break
        uncertain = entropy(unlabeled.probabilities.astype(float), axis=1)
        informative = [unlabeled.texts[i] for i in np.argsort(-uncertain, kind="stable")[:5]]
        assert offered[:5] == informative
        assert len(prompts) == 5
        for prompt in prompts:
            assert len(set(examples(prompt))) == 3
            assert set(examples(prompt)) <= set(informative)
        assert len({tuple(examples(prompt)) for prompt in prompts}) > 1
        assert sum(step.infos["real"].sum() for step in steps) >= 5
        assert steps[-1].round["selected_real"] + steps[-1].round["selected_synthetic"] >= 9


def test_without_real_texts_it_goes_on_to_200_percent_after_the_last_informative_ones():
    agent = Watched(max_new_tokens=10)
    envs, rounds = play(agent)
    last = rounds[-1][-1].round
    assert last["labeled"] == 80
    assert last["unlabeled"] == last["selected_real"] == 0
    (_, before), (unlabeled, prompts) = agent.rounds[-2:]
    assert len(unlabeled) == 0
    assert len(prompts) == 10
    shown = {text for prompt in before for text in examples(prompt)}
    assert {text for prompt in prompts for text in examples(prompt)} <= set(envs.unwrapped.learner.pool)
    assert shown & {text for prompt in prompts for text in examples(prompt)}


@pytest.mark.parametrize(("share", "real"), [(0.0, 0), (0.2, 2), (1.0, 10)])
def test_the_fraction_of_real_texts_is_an_option(share, real):
    agent = Watched(max_new_tokens=10, real_share=share)
    _, rounds = play(agent, budget=20)
    ((unlabeled, prompts),) = agent.rounds
    (step,) = rounds[0]
    best = np.argsort(-entropy(unlabeled.probabilities.astype(float), axis=1), kind="stable")
    assert list(step.texts[:real]) == [unlabeled.texts[i] for i in best[:real]]
    assert len(prompts) == 10 - real
    informative = {unlabeled.texts[i] for i in best[: max(real, 3)]}  # a prompt of three examples needs three texts
    assert all(set(examples(prompt)) <= informative for prompt in prompts)
    assert ("texts/tokens" in step.metrics) == (real < 10)


def test_another_acquisition_function_is_an_option():
    agent = Watched(max_new_tokens=10, strategy="coreset")
    _, rounds = play(agent, budget=20)
    ((unlabeled, _),) = agent.rounds
    arrays = {"embeddings": unlabeled.embeddings, "labeled": unlabeled.labeled.embeddings}
    chosen = select("coreset", **arrays, batch_size=5)
    assert list(rounds[0][0].texts[:5]) == [unlabeled.texts[i] for i in chosen]


def test_the_metrics_are_about_the_texts_it_writes():
    _, rounds = play(BGADLAgent(max_new_tokens=10), budget=20)
    (step,) = rounds[0]
    assert step.metrics["reward/mean"] == pytest.approx(step.rewards[5:].mean())
    assert step.metrics["reward/signal"] == pytest.approx(step.rewards[5:].mean())
    assert step.metrics["texts/invalid"] == (step.infos["invalid"][5:] != "").mean()
    assert step.metrics["texts/written"] == 5
    assert step.metrics["labels/synthetic"] == step.round["selected_synthetic"] / 10


@pytest.mark.parametrize(
    ("agent", "options", "message"),
    [
        ({"real_share": 1.5}, {}, "real_share must be from 0 to 1; got 1.5"),
        ({}, {"n_examples": 0}, "n_examples must be at least 1"),
        ({}, {"initial_labeled": 40}, "lower initial_labeled"),
        ({"strategy": "entropi"}, {}, "Did you mean 'entropy'"),
    ],
)
def test_options_that_do_not_fit_are_named(agent, options, message):
    with pytest.raises(ValueError, match=message):
        play(BGADLAgent(**agent), **options)
