"""The benchmark: agents of one's own, built-in ones and an example play the protocol and are scored."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from experiments.__main__ import main
from experiments.progress import console
from experiments.scoreboard.references import read_references
from experiments.scoreboard.results import read_result

ROOT = Path(__file__).parents[2]
SHORT = ["--quick", "--seeds", "2", "--workers", "0"]
WORDS = ["--description", "What it does.", "--author", "Somebody"]


def benchmark(folder, *options):
    """Play a benchmark; return its result and what was printed."""
    with console.capture() as shown:
        assert main(["benchmark", *SHORT, *WORDS, "--out", str(folder), *options]) == 0
    return read_result(folder / "benchmark.json"), " ".join(shown.get().split())


@pytest.fixture(scope="module")
def coin(tmp_path_factory, coin_agent):
    """The benchmark of an agent that is registered as a plugin's is; not to be changed."""
    folder = tmp_path_factory.mktemp("coin")
    return folder, *benchmark(folder, "--agent", coin_agent, "--method", "mine")


def test_ones_own_agent_is_scored(coin):
    folder, result, shown = coin
    found = result["scores"]["settings"]["reviews"]
    random = read_references().rounds.query("setting == 'reviews' and method == 'random'")
    areas = []
    for seed in (0, 1):
        run = result["runs"]["reviews"][str(seed)]
        other = random[random["seed"] == seed]
        assert run["labeled"] == other["labeled"].tolist()
        areas.append([np.trapezoid(a, run["labeled"]) / 450 for a in (run["accuracy"], other["accuracy"])])
    own, theirs = np.mean(areas, axis=0)
    assert found["differences"]["random"]["mean"] == pytest.approx(own - theirs)
    assert found["area"]["mean"] == pytest.approx(own)
    assert result["scores"]["overall"]["settings"] == ["reviews"]
    assert len(result["scores"]["overall"]["not_played"]) == 5
    assert "mine has the normalized score" in shown
    assert f"{found['rank']} of {found['of']}" in shown
    assert (result["method"], result["agent"], result["generator"]) == ("mine", "coin", None)
    assert result["command"] == "python -m experiments benchmark --agent coin --method mine --quick --seeds 2"
    page = (folder / "benchmark.html").read_text()
    assert "mine in signal-v1" in page
    assert "random was played again" in page or "random, seed 0, was played again" in page


def test_a_benchmark_goes_on_where_it_was(coin, tmp_path):
    folder, result, _ = coin
    shutil.copytree(folder, tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy" / "reviews" / "mine" / "seed-1")
    (tmp_path / "copy" / "benchmark.json").unlink()
    kept = (tmp_path / "copy" / "reviews" / "mine" / "seed-0" / "rounds.jsonl").stat().st_mtime_ns
    again, shown = benchmark(tmp_path / "copy", "--agent", "coin", "--method", "mine")
    assert again == result
    assert "2 runs, 1 of them finished" in shown
    assert (tmp_path / "copy" / "reviews" / "mine" / "seed-0" / "rounds.jsonl").stat().st_mtime_ns == kept


@pytest.mark.parametrize("agent", ["random", "margin", "cal", "coreset"])
def test_built_in_agents_have_the_scores_of_their_references(agent, tmp_path):
    result, _ = benchmark(tmp_path, "--agent", agent)
    found = result["scores"]["settings"]["reviews"]
    if all(each["equal"] for each in result["replay"]):  # this machine has the references' numbers
        assert found["differences"][agent] == {"pairs": 2, "mean": 0.0, "low": 0.0, "high": 0.0}
    assert abs(found["differences"][agent]["mean"]) < 0.02
    if agent == "random":
        assert abs(found["score"]["mean"]) < 50


def test_an_agent_that_writes_goes_to_twice_the_pool(tmp_path):
    result, _ = benchmark(tmp_path, "--agent", "generator", "--max-new-tokens", "8", "--seeds", "1")
    run = result["runs"]["reviews"]["0"]
    assert (run["labeled"][-1], result["generator"]) == (1000, "embedded")
    assert sum(run["synthetic"]) > 0
    found = result["scores"]["settings"]["reviews"]
    assert found["at_200"]["mean"] == pytest.approx(run["accuracy"][-1])
    assert result["values"]["agent_options"] == {"max_new_tokens": 8, "generator": "embedded"}


def test_an_example_is_scored(tmp_path, forget_plugins):
    plugin = ROOT / "examples" / "new_agent.py"
    result, _ = benchmark(tmp_path, "--plugin", str(plugin), "--agent", "shortlist")
    assert [run["labeled"][-1] for run in result["runs"]["reviews"].values()] == [500, 500]
    assert result["plugins"] == [{"name": plugin.name, "sha256": hashlib.sha256(plugin.read_bytes()).hexdigest()}]
    assert "--plugin new_agent.py --agent shortlist" in result["command"]


def test_real_settings_are_played_where_the_data_are(tmp_path, monkeypatch, data_dir):
    monkeypatch.delenv("SIGNAL_ENV_DATA", raising=False)
    result, shown = benchmark(
        tmp_path, "--agent", "margin", "--settings", "trec", "--seeds", "1", "--data-dir", data_dir
    )
    assert [each["setting"] for each in result["replay"]] == ["trec"]
    assert result["runs"]["trec"]["0"]["pool"][0] == 545
    assert result["values"] == {"agent": "margin"}
    assert data_dir not in (tmp_path / "benchmark.json").read_text()
    assert "Not played: reviews, sst2-0.1%" in shown


def test_a_missing_annotator_is_named_before_anything_is_played(tmp_path, monkeypatch, data_dir, capsys):
    monkeypatch.setenv("SIGNAL_ENV_CACHE", str(tmp_path / "cache"))
    options = [
        "--agent",
        "generator",
        "--settings",
        "sst2-0.1%",
        "--data-dir",
        data_dir,
        "--out",
        str(tmp_path / "runs"),
    ]
    assert main(["benchmark", *options]) == 1
    said = capsys.readouterr().err
    assert "nothing was played" in said
    assert "experiments annotator" in said
    assert not (tmp_path / "runs").exists()


def test_missing_data_are_named_before_anything_is_played(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("SIGNAL_ENV_DATA", raising=False)
    (tmp_path / "data").mkdir()
    options = ["--settings", "reviews", "trec", "--seeds", "1", "--data-dir", str(tmp_path / "data")]
    assert main(["benchmark", "--agent", "random", *options, "--out", str(tmp_path / "runs")]) == 1
    said = capsys.readouterr().err
    assert "nothing was played" in said
    assert "trec: " in said
    assert "--settings with those that can be, or --quick" in said
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        (["--pool-size", "50"], "signal-v1 fixes pool_size in reviews"),
        (["--method", "a/b"], "A method's name has letters"),
        (["--seeds", "31"], "seeds 0 to 29; got 30"),
        (["--protocol", "signal-v9"], "No protocol 'signal-v9'"),
    ],
)
def test_wrong_options_are_named(options, wrong, tmp_path, capsys):
    args = ["benchmark", "--agent", "random", "--quick", "--out", str(tmp_path / "runs"), *options]
    assert main(args) == 1
    assert wrong in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_lists_of_numbers_are_on_one_line(coin):
    folder, result, _ = coin
    text = (folder / "benchmark.json").read_text()
    assert json.loads(text)["runs"] == result["runs"]
    assert f'"labeled": [ {", ".join(map(str, result["runs"]["reviews"]["0"]["labeled"]))} ]' in text
