"""Training from the command line: a folder that plays, seeds of its own, and nothing lost by an interruption."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import gymnasium as gym
import pytest
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from agents.llm import FrozenGenerator
from agents.rollout import rollout
from agents.sb3 import SB3Agent
from experiments.__main__ import main
from experiments.parsing import parse
from experiments.train import EVALUATION_SEEDS, TRAINING_SEEDS, TrainConfig, environments
from signal_env.classifiers.checkpoints import ModelError

PLAIN = {"pool_size": 60, "round_size": 10, "evaluation_size": 40, "selection": "submitted"}
SMALL = ["--pool-size", "60", "--round-size", "10", "--evaluation-size", "40"]
FAST = ["--timesteps", "256", "--n-envs", "2", "--n-candidates", "6", "--hidden", "16"]
STEPS = {
    "maskable_ppo": ["--sb3", "n_steps", "64", "batch_size", "64"],
    "ppo": ["--sb3", "n_steps", "64", "batch_size", "64"],
    "a2c": [],
    "dqn": ["--sb3", "learning_starts", "50"],
}


QUICK = ["--eval-episodes", "1"]


def train(tmp_path, *args, name="trained"):
    return main(["train", *SMALL, *FAST, *QUICK, "--out", str(tmp_path / name), *args])


@pytest.mark.parametrize("algorithm", sorted(STEPS))
def test_a_training_writes_a_folder_that_plays(tmp_path, capsys, algorithm):
    options = ["--algorithm", algorithm, "--reward", "entropy", *STEPS[algorithm]]
    assert train(tmp_path, *options) == 0
    folder = tmp_path / "trained"
    assert f"--policy {folder / 'policy'}" in capsys.readouterr().out
    assert {file.name for file in folder.iterdir()} == {"config.yaml", "policy", "logs"}
    logs = {file.name.split(".")[0] for file in (folder / "logs").iterdir()}
    assert logs == {"progress", "events"}
    assert "rollout/ep_rew_mean" in (folder / "logs" / "progress.csv").read_text()
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert (config["algorithm"], config["options"]["reward"], config["hidden"]) == (algorithm, "entropy", [16])
    assert json.loads((folder / "policy" / "policy.json").read_text())["n_candidates"] == 6
    run = ["run", "--agent", "sb3", "--policy", str(folder / "policy"), *SMALL, "--out", str(tmp_path / "run")]
    assert main(run) == 0
    rounds = [json.loads(line) for line in (tmp_path / "run" / "rounds.jsonl").read_text().splitlines()]
    assert [line["labeled"] for line in rounds] == [10, 20, 30, 40, 50, 60]


def logged(folder):
    """Return the columns of SB3's log that have values, as numbers by name."""
    with (folder / "logs" / "progress.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows if row[name]] for name in rows[0]}


@pytest.mark.parametrize("algorithm", sorted(STEPS))
def test_accuracy_on_unseen_seeds_is_logged_as_it_learns_into_one_run(tmp_path, algorithm):
    options = ["--algorithm", algorithm, "--reward", "entropy", *STEPS[algorithm]]
    evaluated = ["--eval-every", "100", "--eval-episodes", "2"]
    assert train(tmp_path, *options, *evaluated) == 0
    assert train(tmp_path, *options, "--eval-every", "0", name="unseen") == 0
    folder = tmp_path / "trained"
    with_evaluation, without = (
        (tmp_path / name / "policy/policy.safetensors").read_bytes() for name in ("trained", "unseen")
    )
    assert with_evaluation == without  # what is learned does not depend on it
    log = logged(folder)
    assert not any(name.startswith("eval/") for name in logged(tmp_path / "unseen"))
    assert len(log["eval/accuracy"]) == len(log["eval/area"]) == 4 - (algorithm.endswith("ppo"))  # 0, 100, 200 and 256
    ends, areas = [], []
    for seed in (EVALUATION_SEEDS, EVALUATION_SEEDS + 1):
        envs = gym.make_vec("SignalEnv-reviews-v0", num_envs=5, **PLAIN)
        rounds = [step.round for step in rollout(envs, SB3Agent(policy=str(folder)), seed) if step.round]
        accuracies = [one["accuracy"] for one in rounds]
        ends.append(accuracies[-1])
        areas.append((accuracies[0] / 2 + sum(accuracies[1:-1]) + accuracies[-1] / 2) / (len(accuracies) - 1))
    assert log["eval/accuracy"][-1] == pytest.approx(sum(ends) / 2)
    assert log["eval/area"][-1] == pytest.approx(sum(areas) / 2)
    assert all(0.3 < accuracy <= 1 for accuracy in log["rollout/ep_accuracy_mean"])
    (events,) = (folder / "logs").glob("events.out.tfevents.*")  # 256 choices are five episodes of 50
    assert [file.name for file in (folder / "logs").iterdir() if file.is_dir()] == []
    tags = EventAccumulator(str(events)).Reload().Tags()["scalars"]
    assert {"eval/accuracy", "eval/area", "rollout/ep_accuracy_mean", "rollout/ep_rew_mean"} <= set(tags)


def test_a_training_repeats_with_its_seed(tmp_path):
    tensors = []
    for name, seed in (("one", "0"), ("two", "0"), ("three", "1")):
        assert train(tmp_path, "--seed", seed, *STEPS["maskable_ppo"], name=name) == 0
        tensors.append((tmp_path / name / "policy" / "policy.safetensors").read_bytes())
    assert tensors[0] == tensors[1] != tensors[2]


def test_experiments_are_those_of_the_training_s_own_seeds(tmp_path):
    from experiments.train import make_model

    config = parse([*SMALL, *FAST, "--seed", "3"], TrainConfig)
    envs = environments(config)
    model = make_model(config, envs)
    envs.reset()
    pools = [env.unwrapped.learner.pool for env in envs.envs]
    for i, pool in enumerate(pools):
        env = gym.make("SignalEnv-reviews-v0", pool_size=60, round_size=10)
        env.reset(seed=TRAINING_SEEDS + 3_000 + i)
        assert env.unwrapped.learner.pool == pool
    assert pools[0] != pools[1]
    assert model.get_env().num_envs == 2


def test_the_generator_is_prompted_for_the_task_as_the_options_say(tmp_path, monkeypatch):
    rows = [f"who wrote {i}?,she wrote {i},{('yes', 'no')[i % 2]}" for i in range(80)]
    for split in ("train", "test"):
        (tmp_path / f"{split}.csv").write_text("\n".join(["question,sentence,label", *rows]))
    (tmp_path / "pairs.yaml").write_text(
        "name: pairs\ninstruction: Write a pair\nclass_names: ['yes', 'no']\ncolumns: [question, sentence]\n"
    )
    made = []

    def generator(*args, **options):
        made.append(FrozenGenerator(*args, **options))
        return made[-1]

    monkeypatch.setattr("experiments.train.FrozenGenerator", generator)
    task = ["--env", "SignalEnv-v0", "--task", str(tmp_path / "pairs.yaml"), "--encoder", "embedded"]
    options = ["--generator", "embedded", "--answer", "whole", "--prompt-style", "chat"]
    envs = environments(parse([*task, *SMALL, *FAST, *options], TrainConfig))
    fields = ("Question", "Sentence")
    assert made == [FrozenGenerator("embedded", prompt_style="chat", answer="whole", fields=fields)] * 2
    with pytest.raises(ModelError, match="has no chat template: give prompt_style='continuation'"):
        envs.reset()


def heed_interrupts():
    """Give SIGINT its usual effect in a new process, also where the shell ignores it, as under `nohup`."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_an_interruption_keeps_what_was_learned(tmp_path):
    folder = tmp_path / "trained"
    command = [sys.executable, "-m", "experiments", "train", *SMALL, *FAST, *STEPS["maskable_ppo"]]
    command += ["--timesteps", "1000000", "--out", str(folder), "--processes"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, preexec_fn=heed_interrupts, start_new_session=True, **pipes) as training:
        csv = folder / "logs" / "progress.csv"
        deadline = time.monotonic() + 120
        while not (csv.is_file() and csv.stat().st_size) and training.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        os.killpg(training.pid, signal.SIGINT)  # as Ctrl-C in a terminal: the processes of environments too
        out, error = training.communicate(timeout=60)
    assert training.returncode == 130, error
    assert "what was learned until then is in" in out.replace("\n", " ")
    assert (folder / "policy" / "policy.safetensors").is_file()
    assert [file.name for file in folder.glob(".*")] == []


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--sb3", "n_step", "64"], "Did you mean 'n_steps'"),
        (["--sb3", "policy", "64"], "has no policy"),
        (["--n-envs", "0"], "n_envs is from 1 to 1000"),
        (["--eval-every", "-1"], "eval_every is at least 0"),
        (["--eval-episodes", "0"], "eval_episodes at least 1"),
        (["--env", "SignalEnv-sst3-v0"], "SignalEnv-sst2-v0"),
        (["--selection", "acquisition"], "selection='submitted'"),
        (["--n-candidates", "0"], "n_candidates must be at least 1"),
    ],
)
def test_bad_input_ends_in_one_line(tmp_path, capsys, args, message):
    assert train(tmp_path, *args) == 1
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "trained").exists()


def test_a_training_that_fails_leaves_no_policy(tmp_path):
    with pytest.raises(RuntimeError):
        train(tmp_path, "--sb3", "n_steps", "64", "batch_size", "0")
    assert not (tmp_path / "trained" / "policy").exists()


def test_the_folders_of_runs_and_trainings_are_told_apart(tmp_path, capsys):
    assert train(tmp_path, *STEPS["maskable_ppo"]) == 0
    trained, played = str(tmp_path / "trained"), str(tmp_path / "run")
    for args in (["rescore", trained, "--reward", "entropy"], ["run", "--resume", trained]):
        assert main(args) == 1
        assert "holds no run: its config.yaml names no agent" in capsys.readouterr().err
    run = ["run", *SMALL, "--agent", "sb3"]
    assert main([*run, "--policy", trained, "--out", trained]) == 1
    assert "holds a training. Give --out another folder" in capsys.readouterr().err
    assert main([*run, "--policy", trained, "--out", played]) == 0  # the policy in it is found
    assert train(tmp_path, "--out", played, "--overwrite", name="run") == 1
    assert "holds a run or a policy" in capsys.readouterr().err


def test_a_training_is_never_written_over_unless_asked(tmp_path, capsys):
    assert train(tmp_path, *STEPS["maskable_ppo"]) == 0
    before = (tmp_path / "trained" / "policy" / "policy.safetensors").read_bytes()
    assert train(tmp_path, "--seed", "1", *STEPS["maskable_ppo"]) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert (tmp_path / "trained" / "policy" / "policy.safetensors").read_bytes() == before
    assert train(tmp_path, "--seed", "1", "--overwrite", *STEPS["maskable_ppo"]) == 0
    assert (tmp_path / "trained" / "policy" / "policy.safetensors").read_bytes() != before


def test_a_training_learns_from_shaped_rewards(tmp_path):
    from signal_env.wrappers import PotentialShaping

    config = parse(
        [*SMALL, *FAST, "--shaping", "train_accuracy", "--shaping-weight", "2", "--shaping-gamma", "0.5"], TrainConfig
    )
    envs = environments(config)
    for env in envs.envs:
        found = []
        while isinstance(env, gym.Wrapper):
            found.append(type(env))
            env = env.env
        assert PotentialShaping in found
    envs.reset()
    _, _, _, infos = envs.step([0, 0])
    for info in infos:
        assert info["reward_terms"]["potential(train_accuracy)"]["weight"] == 2.0
