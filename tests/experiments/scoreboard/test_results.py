"""Results that join the scoreboard: those that have joined are whole, and wrong ones are refused."""

import copy
import json

import pytest

from experiments.config import RunError
from experiments.scoreboard.references import read_references
from experiments.scoreboard.results import (
    RESULTS,
    check,
    read_result,
    read_results,
    rounds_of,
    runs_of,
    same,
    scoreboard,
)


@pytest.fixture(scope="module")
def result():
    """A result made of the runs of a reference."""
    rounds = read_references().rounds
    rounds = rounds[(rounds["method"] == "margin") & rounds["setting"].isin(["reviews", "trec"]) & (rounds["seed"] < 3)]
    texts = {"protocol": "signal-v1", "method": "mine", "description": "What it does.", "author": "Somebody"}
    texts |= {"agent": "margin", "command": "python -m experiments benchmark --agent margin"}
    others = {"generator": None, "commit": None, "versions": {}, "plugins": [], "values": {}, "replay": []}
    return texts | others | {"runs": runs_of(rounds), "scores": scoreboard().score(rounds)}


def test_results_that_have_joined_are_whole():
    found = read_results()  # each is checked
    assert len(found) == len([*RESULTS.glob("*.json")]) > 0
    assert all(result["method"] == name for name, result in found.items()), "a result's file has its method's name"


def test_a_result_survives_its_file(result, tmp_path):
    (tmp_path / "mine.json").write_text(json.dumps(result))
    found = read_result(tmp_path / "mine.json")
    assert found == json.loads(json.dumps(result))
    rounds = rounds_of("mine", found["runs"])
    assert len(rounds) == 3 * (10 + 11)
    assert same(scoreboard().score(rounds), result["scores"])


def test_further_references_leave_results_as_they_are(result):
    found = copy.deepcopy(result)
    for each in found["scores"]["settings"].values():
        each["differences"].pop("cal")
        each["rank"], each["of"] = 1, each["of"] - 1
    check(found)


def changed(result, change):
    copied = copy.deepcopy(result)
    change(copied)
    return copied


def setter(*path, value):
    def change(result):
        for name in path[:-1]:
            result = result[name]
        result[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (setter("runs", "trec", "0", "accuracy", 3, value=0.99), "scores are not those of its runs"),
        (setter("scores", "overall", "score", "iqm", value=99.0), "scores are not those of its runs"),
        (setter("protocol", value="signal-v0"), "No protocol 'signal-v0'"),
        (setter("author", value=" "), "needs its author"),
        (setter("method", value="../mine"), "method is a name"),
        (setter("runs", "qnli", value={}), "no setting 'qnli'"),
        (setter("runs", "trec", "30", value={}), "no seed '30'"),
        (setter("runs", "trec", "0", "labeled", 3, value=1), "never falls"),
        (setter("runs", "trec", "0", "accuracy", 3, value=1.5), "accuracy is from 0 to 1"),
        (setter("runs", "trec", "0", "pool", value=[500] * 11), "begins with 54 of 545"),
        (setter("runs", "trec", "0", "labeled", 10, value=2000), "at most 1090"),
        (setter("runs", "trec", "0", "nll", value=[1.0]), "all of their values"),
        (lambda result: result["runs"]["trec"].pop("0"), "the same seeds"),
        (lambda result: result.pop("versions"), "lacks versions"),
        (setter("note", value="more"), r"unknown \['note'\]"),
    ],
)
def test_a_wrong_result_is_refused(result, tmp_path, change, wrong):
    (tmp_path / "mine.json").write_text(json.dumps(changed(result, change)))
    with pytest.raises(RunError, match=wrong):
        read_result(tmp_path / "mine.json")


def test_a_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "mine.json").write_text("[")
    with pytest.raises(RunError, match=r"mine.json is not valid JSON"):
        read_result(tmp_path / "mine.json")
    with pytest.raises(RunError, match="it is an object"):
        check([])


def test_plain_data_are_compared_up_to_rounding():
    assert same({"a": [1.0, None]}, {"a": [1.0 + 1e-12, None]})
    assert not same({"a": 1.0}, {"a": 1.001})
    assert not same({"a": 1.0}, {"b": 1.0})
    assert not same([1.0], [1.0, 2.0])
    assert not same(1.0, None)
