"""The examples are short, and run as they are with small settings."""

import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def play(tmp_path, monkeypatch, capsys, forget_plugins):
    """Return a function that runs an example in an empty folder and returns the printed lines."""
    monkeypatch.chdir(tmp_path)

    def run(name: str, *arguments: object) -> list[str]:
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out.splitlines()

    return run


def test_they_are_short_and_all_tested():
    names = {file.name: len(file.read_text(encoding="utf-8").splitlines()) for file in EXAMPLES.glob("*.py")}
    assert set(names) == {
        *("new_agent.py", "new_reward.py", "train_sb3.py", "train_trl.py", "trl_stock.py", "study.py"),
        *("write_prompts.py", "verl_reward.py", "openrlhf_reward.py", "skyrl_env.py"),  # in tests/experiments/serve
    }
    assert max(names.values()) <= 60


def test_new_agent(play):
    lines = play("new_agent.py", 1)
    assert [line.split()[0] for line in lines] == ["shortlist", "random"]
    first, last = zip(*((line.split()[4], line.split()[-1]) for line in lines), strict=True)
    assert len(set(first)) == 1  # the same initial labels
    assert len(set(last)) == 1  # the whole pool in the end


def test_new_reward(play):
    *texts, closed = play("new_reward.py")
    assert len(texts) == 4
    for line in texts:
        parts = [float(part.split()[-1]) for part in line[34:].split(",") if part.strip()[-1:].isdigit()]
        assert float(line.split()[0]) == pytest.approx(sum(parts), abs=0.005)
    assert ["variety" in line for line in texts] == [False, False, False, True]
    assert "with 8 labels" in closed


def test_train_sb3(play, tmp_path):
    pytest.importorskip("sb3_contrib", reason="needs the extra sb3")
    lines = play("train_sb3.py", 256, tmp_path / "policy")
    assert [line.split()[0] for line in lines] == ["sb3", "random"]
    assert (tmp_path / "policy").is_dir()


def test_train_trl(play):
    pytest.importorskip("trl", reason="needs the extra trl")
    lines = play("train_trl.py", 2, 16)
    rounds = [line for line in lines if line.startswith("round")]
    assert [line.split()[1] for line in rounds] == ["1", "2"]
    assert all("lift" in line and "KL" in line for line in rounds)


def test_trl_stock(play):
    pytest.importorskip("trl", reason="needs the extra trl")
    lines = play("trl_stock.py", "RLOO", 1)
    assert "rewards/signal/mean" in "".join(lines)
    assert lines[-1].startswith("round 0")


def test_study(tmp_path, capsys):
    pytest.importorskip("pandas", reason="needs the extra plots")
    runpy.run_path(str(EXAMPLES / "study.py"))["main"](1, tmp_path / "study", workers=0)
    lines = capsys.readouterr().out.splitlines()
    rows = [line.split() for line in lines if " area " in line]
    assert [row[:2] for row in rows] == [
        [setting, method] for setting in ("noisy", "reviews") for method in ("frozen", "margin", "random")
    ]
    assert all(row[-1] == "+0.000" for row in rows if row[1] == "random")
    assert len(list((tmp_path / "study").rglob("rounds.jsonl"))) == 6
