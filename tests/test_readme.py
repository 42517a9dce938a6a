"""The README's Python examples run as they stand, one after another."""

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_every_python_example_runs(capsys, tmp_path, monkeypatch, read_events):
    monkeypatch.chdir(tmp_path)  # examples may write files
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) >= 5
    names: dict[str, object] = {"__name__": "readme"}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
        env = names["env"]
        env.reset(seed=0)
        env.step("a film of its own")
    shown = capsys.readouterr().out
    assert "New Example:" in shown
    assert "150" in shown
    events = read_events(tmp_path / "runs" / "mine")
    assert [value for _, value in events["reward_raw/cheers"]] == [1.0]
    assert [value for _, value in events["losses/loss"]] == [0.5]
