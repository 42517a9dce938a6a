"""Runs that are played once for all tests of the commands."""

import pytest

from experiments.config import make_config
from experiments.run import play

OPTIONS = {"pool_size": 40, "round_size": 10, "evaluation_size": 60, "classifier": "linear"}


@pytest.fixture(scope="session")
def played(tmp_path_factory):
    """A folder with three agents' runs on the embedded corpus, two seeds each; not to be changed."""
    folder = tmp_path_factory.mktemp("played")
    for agent, own in (("random", {}), ("entropy", {}), ("generator", {"max_new_tokens": 8})):
        for seed in (0, 1):
            out = folder / agent / f"seed-{seed}"
            run = make_config(
                "SignalEnv-reviews-v0", agent, seed=seed, out=out, tensorboard=False, options=OPTIONS, agent_options=own
            )
            play(run, lambda *_: None)
    return folder
