"""Folders may be copied and moved: paths are relative to what is copied, and compared by content."""

import dataclasses
import os
import shutil
from pathlib import Path

import pytest

from agents.agent import Agent, agents
from experiments.__main__ import main
from experiments.config import RunError, configuration_of, make_config, read_yaml, values_of
from experiments.identity import differences
from experiments.places import existing, path_options, read, written
from experiments.report import ReportConfig
from experiments.report import main as report
from experiments.run import finished, play
from experiments.runs import read_runs
from experiments.study import Study, read_study
from signal_env.classifiers.pretrained import EMBEDDED

LOGS = ("rounds.jsonl", "offers.jsonl", "labels.jsonl", "content.json")

TASK = 'name: mood\ninstruction: "Write one:"\nclass_names: [bad, good]\n'

AGENT = """
import dataclasses

from agents.agent import agents
from agents.pool import pool_agent


@agents.register("{name}")
@dataclasses.dataclass
class Own(pool_agent("entropy")):
    pass
"""

STUDY = """
# Two methods on a task of one's own.
plugins: [files/{name}.py]
defaults:
  tensorboard: false
  options:
    task: files/mood.yaml
    encoder: files/encoder
    pool_size: 30
    round_size: 10
    classifier: linear
    annotator: gold
settings:
  mood: {{env: SignalEnv-v0}}
methods:
  random: {{agent: random}}
  {name}: {{agent: {name}}}
seeds: 1
"""


@dataclasses.dataclass
class Reader(Agent):
    """An agent that needs a file."""

    notes: Path

    def act(self, observations):
        return ["" for _ in observations["prompt"]]


def write_files(folder):
    """Write a task with its data and an encoder to a folder."""
    folder.mkdir(parents=True)
    (folder / "mood.yaml").write_text(TASK)
    for split, n in (("train", 40), ("test", 10)):
        rows = [f"a {word} film {i},{label}" for i in range(n // 2) for word, label in (("warm", 1), ("dull", 0))]
        (folder / f"{split}.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    shutil.copytree(EMBEDDED / "encoder", folder / "encoder")


def options_of(folder):
    sizes = {"pool_size": 30, "round_size": 10, "classifier": "linear", "annotator": "gold"}
    return {"task": str(folder / "mood.yaml"), "encoder": str(folder / "encoder"), **sizes}


def interrupt(labeled, *_):
    if labeled == 20:
        raise KeyboardInterrupt


def begin(run):
    """Play a run's first two rounds."""
    with pytest.raises(KeyboardInterrupt):
        play(run, interrupt)


def logs(folder):
    return [(folder / name).read_bytes() for name in LOGS]


@pytest.fixture
def files(tmp_path):
    write_files(tmp_path / "files")
    return tmp_path / "files"


def test_a_run_that_moved_with_its_files_goes_on_there(files, tmp_path):
    whole = make_config("SignalEnv-v0", "random", options=options_of(files), tensorboard=False, out=tmp_path / "whole")
    play(whole)
    old, new = tmp_path / "laptop" / "run", tmp_path / "cluster" / "elsewhere"
    write_files(old / "files")
    begin(dataclasses.replace(whole, options=make_config(**_moved(whole, old / "files")).options, out=old))
    plain = read_yaml(old / "config.yaml")["options"]
    assert (plain["task"], plain["encoder"]) == ("./files/mood.yaml", "./files/encoder")
    shutil.copytree(old, new)
    (old / "files" / "train.csv").write_text("text,label\nnothing,0\n")  # it is not read
    assert main(["run", "--resume", str(new)]) == 0
    assert logs(new) == logs(tmp_path / "whole")
    assert (new / "config.yaml").read_bytes() == (old / "config.yaml").read_bytes()


def _moved(run, files):
    return run.plain() | {"options": options_of(files)}


def test_a_study_that_moved_is_finished_there_and_has_the_same_report(tmp_path, monkeypatch, capsys, forget_plugins):
    old, new = tmp_path / "laptop", tmp_path / "cluster"
    name = "moved_agent"
    write_files(old / "files")
    (old / "files" / f"{name}.py").write_text(AGENT.format(name=name))
    (old / "mine.yaml").write_text(STUDY.format(name=name))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)  # relative paths start from the study's file
    assert main(["sweep", "../laptop/mine.yaml", "--out", "../laptop", "--workers", "0"]) == 0
    report(ReportConfig((old,)))
    shutil.copytree(old, new)
    shutil.rmtree(old / "files")
    capsys.readouterr()
    for study in (new / "mine.yaml", new / "study.yaml"):
        assert main(["sweep", str(study), "--out", str(new), "--workers", "0"]) == 0
        assert "2 runs, 2 of them finished" in " ".join(capsys.readouterr().out.split())
    page = (new / "report" / "index.html").read_bytes()
    shutil.rmtree(new / "report")
    report(ReportConfig((new,)))
    assert (new / "report" / "index.html").read_bytes() == page
    assert "<title>mine" in page.decode()
    assert str(tmp_path) not in (new / "study.yaml").read_text()
    run = new / "mood" / name / "seed-0"
    assert str(tmp_path) not in (run / "config.yaml").read_text()
    assert main(["rescore", str(run), "--reward", "entropy"]) == 0
    with (new / "files" / "train.csv").open("a") as rows:
        rows.write("one more,1\n")
    assert main(["sweep", str(new / "mine.yaml"), "--out", str(new), "--workers", "0"]) == 1
    assert "other content than those asked for" in capsys.readouterr().err


def test_a_run_whose_files_lie_elsewhere_is_told_where(files, tmp_path, capsys):
    run = make_config("SignalEnv-v0", "random", options=options_of(files), tensorboard=False, out=tmp_path / "run")
    begin(run)
    assert read_yaml(run.folder / "config.yaml")["options"]["encoder"] == str(files / "encoder")
    shutil.copytree(run.folder, tmp_path / "whole")
    play(dataclasses.replace(run, out=tmp_path / "whole"), resume=True)
    new = files.rename(tmp_path / "here")
    resume = ["run", "--resume", str(run.folder)]
    assert main(resume) == 1
    said = capsys.readouterr().err
    assert f"needs task at {files / 'mood.yaml'}, encoder at {files / 'encoder'}" in said
    assert f"run --resume {run.folder} --task PLACE --encoder PLACE" in said
    assert main([*resume, "--task", str(new / "mood.yaml"), "--encoder", str(new / "nowhere")]) == 1
    assert "there is no such folder" in capsys.readouterr().err
    (new / "other.yaml").write_text(TASK.replace("Write one", "Write two"))
    assert main([*resume, "--task", str(new / "other.yaml"), "--encoder", str(new / "encoder")]) == 1
    assert "task is " in capsys.readouterr().err
    assert main([*resume, "--task", str(new / "mood.yaml"), f"--encoder={new / 'encoder'}"]) == 0
    assert logs(run.folder) == logs(tmp_path / "whole")
    assert values_of(run.folder)["options"]["encoder"] == str(new / "encoder")
    assert main(["rescore", str(run.folder), "--reward", "entropy"]) == 0  # the new places are recorded
    assert main(["rescore", str(tmp_path / "whole"), "--reward", "entropy"]) == 1
    assert "Give its new place" in capsys.readouterr().err
    assert len(read_runs([tmp_path / "whole"]).rounds) == 3  # a report needs none of it
    study = Study({"a": {"env": "SignalEnv-v0"}}, {"b": {"agent": "random"}}, [0], {"options": options_of(new)})
    moved = dataclasses.replace(study.runs[0], out=run.folder, setting=None, method=None, tensorboard=False)
    assert finished(moved)


def test_a_folder_of_an_earlier_version_has_absolute_paths(tmp_path):
    write_files(tmp_path / "run" / "files")
    options = options_of(tmp_path / "run" / "files")
    run = make_config("SignalEnv-v0", "random", options=options, tensorboard=False, out=tmp_path / "run")
    begin(run)
    file = run.folder / "config.yaml"
    file.write_text(file.read_text().replace("./files", str(run.folder / "files")))
    (run.folder / "content.json").unlink()
    play(configuration_of(run.folder), resume=True)
    assert finished(run)


def test_an_option_that_differs_is_named_with_both_values(tmp_path):
    small = {"pool_size": 30, "round_size": 10, "classifier": "linear", "evaluation_size": 10}
    run = make_config("SignalEnv-reviews-v0", "random", options=small, tensorboard=False, out=tmp_path)
    begin(run)
    other = make_config(
        "SignalEnv-reviews-v0", "random", options=small | {"n_neighbors": 3}, tensorboard=False, out=tmp_path
    )
    assert differences(other) == ["n_neighbors is 10, here 3"]
    with pytest.raises(RunError, match=r"other options \(n_neighbors is 10, here 3\): compare its config.yaml"):
        play(other, resume=True)


def test_places_are_found_through_links_relative_paths_and_the_home_folder(tmp_path, monkeypatch):
    (tmp_path / "real" / "data").mkdir(parents=True)
    (tmp_path / "run").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "run" / "data").symlink_to(tmp_path / "real" / "data")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path / "real")
    data = tmp_path / "real" / "data"
    assert existing("data_dir", "data") == existing("data_dir", "~/real/data") == data
    assert existing("data_dir", "data", (tmp_path / "run", Path())) == tmp_path / "run" / "data"
    assert existing("encoder", "minilm") is existing("encoder", "no/folder") is existing("task", "data") is None

    def kept(place, out):
        return make_config("SignalEnv-sst2-v0", "random", options={"data_dir": str(place)}, out=out).absolute()

    assert kept("data", tmp_path / "run").options.data_dir == str(data)
    assert kept(tmp_path / "link" / "data", tmp_path / "run").options.data_dir == str(data)
    inside = tmp_path / "run" / "data"  # a link that is copied with the run
    assert kept(inside, tmp_path / "run").options.data_dir == str(inside)
    assert written(str(inside), tmp_path / "run", tmp_path / "run") == "./data"
    assert written(str(tmp_path / "link" / "data"), tmp_path / "real", tmp_path / "real") == "./data"
    assert read("./data", tmp_path / "link") == str(tmp_path / "link" / "data")
    assert read("data", tmp_path) == "data"


def test_a_path_among_an_agents_own_options_is_kept_and_compared_like_the_others(tmp_path, monkeypatch):
    monkeypatch.setitem(agents._entries, "reader", Reader)
    run = _with_own_agent(tmp_path / "run", tmp_path / "run" / "notes.txt")
    assert path_options(run.agent_options)[-1] == "notes"
    assert read_yaml(run.folder / "config.yaml")["agent_options"] == {"notes": "./notes.txt"}
    shutil.copytree(run.folder, tmp_path / "copy")
    run.agent_options.notes.write_text("others")
    (copied,) = (configuration_of(tmp_path / "copy"),)
    assert copied.agent_options.notes == tmp_path / "copy" / "notes.txt"
    assert differences(copied) == []
    assert [one.split(" ")[0] for one in differences(configuration_of(run.folder))] == ["notes"]


def _with_own_agent(folder, notes):
    folder.mkdir()
    notes.write_text("some")
    small = {
        "pool_size": 20,
        "round_size": 10,
        "budget": 11,
        "max_idle_rounds": 1,
        "classifier": "linear",
        "evaluation_size": 10,
    }
    run = make_config("SignalEnv-reviews-v0", "reader", agent_options={"notes": str(notes)}, options=small, out=folder)
    play(dataclasses.replace(run, tensorboard=False))
    return run


def test_a_study_file_of_ones_own_has_its_name_and_comments_in_the_folder(tmp_path):
    file = tmp_path / "few.yaml"
    file.write_text("# why\nsettings: {a: {env: SignalEnv-reviews-v0}}\nmethods: {b: {agent: random}}\nseeds: 1\n")
    study = read_study(str(file), tmp_path / "out")
    text = study.text_in(tmp_path / "out")
    assert text == file.read_text() + "name: few\n"
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "study.yaml").write_text(text)
    again = read_study(str(tmp_path / "out" / "study.yaml"))
    assert (again.name, again.text_in(tmp_path / "out")) == ("few", text)
    assert os.fspath(again.folder) == "runs/few"
