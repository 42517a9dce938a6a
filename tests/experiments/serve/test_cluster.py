"""Sweeps whose experiments are served on one machine of a cluster and played on another, of which any may be lost."""

import contextlib
import os
import shutil
import tempfile
import threading
import time

import pytest

from experiments.__main__ import main
from experiments.config import RunError, make_config
from experiments.run import play
from experiments.serve import Door, serve_run
from signal_env.shared.client import Client
from tests.experiments.test_sweep import files, kill_the_player, sweep

LONG = "LONG_TESTS" in os.environ

OPTIONS = {"pool_size": 30, "round_size": 6, "evaluation_size": 20, "budget": 24, "classifier": "linear"}

WRITES = """
seeds: [0]
defaults: {tensorboard: false, options: {pool_size: 40, round_size: 4, offers_per_round: 8, evaluation_size: 50}}
settings: {few: {env: SignalEnv-reviews-v0, options: {budget: 24}}}
methods:
  writes: {agent: generator, num_envs: 4, agent_options: {max_new_tokens: 24}}
"""


@contextlib.contextmanager
def one_writer(run):
    """Serve a run for its only writer; yield a client."""
    pytest.importorskip("fastapi", reason="needs FastAPI: pip install 'signal-env[serve]'")
    known, ready = [], threading.Event()

    def on_ready(url, end):
        known.extend((url, end))
        ready.set()

    thread = threading.Thread(target=serve_run, args=(run, Door("127.0.0.1", 0, None), on_ready, True))
    thread.start()
    assert ready.wait(60)
    try:
        yield Client(known[0], timeout=30.0)
    finally:
        known[1]()
        thread.join()


@pytest.mark.parametrize(
    ("agent", "num_envs", "method", "call"),
    [
        ("random", 6, "learn", 1),  # the round is closed, and the agent has not learned of it
        ("random", 6, "act", 2),
        ("badge", 2, "learn", 2),  # in the middle of a round
        ("entropy", 6, "learn", 3),  # the experiment has ended
        ("generator", 3, "learn", 4),
    ],
)
def test_a_writer_that_is_lost_goes_on_as_if_it_had_not_been(tmp_path, monkeypatch, agent, num_envs, method, call):
    from experiments.serve.cluster import write_texts

    own = {"options": OPTIONS, "num_envs": num_envs, "tensorboard": False}
    own |= {"agent_options": {"max_new_tokens": 4}} if agent == "generator" else {}
    whole = make_config("SignalEnv-reviews-v0", agent, out=tmp_path / "whole", **own)
    play(whole)
    run = make_config("SignalEnv-reviews-v0", agent, out=tmp_path / "served", **own)
    played, kind = getattr(type(run.agent_options), method), type(run.agent_options)
    calls = 0

    def lost(self, *args):
        nonlocal calls
        calls += 1
        if calls == call:
            raise KeyboardInterrupt
        return played(self, *args)

    monkeypatch.setattr(kind, method, lost)
    with one_writer(run) as client, pytest.raises(KeyboardInterrupt):
        write_texts(run, client)
    with one_writer(run) as client:
        write_texts(run, client)
    assert calls > call
    assert files(tmp_path / "served") == files(tmp_path / "whole")
