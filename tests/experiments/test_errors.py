"""Errors: those that say all are one line; those of the user's code keep their traceback, and say what was at work."""

import re
import traceback

import pytest

from experiments.__main__ import main

pytestmark = pytest.mark.usefixtures("forget_plugins")

SMALL = [*("--pool-size", "40", "--round-size", "10", "--evaluation-size", "40", "--budget", "40"), "--no-tensorboard"]

BROKEN = """
import dataclasses
import numpy as np
from agents.agent import Agent, agents
from signal_env.acquisition import acquisitions
from signal_env.annotators import annotators
from signal_env.classifiers import classifiers
from signal_env.rewards import reward_terms
from signal_env.rewards.term import at_close
from signal_env.stopping import stopping_criteria
from signal_env.utils.errors import SignalError
from signal_env.utils.prediction import Prediction
from signal_env.wrappers.shaping import potentials

@agents.register("own")
@dataclasses.dataclass
class Own(Agent):
    fails: str = ""

    def reset(self, envs, seed):
        self.n = 0
        if self.fails == "reset":
            np.zeros(2) + np.zeros(3)

    def act(self, observations):
        self.n += 1
        if self.fails == "act" and self.n == 3:
            np.zeros(2) + np.zeros(3)
        if self.fails == "missing file":
            open("no_such_file.txt")
        if self.fails == "own message":
            raise SignalError("the words have run out")
        if self.fails == "count":
            return ["one text"]
        if self.fails == "type":
            return [1] * len(observations["prompt"])
        return [f"film {self.n} of {i} tender words" for i, _ in enumerate(observations["prompt"])]

    def learn(self, rewards, infos):
        if self.fails == "learn":
            np.zeros(2) + np.zeros(3)
        return {}

    def state_dict(self):
        if self.fails == "state_dict":
            np.zeros(2) + np.zeros(3)
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]

def fail(*arguments, **others):
    np.zeros(2) + np.zeros(3)

@reward_terms.register("broken")
def broken(texts):
    fail()

@reward_terms.register("broken_close")
@at_close
def broken_close(batch_texts):
    fail()

@potentials.register("broken")
def potential(labeled_share):
    fail()

@acquisitions.register("broken")
def acquisition(texts):
    fail()

@annotators.register("broken")
def annotator(task, model, device):
    return fail

@annotators.register("broken_maker")
def maker(task, model, device):
    fail()

class Classifier:
    def fit(self, texts, labels, seed):
        pass

    def predict(self, texts):
        fail()

@classifiers.register("broken")
def classifier(task, encoder, device):
    return Classifier()

@classifiers.register("broken_maker")
def classifier_maker(task, encoder, device):
    fail()
"""

STOPPING = """
from signal_env.stopping import stopping_criteria

@stopping_criteria.register("broken")
def stopping(labels):
    raise KeyError("entropy")
"""


@pytest.fixture
def broken(tmp_path):
    file = tmp_path / "broken.py"
    file.write_text(BROKEN)
    return file


def run(file, *args):
    return main(["run", "--plugin", str(file), *SMALL, *args, "--out", str(file.parent / "run")])


@pytest.mark.parametrize(
    ("args", "origin", "index"),
    [
        (["--fails", "reset"], r"the agent Own \(reset\)", 1),
        (["--fails", "act"], r"the agent Own \(act\)", 3),
        (["--fails", "learn"], r"the agent Own \(learn\), on 10 texts: 'film 1 of 0 tender words'.* and 7 more", 1),
        (["--fails", "state_dict"], r"the agent Own \(state_dict\)", 1),
        (["--reward", "signal + broken"], r"the reward term 'broken', on 10 texts: 'film 1 of 0 tender words'", 1),
        (["--reward", "signal + broken_close"], r"the reward term 'broken_close', on 10 texts: '", 1),
        (["--shaping", "broken"], r"the potential 'broken'", None),
        (["--acquisition", "broken"], r"the acquisition function 'broken', on \d+ texts: '.*', '.*', '.*' and", 1),
        (["--annotator", "broken"], r"the annotator 'broken', on \d+ texts?: '", 1),
        (["--annotator", "broken_maker"], r"the annotator 'broken_maker'", None),
        (["--classifier", "broken"], r"the classifier Classifier \(predict\), on 10 texts: '", 0),
        (["--classifier", "broken_maker"], r"the classifier 'broken_maker'", None),
    ],
)
def test_an_error_of_the_users_code_keeps_its_traceback_and_says_what_was_at_work(broken, args, origin, index):
    with pytest.raises(ValueError, match="operands could not be broadcast") as caught:
        run(broken, "--agent", "own", *args)
    shown = "".join(traceback.format_exception(caught.value))
    assert f'File "{broken}"' in shown
    assert re.search(rf"^This came out of {origin}", shown, re.MULTILINE)
    assert (f"It was in round {index}." in shown) == (index is not None)


def test_a_stopping_criterion_too(tmp_path):
    file = tmp_path / "broken.py"
    file.write_text(STOPPING)
    with pytest.raises(KeyError) as caught:
        run(file, "--stopping", "broken")
    (origin, index) = caught.value.__notes__
    assert origin.startswith("This came out of the stopping criterion 'broken', on 30 texts: ")
    assert index == "It was in round 0."


def test_a_file_that_the_users_code_misses_keeps_the_traceback(broken):
    with pytest.raises(FileNotFoundError, match=r"no_such_file\.txt") as caught:
        run(broken, "--agent", "own", "--fails", "missing file")
    assert "This came out of the agent Own (act)." in caught.value.__notes__


@pytest.mark.parametrize(
    ("fails", "message"),
    [
        ("own message", "the words have run out (this came out of the agent Own (act))"),
        ("count", "one per sub-environment; got 1: ['one text']. (this came out of the agent Own (act))"),
        ("type", "An action must be a text (str); got int: 1. (this came out of the agent Own (act))"),
    ],
)
def test_errors_that_say_all_are_one_line_wherever_they_come_from(broken, capsys, fails, message):
    assert run(broken, "--agent", "own", "--fails", fails) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_a_sweep_keeps_the_traceback_with_what_was_at_work(broken, tmp_path, capsys):
    study = (
        "seeds: [0]\nplugins: [broken.py]\nsettings: {few: {env: SignalEnv-reviews-v0}}\n"
        "defaults: {tensorboard: false, options: {pool_size: 40, round_size: 10, evaluation_size: 40, budget: 40}}\n"
        "methods: {own: {agent: own, agent_options: {fails: act}}}\n"
    )
    (tmp_path / "study.yaml").write_text(study)
    assert main(["sweep", str(tmp_path / "study.yaml"), "--out", str(tmp_path / "out"), "--workers", "0"]) == 1
    said = capsys.readouterr().out
    assert "few/own/seed-0: ValueError: operands could not be broadcast" in said
    assert "(this came out of the agent Own (act))" in said
    kept = (tmp_path / "out" / "few" / "own" / "seed-0" / "error.txt").read_text()
    assert f'File "{broken}"' in kept
    assert "This came out of the agent Own (act).\nIt was in round 3." in kept


def test_a_bug_of_ours_keeps_its_traceback(monkeypatch):
    def bug(*_):
        raise AssertionError("two and two")

    monkeypatch.setattr("experiments.run.play", bug)
    with pytest.raises(AssertionError, match="two and two"):
        main(["run"])


def file(folder, name="file"):
    (folder / name).write_text("nothing\n")
    return str(folder / name)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["run", "--seed", "-1"], "seed must be a whole number of at least 0; got -1"),
        (["run", "--env", "CartPole-v1"], "'CartPole-v1' is no environment of signal_env"),
        (["run", "--env", "no_such_module:Own-v0"], "No module 'no_such_module'"),
        (["run", "--num-envs", "0"], "num_envs"),
        (["run", "--device", "nowhere"], "nowhere"),
        (["run", "--out", "{file}/run"], "file"),
        (["run", "--config", "{folder}"], "cannot be read"),
        (["run", "--config", "{binary}"], "cannot be read"),
        (["run", "--resume", "{folder}"], "holds no run"),
        (["run", "--data-dir", "{folder}/nowhere"], "expected"),
        (
            ["run", "--classifier-options", "class_weight", "heavy"],
            "class_weight of the classifier 'linear' must be",
        ),
        (["run", "--agent", "bgadl", "--real-share", "2"], "real_share must be from 0 to 1; got 2.0"),
        (["run", "--agent", "ppo", "--mini-batches", "3"], "mini_batches divides"),
        (["run", "--agent", "ppo", "--trl", "learning_rate", "1"], "trl cannot set 'learning_rate'"),
        (["run", "--agent", "sb3", "--policy", "{folder}"], "holds no policy"),
        (["compare", "--agents", "nobody"], "Unknown agent 'nobody'"),
        (["compare", "--seeds", "0"], "seeds"),
        (["train", "--timesteps", "0"], "timesteps is at least 1"),
        (["train", "--seed", "-5000"], "seed must be a whole number of at least 0; got -5000"),
        (["train", "--sb3", "n_step", "8"], "n_steps"),
        (["train", "--learning-rate", "-1"], "learning_rate must be a number above 0; got -1.0"),
        (["sweep", "{folder}"], "No study"),
        (["sweep", "{binary}"], "cannot be read"),
        (["sweep", "pool", "--out", "{file}/out", "--workers", "0"], "file"),
        (["report", "{file}"], "is no folder"),
        (["report"], "Report on which runs?"),
        (["summary", "{folder}"], "No finished run to read"),
        (["rescore", "{folder}", "--reward", "signal"], "holds no run"),
        (["bench", "classifiers", "--recipes", "none"], "Expected recipes among"),
        (["bench", "generation"], "--agent ppo, rloo or grpo"),
        (["annotator", "--task", "nothing"], "Unknown task 'nothing'"),
        (["annotator", "--task", "reviews", "--encoder", "embedded", "--holdout", "2"], "above 0 and below 1"),
    ],
)
def test_bad_input_is_one_line_in_every_command(tmp_path, capsys, args, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\xff")
    places = {"file": file(tmp_path), "folder": str(tmp_path / "empty"), "binary": str(tmp_path / "binary.yaml")}
    args = [argument.format(**places) for argument in args]
    if args[0] in ("run", "train", "compare") and "--out" not in args and "--resume" not in args:
        args += ["--out", str(tmp_path / "run")]
    assert main(args) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (tmp_path / "run").exists()
