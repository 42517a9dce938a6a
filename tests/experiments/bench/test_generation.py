"""The benchmark of generation: both sides write the same texts, and all agents that learn to write can be measured."""

import pytest

from experiments.bench import generation
from experiments.config import make_config

SMALL = {"pool_size": 40, "round_size": 8, "offers_per_round": 16, "evaluation_size": 40, "budget": 24}


@pytest.mark.parametrize("agent", ["ppo", "grpo"])
def test_both_sides_do_the_same_work(monkeypatch, capsys, agent):
    monkeypatch.setattr(generation, "REPEATS", 1)
    options = SMALL | ({} if agent == "ppo" else {"prompt_group": 4})
    config = make_config(
        "SignalEnv-reviews-v0",
        agent,
        num_envs=8,
        options=options,
        agent_options={"mini_batches": 2, "max_new_tokens": 8},
    )
    sides = generation.main(config)
    assert sides["with"]["tokens"] == sides["without"]["tokens"] > 0
    for part in ("generation", "update"):
        assert sides["with"][part] > 0
        assert sides["without"][part] > 0
    assert sides["with"]["environment"] > 0
    assert "tokens/s" in capsys.readouterr().out


def test_other_agents_are_refused():
    with pytest.raises(ValueError, match="--agent ppo, rloo or grpo; got 'random'"):
        generation.main(make_config("SignalEnv-reviews-v0", "random"))
