"""Configurations and runs whose plugins bring agents with paths among their own options."""

import sys

import pytest

from agents.agent import agents
from experiments import plugins
from experiments.__main__ import main
from experiments.config import make_config, read_yaml
from experiments.parsing import parse
from experiments.run import play

TINY = {"pool_size": 30, "round_size": 10, "classifier": "linear", "evaluation_size": 10}

AGENT = """
import dataclasses
from pathlib import Path

from agents.agent import agents
from agents.pool import pool_agent


@agents.register("NAME")
@dataclasses.dataclass
class Own(pool_agent("entropy")):
    notes: Path | None = None

    def reset(self, envs, seed):
        assert self.notes.read_text() == "some"
        super().reset(envs, seed)
"""


@pytest.fixture
def written(tmp_path, monkeypatch, forget_plugins):
    """Return a function that writes a plugin with the agent of a name, and its notes, into a folder."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)

    def write(folder, name):
        folder.mkdir(parents=True)
        (folder / f"{name}.py").write_text(AGENT.replace("NAME", name))
        (folder / "notes.txt").write_text("some")
        return folder

    return write


def forget(name):
    """Leave the process as one that has not imported the plugin of this agent."""
    del agents._entries[name]
    plugins._loaded.clear()
    sys.modules.pop(name)


def interrupt(labeled, *_):
    if labeled == 20:
        raise KeyboardInterrupt


def test_a_new_process_resumes_a_run_whose_agent_has_a_path_of_its_own(written, tmp_path):
    run, name = tmp_path / "run", "noting_resumed"
    written(run / "files", name)
    config = make_config(
        "SignalEnv-reviews-v0",
        name,
        options=TINY,
        agent_options={"notes": str(run / "files" / "notes.txt")},
        tensorboard=False,
        plugins=[str(run / "files" / f"{name}.py")],
        out=run,
    )
    with pytest.raises(KeyboardInterrupt):
        play(config, interrupt)
    assert read_yaml(run / "config.yaml")["agent_options"] == {"notes": "./files/notes.txt"}
    forget(name)
    moved = run.rename(tmp_path / "moved")
    play(parse(["--resume", str(moved)]), resume=True)
    assert (moved / "finished").is_file()
    (tmp_path / "new").mkdir()
    notes = (moved / "files" / "notes.txt").rename(tmp_path / "new" / "notes.txt")
    forget(name)
    play(parse(["--resume", str(moved), "--notes", str(notes)]), resume=True)
    assert read_yaml(moved / "config.yaml")["agent_options"] == {"notes": str(notes)}


def test_a_path_of_an_agents_own_starts_from_the_configurations_folder(written, tmp_path):
    files, name = written(tmp_path / "files", "noting_configured"), "noting_configured"
    lines = f"plugins: [{name}.py]\nagent: {name}\nagent_options: {{notes: notes.txt}}\n"
    (files / "mine.yaml").write_text(lines)
    run = parse(["--config", str(files / "mine.yaml")])
    assert run.agent_options.notes == files / "notes.txt"
    (files / "bare.yaml").write_text(lines.replace(f"agent: {name}\n", ""))
    forget(name)
    run = parse(["--config", str(files / "bare.yaml"), "--agent", name])
    assert run.agent_options.notes == files / "notes.txt"


@pytest.mark.parametrize("line", ["resume: runs/mine", "config: other.yaml"])
def test_options_of_the_command_line_alone_are_refused_in_a_file(tmp_path, capsys, line):
    (tmp_path / "mine.yaml").write_text(f"{line}\n")
    assert main(["run", "--config", str(tmp_path / "mine.yaml")]) == 1
    assert f"mine.yaml: {line.partition(':')[0]} is an option of the command line" in capsys.readouterr().err
