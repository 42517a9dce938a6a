"""The command, and that a served experiment equals a local one, to the bit."""

import socket

import gymnasium as gym
import numpy as np
import pytest

from agents.agent import get_agent
from agents.rollout import rollout
from experiments.__main__ import main
from experiments.serve import listening
from signal_env.shared.vector_env import SharedVectorEnv
from tests.experiments.serve.conftest import SMALL

OPTIONS = {"encoder": "embedded", **SMALL}


def same(one, other):
    """Whether two infos or observations are equal, arrays bit for bit."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tolist() == other.tolist()
    return type(one) is type(other) and one == other


@pytest.mark.parametrize(
    ("name", "own", "num_envs"),
    [
        ("random", {}, 6),
        ("entropy", {}, 2),
        ("badge", {}, 6),
        ("cal", {}, 3),
        ("signal", {}, 6),
        ("bertkm", {}, 6),
        ("generator", {"max_new_tokens": 4}, 2),
        ("asal", {"max_new_tokens": 4, "n_candidates": 2}, 2),
    ],
)
def test_every_agent_plays_a_served_experiment_as_a_local_one(serve, name, own, num_envs):
    agent = get_agent(name)
    options = OPTIONS | {"budget": 12 if num_envs == 6 else 18} | dict(agent.env_options)
    local = gym.make_vec("SignalEnv-reviews-v0", num_envs=num_envs, **options)
    expected = list(rollout(local, agent(**own), seed=3))
    with serve(seed=3, budget=options["budget"], **agent.env_options) as client:
        played = list(rollout(SharedVectorEnv(client, num_envs), agent(**own), seed=3))
        assert client.state().ended
        labeled = dict(client.learner.labeled)
    assert [list(step.texts) for step in played] == [list(step.texts) for step in expected]
    assert [step.rewards.tolist() for step in played] == [step.rewards.tolist() for step in expected]
    assert len(expected) > 1
    for one, other in zip(played, expected, strict=True):
        assert same(one.infos, other.infos)
        assert one.round is None or same(one.round, other.round)
    assert labeled == dict(local.unwrapped.learner.labeled)


def test_two_services_do_not_listen_on_one_address():
    """The second fails at once, not after its classifier has been trained."""
    with listening("127.0.0.1", 0) as place:
        port = place.getsockname()[1]
        with pytest.raises(OSError, match=f"in use .listening on 127.0.0.1, port {port}"):
            listening("127.0.0.1", port)


def test_the_command_refuses_what_cannot_be_served(capsys, tmp_path, monkeypatch):
    monkeypatch.delenv("SIGNAL_ENV_TOKEN", raising=False)
    monkeypatch.chdir(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        for options, said in (
            (["--host", "0.0.0.0"], "can be reached from other machines: give a token"),
            (["--token", "short"], "must have 16 or more ASCII characters"),
            (["--max-batch", "0"], "--max-batch must be above 0; got 0"),
            (["--port", str(taken.getsockname()[1])], "Address already in use"),
            (["--seed", "-1"], "seed must be a whole number of at least 0"),
        ):
            assert main(["serve", *options]) == 1
            line = capsys.readouterr().err
            assert said in line
            assert line.count("\n") == 1
    assert not list(tmp_path.glob("runs/*/*"))
