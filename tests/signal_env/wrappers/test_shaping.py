"""Potential-based shaping: its contribution to rewards, and the values that it leaves unchanged."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import signal_env  # noqa: F401  (registers the environments)
from signal_env.rewards import RewardError
from signal_env.utils.registry import UnknownName
from signal_env.vector_env import terms_of
from signal_env.wrappers import PotentialShaping, Record, VectorPotentialShaping
from signal_env.wrappers.shaping import potentials

REVIEWS = "SignalEnv-reviews-v0"
SMALL = {"pool_size": 40, "round_size": 4, "evaluation_size": 40, "budget": 16}


@pytest.fixture
def own_registry(monkeypatch):
    """Remove the names that a test registers."""
    monkeypatch.setattr(potentials, "_entries", dict(potentials._entries))


def texts(n, start=0):
    """Return unusual and plain texts, a copy, and an empty text."""
    made = [f"a {'very ' * (i % 4)}warm film number {i} that drags" for i in range(start, start + n)]
    made[1::7] = ["" for _ in made[1::7]]
    made[4::5] = [made[0] for _ in made[4::5]]
    return made


def shaped(potential, gamma=1.0, weight=1.0, **options):
    return PotentialShaping(gym.make(REVIEWS, **SMALL | options), potential, gamma, weight)


@pytest.mark.parametrize("gamma", [1.0, 0.9])
def test_potentials_add_the_same_constant_to_every_episode(gamma):
    """Check that an episode's discounted shaping is minus the first potential, for any actions (Ng et al. 1999)."""
    for offered in (texts(12), [f"another film, the {i}th" for i in range(12)], [""] * 8 + texts(12, 50)):
        env = shaped("entropy_unlabeled", gamma, 2.0, reward={"signal": 0.0})
        env = PotentialShaping(env, "round_progress", gamma)
        observation, _ = env.reset(seed=1)
        height = observation["classifier"][env.unwrapped.feature_names.index("entropy_unlabeled")]
        total, terminated, t = 0.0, False, 0
        offered = iter(offered + [f"and film {i}" for i in range(50)])
        while not terminated:
            _, reward, terminated, *_ = env.step(next(offered))
            total += gamma**t * reward
            t += 1
        assert t >= 12
        assert total == pytest.approx(-2 * float(height), abs=1e-6)


def test_a_step_is_shaped_by_the_states_around_it_as_the_info_shows():
    env = shaped("train_accuracy", gamma=0.9, weight=0.5)
    plain = gym.make(REVIEWS, **SMALL)
    place = env.unwrapped.feature_names.index("train_accuracy")
    before = env.reset(seed=3)[0]["classifier"][place]
    plain.reset(seed=3)
    rewards = []
    for text in texts(8):
        observation, reward, _, _, info = env.step(text)
        expected = plain.step(text)
        after = observation["classifier"][place]
        term = info["reward_terms"].pop("potential(train_accuracy)")
        assert term["raw"] == pytest.approx(0.9 * float(after) - float(before))
        assert term["weight"] == 0.5
        assert term["contribution"] == 0.5 * term["raw"]
        assert reward == pytest.approx(expected[1] + term["contribution"])
        rewards.append(reward)
        if "round" in info:  # the mean of what was earned in it
            assert info["round"].pop("reward_mean") == pytest.approx(np.mean(rewards))
            assert len(rewards) == expected[4]["round"].pop("offers") == info["round"].pop("offers")
            del expected[4]["round"]["reward_mean"]
            rewards = []
        assert str(info) == str(expected[4])
        before = after


@pytest.mark.parametrize("num_envs", [2, 4])
def test_one_text_a_step_or_many_are_shaped_the_same_to_the_bit(num_envs):
    env = shaped("entropy_unlabeled", 0.9, 0.3)
    env.reset(seed=3)
    steps = [env.step(text)[1:] for text in texts(12)]
    envs = VectorPotentialShaping(gym.make_vec(REVIEWS, num_envs=num_envs, **SMALL), "entropy_unlabeled", 0.9, 0.3)
    envs.reset(seed=3)
    offered = texts(12)
    for start in range(0, 12, num_envs):
        _, rewards, _, _, infos = envs.step(offered[start : start + num_envs])
        single = steps[start : start + num_envs]
        assert rewards.tolist() == [reward for reward, *_ in single]
        assert [terms_of(infos, i) for i in range(num_envs)] == [info["reward_terms"] for *_, info in single]


def test_a_potential_gets_the_features_that_its_parameters_name(own_registry):
    seen = []

    @potentials.register("certainty")
    def certainty(train_accuracy, label_share, state, scale=2):
        seen.append((train_accuracy, label_share.tolist(), state))
        return scale * train_accuracy

    env = shaped("certainty")
    observation, _ = env.reset(seed=0)
    features = dict(zip(env.unwrapped.feature_names, observation["classifier"].tolist(), strict=True))
    env.step("a warm film")
    accuracy, shares, state = seen[0]
    assert accuracy == features["train_accuracy"]
    assert shares == [value for name, value in features.items() if name.startswith("label_share/")]
    np.testing.assert_array_equal(state, observation["classifier"])
    greedy = shaped(lambda state: state.fill(0))
    greedy.reset(seed=0)
    with pytest.raises(ValueError, match="read-only"):
        greedy.step("a warm film")


def test_unknown_names_are_answered_with_known_ones(own_registry):
    with pytest.raises(UnknownName, match=r"potential 'train_acuracy'. Did you mean 'train_accuracy'"):
        shaped("train_acuracy")
    with pytest.raises(RewardError, match=r"asks for 'accuracy'. It may ask for: .*train_accuracy"):
        shaped(lambda accuracy: accuracy)
    for gamma, weight in ((1.5, 1.0), (-0.1, 1.0), (0.5, float("inf"))):
        with pytest.raises(RewardError, match="gamma must be from 0 to 1 and weight a finite number"):
            shaped("train_accuracy", gamma, weight)


@pytest.mark.parametrize("height", [float("nan"), "high", None])
def test_a_potential_is_a_finite_number(height):
    env = shaped(lambda train_accuracy: height)
    env.reset(seed=0)
    with pytest.raises(RewardError, match=r"potential '<lambda>' returned .*; expected a finite number"):
        env.step("a warm film")


def test_keep_best_does_not_depend_on_shaping():
    kept = []
    for weight in (0.0, 5.0):
        envs = gym.make_vec(REVIEWS, num_envs=4, keep_best=1, **SMALL)
        envs = VectorPotentialShaping(envs, "train_accuracy", 0.9, weight)
        envs.reset(seed=3)
        for start in (0, 4, 8):
            envs.step([f"a {'very ' * i}warm film number {i}" for i in range(start, start + 4)])
        learner = envs.unwrapped.learner
        kept.append((learner.unlabeled.texts, learner.labeled))
    assert kept[0] == kept[1]


def test_logs_outside_have_the_shaped_reward(tmp_path):
    env = Record(shaped("labeled_share"), tmp_path)
    env.reset(seed=0)
    rewards = [env.step(text)[1] for text in texts(4)]
    env.close()
    lines = (tmp_path / "offers.jsonl").read_text().splitlines()
    assert [float(line.split('"reward": ')[1].split(",")[0]) for line in lines] == rewards
    assert all("potential(labeled_share)" in line for line in lines)


def test_gymnasiums_own_checker_accepts_it():
    with pytest.warns(UserWarning, match="is different from the unwrapped version"):  # it is a wrapper
        check_env(shaped("train_accuracy"), skip_render_check=True)


def test_before_a_reset_and_around_other_environments_it_says_so():
    with pytest.raises(gym.error.ResetNeeded):
        PotentialShaping(gym.make(REVIEWS, **SMALL).unwrapped, "train_accuracy").step("a film")
    with pytest.raises(TypeError, match="Expected a SignalVectorEnv"):
        VectorPotentialShaping(gym.make_vec(REVIEWS, num_envs=2, vectorization_mode="sync", **SMALL), "train_accuracy")


def test_two_shapings_of_one_name_are_refused_and_of_two_names_add_up(own_registry):
    with pytest.raises(RewardError, match=r"'potential\(train_accuracy\)' already: add up the weights"):
        PotentialShaping(shaped("train_accuracy"), "train_accuracy", weight=2.0)
    env = PotentialShaping(shaped("train_accuracy"), "labeled_share")
    env.reset(seed=0)
    _, reward, _, _, info = env.step("a warm film")
    assert sum(term["contribution"] for term in info["reward_terms"].values()) == pytest.approx(reward)


def test_a_registered_potential_goes_before_a_feature_of_its_name(own_registry):
    potentials.register("train_accuracy")(lambda labeled_share: 7.0)
    env = shaped("train_accuracy", gamma=0.5)
    env.reset(seed=0)
    assert env.step("a film")[4]["reward_terms"]["potential(train_accuracy)"]["raw"] == -3.5
    shaped("labeled_share").reset(seed=0)
