"""The metrics of a round's texts, checked against counts by hand and against SciPy."""

import gymnasium as gym
import numpy as np
import pytest
from scipy.stats import ttest_1samp

import signal_env  # noqa: F401  (registers the environments)
from agents.llm.comparison import paired_lift
from agents.llm.report import RoundReport, distinct
from agents.llm.scale import RewardScale
from signal_env.vector_env import closed_round


def test_a_round_is_summarized():
    envs = gym.make_vec("SignalEnv-reviews-v0", num_envs=3, pool_size=40, round_size=6, evaluation_size=40)
    observations, _ = envs.reset(seed=0)
    report = RoundReport(envs.unwrapped.learner)
    example = observations["prompt"][0].split("Example 2: ")[1].split("\n")[0]
    rewards, metrics = [], {}
    for texts in ([example, "a fine film", "a fine day"], ["a fine film", "", "x " * 30]):
        with report.generating():
            pass
        report.wrote(observations["prompt"], texts, [[1, 2]] * 3)
        assert metrics == {}
        observations, earned, *_, infos = envs.step(texts)
        rewards += list(earned)
        metrics = report.rewarded(earned, infos)
    closed = closed_round(infos)
    assert metrics["reward/mean"] == pytest.approx(np.mean(rewards)) == pytest.approx(metrics["reward/signal"])
    assert metrics["texts/copied"] == 1 / 6
    assert metrics["texts/duplicate"] == 2 / 6  # the example is in the pool, and "a fine film" comes twice
    assert metrics["texts/invalid"] == 3 / 6
    assert metrics["texts/tokens"] == 2
    assert metrics["texts/written"] == 6
    assert metrics["labels/synthetic"] == closed["selected_synthetic"] / 6
    assert metrics["speed/generation"] > 0
    assert "speed/update" not in metrics
    if closed["selected_synthetic"]:
        shares = closed["synthetic_label_counts"] / closed["selected_synthetic"]
        assert metrics["labels/synthetic/positive"] == shares[1]
        balance = closed["label_counts"] / closed["labeled"]
        assert metrics["labels/imbalance"] == pytest.approx(max(abs(shares - balance)))  # two classes


def test_distinct_counts_n_grams():
    texts = [["a", "b", "a", "b"], ["b", "a"], ["c"]]
    assert distinct(texts, 1) == 3 / 7
    assert distinct(texts, 2) == 2 / 4
    assert distinct(texts, 3) == 2 / 2
    assert distinct(texts, 5) == 0.0


def test_the_interval_of_the_lift_is_students_over_prompts():
    rng = np.random.default_rng(0)
    prompts = [f"prompt {i // 4}" for i in range(40)]
    policy, reference = rng.normal(1.0, 1.0, 40), rng.normal(0.0, 1.0, 40)
    mean, half = paired_lift(prompts, policy, reference)
    by_prompt = (policy - reference).reshape(10, 4).mean(axis=1)
    low, high = ttest_1samp(by_prompt, 0.0).confidence_interval(0.95)
    assert (mean - half, mean + half) == pytest.approx((low, high))
    assert np.isnan(paired_lift(["one", "one"], policy[:2], reference[:2])[1])


def test_rewards_are_scaled_by_the_deviation_of_all_so_far():
    rng = np.random.default_rng(0)
    batches = [rng.normal(3.0, 2.0, n) for n in (5, 1, 20)]
    scale = RewardScale()
    for i, batch in enumerate(batches):
        assert scale(batch) == pytest.approx(batch / np.concatenate(batches[: i + 1]).std())
    again = RewardScale()
    again.load_state_dict(scale.state_dict())
    assert np.array_equal(again(batches[0]), scale(batches[0]))
    assert np.array_equal(RewardScale()(np.full(4, 0.5)), np.full(4, 0.5))
