"""The name of the runs of a service."""

import pytest

from agents.agent import AgentError, get_agent, keeps_state
from experiments.config import make_config
from experiments.run import play


def test_only_a_service_plays_it(tmp_path):
    agent = get_agent("served")()
    assert keeps_state(agent)
    run = make_config(
        "SignalEnv-reviews-v0",
        "served",
        out=tmp_path / "run",
        options={"pool_size": 20, "round_size": 5, "classifier": "linear"},
    )
    with pytest.raises(AgentError, match="python -m experiments serve"):
        play(run)
