"""Studies: settings x methods x seeds, and what is said of each run."""

import dataclasses
from pathlib import Path

import pytest
import yaml

from agents.agent import agents
from agents.pool import pool_agent
from experiments.config import RunError
from experiments.study import STUDIES, Study, read_study

STUDY = """
caption: A small one.
seeds: [3, 5]
defaults: {options: {pool_size: 40, round_size: 10}}
settings:
  easy: {env: SignalEnv-reviews-v0}
  hard: {env: SignalEnv-reviews-v0, options: {round_size: 20}}
methods:
  random: {agent: random}
  writes: {agent: generator, num_envs: 10, options: {offers_per_round: 20}, agent_options: {top_p: 0.9}}
overrides:
  - {settings: [hard], methods: [w*], options: {offers_per_round: 40}, agent_options: {max_new_tokens: 8}}
  - {settings: [hard], options: {n_neighbors: 3}}
"""


def write(tmp_path, text):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    return str(file)


def test_what_is_more_special_goes_before(tmp_path):
    study = read_study(write(tmp_path, STUDY), tmp_path / "out")
    assert study.name == "mine"
    runs = {run.folder.relative_to(tmp_path / "out").as_posix(): run for run in study.runs}
    assert list(runs) == [
        f"{setting}/{method}/seed-{seed}"
        for seed in (3, 5)
        for setting in ("easy", "hard")
        for method in ("random", "writes")
    ]
    easy, hard = runs["easy/writes/seed-5"], runs["hard/writes/seed-5"]
    assert (easy.setting, easy.method, easy.seed, easy.num_envs) == ("easy", "writes", 5, 10)
    assert (easy.options.round_size, easy.options.offers_per_round, easy.options.n_neighbors) == (10, 20, 10)
    assert (hard.options.round_size, hard.options.offers_per_round, hard.options.n_neighbors) == (20, 40, 3)
    assert (hard.agent_options.top_p, hard.agent_options.max_new_tokens) == (0.9, 8)
    assert (easy.options.selection, runs["hard/random/seed-3"].options.selection) == ("acquisition", "submitted")
    assert runs["hard/random/seed-3"].options.n_neighbors == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": "3"}, "seeds are a list or a whole number from 1; got '3'"),
        ({"seeds": -3}, "seeds are a list or a whole number from 1; got -3"),
        ({"seeds": True}, "seeds are a list or a whole number from 1; got True"),
        ({"seeds": [-1]}, "seeds are whole numbers from 0"),
        ({"seeds": [0.5]}, "seeds are whole numbers from 0"),
        ({"methods": {"random": {"agent": "random", "seeds": 0}}}, "the seeds of easy/random are a list or a whole"),
        ({"overrides": [{"seeds": [1, 1]}]}, "the seeds of easy/random are different"),
        ({"seeds": []}, "it needs seeds"),
        ({"seeds": [3, 3]}, "seeds are different"),
        ({"overrides": ["hard"]}, "overrides\\[0\\] must be a mapping; got 'hard'"),
        ({"overrides": [{"settings": "hard"}]}, "a list of names as settings; got 'hard'"),
        (
            {"overrides": [{"methods": ["write"]}]},
            "an override is for 'write', and none of the methods has such a name",
        ),
        ({"methods": {"random": ["agent"]}}, "methods\\['random'\\] must be a mapping"),
        ({"setings": {}}, "it has no setings"),
        ({"metric": "f1"}, "a report has no f1. Known: accuracy, macro_f1, nll"),
        ({"methods": {"a/b": {"agent": "random"}}}, "names of folders too; got 'a/b'"),
        ({"name": "../../escaped"}, "name of a study is the name of a folder too; got '../../escaped'"),
        ({"name": ""}, "name of a study is the name of a folder too; got ''"),
        ({"methods": {"random": {"agnet": "random"}}}, "a run has no agnet"),
        ({"methods": {"random": {}}}, "random names no agent"),
        ({"methods": {"random": {"agent": "randon"}}}, "randon"),
        ({"settings": {"easy": {}}}, "easy names no env"),
        ({"defaults": {"options": {"pool": 3}}}, "The environment has no option pool"),
        ({"defaults": {"options": [3]}}, "options must be a mapping"),
    ],
)
def test_what_a_study_cannot_say(tmp_path, change, message):
    with pytest.raises(RunError, match=message):
        read_study(write(tmp_path, yaml.safe_dump(yaml.safe_load(STUDY) | change)))


def test_a_path_among_an_agents_own_options_starts_from_the_studys_folder(tmp_path, monkeypatch):
    @dataclasses.dataclass
    class Reader(pool_agent("random")):
        """An agent that needs a file."""

        notes: Path | None = None

    monkeypatch.setitem(agents._entries, "reader", Reader)
    (tmp_path / "notes.txt").write_text("some")
    parts = {"settings": {"few": {"env": "SignalEnv-reviews-v0"}}, "defaults": {"agent": "reader"}, "seeds": 1}
    parts["methods"] = {"own": {"agent_options": {"notes": "notes.txt"}}, "other": {"agent": "random"}}
    runs = read_study(write(tmp_path, yaml.safe_dump(parts))).runs
    notes = {run.method: getattr(run.agent_options, "notes", None) for run in runs}
    assert notes == {"own": tmp_path / "notes.txt", "other": None}


def test_what_is_no_study(tmp_path):
    with pytest.raises(RunError, match=r"No study 'figure4': .*figure3-small"):
        read_study("figure4")
    with pytest.raises(RunError, match="is not valid YAML"):
        read_study(write(tmp_path, "a: [b"))
    with pytest.raises(RunError, match="it is a mapping with"):
        read_study(write(tmp_path, "- a"))


@pytest.mark.parametrize("file", sorted(STUDIES.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_study_of_the_package_is_one(file):
    study = read_study(file.stem)
    assert len({run.folder for run in study.runs}) == len(study.runs) > 0
    played = {}
    for run in study.runs:
        played.setdefault((run.setting, run.method), set()).add(run.seed)
    assert len(set.intersection(*played.values())) >= 3  # to compare all of them
    for run in study.runs:
        one_update = (run.num_envs or 1) // (getattr(run.agent_options, "mini_batches", None) or 1)
        assert one_update % (getattr(run.agent_options, "texts_per_pass", None) or 1) == 0, run.folder


def test_a_setting_may_name_the_methods_that_play_it(tmp_path):
    parts = yaml.safe_load(STUDY)
    parts["settings"]["easy"]["methods"] = ["r*"]
    runs = Study(**parts, out=tmp_path).runs
    played = {(run.setting, run.method) for run in runs}
    assert played == {("easy", "random"), ("hard", "random"), ("hard", "writes")}
    parts["settings"]["easy"]["methods"] = ["entropy"]
    with pytest.raises(RunError, match="easy is for 'entropy', and none of the methods has such a name"):
        Study(**parts)


def test_methods_settings_and_overrides_may_have_seeds_of_their_own(tmp_path):
    parts = yaml.safe_load(STUDY)
    parts["seeds"] = 2
    parts["settings"]["hard"]["seeds"] = [7]
    parts["methods"]["random"]["seeds"] = 4
    parts["methods"]["margin"] = {"agent": "margin"}
    parts["overrides"].append({"settings": ["hard"], "methods": ["random"], "seeds": [2, 9]})
    runs = Study(**parts, out=tmp_path).runs
    played = {}
    for run in runs:
        played.setdefault((run.setting, run.method), []).append(run.seed)
    assert played == {
        ("easy", "random"): [0, 1, 2, 3],  # the method's
        ("easy", "writes"): [0, 1],  # the study's
        ("easy", "margin"): [0, 1],
        ("hard", "random"): [2, 9],  # the override's
        ("hard", "writes"): [7],  # the setting's
        ("hard", "margin"): [7],
    }
    assert [run.seed for run in runs] == [0] * 3 + [1] * 3 + [2] * 2 + [3, 9, 7, 7]
    assert {run.options.round_size for run in runs} == {10, 20}


def test_seeds_of_a_study_made_in_python_survive_its_file(tmp_path):
    settings = {"easy": {"env": "SignalEnv-reviews-v0", "methods": ("r*", "m*")}}
    methods = {"random": {"agent": "random", "seeds": range(5)}, "margin": {"agent": "margin", "seeds": (8, 1)}}
    made = Study(settings, methods, seeds=1, name="mine", out=tmp_path / "out")
    assert [(run.method, run.seed) for run in made.runs if run.method == "margin"] == [("margin", 1), ("margin", 8)]
    assert read_study(write(tmp_path, made.text), tmp_path / "out").runs == made.runs


def test_a_study_made_in_python_is_the_one_in_its_file(tmp_path):
    read = read_study(write(tmp_path, STUDY), tmp_path / "out")
    made = Study(**yaml.safe_load(STUDY), name="mine", out=tmp_path / "out")
    assert made.runs == read.runs
    assert read.text == STUDY
    assert read_study(write(tmp_path, made.text), tmp_path / "out").runs == read.runs
