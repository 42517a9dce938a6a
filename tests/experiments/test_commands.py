"""The other commands: each makes what it says, on a small scale."""

import json

import gymnasium as gym
import numpy as np
import pytest

from experiments.__main__ import main
from experiments.pretrain import PretrainConfig, documents, new_sentences, texts_outside_pools
from experiments.results import interval, read_rounds, summarize
from signal_env.annotators import AnnotatorError, make_annotator
from signal_env.data import load
from signal_env.tasks import get_task


def test_demo_leaves_runs_a_table_and_a_figure(tmp_path, capsys):
    for _ in range(2):  # twice in a row: the second demo replaces the first
        assert main(["demo", "--agents", "random", "--seeds", "2", "--out", str(tmp_path)]) == 0
    assert "random" in capsys.readouterr().out
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert {folder.name for folder in tmp_path.iterdir() if folder.is_dir()} == {"random-seed0", "random-seed1"}
    rounds = read_rounds([tmp_path / "random-seed0", tmp_path / "random-seed1"])
    row = summarize(rounds).loc[("SignalEnv-reviews-v0", "random")]
    for i, seed in enumerate((0, 1)):
        run = rounds[rounds["seed"] == seed]
        assert row["first"][i] == run["accuracy"].iloc[0]
        assert row["at_100"][i] == run["accuracy"].iloc[-1]
        steps = [(a + b) / 2 for a, b in zip(run["accuracy"], run["accuracy"][1:], strict=False)]
        assert row["area_100"][i] == pytest.approx(np.mean(steps))  # the rounds are equally far apart
    assert (
        main(["summary", str(tmp_path / "random-seed0"), str(tmp_path / "random-seed0" / ".." / "random-seed0")]) == 1
    )
    assert "give one of them" in capsys.readouterr().err
    assert main(["summary", str(tmp_path)]) == 1
    assert "not the folder of a run" in capsys.readouterr().err
    assert main(["summary", str(tmp_path / "random-seed0"), str(tmp_path / "random-seed1")]) == 0
    assert f"{np.mean(row['area_100']):.3f} ±" in capsys.readouterr().out
    assert (tmp_path / "rounds.csv").read_text().count("\n") == 1 + len(rounds)


def test_interval_is_students():
    from scipy.stats import t

    values = [0.71, 0.74, 0.78, 0.70]
    mean, half = interval(values)
    low, high = t.interval(0.95, 3, loc=np.mean(values), scale=np.std(values, ddof=1) / 2)
    assert (mean - half, mean + half) == pytest.approx((low, high))


def test_pretrain_makes_both_models_and_repeats(tmp_path):
    options = ["--encoder-steps", "4", "--generator-steps", "4", "--hidden-size", "64", "--layers", "2"]
    weights = []
    for name in ("first", "second"):
        assert main(["pretrain", *options, "--out", str(tmp_path / name)]) == 0
        folders = [tmp_path / name / role for role in ("encoder", "generator")]
        weights.append([(folder / "model.safetensors").read_bytes() for folder in folders])
        assert all(json.loads((folder / "training.json").read_text())["steps"] == 4 for folder in folders)
    assert weights[0] == weights[1]
    envs = gym.make_vec("SignalEnv-reviews-v0", num_envs=2, pool_size=20, round_size=2, encoder=str(folders[0]))
    envs.reset(seed=0)


def test_embedded_models_have_read_no_sentence_of_the_corpus():
    corpus = load(get_task("reviews"))
    sentences = new_sentences(seed=0)
    assert not {text for text, _ in sentences} & {*corpus.train.texts, *corpus.evaluation.texts}
    reviews = documents(sentences[:500], seed=0, count=20)
    assert len(reviews) == 20


def test_a_small_generator_reads_no_text_of_a_pool(data_dir):
    config = PretrainConfig(task="sst2", data_dir=data_dir, exclude_seeds=2)
    read = set(texts_outside_pools(get_task("sst2"), config))
    options = {"data_dir": data_dir, "classifier": "linear", "encoder": "embedded", "annotator": "gold"}
    for fraction in (0.001, 0.01):
        env = gym.make("SignalEnv-sst2-v0", pool_fraction=fraction, evaluation_size=10, **options)
        for seed in (0, 1):
            env.reset(seed=seed)
            assert not read & set(env.unwrapped.learner.pool)


def test_annotator_is_made_found_and_used(tmp_path, monkeypatch, colours_task):
    monkeypatch.setenv("SIGNAL_ENV_CACHE", str(tmp_path))
    task = get_task(colours_task)
    with pytest.raises(AnnotatorError, match="experiments annotator"):
        make_annotator("model", task)(["the red apple is here"])
    options = ["--epochs", "8", "--learning-rate", "2e-3"]
    assert main(["annotator", "--task", colours_task, "--encoder", "embedded", *options]) == 0
    record = json.loads((tmp_path / "annotators" / "colours" / "annotator.json").read_text())
    annotate = make_annotator("model", task)
    texts, gold = load(task).evaluation
    assert record["accuracy"] == pytest.approx(np.mean(annotate(texts) == gold), abs=0.05)  # saved in half precision
    assert record["accuracy"] > 0.9
    assert (record["train_rows"], record["evaluation_rows"]) == (144, 72)


def test_what_an_interrupted_run_has_not_reached_is_left_empty(tmp_path):
    assert main(["run", "--pool-size", "40", "--round-size", "10", "--out", str(tmp_path / "run")]) == 0
    lines = (tmp_path / "run" / "rounds.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "run" / "rounds.jsonl").write_text("".join(lines[:2]))
    row = summarize(read_rounds([tmp_path / "run"])).iloc[0]
    assert row["first"] == [json.loads(lines[0])["accuracy"]]
    assert np.isnan([row[name][0] for name in ("at_100", "area_100", "end")]).all()
