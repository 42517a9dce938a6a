"""The other commands: each makes what it says, on a small scale."""

import json

import gymnasium as gym
import numpy as np
import pytest

from experiments.__main__ import main
from experiments.holdout import hold_out
from experiments.pretrain import PretrainConfig, documents, new_sentences, texts_outside_pools
from signal_env.annotators import AnnotatorError, make_annotator
from signal_env.data import load
from signal_env.tasks import get_task


def test_pretrain_makes_both_models_and_repeats(tmp_path):
    options = [
        "--sentences",
        "2000",
        "--encoder-steps",
        "4",
        "--generator-steps",
        "4",
        "--hidden-size",
        "64",
        "--layers",
        "2",
    ]
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


def test_annotator_is_made_found_and_used(tmp_path, monkeypatch, colors_task):
    monkeypatch.setenv("SIGNAL_ENV_CACHE", str(tmp_path))
    task = get_task(colors_task)
    with pytest.raises(AnnotatorError, match="experiments annotator"):
        make_annotator("model", task)(["the red apple is here"])
    options = ["--epochs", "8", "--learning-rate", "2e-3"]
    assert main(["annotator", "--task", colors_task, "--encoder", "embedded", *options]) == 0
    record = json.loads((tmp_path / "annotators" / "colors" / "annotator.json").read_text())
    annotate = make_annotator("model", task)
    texts, gold = load(task).evaluation
    assert record["accuracy"] == pytest.approx(np.mean(annotate(texts) == gold), abs=0.05)  # saved in half precision
    assert record["accuracy"] > 0.9
    assert (record["train_rows"], record["evaluation_rows"]) == (144, 72)


def test_settings_of_an_annotator_are_chosen_on_held_out_training_texts(tmp_path, monkeypatch, colors_task, capsys):
    monkeypatch.setenv("SIGNAL_ENV_CACHE", str(tmp_path / "cache"))
    options = ["--task", colors_task, "--encoder", "embedded", "--epochs", "8", "--learning-rate", "2e-3"]
    assert main(["annotator", *options, "--holdout", "0.25"]) == 0
    assert not (tmp_path / "cache").exists()
    assert main(["annotator", *options, "--holdout", "0.25", "--out", str(tmp_path / "trial")]) == 0
    record = json.loads((tmp_path / "trial" / "annotator.json").read_text())
    assert (record["train_rows"], record["evaluation_rows"]) == (108, 36)
    assert record["evaluation_split"] == "train, held out"
    train = load(get_task(colors_task)).train
    _, held = hold_out(train.texts, 0.25)
    annotate = make_annotator("model", get_task(colors_task), str(tmp_path / "trial"))
    agree = np.mean(annotate([train.texts[i] for i in held]) == train.labels[held])
    assert record["accuracy"] == pytest.approx(agree, abs=0.05)  # saved in half precision
    assert f"Accuracy {record['accuracy']:.4f} on 36 texts of colors: train, held out" in capsys.readouterr().out
