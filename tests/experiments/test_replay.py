"""Runs that are killed and resumed, of agents that keep their state and of agents that do not."""

import importlib.util
import json
import shutil
import signal
from concurrent.futures import Future

import pytest

from agents.agent import agents
from experiments.__main__ import main
from experiments.config import configuration_of
from experiments.engines import Inline, LostWorker, play_run
from experiments.run import ASIDE
from experiments.sweep import played
from signal_env.rewards import reward_terms

LOGS = ("config.yaml", "rounds.jsonl", "offers.jsonl", "labels.jsonl", "metrics.jsonl", "finished")
SMALL = ["--pool-size", "40", "--round-size", "4", "--evaluation-size", "40", "--budget", "32", "--num-envs", "2"]

AGENTS = """
import dataclasses, os, signal
import numpy as np
from agents.agent import Agent, agents
from signal_env.rewards import reward_terms


@reward_terms.register("own_words")
class OwnWords:
    def reset(self):
        self.known = set()

    def __call__(self, texts):
        values = []
        for text in texts:
            values.append(len(set(text.split()) - self.known))
            self.known.update(text.split())
        return values

    def state_dict(self):
        return {"known": sorted(self.known)}

    def load_state_dict(self, state):
        self.known = set(state["known"])


class Counting(Agent):
    def reset(self, envs, seed):
        self.count, self.rng = 0, np.random.default_rng(seed)

    def act(self, observations):
        self.count += 1
        if self.count == int(os.environ.get("KILLED_AT", 0)):
            os.kill(os.getpid(), signal.SIGKILL)
        names = self.rng.integers(1000, size=len(observations["prompt"]))
        return [f"take {self.count}, scene {name}: a fine film" for name in names]

    def learn(self, rewards, infos):
        return {"count": self.count, "reward": float(np.mean(rewards))}


@agents.register("forgetful")
@dataclasses.dataclass
class Forgetful(Counting):
    pass


@agents.register("keeping")
@dataclasses.dataclass
class Keeping(Counting):
    def state_dict(self):
        return {"count": self.count, "rng": self.rng.bit_generator.state}

    def load_state_dict(self, state):
        self.count, self.rng.bit_generator.state = state["count"], state["rng"]


@agents.register("half")
@dataclasses.dataclass
class Half(Counting):
    def load_state_dict(self, state):
        self.count = state["count"]


@agents.register("unseeded")
@dataclasses.dataclass
class Unseeded(Counting):
    def reset(self, envs, seed):
        self.count, self.rng = 0, np.random.default_rng()
"""


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    """The file of the agents, which are registered in this process while the tests of this module run."""
    file = tmp_path_factory.mktemp("own") / "agents_of_replay.py"
    file.write_text(AGENTS)
    spec = importlib.util.spec_from_file_location("agents_of_replay", file)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    yield file
    for registry in (agents, reward_terms):
        for name in ("forgetful", "keeping", "half", "unseeded", "own_words"):
            registry._entries.pop(name, None)


@pytest.fixture(scope="module")
def run_killed(module, start):
    """Returns a function that runs a command in a process of its own, which is killed at so many calls of `act`."""

    def run(at, *args):
        first = f"import os, sys\nos.environ['KILLED_AT'] = '{at}'\nsys.path.insert(0, {str(module.parent)!r})\n"
        process = start(*args, first=first + "import agents_of_replay")
        process.join()
        assert process.exitcode == -signal.SIGKILL

    return run


@pytest.fixture(scope="module")
def killed(run_killed, tmp_path_factory):
    """A run of an agent without state methods, killed in the middle of round 5."""
    folder = tmp_path_factory.mktemp("killed") / "run"
    run_killed(10, "run", *SMALL, "--agent", "forgetful", "--no-tensorboard", "--out", str(folder))
    return folder


@pytest.mark.parametrize("agent", ["forgetful", "keeping"])
def test_a_run_killed_in_round_5_ends_as_an_undisturbed_one(tmp_path, run_killed, agent, capsys):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    args = ["run", *SMALL, "--agent", agent, "--seed", "3", "--reward", "signal + 0.1*normalize(own_words)"]
    assert main([*args, "--out", str(whole)]) == 0
    run_killed(10, *args, "--out", str(killed))  # two calls a round: in the middle of round 5
    assert [json.loads(line)["index"] for line in (killed / "rounds.jsonl").read_text().splitlines()] == [*range(5)]
    assert (killed / "checkpoints").exists() is (agent == "keeping")
    capsys.readouterr()
    assert main(["run", "--resume", str(killed)]) == 0
    anew = f"The agent {agent} has no state_dict: its run is played anew from its beginning."
    assert (anew in capsys.readouterr().out) is (agent == "forgetful")
    for name in LOGS:
        assert (whole / name).read_bytes() == (killed / name).read_bytes(), name
    assert not (killed / ASIDE).exists()
    before = {file: file.read_bytes() for file in killed.rglob("*") if file.is_file() and file.suffix != ".png"}
    assert main(["run", "--resume", str(killed)]) == 0  # a finished run stays as it is
    assert "anew" not in capsys.readouterr().out
    assert {file: file.read_bytes() for file in before} == before
    assert main(["rescore", str(killed), "--reward", "own_words"]) == 0  # the term replays the run with its memory
    rows = [json.loads(line) for line in (killed / "rescored.jsonl").read_text().splitlines()]
    texts, valid = [row["text"].split() for row in rows], [not row["invalid"] for row in rows]
    earlier = [{w for t, v in zip(texts[:i], valid, strict=False) if v for w in t} for i in range(len(texts))]
    counted = [len(set(text) - known) for text, known in zip(texts, earlier, strict=True)]
    expected = [count for count, is_valid in zip(counted, valid, strict=True) if is_valid]
    assert [row["rescored"] for row in rows if not row["invalid"]] == expected


def test_a_run_that_does_not_repeat_itself_is_not_continued(tmp_path, run_killed, capsys):
    folder = tmp_path / "run"
    args = ["run", *SMALL, "--agent", "unseeded", "--no-tensorboard", "--out", str(folder)]
    run_killed(10, *args)
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    assert main(["run", "--resume", str(folder)]) == 1
    error = capsys.readouterr().err
    assert "depends on more than its seed and its observations" in error
    assert "state_dict and load_state_dict" in error
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before
    assert main([*args, "--overwrite"]) == 0


def test_a_reward_that_differs_is_not_called_the_agents_fault(tmp_path, killed, capsys):
    folder = shutil.copytree(killed, tmp_path / "run")
    log = folder / "offers.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    lines[3]["reward"] += 0.5
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert main(["run", "--resume", str(folder)]) == 1
    assert "in round 1, offer 3 was" in capsys.readouterr().err


def test_one_state_method_without_the_other_is_refused_before_anything_is_written(tmp_path, module, capsys):
    assert main(["run", *SMALL, "--agent", "half", "--out", str(tmp_path / "run")]) == 1
    assert "Half has load_state_dict, but no state_dict" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


class Dying(Inline):
    """Workers that are processes of their own, each killed at so many calls of `act`; 0: not killed."""

    def __init__(self, run_killed, *deaths):
        self.run_killed, self.deaths = run_killed, list(deaths)

    def submit(self, run):
        at, over = self.deaths.pop(0), Future()
        if at:
            self.run_killed(at, "run", "--resume", str(run.folder))
            over.set_exception(LostWorker("it was killed"))
        else:
            over.set_result(play_run(run))
        return over


def test_a_sweep_plays_such_a_run_anew_when_its_worker_dies(tmp_path, run_killed, killed):
    whole, few = tmp_path / "whole", shutil.copytree(killed, tmp_path / "few")
    assert main(["run", *SMALL, "--agent", "forgetful", "--no-tensorboard", "--out", str(whole)]) == 0
    engine = Dying(run_killed, 6, 0)  # its worker is killed while the run is played anew
    *_, (_, over, error) = played([configuration_of(few)], engine)
    assert (over.folder, error, engine.deaths) == (few, None, [])
    for name in LOGS:
        assert (whole / name).read_bytes() == (few / name).read_bytes(), name
    assert not (few / ASIDE).exists()
