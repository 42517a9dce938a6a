"""Runs that are played once for all tests of the commands, and processes that can be killed."""

import multiprocessing
import runpy
from pathlib import Path

import pytest
import torch

from agents.agent import agents
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


@pytest.fixture(scope="session")
def coin_agent():
    """The name of a random policy of one's own, from a file as a plugin is."""
    if "coin" not in set(agents):
        runpy.run_path(str(Path(__file__).parents[1] / "plugins" / "coin.py"))
    return "coin"


@pytest.fixture(scope="session")
def start():
    """Returns a function that starts a command in a process of its own, which has the heavy libraries already.

    The process runs the lines `first` before it.
    """
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(
        ["experiments.sweep", "experiments.report", "experiments.serve.app", "agents.sb3", "agents.llm.ppo"]
    )

    def begin(*args, first=""):
        code = f"""
{first}
import torch
from experiments.__main__ import main
torch.set_num_threads({torch.get_num_threads()})
raise SystemExit(main({list(map(str, args))}))
"""
        process = server.Process(target=exec, args=(code, {}))
        process.start()
        return process

    return begin
