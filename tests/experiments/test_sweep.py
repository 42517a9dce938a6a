"""Sweeps: only what is missing is played, whatever died; nothing is lost, doubled or written over."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import Future
from pathlib import Path

import pytest

import experiments
from experiments.__main__ import main
from experiments.engines import LostWorker, play_run, play_there
from experiments.study import read_study
from experiments.sweep import Forecast, played
from signal_env.classifiers.pretrained import EMBEDDED

KILLS = int(os.environ.get("SIGNAL_ENV_KILLS", "1"))
"""How often a sweep is killed in the test of that."""

STUDY = """
seeds: [0, 1]
defaults: {tensorboard: false, options: {pool_size: 40, round_size: 10, evaluation_size: 50, budget: 30}}
settings:
  few: {env: SignalEnv-reviews-v0}
methods:
  random: {agent: random}
  entropy: {agent: entropy}
  writes: {agent: generator, num_envs: 4, options: {offers_per_round: 20}, agent_options: {max_new_tokens: 8}}
"""

WRITES = """
seeds: [0]
defaults:
  tensorboard: false
  options: {pool_size: 40, round_size: 4, offers_per_round: 8, evaluation_size: 50, budget: 16}
settings: {few: {env: SignalEnv-reviews-v0}}
methods:
  writes: {agent: generator, num_envs: 4, agent_options: {max_new_tokens: 24}}
"""

BRIEF = """
from signal_env.rewards import reward_terms

@reward_terms.register("brief")
def brief(texts):
    return [1 / (1 + len(text)) for text in texts]
"""


@pytest.fixture
def study(tmp_path):
    file = tmp_path / "small.yaml"
    file.write_text(STUDY)
    return file


def sweep(study, out, *args):
    return main(["sweep", str(study), "--out", str(out), *args])


def command(study, out, *args):
    return [sys.executable, "-m", "experiments", "sweep", str(study), "--out", str(out), *args]


def files(out, names=("config.yaml", "rounds.jsonl", "offers.jsonl", "labels.jsonl", "finished")):
    return {place.relative_to(out).as_posix(): place.read_bytes() for place in out.rglob("*") if place.name in names}


def offers_in(out):
    """The number of texts offered in a sweep's runs."""
    return sum(log.read_bytes().count(b"\n") for log in out.rglob("offers.jsonl"))


def tables(out):
    """The report's tables, but for what the runs took."""
    assert main(["report", str(out), "--texts", "20"]) == 0
    found = {file.name: file.read_bytes() for file in (out / "report" / "tables").glob("*.csv")}
    del found["cost.csv"]
    assert {"runs.csv", "curves.csv", "differences.csv", "claims.csv"} <= found.keys()
    return found


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "small.yaml").write_text(STUDY)
    assert sweep(folder / "small.yaml", folder / "out", "--workers", "0") == 0
    return folder / "out"


@pytest.fixture(scope="module")
def undisturbed(swept):
    return files(swept)


def test_it_plays_what_is_missing_and_nothing_else(study, tmp_path, undisturbed, capsys):
    out = tmp_path / "out"
    assert sweep(study, out, "--workers", "0", "--only", "few/random") == 0
    assert {name.split("/")[1] for name in files(out)} == {"random"}
    before = {file: file.stat().st_mtime_ns for file in out.rglob("rounds.jsonl")}
    assert sweep(study, out, "--workers", "1") == 0
    assert "6 runs, 2 of them finished" in capsys.readouterr().out
    assert files(out) == undisturbed  # as a sweep in one process left them
    assert before == {file: file.stat().st_mtime_ns for file in before}
    assert (out / "study.yaml").read_text() == f"{STUDY}name: small\n"
    assert sweep(study, out) == 0
    assert "6 runs, 6 of them finished" in capsys.readouterr().out


def test_a_sweep_that_is_killed_again_and_again_ends_as_if_it_had_not_been(study, tmp_path, swept, start):
    out = tmp_path / "out"
    for moment in sorted(random.Random(0).sample(range(1, offers_in(swept)), KILLS)):
        process = start("sweep", study, "--out", out, "--workers", "1")
        while offers_in(out) < moment:  # so that it is in the middle of its work, however fast that goes
            assert process.is_alive()
            time.sleep(0.01)
        process.kill()  # the sweep alone: its worker has to see for itself that it is gone
        process.join()
    assert sweep(study, out, "--workers", "0") == 0
    assert files(out) == files(swept)
    assert tables(out) == tables(swept)


def test_two_sweeps_on_one_folder_share_the_work(study, tmp_path, undisturbed, start):
    out = tmp_path / "out"
    pair = [start("sweep", study, "--out", out, "--workers", "0") for _ in "ab"]
    for process in pair:
        process.join()
    assert [process.exitcode for process in pair] == [0, 0]
    assert files(out) == undisturbed


def test_a_failing_run_stops_no_other(study, tmp_path, undisturbed, capsys):
    out = tmp_path / "out"
    broken = STUDY + "  broken: {agent: generator, num_envs: 4, options: {offers_per_round: 20}, "
    study.write_text(broken + "agent_options: {generator: embedded, max_new_tokens: 2000}}\n")
    assert sweep(study, out, "--workers", "0") == 1
    said = capsys.readouterr()
    assert "few/broken/seed-0" in said.out
    assert "2 of 8 runs have failed" in said.err
    assert "Traceback" in (out / "few" / "broken" / "seed-0" / "error.txt").read_text()
    assert files(out) == undisturbed
    mended = broken + "agent_options: {generator: embedded, max_new_tokens: 8}}\n"
    study.write_text(mended)
    assert sweep(study, out, "--workers", "0") == 0
    assert not (out / "few" / "broken" / "seed-0" / "error.txt").exists()


def test_runs_of_other_options_are_left_alone(study, tmp_path, capsys):
    out = tmp_path / "out"
    assert sweep(study, out, "--workers", "0", "--only", "few/random/seed-0") == 0
    before = files(out)
    study.write_text(STUDY.replace("round_size: 10", "round_size: 20"))
    for only in ((), ("--only", "few/entropy")):  # whatever it is that would be played
        assert sweep(study, out, "--workers", "0", *only) == 1
        assert "1 folder holds a run with other options than those asked for" in capsys.readouterr().err
    assert files(out) == before
    assert (out / "study.yaml").read_text() == f"{STUDY}name: small\n"
    study.write_text(STUDY)
    assert sweep(study, out, "--only", "nothing") == 1
    assert "No run of small matches nothing; one is few/random/seed-0" in capsys.readouterr().err
    assert sweep(study, out, "--address", "auto") == 1
    assert "--address is for --engine ray" in capsys.readouterr().err
    assert sweep(study, out, "--only", "few/entropy", "--workers", "-1") == 1
    assert "--workers is at least 0; got -1" in capsys.readouterr().err


class Mortal:
    """An engine of one slot whose workers die after the shares of the budget that it is given."""

    slots = 1

    def __init__(self, *deaths):
        self.deaths = list(deaths)

    def submit(self, run):
        over = Future()
        over.set_result(run.folder)
        return over

    def outcome(self, over):
        folder = over.result()
        folder.mkdir(parents=True, exist_ok=True)
        labeled = round(100 * self.deaths.pop(0)) if self.deaths else 100
        (folder / "rounds.jsonl").write_text(json.dumps({"labeled": labeled, "budget": 100}) + "\n")
        if labeled < 100:
            raise LostWorker("it was taken away")

    def close(self):
        pass


@pytest.mark.parametrize(
    ("deaths", "error"),
    [
        ((0.1, 0.2, 0.2, 0.2, 0.3, 0.3, 0.3, 0.4, 0.5), None),
        ((0.0, 0.0, 0.0), None),
        ((0.0, 0.0, 0.0, 0.0), "it was taken away"),
        ((0.1, 0.2, 0.2, 0.2, 0.2), "it was taken away"),
        ((0.3, 0.1, 0.2, 0.3), "it was taken away"),
    ],
)
def test_a_run_is_given_up_when_its_workers_die_and_it_comes_no_further(study, tmp_path, deaths, error):
    run, engine = read_study(str(study), tmp_path / "out").runs[0], Mortal(*deaths)
    *_, (_, over, said) = played([run], engine)
    assert (over, said, engine.deaths) == (run, error, [])
    assert (run.folder / "error.txt").exists() == (error is not None)


def test_a_worker_trusts_a_folder_only_once_it_has_it(study, tmp_path):
    """What a sweep has seen of a folder may be wrong when a worker comes to it: another one may have been there."""
    out = tmp_path / "out"
    mine = read_study(str(study), out).runs[0]
    study.write_text(STUDY.replace("round_size: 10", "round_size: 20"))
    other = read_study(str(study), out).runs[0]
    assert play_run(other) is None
    folder = out / "few" / "random" / "seed-0"
    before = {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in folder.rglob("*") if file.is_file()}
    assert "holds a run with other options" in play_run(mine)
    (folder / "error.txt").unlink()
    assert play_run(other) is None  # finished, so left as it is
    (folder / "finished").unlink()
    assert "holds a run with other options" in play_run(mine)  # neither gone on with, nor played over
    (folder / "error.txt").unlink()
    after = {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in before if file.exists()}
    assert after == {file: what for file, what in before.items() if file.name != "finished"}


def kill_the_player(process, offers, at):
    """Kill the process that plays a run, after so many offers."""
    psutil = pytest.importorskip("psutil")
    while not offers.exists() or offers.read_bytes().count(b"\n") < at:
        assert (process.poll() is None) if isinstance(process, subprocess.Popen) else process.is_alive()
        time.sleep(0.01)
    (player,) = {found.pid for found in psutil.process_iter() if str(offers) in opened(found)}
    os.kill(player, signal.SIGKILL)


def test_a_worker_that_dies_costs_nothing(tmp_path, start):
    study = tmp_path / "writes.yaml"
    study.write_text(WRITES)
    assert sweep(study, tmp_path / "whole", "--workers", "0") == 0
    out = tmp_path / "out"
    process = start("sweep", study, "--out", out, "--workers", "1")
    kill_the_player(process, out / "few" / "writes" / "seed-0" / "offers.jsonl", 12)  # in the second of 4 rounds
    process.join()
    assert process.exitcode == 0
    assert files(out) == files(tmp_path / "whole")


def test_a_cluster_has_the_sweeps_places_and_a_worker_that_dies_costs_nothing(tmp_path, monkeypatch, forget_plugins):
    """A cluster that was begun elsewhere, and knows nothing of where this process has its models and its plugin."""
    pytest.importorskip("ray")
    shutil.copytree(EMBEDDED / "encoder", tmp_path / "encoder")
    model = tmp_path / "cache" / "generators" / "reviews"
    shutil.copytree(EMBEDDED / "generator", model)
    (model / "training.json").write_text(json.dumps({"excluded_seeds": 1, "excluded_pool_size": 40}))
    (tmp_path / "brief.py").write_text(BRIEF)
    (tmp_path / "writes.yaml").write_text(
        WRITES.replace("budget: 16", "budget: 16, encoder: encoder, reward: signal + brief")
        .replace("agent_options: {", "agent_options: {generator: small, ")
        .replace("seeds: [0]", "seeds: [0]\nplugins: [brief.py]")
    )
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIGNAL_ENV_CACHE", "cache")
    assert sweep("writes.yaml", "whole", "--workers", "0") == 0
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # else both sides want a token that a new machine does not have
    monkeypatch.setenv("RAY_TMPDIR", tempfile.mkdtemp(prefix="ray."))  # its sockets want a short path
    port = free_port()
    start = [*("ray", "start", "--head", "--block", "--num-cpus", "1"), f"--port={port}", "--include-dashboard=false"]
    start[0] = str(Path(sys.executable).with_name("ray"))
    mine = {**os.environ, "PYTHONPATH": str(Path(experiments.__file__).parents[1])}  # its tasks have this very version
    with subprocess.Popen(start, cwd="elsewhere", env=mine, stdout=subprocess.PIPE, text=True) as head:
        try:
            assert any("Ray runtime started" in line for line in head.stdout)
            args = command("writes.yaml", "out", "--engine", "ray", "--address", f"127.0.0.1:{port}")
            with subprocess.Popen(args, env=mine) as played:
                kill_the_player(played, tmp_path / "out" / "few" / "writes" / "seed-0" / "offers.jsonl", 12)
            assert played.returncode == 0
        finally:
            head.terminate()
    assert files(tmp_path / "out") == files(tmp_path / "whole")
    shutil.rmtree(os.environ["RAY_TMPDIR"])


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def test_a_machine_without_the_sweeps_folder_says_so(study, tmp_path):
    run = read_study(str(study), tmp_path / "not shared").runs[0]
    run = run.absolute().plain()
    assert "does not have" in play_there(run, tmp_path / "not shared" / "study.yaml")
    assert not (tmp_path / "not shared").exists()
    assert play_there(run, study) is None


def opened(process):
    """The files that a process has open; none if it may not be asked."""
    import psutil

    try:
        return {file.path for file in process.open_files()}
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        return set()


def test_the_time_left(study, tmp_path):
    runs = read_study(str(study), tmp_path / "out").runs
    forecast = Forecast(runs, slots=2)
    assert forecast.left(()) == "time left not known yet"
    for run, seconds in zip(runs[:2], (10.0, 30.0), strict=True):  # random and entropy of the first seed
        run.folder.mkdir(parents=True)
        (run.folder / "cost.jsonl").write_text(json.dumps({"round": 0, "seconds": seconds}) + "\n")
        forecast.over(run)
    # Left: writes (not known: the mean, 20) twice, random (10) and entropy (30) once, over two slots.
    assert forecast.left(()) == "about 0:00:40 left"
    half = runs[3]
    half.folder.mkdir(parents=True)
    (half.folder / "rounds.jsonl").write_text('{"labeled": 20, "budget": 40}\n{"labe')
    assert forecast.left([half]) == "about 0:00:38 left"  # 5 of random's 10 seconds are done
