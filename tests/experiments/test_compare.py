"""Comparing agents: the same seeds for all, finished runs are kept, and differences are paired."""

import pytest
from scipy.stats import ttest_rel

from experiments import compare
from experiments.__main__ import main
from experiments.compare import read_options
from experiments.config import RunError, configuration_of
from experiments.metric import METRICS
from experiments.report.statistics import scores
from experiments.runs import read_runs

SMALL = ["--pool-size", "60", "--round-size", "15", "--evaluation-size", "100", "--seeds", "3", "--workers", "0"]


def test_agents_are_compared_on_the_same_experiments(tmp_path, capsys):
    args = ["compare", *SMALL, "--agents", "random", "entropy", "--out", str(tmp_path)]
    assert main(args) == 0
    shown = capsys.readouterr().out
    rounds = read_runs([tmp_path]).rounds
    assert set(rounds["folder"]) == {
        str(tmp_path / "reviews" / agent / f"seed-{seed}") for agent in ("random", "entropy") for seed in range(3)
    }
    first = rounds[rounds["index"] == 0].groupby("seed")["accuracy"]
    assert (first.nunique() == 1).all()
    areas = scores(rounds).set_index(["method", "seed"])["area_100"] * 100
    test = ttest_rel(areas["entropy"], areas["random"])
    low, high = test.confidence_interval(0.95)
    assert f"{(areas['entropy'] - areas['random']).mean():+.2f} ± {(high - low) / 2:.2f}" in shown
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "rounds.csv").read_text().count("\n") == 1 + len(rounds)
    assert main(["report", str(tmp_path)]) == 0  # a comparison is a study
    capsys.readouterr()
    assert main([*args, "--metric", "macro_f1"]) == 0
    found = scores(rounds, METRICS["macro_f1"]).set_index(["method", "seed"])["area_100"] * 100
    assert f"{(found['entropy'] - found['random']).mean():+.2f} ±" in capsys.readouterr().out


def test_finished_runs_are_kept_and_the_others_played(tmp_path, capsys):
    args = ["compare", *SMALL, "--agents", "margin", "--out", str(tmp_path)]
    assert main(args) == 0
    files = [tmp_path / "reviews" / "margin" / f"seed-{seed}" / "rounds.jsonl" for seed in range(3)]
    whole = [file.read_bytes() for file in files]
    files[1].write_bytes(whole[1][: whole[1].index(b"\n") + 1])  # interrupted after its first round
    files[0].write_bytes(whole[0][:-20])  # cut off in the middle of its last line
    before = [file.stat().st_mtime_ns for file in files]
    assert main(args) == 0
    assert [file.read_bytes() for file in files] == whole
    assert [file.stat().st_mtime_ns == then for file, then in zip(files, before, strict=True)] == [False, False, True]
    before = [file.stat().st_mtime_ns for file in files]
    assert main(args) == 0
    assert [file.stat().st_mtime_ns for file in files] == before
    assert "reviews   random" not in capsys.readouterr().out


def test_runs_with_other_options_are_replaced_only_if_asked(tmp_path, capsys):
    args = ["compare", *SMALL, "--agents", "margin", "--out", str(tmp_path)]
    assert main(args) == 0
    files = [tmp_path / "reviews" / "margin" / f"seed-{seed}" / "rounds.jsonl" for seed in range(3)]
    whole = [file.read_bytes() for file in files]
    other = [*args, "--stopping", "stable_predictions", "--stopping-options", "threshold", "0.2", "window", "1"]
    assert main(other) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "3 folders hold runs with other options than those asked for" in said
    assert "--overwrite to replace it" in said
    assert [file.read_bytes() for file in files] == whole
    assert main([*other, "--overwrite"]) == 0
    assert [file.read_bytes() for file in files] != whole


def test_the_metric_is_that_of_the_tables_and_of_the_report(tmp_path, capsys):
    options = {"pool_size": 60, "round_size": 15, "evaluation_size": 100, "tensorboard": False}
    runs = compare(["random", "margin"], seeds=2, workers=0, metric="macro_f1", out=tmp_path, **options)
    found = scores(runs.rounds, METRICS["macro_f1"]).set_index(["method", "seed"])["area_100"]
    table = runs.tables()["differences"].set_index(["measure", "method", "baseline"])
    expected = (found["margin"] - found["random"]).mean()
    assert table.loc[("area_100", "margin", "random"), "mean"] == pytest.approx(expected)
    assert "accuracy" in runs.tables("accuracy")
    assert main(["report", str(tmp_path)]) == 0
    assert "points of macro-F1" in capsys.readouterr().out
    with pytest.raises(RunError, match="Expected a metric among accuracy, macro_f1, nll; got 'macro_f'"):
        compare(["random"], metric="macro_f", out=tmp_path, **options)


def test_an_agent_that_cannot_play_is_named(tmp_path, capsys):
    assert main(["compare", *SMALL, "--agents", "bald", "--out", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert "which 'bald' and" in " ".join(said.out.split())
    assert "3 of 3 runs have failed" in said.err
    assert main(["compare", *SMALL, "--agents", "entrpy", "--out", str(tmp_path)]) == 1
    assert "Did you mean 'entropy'" in capsys.readouterr().err


def test_the_environment_s_options_are_flags(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["compare", "--help"])
    shown = capsys.readouterr().out
    assert "--pool-fraction" in shown
    assert "--seeds" in shown


def test_what_is_not_given_is_each_agents_own(tmp_path):
    args = ["compare", "--pool-size", "20", "--round-size", "10", "--evaluation-size", "20", "--seeds", "1"]
    agents = "random", "bgadl", "generator"
    for given, shares in ((), (None, 2.0, None)), (("--budget-fraction", "1.5"), (1.5, 1.5, 1.5)):
        out = tmp_path / f"given-{len(given)}"
        assert main([*args, "--workers", "0", *given, "--agents", *agents, "--out", str(out)]) == 0
        for agent, share, selection in zip(agents, shares, ("submitted", "submitted", "acquisition"), strict=True):
            options = configuration_of(out / "reviews" / agent / "seed-0").options
            assert (options.budget_fraction, options.selection, options.pool_size) == (share, selection, 20)


def test_agents_have_options_and_every_run_a_curve(tmp_path, capsys):
    args = ["compare", "--pool-size", "20", "--round-size", "10", "--evaluation-size", "20", "--seeds", "2"]
    args += ["--workers", "0", "--agents", "random", "generator", "--budget", "20", "--out", str(tmp_path)]
    options = ["generator.max-new-tokens=5", "generator.temperature=1e-1", "generator.generator=embedded"]
    assert main([*args, "--agent-options", *options]) == 0
    run = configuration_of(tmp_path / "reviews" / "generator" / "seed-1").agent_options
    assert (run.max_new_tokens, run.temperature, run.generator) == (5, 0.1, "embedded")
    curves = sorted(tmp_path.glob("reviews/*/seed-*/curve.png"))
    assert len(curves) == 4
    assert all(curve.read_bytes().startswith(b"\x89PNG") for curve in curves)
    drawn = [curve.stat().st_mtime_ns for curve in curves]
    assert main([*args, "--agent-options", *options]) == 0
    assert [curve.stat().st_mtime_ns for curve in curves] == drawn  # nothing is new
    capsys.readouterr()
    for text, said in (
        ("generator.max_tokens=5", "The agent generator has no max_tokens. Did you mean 'max_new_tokens'"),
        ("ppo.kl_coef=1", "ppo does not play; these do: random, generator"),
        ("max_new_tokens=5", "are NAME.OPTION=VALUE, as in ppo.kl_coef=0.02; got 'max_new_tokens=5'"),
    ):
        assert main([*args, "--agent-options", text]) == 1
        assert said in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main([*args, "--agent-options", "generator.max_new_tokens=few"])


def test_true_and_false_are_values_of_options():
    assert read_options(["sb3.greedy=False", "sb3.policy=runs/a"], ["sb3"]) == {
        "sb3": {"greedy": False, "policy": "runs/a"}
    }
    with pytest.raises(SystemExit, match="2"):
        read_options(["sb3.greedy=perhaps"], ["sb3"])
