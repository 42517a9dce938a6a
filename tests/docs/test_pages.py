"""The examples and commands of the documentation work."""

import json
import os
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from experiments.__main__ import COMMANDS, main

ROOT = Path(__file__).parents[2]
PAGES = [file for file in sorted((ROOT / "docs").rglob("*.md")) if file.parent.name != "api"]


def blocks(file: Path, *languages: str) -> list[str]:
    """Return a page's code blocks in some languages."""
    text = file.read_text(encoding="utf-8")
    return re.findall(rf"```(?:{'|'.join(languages)})\n(.*?)```", text, flags=re.DOTALL)


EXAMPLES = [
    pytest.param(block, id=f"{file.stem}-{i}") for file in PAGES for i, block in enumerate(blocks(file, "python"))
]


@pytest.mark.parametrize("block", EXAMPLES)
def test_every_python_example_runs_alone(block, run_example, tmp_path, read_events, capsys):
    names = run_example(block, "docs")
    if "runs/mine" in block:  # the page of TensorBoard
        events = read_events(tmp_path / "runs" / "mine")
        assert [value for _, value in events["reward_raw/cheers"]] == [1.0]
        assert [value for _, value in events["losses/loss"]] == [0.5]
    if "select(" in block:
        assert len(set(names["batch"])) == 100
    if "small" in names:
        assert capsys.readouterr().out.splitlines()[-1].startswith("100 ")


def commands() -> list[str]:
    """Return the commands of the README and the pages, with the first values of their loops, and without repeats."""
    found: dict[str, None] = {}
    for file in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES):
        for block in blocks(file, "shell", "sh"):
            text = re.sub(r"\s#.*", "", block).replace("\\\n", " ")
            for name, values in re.findall(r"for (\w+) in (.*?);", text):
                first = "0" if values.startswith("$(") else values.split()[0]
                text = text.replace(f"${name}", first)
            for command in re.findall(r"python -m experiments ([^;&\n]+)", text):
                found[command.strip()] = None
    return list(found)


OWN = {"mine.py": ("plugins.md", 0), "my_agent.py": ("scoreboard.md", 0), "my_model.py": ("agents/sb3.md", 2)}
"""The files of one's own that pages show, each with its page and its place among the page's examples."""


def own(name: str) -> str:
    """Return the content of a file of one's own."""
    page, place = OWN[name]
    return blocks(ROOT / "docs" / page, "python")[place]


@pytest.mark.parametrize("command", commands())
def test_every_command_is_understood(command, monkeypatch, tmp_path, forget_plugins):
    arguments = shlex.split(command)
    if shown := OWN.keys() & set(arguments):
        monkeypatch.chdir(tmp_path)
        for name in shown:
            Path(name).write_text(own(name))
    if "--help" in arguments:
        with pytest.raises(SystemExit, match="0"):
            main(arguments)
        return
    if "--resume" in arguments:
        pytest.skip("reads the run's folder")
    name = next(name for name in COMMANDS if arguments[: len(name.split())] == name.split())
    module, seen = import_module(f"experiments.{name.replace(' ', '.')}"), []

    def record(config):
        seen.append(config)

    record.__annotations__ = dict(module.main.__annotations__)
    monkeypatch.setattr(module, "main", record)
    assert main(arguments) == 0
    assert len(seen) == 1


def test_a_model_in_a_file_of_ones_own_plays_by_name(monkeypatch, tmp_path, forget_plugins):
    monkeypatch.chdir(tmp_path)
    Path("my_model.py").write_text(own("my_model.py"))
    subprocess.run([sys.executable, "my_model.py"], env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)
    (command,) = (shlex.split(one) for one in commands() if "--agent my_model" in one)
    assert main([*command, "--out", "run", "--no-tensorboard"]) == 0
    rounds = [json.loads(line) for line in Path("run/rounds.jsonl").read_text().splitlines()]
    assert [line["labeled"] for line in rounds][:2] == [10, 20]
    assert rounds[-1]["finished"]


def test_there_are_commands_and_examples():
    assert len(commands()) > 15
    assert len(EXAMPLES) > 12
