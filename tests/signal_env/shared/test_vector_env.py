"""The vector environment over a shared experiment; `tests/experiments/serve/test_serve.py` plays it over HTTP."""

import gymnasium as gym
import numpy as np
import pytest

from signal_env.config import ConfigError
from signal_env.shared import LocalExperiment
from signal_env.shared.vector_env import SharedVectorEnv
from signal_env.utils.errors import ActionError, StateError
from signal_env.vector_env import closed_round

SMALL = {"pool_size": 24, "round_size": 4, "evaluation_size": 20, "classifier": "linear", "annotator": "rule"}


@pytest.fixture
def experiment():
    return LocalExperiment("SignalEnv-reviews-v0", seed=3, **SMALL)


def texts(n, what="film"):
    return [f"a {what} of {i}" for i in range(n)]


def test_it_equals_the_vector_environment(experiment):
    local = gym.make_vec("SignalEnv-reviews-v0", num_envs=2, **SMALL)
    shared = SharedVectorEnv(experiment, num_envs=2)
    (seen, _), (expected, _) = shared.reset(seed=3), local.reset(seed=3)
    for i in range(3):
        assert seen["prompt"] == expected["prompt"]
        assert seen["classifier"].tolist() == expected["classifier"].tolist()
        assert seen["classifier"].dtype == expected["classifier"].dtype
        batch = texts(2, f"film {i}")
        seen, rewards, *_, infos = shared.step(batch)
        expected, wanted, *_, told = local.step(batch)
        assert rewards.tolist() == wanted.tolist()
        assert infos.keys() == told.keys()
    assert shared.observation_space == local.observation_space


def test_a_round_that_closes_within_a_batch_is_in_the_row_that_closed_it(experiment):
    shared = SharedVectorEnv(experiment, num_envs=3)
    shared.reset()
    shared.step(texts(3))
    *_, infos = shared.step(texts(3, "play"))
    assert infos["_round"].tolist() == [True, False, False]
    assert closed_round(infos)["index"] == 1
    assert experiment.state().offers_made == 2


def test_a_round_that_others_close_is_seen_at_the_next_step(experiment):
    one, other = SharedVectorEnv(experiment, num_envs=2), SharedVectorEnv(experiment, num_envs=2)
    one.reset()
    other.reset()
    one.step(texts(2))
    *_, closing = other.step(texts(2, "play"))
    assert closed_round(closing)["index"] == 1
    observations, *_, infos = one.step(texts(2, "song"))
    assert closed_round(infos)["index"] == 1
    assert infos["_round"].tolist() == [True, False]
    assert observations["classifier"][:, 0].tolist() == np.float32([0.5, 0.75]).tolist()


def test_an_experiment_is_one_episode(experiment):
    shared = SharedVectorEnv(experiment)
    with pytest.raises(StateError, match="has the seed 3; got 4"):
        shared.reset(seed=4)
    with pytest.raises(gym.error.ResetNeeded):
        shared.step(texts(4))
    shared.reset(seed=3)
    with pytest.raises(ActionError, match="sequence of 4 texts"):
        shared.step(texts(3))
    with pytest.raises(StateError, match="kept where it is"):
        shared.state_dict()
    with pytest.raises(ConfigError, match="at least 1; got 0"):
        SharedVectorEnv(experiment, num_envs=0)
    ended, i = False, 0
    while not ended:
        _, _, terminated, truncated, _ = shared.step(texts(4, f"film {i}"))
        ended, i = bool(terminated.all() or truncated.all()), i + 1
    assert shared.ended
    shared.reset()
    with pytest.raises(gym.error.ResetNeeded):
        shared.step(texts(4))
