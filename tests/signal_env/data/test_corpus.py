"""The checks of a corpus's rows, the sources that `load` reads, and the real data."""

import csv
import gzip
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from signal_env.data import Corpus, DataError, load
from signal_env.data.corpus import examples
from signal_env.tasks import Task, get_task

TASK = Task(name="mood", instruction="Write one:", class_names=("bad", "good"))
PAIRS = Task(name="pairs", instruction="Write one:", class_names=("no", "yes"), columns=("text", "text_pair"))
COLUMNS = {"text": "text", "label": "label"}


def read(rows, task=TASK, columns=COLUMNS):
    return list(examples(task, rows, columns, "the rows"))


def refused(rows, task=TASK, columns=COLUMNS):
    """Return the error message for these rows."""
    with pytest.raises(DataError) as caught:
        read(rows, task, columns)
    return str(caught.value)


# Rows.


@pytest.mark.parametrize("label", ["good", "1", 1, np.int64(1), " good ", "1\n"])
def test_a_label_is_a_class_s_number_or_name(label):
    assert read([{"text": "fun", "label": label}]) == [("fun", 1)]


def test_texts_take_their_written_form():
    assert read([{"text": " so\n much\tfun ", "label": 1}]) == [("so much fun", 1)]
    row = {"q": "who?", "a": " she  did", "label": "yes"}
    columns = {"text": "q", "text_pair": "a", "label": "label"}
    assert read([row], PAIRS, columns) == [("Text: who? Text pair: she did", 1)]


def test_other_columns_are_left_alone():
    assert read([{"text": "fun", "label": 0, "id": 7, "title": None}]) == [("fun", 0)]


@pytest.mark.parametrize("label", ["great", "2", "-1", "Good", "", "0.5", "True"])
def test_an_unknown_label_is_named_with_its_row_and_the_known_ones(label):
    message = refused([{"text": "a", "label": 0}, {"text": "b", "label": 1}, {"text": "c", "label": label}])
    assert "the rows, row 3" in message
    assert f"unknown label {str(label)!r}" in message
    assert "['0', '1', 'bad', 'good']" in message


def test_numbers_as_class_names_are_never_mistaken_for_label_numbers():
    stars = Task(name="stars", instruction="Write one:", class_names=("1", "2", "3", "4", "5"))
    assert read([{"text": "superb", "label": "5"}], stars) == [("superb", 4)]
    # As a label number, 0 would be the class "1" and 1 the class "2", although "1" is itself a class name.
    assert "unknown label '0'" in refused([{"text": "poor", "label": "0"}], stars)


@pytest.mark.parametrize(
    "row", [{"label": 1}, {"text": None, "label": 1}, {"text": "fun"}, {"text": "fun", "label": None}]
)
def test_a_missing_value_is_named_with_its_row_and_column(row):
    column = "label" if row.get("text") else "text"
    message = refused([{"text": "a", "label": 0}, row])
    assert "the rows, row 2" in message
    assert "expected the columns ['text', 'label']" in message
    assert f"missing or empty ['{column}']" in message


@pytest.mark.parametrize("column", ["text", "label"])
def test_not_a_number_is_a_missing_value(column):
    message = refused([{"text": "a", "label": 0}, {"text": "fun", "label": 1, column: float("nan")}])
    assert "row 2" in message
    assert column in message


@pytest.mark.parametrize("text", ["", "  ", "\n\t\u00a0"])
def test_an_empty_text_is_named_with_its_row(text):
    assert "the rows, row 2: the text is empty" in refused([{"text": "a", "label": 0}, {"text": text, "label": 1}])


def test_an_empty_field_of_two_is_named_with_its_row():
    columns = {"text": "text", "text_pair": "text_pair", "label": "label"}
    message = refused([{"text": "who?", "text_pair": " ", "label": "yes"}], PAIRS, columns)
    assert "the rows, row 1" in message
    assert "Text pair" in message


def test_no_rows_are_no_data():
    message = refused([])
    assert "the rows holds no rows" in message
    assert "['text', 'label']" in message


def test_repeated_training_texts_are_kept_once_with_their_first_label():
    corpus = Corpus.of([("a", 1), ("b", 0), ("a", 0), ("c", 0), ("b", 0)], [("a", 0), ("z", 1), ("a", 1)])
    assert corpus.train.texts == ("a", "b", "c")
    assert corpus.train.labels.tolist() == [1, 0, 0]
    assert corpus.evaluation.texts == ("a", "z", "a")
    assert corpus.evaluation.labels.tolist() == [0, 1, 1]
    assert corpus.train.labels.dtype == corpus.evaluation.labels.dtype == np.int64


# Sources.


def write_mood(folder, word):
    folder.mkdir(parents=True)
    for split in ("train", "test"):
        (folder / f"{split}.csv").write_text(f"text,label\n{word} {split},1\n", encoding="utf-8")


def test_the_named_folder_comes_before_the_task_s_own_and_that_before_the_environment_s(tmp_path, monkeypatch):
    for word in ("given", "own", "environment"):
        write_mood(tmp_path / word, word)
    own = Task("mood", "Write one:", ("bad", "good"), directory=str(tmp_path / "own"))
    monkeypatch.setenv("SIGNAL_ENV_DATA", str(tmp_path / "environment"))
    assert load(own, tmp_path / "given").train.texts == ("given train",)
    assert load(own, str(tmp_path / "given")).train.texts == ("given train",)
    assert load(own).train.texts == ("own train",)
    assert load(TASK).train.texts == ("environment train",)


def test_a_relative_folder_is_relative_to_where_one_is(tmp_path, monkeypatch):
    for place in ("one", "other"):
        write_mood(tmp_path / place / "data", place)
    monkeypatch.chdir(tmp_path / "one")
    assert load(TASK, "data").train.texts == ("one train",)
    monkeypatch.chdir(tmp_path / "other")
    assert load(TASK, "data").train.texts == ("other train",)


def test_an_empty_folder_never_falls_back_to_other_data(tmp_path, monkeypatch):
    write_mood(tmp_path / "full", "full")
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("SIGNAL_ENV_DATA", str(tmp_path / "full"))
    with pytest.raises(DataError, match=r"No data for task 'mood'.*empty"):
        load(TASK, tmp_path / "empty")
    monkeypatch.setenv("SIGNAL_ENV_DATA", str(tmp_path / "empty"))
    with pytest.raises(DataError, match=r"No data for task 'sst2'.*empty.*SIGNAL_ENV_DATA"):
        load(get_task("sst2"))
    with pytest.raises(DataError, match=r"No data for task 'reviews'.*empty"):
        load(get_task("reviews"), tmp_path / "empty")


def test_the_embedded_corpus_ignores_the_environment_s_folder(tmp_path, monkeypatch):
    write_mood(tmp_path / "reviews", "not embedded")
    monkeypatch.setenv("SIGNAL_ENV_DATA", str(tmp_path))
    corpus = load(get_task("reviews"))
    assert "not embedded train" not in corpus.train.texts
    assert load(get_task("reviews"), tmp_path).train.texts == ("not embedded train",)


def test_a_task_without_hub_or_folder_says_how_to_give_one(monkeypatch):
    monkeypatch.delenv("SIGNAL_ENV_DATA", raising=False)
    with pytest.raises(DataError, match=r"No data for task 'mood'.*data_dir=FOLDER"):
        load(TASK)


def test_the_same_data_are_read_once(tmp_path):
    write_mood(tmp_path / "mood", "first")
    assert load(TASK, tmp_path) is load(TASK, str(tmp_path))


# The real data.

# Rows per class in each file, as stated in the data's README.
TRAIN = {
    "sst2": [29_780, 37_569],
    "agnews": [10_342, 10_446, 10_375, 10_300],
    "qnli": [4_952, 4_994],
    "trec": [1_162, 1_250, 86, 1_223, 835, 896],
}
EVALUATION = {"sst2": [428, 444], "agnews": [1_900] * 4, "qnli": [2_702, 2_761], "trec": [138, 94, 9, 65, 81, 113]}


@pytest.mark.parametrize("name", list(TRAIN))
def test_the_real_data_have_their_known_counts(name, data_dir):
    task = get_task(name)
    if not (Path(data_dir) / name).is_dir():
        pytest.skip(f"needs the data set {name!r} in the folder SIGNAL_ENV_DATA")
    with gzip.open(Path(data_dir) / name / "train.csv.gz", "rt", encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [count for _, count in sorted(Counter(row["label"] for row in rows).items())] == TRAIN[name]
    distinct = {tuple(" ".join(row[column].split()) for column in task.columns) for row in rows}

    train, evaluation = load(task, data_dir)
    assert len(train.texts) == len(train.labels) == len(distinct)
    assert {task.fields(text) for text in train.texts} == distinct
    assert len(evaluation.texts) == sum(EVALUATION[name])
    assert np.bincount(evaluation.labels).tolist() == EVALUATION[name]


@pytest.mark.parametrize("name", ["agnews", "qnli"])
def test_the_real_training_files_without_repeated_rows_keep_every_one(name, data_dir):
    assert np.bincount(load(get_task(name), data_dir).train.labels).tolist() == TRAIN[name]


def test_trec_s_numbers_are_those_of_its_classes(data_dir):
    if not (Path(data_dir) / "trec").is_dir():
        pytest.skip("needs the data set 'trec' in the folder SIGNAL_ENV_DATA")
    task, (train, _) = get_task("trec"), load(get_task("trec"), data_dir)
    classes = {text: task.class_names[label] for text, label in zip(train.texts, train.labels, strict=True)}
    assert classes["What are liver enzymes ?"] == "DESC"
    assert classes["What films featured the character Popeye Doyle ?"] == "ENTY"
    assert classes["What is the full form of .com ?"] == "ABBR"
    assert classes["What team did baseball 's St. Louis Browns become ?"] == "HUM"
    assert classes["What is the highest waterfall in the United States ?"] == "LOC"
    assert classes["When was Ozzy Osbourne born ?"] == "NUM"


def test_banking77_s_numbers_are_those_of_its_intents(data_dir):
    folder = Path(data_dir) / "banking77"
    if not folder.is_dir():
        pytest.skip("needs the data set 'banking77' in the folder SIGNAL_ENV_DATA")
    task = get_task("banking77")
    assert task.class_names == tuple((folder / "classes.txt").read_text(encoding="utf-8").split())
    train, evaluation = load(task, data_dir)
    counts = np.bincount(train.labels, minlength=77)
    assert (len(counts), counts.min(), counts.max()) == (77, 35, 187)
    assert len(train.texts) == 9_999  # four of the 10,003 texts are repeated
    assert np.bincount(evaluation.labels).tolist() == [40] * 77
    classes = {text: task.class_names[label] for text, label in zip(train.texts, train.labels, strict=True)}
    assert classes["I am still waiting on my card?"] == "card_arrival"
