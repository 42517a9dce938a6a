"""The trial by fire, in short: what it guarantees holds, and what breaks a guarantee is found."""

import json
import multiprocessing
import os

import numpy as np
import pytest

from experiments.bench import robustness
from experiments.bench.robustness import RobustnessConfig, actions, code, kills, places
from experiments.bench.robustness.check import Check
from experiments.bench.robustness.hostile import DRAWS, KINDS, Shown, hostile
from experiments.bench.robustness.reading import read_back
from experiments.config import RunError
from experiments.engines import play_run


def test_hostile_texts_are_of_every_kind_and_follow_from_the_seed():
    shown = Shown("Write one:\nText: a", ["a real film"], ["an earlier one"])
    texts = [hostile(3, i, shown) for i in range(600)]
    assert texts == [hostile(3, i, shown) for i in range(600)] != [hostile(4, i, shown) for i in range(600)]
    assert {kind for kind, _ in texts} == set(KINDS) == set(DRAWS)
    of = {kind: [text for one, text in texts if one == kind] for kind in KINDS}
    planes = "".join(DRAWS["planes"](np.random.default_rng(i), shown) for i in range(300))
    assert {ord(c) >> 16 for c in planes} == set(range(17))
    assert any("\ud800" <= c <= "\udfff" for c in "".join(of["surrogates"]))
    assert len(set(of["normalization"])) > 4
    assert max(map(len, of["long"])) > 1_990
    long = (DRAWS["long"](np.random.default_rng(i), shown) for i in range(200))
    assert max(len(text.encode()) for text in long) >= 100_000
    assert shown.prompt in of["prompt"]
    assert set(of["real"]) == {"a real film"}


def test_hostile_actions_are_in_every_log_and_a_lost_one_is_found(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(actions, "read_back", lambda played: seen.append(played) or read_back(played))
    monkeypatch.setenv("SIGNAL_ENV_DATA", str(tmp_path / "nowhere"))
    check, left_out = actions.try_actions(tmp_path, 72, 0, 36, ("reviews", "trec"))
    assert (check.count, check.problems, check.left_out) == (72, [], "")
    assert "nowhere" in left_out.left_out
    assert {"duplicate", "empty", "malformed", "valid"} <= check.counts.keys()
    assert sum(check.counts[f"offered as {kind}"] for kind in KINDS) == 72
    single = seen[0]
    single.infos[1]["text"] += "x"
    single.rewards[2] += 1
    found = list(read_back(single))
    assert any("another text in line 2" in problem for problem in found)
    assert any("another reward in line 3" in problem for problem in found)


@pytest.mark.parametrize(("part", "way"), [*zip(code.PARTS, code.WAYS, strict=False), ("learning", "nan")])
def test_code_that_fails_is_named_and_the_mended_run_goes_on(tmp_path, monkeypatch, part, way):
    monkeypatch.setattr(code, "LIMIT", 0.2)
    monkeypatch.setattr(code, "PARTS", (part,))
    monkeypatch.setattr(code, "WAYS", (way,))
    (check,) = code.try_code(tmp_path, seed=0)
    assert (check.count, check.problems) == (2, [])


def test_a_full_disk_stops_a_run_with_one_line_and_it_goes_on_with_more_room(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "FULL_AT", (0.5,))
    found = {check.name: check for check in places.try_places(tmp_path, seed=0)}
    assert {name: check.problems for name, check in found.items()} == {name: [] for name in found}
    assert found["a limit of the size of files, then none"].count == 1
    assert found["a cache that cannot be written to"].count >= 2
    check = Check("places", "none")
    places._expect_refusal(
        check, ["run", "--out", str(tmp_path / "undisturbed")], places.NO_ROOM
    )  # it is another error
    assert "holds a run already" in check.problems[0]


@pytest.mark.skipif("LONG_TESTS" not in os.environ, reason="set LONG_TESTS=1: begins three processes and kills one")
def test_a_killed_run_is_resumed_and_compared(tmp_path, monkeypatch, start):
    def begin(place):
        if (place / "config.yaml").is_file():
            return ["run", "--resume", str(place)]
        return ["run", *kills.SMALL, "--agent", "badge", "--budget", "16", "--no-tensorboard", "--out", str(place)]

    monkeypatch.setattr(kills, "LATEST", 0.02)
    check, folder = Check("kills", "a run"), tmp_path / "runs"
    process = multiprocessing.get_context("forkserver").Process
    kills._try(folder, begin, 1, np.random.default_rng(0), check, process)
    assert (check.count, check.problems) == (1, [])
    assert (check.counts["texts offered by the undisturbed one"], check.counts["compared with it"]) == (12, 1)
    (folder / "killed-0" / "offers.jsonl").write_text("")
    found = list(kills._differences(folder / "undisturbed", folder / "killed-0"))
    assert found == ["killed-0 has another offers.jsonl"]


def test_a_run_killed_between_its_first_two_files_begins_again(tmp_path, monkeypatch):
    from experiments import run as running
    from experiments.config import make_config

    options = {"pool_size": 40, "round_size": 20, "evaluation_size": 20}
    run = make_config("SignalEnv-reviews-v0", "random", out=tmp_path / "run", options=options, tensorboard=False)
    with monkeypatch.context() as patched:
        patched.setattr(running, "record_content", lambda _: (_ for _ in ()).throw(SystemExit(9)))
        patched.setattr(running, "remove", lambda *_: None)  # a kill removes nothing
        with pytest.raises(SystemExit):
            play_run(run)
    assert [file.name for file in run.folder.iterdir() if file.suffix in (".json", ".yaml")] == ["config.yaml"]
    assert play_run(run) is None
    assert (run.folder / "finished").is_file()


def test_the_results_are_a_table_and_a_file_and_a_problem_is_an_error(tmp_path, monkeypatch, capsys):
    checks = [
        Check("code", "one", 2),
        Check("code", "other", 1, problems=["it broke"]),
        Check("code", "no", left_out="-"),
    ]
    monkeypatch.setattr(robustness, "_tried", lambda *_: iter(checks))
    with pytest.raises(RunError, match="1 of 3 checks found problems: other"):
        robustness.main(RobustnessConfig(parts=("code",), out=tmp_path / "results.json"))
    assert "1 problems, the first: it broke" in capsys.readouterr().out
    written = json.loads((tmp_path / "results.json").read_text())
    assert [check["count"] for check in written["checks"]] == [2, 1, 0]
    with pytest.raises(RunError, match="at least 1"):
        robustness.main(RobustnessConfig(actions=0))
