"""The demo: a table, a figure, and with PPO the lift of its texts and two of them."""

import json
import statistics

import numpy as np
import pytest

from experiments.__main__ import main
from experiments.demo import DemoConfig, demo, show_texts
from experiments.progress import console
from experiments.report.statistics import scores
from experiments.runs import read_runs


def test_demo_leaves_runs_a_table_and_a_figure(tmp_path, capsys):
    args = ["demo", "--agents", "random", "--seeds", "2", "--workers", "0", "--out", str(tmp_path)]
    files = [tmp_path / "reviews" / "random" / f"seed-{seed}" / "rounds.jsonl" for seed in (0, 1)]
    before = []
    for _ in range(2):  # twice in a row: the second demo replaces the first
        assert main(args) == 0
        before.append([(file.read_bytes(), file.stat().st_mtime_ns) for file in files])
    assert [content for content, _ in before[0]] == [content for content, _ in before[1]]
    assert all(first[1] < second[1] for first, second in zip(*before, strict=True))
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    rounds = read_runs([tmp_path]).rounds
    assert set(rounds["folder"]) == {str(file.parent) for file in files}
    table = scores(rounds).set_index("seed")
    for seed, run in rounds.groupby("seed"):
        assert table.loc[seed, "first"] == run["accuracy"].iloc[0]
        assert table.loc[seed, "at_100"] == run["accuracy"].iloc[-1]
        steps = [(a + b) / 2 for a, b in zip(run["accuracy"], run["accuracy"][1:], strict=False)]
        assert table.loc[seed, "area_100"] == pytest.approx(np.mean(steps))  # the rounds are equally far apart
    assert f"{table['area_100'].mean():.3f} ±" in capsys.readouterr().out
    assert (tmp_path / "rounds.csv").read_text().count("\n") == 1 + len(rounds)


def test_ppo_plays_ten_rounds_with_a_fixed_classifier_and_the_others_the_whole_budget(tmp_path):
    study = demo(DemoConfig(out=tmp_path, seeds=1))
    options = {run.agent: (run.setting, run.options.retrain, run.options.budget) for run in study.runs}
    assert options.pop("ppo") == ("fixed-classifier", False, 550)
    assert options == dict.fromkeys(
        ("random", "entropy", "bertkm", "badge", "cal", "generator"), ("reviews", True, None)
    )
    others = demo(DemoConfig(agents=("coreset", "random"), out=tmp_path, seeds=2))
    assert [(run.setting, run.method, run.seed) for run in others.runs] == [
        ("reviews", method, seed) for seed in (0, 1) for method in ("coreset", "random")
    ]
    assert {run.agent for run in demo(DemoConfig(agents=("ppo",))).runs} == {"ppo"}


def test_the_texts_of_median_reward_of_the_first_and_the_last_round_are_shown(played):
    folder = played / "generator" / "seed-0"
    offers = [json.loads(line) for line in (folder / "offers.jsonl").read_text().splitlines()]
    with console.capture() as capture:
        show_texts(folder)
    shown = capture.get().replace("\n", " ")
    for index in (1, offers[-1]["round"]):
        rewards = [line["reward"] for line in offers if line["round"] == index and not line["invalid"]]
        median = statistics.median_low(rewards)
        text = next(line["text"] for line in offers if line["round"] == index and line["reward"] == median)
        assert f"round {index}, the text of median reward, {median:.2f}: {text}" in shown
