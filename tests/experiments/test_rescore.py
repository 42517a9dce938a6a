"""Another reward for the texts of a finished run: equal to a run with that reward, and honest about what it replays."""

import json

import pytest
from scipy.stats import kendalltau

from experiments.__main__ import main
from experiments.config import make_config
from experiments.rescore import RescoreConfig
from experiments.rescore import main as rescore
from experiments.run import play

OPTIONS = {"pool_size": 60, "round_size": 6, "evaluation_size": 40, "budget": 24}
NEW = "entropy - 0.5*repetition + accuracy_gain + 0.1*normalize(length)"


def lines(file):
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def played(folder, agent="generator", shaping=None, **options):
    values = {"seed": 5, "out": folder, "shaping": shaping, "options": OPTIONS | options}
    play(make_config("SignalEnv-reviews-v0", agent, **values), lambda *_: None)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return played(tmp_path_factory.mktemp("run") / "run", keep_best=3, invalid_reward=-0.1)


def test_rescored_rewards_are_those_of_a_run_with_that_reward(tmp_path):
    texts = lines(rescore(RescoreConfig(played(tmp_path / "one", "margin", "train_accuracy"), NEW)))
    expected = lines(played(tmp_path / "two", "margin", "train_accuracy", reward=NEW) / "offers.jsonl")
    assert [row["text"] for row in texts] == [row["text"] for row in expected]
    assert [row["rescored"] for row in texts] == pytest.approx([row["reward"] for row in expected], abs=1e-12)
    assert texts[0]["reward"] != texts[0]["rescored"]


def test_the_run_s_own_reward_leaves_every_rank(run):
    before = {file.name: file.read_bytes() for file in run.iterdir() if file.is_file()}
    rows = lines(rescore(RescoreConfig(run, "signal", out=run.parent / "same.jsonl")))
    offers = lines(run / "offers.jsonl")
    assert [row["rescored"] for row in rows] == [offer["reward"] for offer in offers]
    assert all(row["rank"] == row["rescored_rank"] for row in rows)
    assert {file.name: file.read_bytes() for file in run.iterdir() if file.is_file()} == before


def test_the_command_says_where_the_ranking_changes(run, capsys):
    assert main(["rescore", str(run), "--reward", "signal - 2*novelty"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    rows = lines(run / "rescored.jsonl")
    of_round = [row for row in rows if row["round"] == 1 and not row["invalid"]]
    tau = kendalltau([row["reward"] for row in of_round], [row["rescored"] for row in of_round]).statistic
    assert f"{tau:.2f}" in shown
    assert "Moved most" in shown
    assert [row["rescored_rank"] for row in rows] != [row["rank"] for row in rows]
    best = max(of_round, key=lambda row: row["rescored"])
    assert best["rescored_rank"] == 1
    assert all(row["rescored_rank"] is None for row in rows if row["invalid"])


def test_a_log_that_is_not_what_is_replayed_is_refused(run, tmp_path, capsys):
    changed = tmp_path / "changed"
    changed.mkdir()
    (changed / "config.yaml").write_bytes((run / "config.yaml").read_bytes())
    offers = lines(run / "offers.jsonl")
    offers[7]["reward"] += 0.01
    (changed / "offers.jsonl").write_text("".join(json.dumps(offer) + "\n" for offer in offers), encoding="utf-8")
    assert main(["rescore", str(changed), "--reward", "entropy"]) == 1
    assert "The replay differs from the run in round 2, offer 1" in capsys.readouterr().err
    assert not (changed / "rescored.jsonl").exists()


def test_an_interrupted_step_is_left_out(run, tmp_path, capsys):
    cut = tmp_path / "cut"
    cut.mkdir()
    (cut / "config.yaml").write_bytes((run / "config.yaml").read_bytes())
    text = (run / "offers.jsonl").read_text(encoding="utf-8")
    (cut / "offers.jsonl").write_text("".join(text.splitlines(keepends=True)[:8]), encoding="utf-8")
    assert main(["rescore", str(cut), "--reward", "entropy"]) == 0
    assert len(lines(cut / "rescored.jsonl")) == 6
    assert "The last 2 offers are of a step that was interrupted" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("reward", "message"), [("entropie", "Did you mean 'entropy'"), ("entropy +", "not well formed")]
)
def test_a_wrong_reward_or_folder_is_said(run, tmp_path, reward, message, capsys):
    assert main(["rescore", str(run), "--reward", reward]) == 1
    assert message in capsys.readouterr().err
    assert main(["rescore", str(tmp_path), "--reward", "entropy"]) == 1
    assert "holds no run" in capsys.readouterr().err
