"""Runs become references: those of the protocol, with what they are and what made them."""

import pytest
import yaml

from experiments.__main__ import main
from experiments.config import RunError
from experiments.runs import read_runs
from experiments.scoreboard import collect, references
from experiments.scoreboard.about import versions
from experiments.scoreboard.collect import CollectConfig, collected, without
from experiments.scoreboard.references import read_references


@pytest.fixture(scope="module")
def benchmarked(tmp_path_factory, coin_agent):
    """A benchmark of one's own agent; not to be changed."""
    folder = tmp_path_factory.mktemp("benchmarked")
    assert (
        main(["benchmark", "--agent", coin_agent, "--quick", "--seeds", "2", "--workers", "0", "--out", str(folder)])
        == 0
    )
    return folder


def test_runs_join_the_references(benchmarked, tmp_path, monkeypatch):
    table, about = tmp_path / "references.csv.gz", tmp_path / "references.yaml"
    references.write_table(read_references().rounds, table)
    about.write_bytes(references.ABOUT.read_bytes())
    for module in (references, collect):
        monkeypatch.setattr(module, "TABLE", table)
        monkeypatch.setattr(module, "ABOUT", about)
    before = read_references()
    monkeypatch.setattr(collect, "write_table", lambda rounds: references.write_table(rounds, table))
    assert (
        main(["scoreboard", "collect", str(benchmarked), "--command", "python -m experiments x", "--commit", "c"]) == 0
    )
    rounds = references.with_share(collect.require("pandas", "plots").read_csv(table))
    mine = rounds[rounds["method"] == "coin"]
    assert mine["seed"].unique().tolist() == [0, 1]
    assert len(rounds) == len(before.rounds) + len(mine)
    described = yaml.safe_load(about.read_text())
    assert described["methods"]["coin"] | {"description": ""} == {
        **{"description": "", "agent": "coin", "generator": None, "values": {"agent": "coin"}}
    }
    assert described["made"][-1] == {
        **{"command": "python -m experiments x", "commit": "c", "versions": versions()},
        "runs": {"reviews": ["coin"]},
    }


def test_what_made_the_replaced_runs_is_forgotten():
    made = [{"command": "x", "runs": {"a": ["random", "cal"], "b": ["cal"]}}]
    assert without(made, {("b", "cal")}) == [{"command": "x", "runs": {"a": ["random", "cal"]}}]
    assert without(made, {("a", "cal"), ("b", "cal"), ("a", "random")}) == []


def test_runs_that_are_not_the_protocols_are_refused(played, benchmarked):
    config = CollectConfig(runs=(), command="", commit="")
    with pytest.raises(RunError, match="None of these runs plays a setting of signal-v1"):
        collected(read_runs([played]), config)
    runs = read_runs([benchmarked])
    for values in runs.configs.values():
        values["options"]["round_size"] = 25
    with pytest.raises(RunError, match="round_size is 25, not 50"):
        collected(runs, config)
