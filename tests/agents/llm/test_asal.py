"""ASAL: the most uncertain of the texts written, and their nearest unlabeled real texts."""

import gymnasium as gym
import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import entropy

from agents.llm import ASALAgent
from agents.rollout import rollout

OPTIONS = {"pool_size": 60, "round_size": 12, "evaluation_size": 40, "selection": "submitted"}


class Watched(ASALAgent):
    """An agent that keeps the state of each choice: U, the offers, the texts written, and their predictions."""

    def reset(self, envs, seed):
        super().reset(envs, seed)
        self.known = []

    def _write(self, prompts):
        texts = super()._write(prompts)
        learner = self._learner
        distinct = list(dict.fromkeys(" ".join(text.split()) for text in texts))
        known = {text for text, _ in learner.labeled} | learner.opened.seen | {""}
        usable = [text for text in distinct if text not in known]
        self.known.append(
            (prompts, texts, learner._classifier.predict(usable), learner.unlabeled, set(learner.opened.seen))
        )
        return texts


def by_hand(samples, unlabeled, seen, n):
    """Return the choice by SciPy's entropy and distances between unit vectors, one real text after the other."""
    order = np.argsort(-entropy(samples.probabilities.astype(float), axis=1), kind="stable")[:n]
    unit = [e / np.linalg.norm(e, axis=1, keepdims=True) for e in (samples.embeddings[order], unlabeled.embeddings)]
    distances = cdist(*(e.astype(float) for e in unit))
    distances[:, [text in seen for text in unlabeled.texts]] = np.inf
    chosen, apart = [], []
    for row in distances:
        row[[unlabeled.texts.index(text) for text in chosen]] = np.inf
        if np.isfinite(row).any():
            chosen.append(unlabeled.texts[int(row.argmin())])
            apart.append(row.min())
    return chosen, apart


@pytest.mark.parametrize("num_envs", [4, 12])
def test_each_uncertain_sample_is_replaced_by_its_nearest_real_text(num_envs):
    agent = Watched(max_new_tokens=10, n_candidates=3)
    envs = gym.make_vec("SignalEnv-reviews-v0", num_envs=num_envs, **OPTIONS)
    steps = list(rollout(envs, agent, seed=0))[1:]
    assert len(steps) == len(agent.known) == 48 / num_envs
    apart = []
    for step, (prompts, written, samples, unlabeled, seen) in zip(steps, agent.known, strict=True):
        assert len(written) == 3 * num_envs
        assert prompts[::3] == prompts[1::3] == prompts[2::3]
        chosen, distances = by_hand(samples, unlabeled, seen, num_envs)
        assert list(step.texts) == chosen
        assert step.infos["real"].all()
        apart += distances
        if step.round is not None:
            assert step.metrics["matches/distance"] == pytest.approx(np.mean(apart), rel=1e-4)
            assert step.metrics["texts/invalid"] == 0
            apart = []
    last = steps[-1].round
    assert last["labeled"] == last["pool"] == 60
    assert last["synthetic_share"] == 0


def test_the_samples_are_more_uncertain_than_random_texts():
    """Compare ten texts a prompt, of which the most uncertain are kept, with a single text a prompt."""
    uncertain = []
    for n_candidates in (1, 10):
        agent = ASALAgent(max_new_tokens=10, n_candidates=n_candidates, uncertainty="margin")
        envs = gym.make_vec("SignalEnv-reviews-v0", num_envs=12, **OPTIONS, budget=24)
        metrics = [step.metrics for step in rollout(envs, agent, seed=0) if step.metrics]
        uncertain.append(metrics[0]["matches/written"])
    assert uncertain[0] + 0.1 < uncertain[1] <= 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_candidates": 0}, "n_candidates must be at least 1; got 0"),
        ({"uncertainty": "badge"}, "asks for probabilities alone.*got 'badge'"),
        ({"uncertainty": "entropi"}, "Did you mean 'entropy'"),
    ],
)
def test_options_that_do_not_fit_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        ASALAgent(**options).reset(gym.make_vec("SignalEnv-reviews-v0", num_envs=12, **OPTIONS), 0)
