"""The hub source, on local folders of the hub's format, and its error messages when the hub is not reachable."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from signal_env.data import DataError, load
from signal_env.tasks import Hub, Task, get_task

datasets = pytest.importorskip("datasets")

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def cache_in_a_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SIGNAL_ENV_DATA", raising=False)


def put(folder, train, evaluation, ending="csv", split="validation", names=None, label="label"):
    """Write a data set in the hub's format; with names, labels are their numbers."""
    folder.mkdir()
    for name, columns in (("train", train), (split, evaluation)):
        data = datasets.Dataset.from_dict(columns)
        data = data.cast_column(label, datasets.ClassLabel(names=names)) if names else data
        file = folder / f"{name}.{ending}"
        data.to_csv(file) if ending == "csv" else data.to_parquet(file)
    return folder


def task_of(folder, **hub):
    return Task(
        name="mood",
        instruction="Write one:",
        class_names=("bad", "good"),
        columns=("text", "text_pair") if len(hub.get("columns", ())) == 2 else ("text",),
        evaluation="validation",
        hub=Hub(path=str(folder), **hub),
    )


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_data_set_of_the_hub_s_format_becomes_a_corpus(tmp_path, ending):
    folder = put(
        tmp_path / "set",
        {"sentence": ["fun ", "שלום 🙂", "fun"], "label": [1, 0, 0], "idx": [0, 1, 2]},
        {"sentence": ["dull", "dull"], "label": [0, 1], "idx": [0, 1]},
        ending,
    )
    train, evaluation = load(task_of(folder, columns=("sentence",)))
    assert train.texts == ("fun", "שלום 🙂")
    assert train.labels.tolist() == [1, 0]
    assert evaluation.texts == ("dull", "dull")
    assert evaluation.labels.tolist() == [0, 1]


def test_the_hub_s_own_column_names_are_mapped_in_order(tmp_path):
    data = {"answer": ["she did"], "question": ["who?"], "gold": ["good"]}
    folder = put(tmp_path / "set", data, data)
    task = task_of(folder, columns=("question", "answer"), label="gold")
    assert load(task).train.texts == ("Text: who? Text pair: she did",)
    assert load(task).train.labels.tolist() == [1]


# The order of the classes on the hub, as in the cards of the data sets.
TREC = ["ABBR", "ENTY", "DESC", "HUM", "LOC", "NUM"]


def at(task, folder):
    """Return a built-in task whose data set is a local folder of the hub's format."""
    return dataclasses.replace(task, hub=dataclasses.replace(task.hub, path=str(folder)))


def test_trec_s_classes_have_other_numbers_on_the_hub_than_in_files(tmp_path):
    hub = {"text": TREC, "coarse_label": list(range(6)), "fine_label": [9, 8, 7, 6, 5, 4]}
    folder = put(tmp_path / "set", hub, hub, "parquet", split="test", names=TREC, label="coarse_label")
    from_hub = load(at(get_task("trec"), folder)).train
    files = tmp_path / "files"
    files.mkdir()
    # The file's numbers: 0 description, 1 entity, 2 abbreviation, 3 human, 4 location, 5 number.
    rows = "text,label\nABBR,2\nENTY,1\nDESC,0\nHUM,3\nLOC,4\nNUM,5\n"
    for split in ("train", "test"):
        (files / f"{split}.csv").write_text(rows, encoding="utf-8")
    from_files = load(get_task("trec"), files).train
    assert from_hub.texts == from_files.texts
    assert from_hub.labels.tolist() == from_files.labels.tolist() == [2, 1, 0, 3, 4, 5]
    assert [get_task("trec").class_names[label] for label in from_hub.labels] == TREC


def test_banking77_s_intents_have_other_numbers_on_the_hub_than_in_files(tmp_path):
    # There the intent with a capital comes after request_refund, not first.
    names = sorted(get_task("banking77").class_names, key=str.lower)
    assert names.index("Refund_not_showing_up") > 50
    hub = {"text": names, "label": list(range(77))}
    folder = put(tmp_path / "set", hub, hub, "parquet", split="test", names=names)
    train = load(at(get_task("banking77"), folder)).train
    assert [get_task("banking77").class_names[label] for label in train.labels] == list(train.texts) == names


@pytest.mark.parametrize("names", [["good", "bad"], ["Good", "BAD"]])
def test_classes_in_another_order_are_read_by_name(tmp_path, names):
    data = {"text": ["dull", "fun"], "label": [1, 0]}
    folder = put(tmp_path / "set", data, data, "parquet", names=names)
    assert load(task_of(folder)).train.labels.tolist() == [0, 1]


@pytest.mark.parametrize("names", [["0", "1"], ["LABEL_0", "LABEL_1"]])
def test_names_that_are_numbers_are_read_by_number(tmp_path, names):
    data = {"text": ["dull", "fun"], "label": [0, 1]}
    folder = put(tmp_path / "set", data, data, "parquet", names=names)
    assert load(task_of(folder)).train.labels.tolist() == [0, 1]


def test_other_class_names_than_the_task_s_are_refused_with_both_lists(tmp_path):
    data = {"text": ["dull", "fun"], "label": [0, 1]}
    folder = put(tmp_path / "set", data, data, "parquet", names=["negative", "positive"])
    with pytest.raises(DataError, match=r"\['negative', 'positive'\]; task 'mood' has \['bad', 'good'\]"):
        load(task_of(folder))


def test_class_names_of_which_only_some_are_the_task_s_are_refused(tmp_path):
    data = {"text": ["dull", "fun"], "label": [1, 0]}
    folder = put(tmp_path / "set", data, data, "parquet", names=["good", "awful"])
    with pytest.raises(DataError, match=r"the classes \['good', 'awful'\]; task 'mood' has \['bad', 'good'\]"):
        load(task_of(folder))


def test_hidden_labels_of_named_classes_are_refused(tmp_path):
    data = {"text": ["dull", "fun"], "label": [1, -1]}
    folder = put(tmp_path / "set", data, data, "parquet", names=["good", "bad"])
    with pytest.raises(DataError, match=r"\(train\), row 2: unknown label '-1'"):
        load(task_of(folder))


def test_a_missing_split_is_named_with_what_to_do(tmp_path):
    data = {"text": ["a"], "label": [0]}
    folder = put(tmp_path / "set", data, data, split="test")
    with pytest.raises(DataError, match=r"No data for task 'mood'.*\(validation\).*data_dir=FOLDER.*SIGNAL_ENV_DATA"):
        load(task_of(folder))


def test_a_missing_column_is_named_with_the_split(tmp_path):
    data = {"sentence": ["a"], "label": [0]}
    folder = put(tmp_path / "set", data, data)
    with pytest.raises(DataError, match=r"\(train\), row 1.*missing or empty \['text'\], found .*'sentence'"):
        load(task_of(folder))


def test_hidden_labels_are_refused(tmp_path):
    folder = put(tmp_path / "set", {"text": ["a"], "label": [0]}, {"text": ["b", "c"], "label": [1, -1]})
    with pytest.raises(DataError, match=r"\(validation\), row 2: unknown label '-1'"):
        load(task_of(folder))


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"No data for task 'mood'.*nowhere.*data_dir"):
        load(task_of(tmp_path / "nowhere"))


def run_alone(code, tmp_path):
    """Return the output of a new Python process without network, data folder or cache."""
    environment = {name: value for name, value in os.environ.items() if name != "SIGNAL_ENV_DATA"}
    environment |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_an_unreachable_hub_says_the_ways_to_get_the_data(tmp_path):
    message = run_alone(
        """
from signal_env.data import DataError, load
from signal_env.tasks import get_task
try:
    load(get_task("sst2"))
except DataError as error:
    print(error)
""",
        tmp_path,
    )
    assert "No data for task 'sst2'" in message
    assert "'stanfordnlp/sst2'" in message
    assert "data_dir=FOLDER" in message
    assert "SIGNAL_ENV_DATA=FOLDER" in message
    assert "sst2/train.csv and sst2/validation.csv" in message


def test_without_the_data_extra_the_message_names_it_and_the_other_ways(tmp_path):
    message = run_alone(
        """
import sys
sys.modules["datasets"] = None
from signal_env.data import load
from signal_env.utils.extras import MissingExtra
from signal_env.tasks import get_task
try:
    load(get_task("qnli"))
except MissingExtra as error:
    print(error)
""",
        tmp_path,
    )
    assert "No data for task 'qnli'" in message
    assert "pip install 'signal-env[data]'" in message
    assert "data_dir=FOLDER" in message
    assert "SIGNAL_ENV_DATA=FOLDER" in message
