"""A service in a process of its own that is killed beside its clients."""

import os

import pytest

from experiments.bench.kills import survive_kills
from experiments.config import EnvironmentOptions
from experiments.serve import ServeConfig
from tests.experiments.serve.conftest import SMALL


@pytest.mark.skipif("LONG_TESTS" not in os.environ, reason="set LONG_TESTS=1: begins processes and kills them")
@pytest.mark.usefixtures("start")  # where it has begun, processes find the heavy libraries loaded
def test_a_service_that_is_killed_loses_and_doubles_nothing(tmp_path):
    options = EnvironmentOptions(task="reviews", encoder="embedded", **SMALL, offers_per_round=20, budget=1000)
    config = ServeConfig(out=tmp_path / "run", tensorboard=False, options=options)
    found = survive_kills(config, clients=4, kills=1)
    assert (found["lost"], found["doubled"], found["mixed"]) == (0, 0, 0)
    assert found["kills"] == 1
    assert found["rounds"] >= 1
    assert found["texts"] > found["offers"] > 4
