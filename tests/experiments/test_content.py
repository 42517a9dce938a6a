"""A run knows its data and models by content: what changed is named, and what only moved is no change."""

import dataclasses
import json
import shutil

import pytest

import signal_env
from experiments.__main__ import main
from experiments.config import RunError, configuration_of, make_config
from experiments.content import FILE, content_changes, content_of
from experiments.run import finished, play
from signal_env.classifiers.pretrained import EMBEDDED

TASK = """
name: mood
instruction: "Based on the following examples, come up with a new example:"
class_names: [bad, good]
"""

OPTIONS = {"pool_size": 40, "round_size": 10, "classifier": "linear", "annotator": "gold"}
ANNOTATED = {"annotator": "model", "annotator_model": str(EMBEDDED / "encoder")}


@pytest.fixture
def mood(tmp_path):
    """A task of one's own with an encoder in a folder, and the configuration of a run on it."""
    folder = tmp_path / "mood"
    folder.mkdir()
    (folder / "mood.yaml").write_text(TASK)
    for split, n in (("train", 60), ("test", 10)):
        rows = [f"a {word} film {i},{label}" for i in range(n // 2) for word, label in (("warm", 1), ("dull", 0))]
        (folder / f"{split}.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    shutil.copytree(EMBEDDED / "encoder", folder / "encoder")
    options = OPTIONS | {"task": str(folder / "mood.yaml"), "encoder": str(folder / "encoder")}
    return folder, make_config("SignalEnv-v0", "random", options=options, out=tmp_path / "run", tensorboard=False)


def correct_a_label(folder):
    file = folder / "train.csv"
    file.write_text(file.read_text().replace("a warm film 0,1", "a warm film 0,0"))


def grow(folder):
    with (folder / "train.csv").open("a") as rows:
        rows.write("one more,1\n")


def correct_the_evaluation(folder):
    file = folder / "test.csv"
    file.write_text(file.read_text().replace("a warm film 0,1", "a warm film 0,0"))


def replace_the_encoder(folder):
    (folder / "encoder" / "model.safetensors").write_bytes(b"other weights")


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (correct_a_label, "training texts"),
        (grow, "training texts"),
        (correct_the_evaluation, "evaluation texts"),
        (replace_the_encoder, "encoder"),
    ],
)
def test_what_changed_after_an_interruption_is_named_and_the_run_is_not_continued(mood, change, name, capsys):
    folder, run = mood

    def interrupt(labeled, *_):
        if labeled == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play(run, interrupt)
    logged = (run.folder / "rounds.jsonl").read_bytes()
    change(folder)
    (changed,) = content_changes(run)
    assert changed.startswith(f"{name} (")
    with pytest.raises(RunError, match=rf"begun with other content: {name} \("):
        play(configuration_of(run.folder), resume=True)
    assert main(["run", "--resume", str(run.folder)]) == 1
    assert f"other content: {name}" in capsys.readouterr().err
    assert (run.folder / "rounds.jsonl").read_bytes() == logged


def test_a_finished_run_is_not_finished_when_its_data_changed(mood):
    folder, run = mood
    play(run)
    assert finished(run)
    correct_a_label(folder)
    assert not finished(run)
    play(dataclasses.replace(run, overwrite=True), resume=None)  # as `compare` does
    assert finished(run)


def test_a_file_in_another_format_and_a_run_without_a_record_are_no_change(mood):
    folder, run = mood
    play(run)
    rows = [line.rsplit(",", 1) for line in (folder / "train.csv").read_text().splitlines()[1:]]
    lines = [json.dumps({"text": text, "label": int(label)}) for text, label in rows]
    (folder / "train.csv").unlink()
    (folder / "train.jsonl").write_text("\n".join(lines) + "\n")
    assert finished(run)
    (run.folder / FILE).unlink()  # a run of an earlier version
    with (folder / "train.jsonl").open("a") as rows_file:
        rows_file.write('{"text": "one more", "label": 1}\n')
    assert finished(run)


def test_a_finished_run_is_finished_where_its_data_is_not(mood):
    folder, run = mood
    play(run)
    for split in ("train", "test"):
        (folder / f"{split}.csv").unlink()
    assert finished(run)


@pytest.mark.parametrize(
    ("agent", "options", "names"),
    [
        ("random", {}, {"encoder"}),
        ("generator", {}, {"encoder", "generator"}),
        ("generator", ANNOTATED, {"annotator", "encoder", "generator"}),
        ("random", ANNOTATED, {"encoder"}),
    ],
)
def test_models_that_a_run_uses_are_recorded(agent, options, names):
    content = content_of(make_config("SignalEnv-reviews-v0", agent, options=options))
    assert content.keys() - {"signal_env", "training texts", "evaluation texts"} == names


def test_another_version_is_another_content(mood, monkeypatch):
    _, run = mood
    play(run)
    monkeypatch.setattr("experiments.content.__version__", "0.0.9")
    assert content_changes(run) == [f"signal_env ({signal_env.__version__}, now 0.0.9)"]


def test_a_missing_annotator_is_said_before_anything_is_played(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SIGNAL_ENV_CACHE", str(tmp_path / "cache"))
    command = ["run", "--agent", "generator", "--annotator", "model", "--out", str(tmp_path / "run")]
    assert main(command) == 1
    assert "No annotator for task 'reviews'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    assert main([*command, "--annotator-model", str(tmp_path / "nowhere")]) == 1
    assert "No model folder at" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_an_agent_that_chooses_real_texts_needs_no_annotator(mood, tmp_path, monkeypatch):
    monkeypatch.setenv("SIGNAL_ENV_CACHE", str(tmp_path / "cache"))
    _, run = mood
    play(dataclasses.replace(run, options=dataclasses.replace(run.options, annotator="model")))
    assert finished(dataclasses.replace(run, options=dataclasses.replace(run.options, annotator="model")))
