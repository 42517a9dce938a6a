"""Rewards in the environments: sums, round closes, passes, resuming."""

import json

import gymnasium as gym
import numpy as np
import pytest

import signal_env  # noqa: F401  (registers the environments)
from signal_env.classifiers.linear import LinearClassifier
from signal_env.rewards import RewardError, at_close, reward_terms
from signal_env.tasks import get_task
from signal_env.vector_env import terms_of

REVIEWS = "SignalEnv-reviews-v0"
SMALL = {"pool_size": 40, "round_size": 4, "evaluation_size": 40, "budget": 16}
EVERYTHING = (
    "signal + 0.1*novelty - 0.5*clip(repetition, 0, 0.5) + 0.2*normalize(length) + accuracy_gain + normalize(diversity)"
)


def texts(n, start=0):
    """Return unusual and plain texts, a copy, and an empty text."""
    made = [f"a {'very ' * (i % 4)}warm film number {i} that drags" for i in range(start, start + n)]
    made[1::7] = ["" for _ in made[1::7]]
    made[4::5] = [made[0] for _ in made[4::5]]
    return made


def play(env, n=12):
    env.reset(seed=3)
    return [env.step(text)[1:] for text in texts(n)]


@pytest.mark.parametrize("name", [*sorted(set(reward_terms) - {"answer_variance"}), EVERYTHING])
def test_the_contributions_of_the_terms_sum_to_the_reward(name):
    steps = play(gym.make(REVIEWS, reward=name, invalid_reward=-0.25, **SMALL))
    earned = set()
    for reward, _, _, info in steps:
        terms = info["reward_terms"]
        assert sum(term["contribution"] for term in terms.values()) == pytest.approx(reward, abs=1e-6)
        assert terms["invalid"]["contribution"] == (-0.25 if info["invalid"] else 0.0)
        earned |= {name for name, term in terms.items() if term["contribution"]}
        if not name.startswith("accuracy_gain") and name in terms:
            assert terms[name]["contribution"] == (0.0 if info["invalid"] else terms[name]["raw"])
    if name in reward_terms and name != "accuracy_gain":
        assert name in earned
    assert json.loads(json.dumps([step[3]["reward_terms"] for step in steps])) == [s[3]["reward_terms"] for s in steps]


def test_answer_variance_is_earned_with_dropout():
    with pytest.raises(ValueError, match="LinearClassifier has no dropout"):
        gym.make(REVIEWS, reward="signal + answer_variance", **SMALL)
    options = {
        "classifier": "finetune",
        "encoder": "minilm",
        "classifier_options": {"epochs": 1, "min_steps": 1},
        "dropout_samples": 4,
    }
    few = {"pool_size": 10, "round_size": 4, "evaluation_size": 4, "budget": 8}
    rewards = []
    for num_envs in (1, 2):
        envs = gym.make_vec(REVIEWS, num_envs=num_envs, reward="answer_variance", **few, **options)
        envs.reset(seed=0)
        offers, earned = ["a warm film", "a cold film"], []
        for i in range(0, 2, num_envs):
            _, each, _, _, infos = envs.step(offers[i : i + num_envs])
            earned += each.tolist()
            assert infos["reward_terms"]["answer_variance"]["contribution"].tolist() == each.tolist()
        rewards.append(earned)
    assert rewards[0] == rewards[1]
    assert min(rewards[0]) > 0


@pytest.mark.parametrize("num_envs", [2, 4])
def test_one_text_a_step_or_many_pay_the_same_to_the_bit(num_envs):
    steps = play(gym.make(REVIEWS, reward=EVERYTHING, invalid_reward=-0.25, **SMALL))
    envs = gym.make_vec(REVIEWS, num_envs=num_envs, reward=EVERYTHING, invalid_reward=-0.25, **SMALL)
    envs.reset(seed=3)
    offered = texts(12)
    for start in range(0, 12, num_envs):
        _, rewards, _, _, infos = envs.step(offered[start : start + num_envs])
        single = steps[start : start + num_envs]
        assert rewards.tolist() == [reward for reward, *_ in single]
        assert [terms_of(infos, i) for i in range(num_envs)] == [info["reward_terms"] for *_, info in single]


def test_closing_terms_count_for_the_closing_offer_and_in_the_rounds_mean():
    steps = play(gym.make(REVIEWS, reward=EVERYTHING, **SMALL))
    for i, (_, _, _, info) in enumerate(steps):
        assert ("accuracy_gain" in info["reward_terms"]) == ("round" in info) == (i % 4 == 3)
    for close in (3, 7, 11):
        rewards = [reward for reward, *_ in steps[close - 3 : close + 1]]
        assert steps[close][3]["round"]["reward_mean"] == pytest.approx(np.mean(rewards))


def test_accuracy_gain_is_that_of_classifiers_trained_by_hand(own_registry):
    seen = []

    @at_close
    def watch(batch_texts, batch_labels, labeled_texts, labels, seed):
        seen.append((batch_texts, batch_labels, labeled_texts, labels, seed))
        return 0.0

    reward_terms.register("watch")(watch)
    env = gym.make(
        REVIEWS, reward="accuracy_gain + watch", **SMALL | {"round_size": 10, "pool_size": 200, "budget": 60}
    )
    plain = gym.make(REVIEWS, **SMALL | {"round_size": 10, "pool_size": 200, "budget": 60})
    env.reset(seed=0)
    plain.reset(seed=0)
    gains = []
    for i in range(50):
        info, expected = env.step(f"film {i} is warm")[4], plain.step(f"film {i} is warm")[4]
        if "round" in info:
            gains.append(info["reward_terms"]["accuracy_gain"]["raw"])
            for name in ("accuracy", "labeled", "selected_synthetic"):  # measuring leaves the classifier as it is
                assert info["round"][name] == expected["round"][name]
    assert len(set(gains)) > 1
    for gain, (batch_texts, batch_labels, labeled_texts, labeled_labels, seed) in zip(gains, seen, strict=True):
        n = len(labeled_texts)
        order = np.random.default_rng(seed).permutation(n)
        held, kept = np.sort(order[: round(n / 5)]), np.sort(order[round(n / 5) :])
        accuracies = []
        for extra in (False, True):
            names = [labeled_texts[i] for i in kept] + list(batch_texts if extra else ())
            labels = [*labeled_labels[kept], *(batch_labels if extra else ())]
            classifier = LinearClassifier(get_task("reviews"), "embedded")
            classifier.fit(names, np.array(labels), 0)
            predicted = classifier.predict([labeled_texts[i] for i in held]).probabilities.argmax(axis=1)
            accuracies.append(np.mean(predicted == labeled_labels[held]))
        assert gain == pytest.approx(accuracies[1] - accuracies[0])
        assert not set(batch_texts) & set(labeled_texts)


def test_without_retraining_nothing_can_be_gained():
    with pytest.raises(RewardError, match=r"'accuracy_gain' measures what .* retrain=False"):
        gym.make(REVIEWS, reward="signal + accuracy_gain", retrain=False)


def test_an_experiment_with_memory_goes_on_from_its_state_to_the_bit():
    def rounds(envs, n, start):
        return [envs.step(texts(4, start + 4 * i))[1].tolist() for i in range(n)]

    whole, begun, later = (gym.make_vec(REVIEWS, num_envs=4, reward=EVERYTHING, **SMALL) for _ in range(3))
    for envs in (whole, begun, later):
        envs.reset(seed=5)
    expected = rounds(whole, 3, 0)
    first = rounds(begun, 2, 0)
    later.load_state_dict(json.loads(json.dumps(begun.state_dict())))
    assert first + rounds(later, 1, 8) == expected


def test_scoring_in_the_middle_of_a_round_is_as_at_its_beginning():
    probe = ["a warm film number 3 that drags", "something else entirely"]
    envs = gym.make_vec(REVIEWS, num_envs=2, reward="novelty + diversity + repetition + signal", **SMALL)
    envs.reset(seed=0)
    first = envs.unwrapped.learner.score(probe)
    envs.step(probe)
    again = envs.unwrapped.learner.score(probe)
    assert again.rewards.tolist() == first.rewards.tolist()
    assert [values.raw.tolist() for values in again.terms.values()] == [v.raw.tolist() for v in first.terms.values()]


def test_a_term_that_trains_leaves_the_classifier_as_it_is_also_when_nothing_is_labeled(own_registry):
    @reward_terms.register("trains")
    @at_close
    def trains(labeled_texts, labels, accuracy):
        return accuracy((labeled_texts, 1 - labels), (labeled_texts, 1 - labels))

    probes = []
    for reward in ("signal", "signal + 0*trains"):
        env = gym.make(REVIEWS, reward=reward, selection="submitted", **SMALL)
        env.reset(seed=0)
        for _ in range(4):
            _, _, _, _, info = env.step("")
        probes.append([env.step(text)[1] for text in ("a warm film", "a cold film")])
    assert info["reward_terms"]["trains"] == {"raw": 0.0, "weight": 0.0, "contribution": 0.0}
    assert probes[0] == probes[1]


def test_rewards_that_are_changed_in_place_change_nothing_else():
    rounds = []
    for factor in (1, 1000):
        envs = gym.make_vec(REVIEWS, num_envs=2, **SMALL)
        envs.reset(seed=3)
        for start in (0, 2):
            _, rewards, _, _, infos = envs.step(texts(4)[start : start + 2])
            rewards *= factor
        rounds.append(infos["round"]["reward_mean"][-1])
    assert rounds[0] == rounds[1]


def test_prompts_are_as_many_as_texts():
    learner = gym.make(REVIEWS, **SMALL).unwrapped.learner
    learner.reset(seed=0)
    for prompts in (["only one"], "ab", ["a", "b", "c"]):
        with pytest.raises(ValueError, match="Expected one prompt for each of 2 texts, or none"):
            learner.offer(["one", "two"], prompts)


def test_a_state_of_another_version_is_refused():
    learner = gym.make(REVIEWS, **SMALL).unwrapped.learner
    learner.reset(seed=0)
    state = learner.state_dict()
    del state["offered"]
    with pytest.raises(ValueError, match="another version"):
        learner.load_state_dict(state)


def test_scoring_leaves_running_statistics_alone():
    envs = [gym.make_vec(REVIEWS, num_envs=4, reward="normalize(length) + novelty", **SMALL) for _ in range(2)]
    for each in envs:
        each.reset(seed=0)
    envs[0].unwrapped.learner.score(texts(9))
    assert envs[0].step(texts(4))[1].tolist() == envs[1].step(texts(4))[1].tolist()


def test_a_reward_survives_the_spec():
    env = gym.make(REVIEWS, reward="signal + 0.1*novelty", **SMALL)
    again = gym.make(gym.envs.registration.EnvSpec.from_json(env.spec.to_json()))
    assert again.unwrapped.learner.config.reward == "signal + 0.1*novelty"
    assert [s[0] for s in play(again, 4)] == [s[0] for s in play(env, 4)]


def test_gymnasium_s_reward_wrappers_work_on_top():
    class Doubled(gym.RewardWrapper):
        def reward(self, reward):
            return 2 * reward

    plain = [step[0] for step in play(gym.make(REVIEWS, **SMALL))]
    assert [step[0] for step in play(Doubled(gym.make(REVIEWS, **SMALL)))] == [2 * reward for reward in plain]
    shifted = gym.wrappers.TransformReward(gym.make(REVIEWS, **SMALL), lambda reward: reward - 1)
    assert [step[0] for step in play(shifted)] == [reward - 1 for reward in plain]
    normalized = [step[0] for step in play(gym.wrappers.NormalizeReward(gym.make(REVIEWS, **SMALL)))]
    assert normalized != plain
    assert np.isfinite(normalized).all()

    class Halved(gym.vector.VectorRewardWrapper):
        def rewards(self, rewards):
            return rewards / 2

    halved = Halved(gym.make_vec(REVIEWS, num_envs=4, **SMALL))
    halved.reset(seed=3)
    assert halved.step(texts(4))[1].tolist() == [reward / 2 for reward in plain[:4]]
    envs = gym.make_vec(REVIEWS, num_envs=4, **SMALL)
    envs = gym.wrappers.vector.NormalizeReward(gym.wrappers.vector.TransformReward(envs, lambda rewards: rewards - 1))
    envs.reset(seed=3)
    rewards = envs.step(texts(4))[1]
    assert rewards.shape == (4,)
    assert np.isfinite(rewards).all()
