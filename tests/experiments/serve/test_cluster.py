"""Sweeps whose experiments are served on one machine of a cluster and played on another, of which any may be lost."""

import contextlib
import json
import os
import shutil
import tempfile
import threading
import time

import pytest

import experiments
from experiments.config import RunError, make_config
from experiments.run import play
from experiments.serve import Door, serve_run
from signal_env.shared.client import Client
from tests.experiments.test_sweep import files, sweep

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
        pytest.param("ppo", 6, "learn", 2, marks=pytest.mark.skipif(not LONG, reason="takes long: set LONG_TESTS")),
    ],
)
def test_a_writer_that_is_lost_goes_on_as_if_it_had_not_been(tmp_path, monkeypatch, agent, num_envs, method, call):
    from experiments.serve.cluster import write_texts

    own = {"options": OPTIONS, "num_envs": num_envs, "tensorboard": False}
    own |= {"agent_options": {"max_new_tokens": 4}} if agent in ("generator", "ppo") else {}
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
    assert metrics(tmp_path / "served") == metrics(tmp_path / "whole")


def metrics(folder):
    """The lines of the agent's metrics, but for its speed and the counters of its trainer, which begin anew."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    own = ("speed/", "trainer/ep")
    return [{name: value for name, value in line.items() if not name.startswith(own)} for line in lines]


def process_on(nodes, title):
    """The process with a title that begins so, and its node, once there is one."""
    psutil = pytest.importorskip("psutil")
    raylets = {node.all_processes["raylet"][0].process.pid: node for node in nodes}
    while True:
        for found in psutil.process_iter(["cmdline", "ppid"]):
            if (found.info["cmdline"] or [""])[0].startswith(title) and found.info["ppid"] in raylets:
                return found, raylets[found.info["ppid"]]
        time.sleep(0.02)


@pytest.mark.skipif(not LONG, reason="takes a minute: set LONG_TESTS")
def test_machines_that_are_lost_in_the_middle_cost_nothing(tmp_path, monkeypatch):
    """Two machines of one core each: the experiment's is killed first, then the agent's, each replaced by a new one."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    study = tmp_path / "writes.yaml"
    study.write_text(WRITES)
    assert sweep(study, tmp_path / "whole", "--workers", "0") == 0
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(os.path.dirname(experiments.__file__)))
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_TMPDIR", tempfile.mkdtemp(prefix="ray."))  # its sockets want a short path
    small = {"object_store_memory": 80 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **small})
    try:
        nodes = [cluster.add_node(num_cpus=1, **small) for _ in range(2)]
        out, outcome = tmp_path / "out", []
        args = ("--engine", "ray", "--address", cluster.address, "--served")
        sweeping = threading.Thread(target=lambda: outcome.append(sweep(study, out, *args)))
        sweeping.start()
        offers = out / "few" / "writes" / "seed-0" / "offers.jsonl"
        for title, other, after in (("ray::Service", "ray::write", 4), ("ray::write", "ray::Service", 20)):
            while not offers.exists() or offers.read_bytes().count(b"\n") < after:
                assert sweeping.is_alive()
                time.sleep(0.01)
            process, lost = process_on(nodes, title)
            assert process_on(nodes, other)[1] is not lost
            process.kill()
            cluster.remove_node(lost, allow_graceful=False)
            assert offers.read_bytes().count(b"\n") < 40
            nodes.remove(lost)
            nodes.append(cluster.add_node(num_cpus=1, **small))
        sweeping.join()
        assert outcome == [0]
    finally:
        cluster.shutdown()
        shutil.rmtree(os.environ["RAY_TMPDIR"], ignore_errors=True)
    assert files(tmp_path / "out") == files(tmp_path / "whole")


def test_a_run_goes_on_as_it_was_begun(tmp_path):
    from experiments.serve.served_run import served

    own = {"options": OPTIONS, "tensorboard": False}
    for name in ("local", "served"):
        run = make_config("SignalEnv-reviews-v0", "random", out=tmp_path / name, **own)
        with served(run, one_writer=True) if name == "served" else contextlib.nullcontext():
            if name == "local":
                play(run)
        (run.folder / "finished").unlink(missing_ok=True)
    before = files(tmp_path)
    with pytest.raises(RunError, match="is served: go on with it by the command that began it"):
        play(run, resume=True)
    run = make_config("SignalEnv-reviews-v0", "random", out=tmp_path / "local", **own)
    with pytest.raises(RunError, match="was begun without a service"), served(run):
        pass
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--served"], "--served is for --engine ray"),
        (["--engine", "ray", "--served", "--call-timeout", "5"], "--call-timeout is not for --served"),
        (["--engine", "ray", "--served", "--served-cpus", "0"], "--served-cpus or --served-gpus above 0"),
    ],
)
def test_what_cannot_be_served_in_a_sweep_is_refused(tmp_path, args, said, capsys):
    study = tmp_path / "writes.yaml"
    study.write_text(WRITES)
    assert sweep(study, tmp_path / "out", *args) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
