"""Reading run folders: what is whole is read as it is, and what is not is said and never stops the rest."""

import json
import shutil

import numpy as np
import pytest
import yaml

from experiments.runs import read_runs


@pytest.fixture
def copied(played, tmp_path):
    """The played runs, to be changed."""
    return shutil.copytree(played, tmp_path / "runs")


def change(folder, **values):
    config = yaml.safe_load((folder / "config.yaml").read_text())
    (folder / "config.yaml").write_text(yaml.safe_dump(config | values))


def test_all_rounds_below_a_folder_are_read(played):
    runs = read_runs([played])
    assert runs.problems == []
    assert list(runs.configs) == sorted(str(file.parent) for file in played.rglob("rounds.jsonl"))
    for (method, seed), run in runs.rounds.groupby(["method", "seed"]):
        lines = (played / method / f"seed-{seed}" / "rounds.jsonl").read_text().splitlines()
        assert run["accuracy"].tolist() == [json.loads(line)["accuracy"] for line in lines]
        assert run["share"].tolist() == [labeled / 40 for labeled in run["labeled"]]
        assert set(run["folder"]) == {str(played / method / f"seed-{seed}")}
    assert set(runs.rounds["setting"]) == {"SignalEnv-reviews-v0"}
    assert set(runs.rounds["task"]) == {"reviews"}
    assert set(runs.metrics["method"]) == {"generator"}
    assert runs.metrics["reward/mean"].notna().all()
    assert runs.configs[str(played / "random" / "seed-1")]["seed"] == 1


def test_a_run_counts_once_however_it_is_reached(played):
    runs = read_runs([played, played / "random", played / "random" / ".." / "random" / "seed-0"])
    assert runs.problems == []
    assert len(runs.configs) == 6


def test_of_copies_in_two_studies_one_is_used(played, copied):
    alone = read_runs([played])
    both = read_runs([played, copied])
    assert both.problems == []
    assert both.rounds.drop(columns="folder").equals(alone.rounds.drop(columns="folder"))
    assert len(both.metrics) == len(alone.metrics)
    change(copied / "entropy" / "seed-0", num_envs=5)
    file = copied / "random" / "seed-1" / "rounds.jsonl"
    file.write_text(file.read_text().replace('"labeled": 20', '"labeled": 21'))
    otherwise = read_runs([played, copied])
    harmed = [folder / name for folder in (played, copied) for name in ("entropy/seed-0", "random/seed-1")]
    assert {folder for folder, _ in otherwise.problems} == set(map(str, harmed))
    assert all("they are not copies; none of them was used" in what for _, what in otherwise.problems)
    (changed,) = (what for folder, what in otherwise.problems if folder == str(copied / "entropy" / "seed-0"))
    assert changed.endswith("none of them was used. num_envs differ: play one of them with --method NAME")
    assert len(otherwise.configs) == 4


def test_setting_and_method_are_those_of_the_configuration(copied):
    change(copied / "random" / "seed-0", setting="small", method="chance")
    rounds = read_runs([copied / "random"]).rounds
    assert set(zip(rounds["setting"], rounds["method"], strict=True)) == {
        ("small", "chance"),
        ("SignalEnv-reviews-v0", "random"),
    }


def torn(folder):
    file = folder / "rounds.jsonl"
    file.write_bytes(file.read_bytes()[:-20])


def unfinished(folder):
    file = folder / "rounds.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:2]))


def without(name):
    return lambda folder: (folder / name).unlink()


def replaced(name, content):
    return lambda folder: (folder / name).write_bytes(content)


def of_an_earlier_version(folder):
    file = folder / "rounds.jsonl"
    file.write_text(file.read_text().replace('"finished"', '"done"'))


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (torn, "torn after 3 rounds"),
        (unfinished, "not finished (20 of 40 labels)"),
        (without("rounds.jsonl"), "rounds.jsonl cannot be read: No such file"),
        (without("config.yaml"), "config.yaml cannot be read"),
        (replaced("rounds.jsonl", b""), "no round yet"),
        (replaced("rounds.jsonl", b"[1]\n"), "torn after 0 rounds"),
        (replaced("rounds.jsonl", b"\xff\xfe\x00\n"), "torn after 0 rounds"),
        (replaced("config.yaml", b"seed: [0\n"), "is not valid YAML"),
        (replaced("config.yaml", b"\xff\xfe\x00"), "config.yaml cannot be read"),
        (replaced("config.yaml", b"env: e\nagent: a\nseed: one\n"), "the seed a whole number"),
        (replaced("config.yaml", b"env: e\nagent: a\nseed: 0\noptions: 3\n"), "its options are no mapping"),
        (of_an_earlier_version, "an earlier version wrote it: its rounds lack finished"),
        (lambda folder: change(folder, seed=1), "and they are not copies; none of them was used"),
    ],
)
def test_a_folder_that_cannot_be_used_is_named_and_left_out(copied, harm, message):
    folder = copied / "entropy" / "seed-0"
    harm(folder)
    runs = read_runs([copied])
    assert str(folder) in dict(runs.problems)
    assert message in dict(runs.problems)[str(folder)]
    assert str(folder) not in runs.configs
    used = {str(file.parent) for file in copied.rglob("config.yaml")} - dict(runs.problems).keys()
    assert set(runs.configs) == used
    assert len(used) >= 4


def test_a_torn_line_of_another_log_costs_no_more_than_itself(copied):
    folder = copied / "generator" / "seed-0"
    whole = read_runs([copied])
    file = folder / "metrics.jsonl"
    count = file.read_text().count("\n")
    file.write_bytes(file.read_bytes()[:-20])
    (folder / "cost.jsonl").write_text('{"round": 1, "seconds": 2.5}\n{"round": "two"}\n')
    runs = read_runs([copied])
    assert runs.problems == [
        (str(folder), f"metrics.jsonl is torn after {count - 1} lines; the rest was left out"),
        (str(folder), "cost.jsonl has lines that are not numbers of a round; they were left out"),
    ]
    assert len(runs.rounds) == len(whole.rounds)
    assert len(runs.metrics) == len(whole.metrics) - 1
    cost = runs.cost[(runs.cost["method"] == "generator") & (runs.cost["seed"] == 0)]
    assert cost["seconds"].tolist() == [2.5]
    assert np.isnan(cost["memory"]).all()
    assert runs.cost["seconds"].notna().all()


def test_seeds_of_unlike_runs_are_named(copied):
    folder = copied / "random" / "seed-1"
    config = yaml.safe_load((folder / "config.yaml").read_text())
    change(folder, options=config["options"] | {"n_neighbors": 3})
    runs = read_runs([copied])
    assert [folder for folder, _ in runs.problems] == [str(folder)]
    assert "options.n_neighbors" in runs.problems[0][1]
    assert str(folder) in runs.configs


def test_an_earlier_run_that_is_put_aside_is_not_read(copied):
    folder = copied / "random" / "seed-0"
    shutil.copytree(folder, folder / ".replaced")
    shutil.copytree(folder, copied / ".hidden")
    assert read_runs([copied]).problems == []


def test_nothing_to_read_is_an_error_that_says_what_was_found(copied, tmp_path):
    torn(copied / "random" / "seed-0")
    with pytest.raises(ValueError, match=r"No finished run.*\n.*seed-0: .*torn after 3 rounds"):
        read_runs([copied / "random" / "seed-0"])
    with pytest.raises(ValueError, match="is no folder"):
        read_runs([tmp_path / "nowhere"])
