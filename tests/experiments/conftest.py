"""Runs that are played once for all tests of the commands, and processes that can be interrupted."""

import signal
import subprocess
import sys

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


def heed_interrupts():
    """Give SIGINT its usual effect, also where the shell ignores it, as under `nohup`."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def command():
    """Returns a function that begins a command in a process of its own, which heeds SIGINT in every shell."""

    def begin(*args, **options):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
        return subprocess.Popen([sys.executable, "-m", "experiments", *args], preexec_fn=heed_interrupts, **pipes)

    return begin
