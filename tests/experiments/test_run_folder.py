"""Folders that `Record` wrote are runs, and a task of one's own has its own name."""

import json
import shutil
from contextlib import closing

import gymnasium as gym
import numpy as np
import pytest
import yaml

from experiments import read_runs
from experiments.__main__ import main
from experiments.run_folder import read_log, setting_of, task_of
from signal_env.tasks import get_task
from signal_env.wrappers import Record, VectorRecord

REVIEWS = "SignalEnv-reviews-v0"
SMALL = {"pool_size": 20, "round_size": 5, "evaluation_size": 20, "budget": 15, "selection": "submitted"}


def play_episode(env, seed):
    """Submit the first unlabeled texts to the end."""
    env.reset(seed=seed)
    ended = False
    while not ended:
        for text in env.get_wrapper_attr("unlabeled").texts[:5]:
            *_, terminated, truncated, _ = env.step(text)
        ended = terminated or truncated


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """The folder of two seeds of a policy in a folder each, and of two seeds of another one in one folder."""
    folder = tmp_path_factory.mktemp("recorded")
    for seed in (0, 1):
        with Record(gym.make(REVIEWS, **SMALL), folder / f"mine-{seed}", method="mine") as env:
            play_episode(env, seed)
    with Record(gym.make(REVIEWS, reward=lambda texts: [1.0] * len(texts), **SMALL), folder / "both") as env:
        for seed in (0, 1):
            play_episode(env, seed)
    return folder


def test_recorded_folders_are_runs(recorded):
    runs = read_runs(recorded)
    assert [*runs.rounds.groupby(["method", "seed"]).groups] == [(m, s) for m in ("both", "mine") for s in (0, 1)]
    assert set(runs.rounds["setting"]) == {REVIEWS}
    assert set(runs.rounds["task"]) == {"reviews"}
    assert runs.rounds.groupby(["method", "seed"])["labeled"].agg(list).tolist() == [[5, 10, 15]] * 4
    assert runs.problems == []
    mine, both = (runs.rounds[runs.rounds["method"] == method].reset_index() for method in ("mine", "both"))
    assert mine["accuracy"].equals(both["accuracy"])  # the same texts
    assert runs.configs[str(recorded / "mine-0")]["options"]["pool_size"] == 20
    assert runs.configs[f"{recorded / 'both'}#2"]["options"]["reward"]["object"].endswith("<lambda>")


def test_the_texts_of_episodes_in_one_folder_are_told_apart(recorded):
    runs = read_runs(recorded)
    for table in (runs.offers, runs.labels):
        by_run = table.groupby(["method", "seed"])["text"].agg(list)
        for seed in (0, 1):
            assert by_run["both", seed] == by_run["mine", seed]
        assert by_run["mine", 0] != by_run["mine", 1]


def test_they_are_summarized_and_reported(recorded, tmp_path, capsys):
    assert main(["summary", str(recorded)]) == 0
    shown = capsys.readouterr().out
    assert "mine" in shown
    assert "both" in shown
    assert main(["report", str(recorded), "--out", str(tmp_path)]) == 0
    assert "mine" in (tmp_path / "tables" / "accuracy.csv").read_text()


def test_what_cannot_be_read_of_a_recorded_folder_is_named(recorded, tmp_path):
    with closing(VectorRecord(gym.make_vec(REVIEWS, num_envs=5, **SMALL), tmp_path / "vector")) as envs:
        for seed in (3, None):
            envs.reset(seed=seed)
            for _ in range(2):
                envs.step(envs.unwrapped.unlabeled.texts[:5])
    runs = read_runs(tmp_path)
    assert set(zip(runs.rounds["method"], runs.rounds["seed"], strict=True)) == {("vector", 3)}
    ((folder, reason),) = runs.problems
    assert folder == f"{tmp_path / 'vector'}#2"
    assert "reset without a seed" in reason
    torn = shutil.copytree(recorded / "mine-0", tmp_path / "torn")
    line = json.loads((torn / "episodes.jsonl").read_text())
    del line["env"]
    (torn / "episodes.jsonl").write_text(json.dumps(line) + "\n")
    assert (str(torn), "line 1 of episodes.jsonl lacks env; record the episodes again") in read_runs(tmp_path).problems


def test_the_folder_of_a_run_has_no_episodes(played):
    assert not list(played.rglob("episodes.jsonl"))


def test_a_part_of_a_log_is_read(tmp_path):
    lines = [b'{"a": 1}\n', b'{"a": 2}\n', b'{"a": 3}\n']
    (tmp_path / "log.jsonl").write_bytes(b"".join(lines))
    ends = np.cumsum([0, *map(len, lines)])
    for i in range(3):
        assert read_log(tmp_path / "log.jsonl", *ends[i : i + 2].tolist()) == ([{"a": i + 1}], False)
    assert read_log(tmp_path / "log.jsonl", int(ends[1])) == ([{"a": 2}, {"a": 3}], False)


def test_a_task_of_one_s_own_has_its_name(colors_task, tmp_path, capsys):
    args = ["--task", colors_task, "--pool-size", "12", "--round-size", "6", "--classifier", "linear"]
    args += ["--encoder", "embedded", "--no-tensorboard", "--out", str(tmp_path / "run")]
    assert main(["run", "--env", "SignalEnv-v0", *args]) == 0
    shown = capsys.readouterr().out
    assert "colors" in shown
    assert "SignalEnv-v0 " not in shown.replace("random on SignalEnv-v0", "")
    assert set(read_runs(tmp_path).rounds["setting"]) == {"colors"}
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    (tmp_path / "run" / "config.yaml").write_text(yaml.safe_dump(config | {"setting": "mine"}))
    assert set(read_runs(tmp_path).rounds["setting"]) == {"mine"}


def test_settings_have_the_name_of_the_environment_or_of_the_task():
    assert setting_of("SignalEnv-sst2-v0", {"task": "sst2"}) == "SignalEnv-sst2-v0"
    assert setting_of("signal_env:SignalEnv-v0", {"task": "stars/stars.yaml"}) == "stars"
    assert task_of("SignalEnv-v0", {"task": get_task("trec")}) == "trec"
    assert task_of("SignalEnv-v0", {"task": {"object": "signal_env.tasks:Task", "name": "shop"}}) == "shop"
