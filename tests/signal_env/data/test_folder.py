"""The folder source: file formats, layouts, and error messages for unusable files."""

import csv
import gzip
import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_env.data import DataError, load
from signal_env.data.folder import ENDINGS, read_folder
from signal_env.tasks import Hub, Task

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

MOOD = Task(name="mood", instruction="Write one:", class_names=("bad", "good"))
PAIRS = Task(name="pairs", instruction="Write one:", class_names=("no", "yes"), columns=("text", "text_pair"))

ROWS = [
    {"text": "plain", "label": 1},
    {"text": 'with "quotes", and a comma', "label": 0},
    {"text": "שלום 日本語 🙂", "label": 1},
    {"text": "two\nlines", "label": 0},
    {"text": "plain", "label": 0},
]


def encode(rows, ending):
    """Return the bytes of a file that holds the rows."""
    if ending == ".parquet":
        sink = io.BytesIO()
        parquet.write_table(pyarrow.Table.from_pylist(rows), sink)
        return sink.getvalue()
    text = io.StringIO()
    if ending.startswith(".csv"):
        writer = csv.DictWriter(text, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    else:
        text.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    data = text.getvalue().encode("utf-8")
    return gzip.compress(data) if ending.endswith(".gz") else data


def put(folder, rows=ROWS, ending=".csv", splits=("train", "test")):
    folder.mkdir(parents=True, exist_ok=True)
    for split in splits:
        (folder / f"{split}{ending}").write_bytes(encode(rows, ending))
    return folder


def refused(folder, task=MOOD):
    """Return the error message for a folder."""
    with pytest.raises(DataError) as caught:
        read_folder(task, folder)
    return str(caught.value)


# Formats and layouts.


def as_lists(corpus):
    return [(list(split.texts), split.labels.tolist()) for split in corpus]


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_format_gives_the_same_corpus(tmp_path, ending):
    train, evaluation = as_lists(read_folder(MOOD, put(tmp_path, ending=ending)))
    texts = ["plain", 'with "quotes", and a comma', "שלום 日本語 🙂", "two lines"]
    assert train == (texts, [1, 0, 1, 0])  # The repeated text is kept once, with its first label.
    assert evaluation == ([*texts, "plain"], [1, 0, 1, 0, 0])


@pytest.mark.parametrize("ending", ENDINGS)
def test_class_names_are_labels_too(tmp_path, ending):
    rows = [{"text": "a", "label": "good"}, {"text": "b", "label": "bad"}]
    assert as_lists(read_folder(MOOD, put(tmp_path, rows, ending)))[0] == (["a", "b"], [1, 0])


def test_numbers_and_names_may_be_mixed(tmp_path):
    rows = [{"text": "a", "label": "good"}, {"text": "b", "label": "0"}, {"text": "c", "label": "1"}]
    assert as_lists(read_folder(MOOD, put(tmp_path, rows)))[0] == (["a", "b", "c"], [1, 0, 1])


def test_two_columns_become_one_written_text(tmp_path):
    rows = [{"text": "who?", "text_pair": "she did", "label": 1}]
    assert read_folder(PAIRS, put(tmp_path, rows)).train.texts == ("Text: who? Text pair: she did",)


def test_both_layouts_are_found_and_the_task_s_own_folder_comes_first(tmp_path):
    put(tmp_path, [{"text": "outer", "label": 0}])
    assert read_folder(MOOD, tmp_path).train.texts == ("outer",)
    put(tmp_path / "mood", [{"text": "inner", "label": 0}])
    assert read_folder(MOOD, tmp_path).train.texts == ("inner",)


def test_splits_may_have_different_formats(tmp_path):
    put(tmp_path, ending=".csv.gz", splits=["train"])
    put(tmp_path, ending=".jsonl", splits=["test"])
    assert len(read_folder(MOOD, tmp_path).evaluation.texts) == 5


def test_a_task_names_its_files_with_or_without_ending(tmp_path):
    put(tmp_path, [{"text": "a", "label": 0}], ending=".jsonl", splits=["learn", "dev"])
    for learn, dev in [("learn", "dev"), ("learn.jsonl", "dev.jsonl")]:
        task = Task("mood", "Write one:", ("bad", "good"), train=learn, evaluation=dev)
        assert read_folder(task, tmp_path).train.texts == ("a",)


def test_blank_lines_in_jsonl_are_skipped(tmp_path):
    put(tmp_path)
    (tmp_path / "train.csv").unlink()
    (tmp_path / "train.jsonl").write_text('\n{"text": "a", "label": 1}\n\n', encoding="utf-8")
    assert as_lists(read_folder(MOOD, tmp_path))[0] == (["a"], [1])


@given(
    st.lists(
        st.tuples(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), st.integers(0, 1)),
        min_size=1,
    )
)
def test_any_texts_survive_csv_and_jsonl(tmp_path_factory, pairs):
    pairs = [(text, label) for text, label in pairs if text.strip()] or [("something", 0)]
    expected = ([" ".join(text.split()) for text, _ in pairs], [label for _, label in pairs])
    folder = tmp_path_factory.mktemp("texts")
    for ending in (".csv", ".jsonl.gz"):
        put(folder / ending[1:], [{"text": text, "label": label} for text, label in pairs], ending)
        assert as_lists(read_folder(MOOD, folder / ending[1:]))[1] == expected


# Content.


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_corrected_label_is_read_again_in_the_same_process(tmp_path, ending):
    one, other = ([{"text": "fine", "label": label}, {"text": "dull", "label": 0}] for label in (0, 1))
    before = load(MOOD, put(tmp_path, one, ending))
    after = load(MOOD, put(tmp_path, other, ending))
    assert (before.train.labels.tolist(), after.train.labels.tolist()) == ([0, 0], [1, 0])
    assert before.fingerprint() != after.fingerprint()
    assert load(MOOD, tmp_path) is after


def test_the_fingerprint_is_that_of_the_content_in_any_format_and_place(tmp_path):
    prints = [load(MOOD, put(tmp_path / ending, ending=ending)).fingerprint() for ending in ENDINGS]
    assert prints == [prints[0]] * len(ENDINGS)


def test_each_split_has_a_fingerprint(tmp_path):
    before = load(MOOD, put(tmp_path)).fingerprint()
    after = load(MOOD, put(tmp_path, ROWS[:2], splits=["test"])).fingerprint()
    assert [name for name in before if before[name] != after[name]] == ["evaluation"]


# Unusable files.


def test_a_missing_folder_is_named_with_the_paths_tried_and_what_to_do(tmp_path):
    message = refused(tmp_path / "nowhere")
    assert "No data for task 'mood'" in message
    assert str(tmp_path / "nowhere" / "mood" / "train") in message
    assert str(tmp_path / "nowhere" / "train") in message
    assert all(ending in message for ending in ENDINGS)
    assert "data_dir=FOLDER" in message
    assert "SIGNAL_ENV_DATA" in message
    assert "hub" not in message


def test_a_missing_split_is_named(tmp_path):
    put(tmp_path, splits=["train"])
    assert str(tmp_path / "mood" / "test") in refused(tmp_path)


def test_a_task_on_the_hub_may_be_read_from_there(tmp_path):
    task = Task("mood", "Write one:", ("bad", "good"), hub=Hub("someone/mood"))
    assert "'someone/mood' from the hub" in refused(tmp_path, task)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_missing_column_is_named_with_the_file(tmp_path, ending):
    put(tmp_path, [{"sentence": "a", "label": 0}], ending)
    message = refused(tmp_path)
    assert str(tmp_path / f"train{ending}") in message
    assert "missing or empty ['text']" in message
    assert "found ['label', 'sentence']" in message


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_unknown_label_is_named_with_file_and_row(tmp_path, ending):
    put(tmp_path, [{"text": "a", "label": 0}, {"text": "b", "label": 7}], ending)
    assert f"train{ending}, row 2: unknown label '7'" in refused(tmp_path)


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_empty_text_is_named_with_file_and_row(tmp_path, ending):
    put(tmp_path, [{"text": "a", "label": 0}, {"text": " ", "label": 1}], ending)
    assert f"train{ending}, row 2: the text is empty" in refused(tmp_path)


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
@pytest.mark.parametrize("column", ["text", "label"])
def test_a_null_is_named_with_file_and_row(tmp_path, ending, column):
    put(tmp_path, [{"text": "a", "label": 0}, {"text": "b", "label": 1, column: None}], ending)
    message = refused(tmp_path)
    assert f"train{ending}, row 2" in message
    assert f"missing or empty ['{column}']" in message


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
def test_not_a_number_is_no_text(tmp_path, ending):
    put(tmp_path, [{"text": float("nan"), "label": 1}], ending)
    message = refused(tmp_path)
    assert f"train{ending}, row 1" in message
    assert "text" in message


def test_a_short_csv_row_is_named(tmp_path):
    put(tmp_path)
    (tmp_path / "train.csv").write_text("text,label\nfine,1\nno label\n", encoding="utf-8")
    assert "train.csv, row 2 (line 3): expected 2 values, for ['text', 'label']; got 1" in refused(tmp_path)


def test_a_comma_that_is_not_quoted_is_no_shorter_text(tmp_path):
    put(tmp_path)
    (tmp_path / "train.csv").write_text("label,text\n0,dull\n1,good, cheap, fast\n", encoding="utf-8")
    message = refused(tmp_path)
    assert "train.csv, row 2 (line 3): expected 2 values, for ['label', 'text']; got 4" in message
    assert "good" in message
    assert "in quotes" in message


@pytest.mark.parametrize(
    ("rows", "place"),
    [
        ('fine,1\n"good,1\nbad,0\ndull,0\nnice,1\n', "row 2 (line 3)"),
        ('fine,1\n"good,1\nbad,0\ndull,0\nnice",1\n', "row 2 (line 3)"),
        ('fine,1\n"good,1\nbad,0\n"dull",0\nnice,1\n', "row 2 (line 3)"),
        ('"two\nlines",1\n"good,1\nbad,0\n"",0\nnice",1\n', "row 2 (line 4)"),
    ],
    ids=["never closed", "closed later", "closed by a quoted text", "after a text of two lines"],
)
@pytest.mark.parametrize("names", [False, True])
def test_a_stray_quote_swallows_no_rows(tmp_path, rows, place, names):
    put(tmp_path)
    rows = rows.replace(",1", ",good").replace(",0", ",bad") if names else rows
    (tmp_path / "train.csv").write_text("text,label\n" + rows, encoding="utf-8")
    message = refused(tmp_path)
    assert f"train.csv, {place}" in message
    assert "stray quote" in message


def test_a_row_with_a_class_of_two_words_is_not_swallowed_either(tmp_path):
    task = Task("mood", "Write one:", ("very bad", "very good"))
    put(tmp_path)
    rows = '"fine film,very good\nbad film,very bad\nlast",very bad\n'
    (tmp_path / "train.csv").write_text("text,label\n" + rows, encoding="utf-8")
    assert "train.csv, row 1 (line 2)" in refused(tmp_path, task)


def test_lines_that_end_in_no_label_are_no_rows(tmp_path):
    texts = ["I liked it.\nWell, fine\nbye", "In the year 2000,\nor so, 1999", "x" * 200_000]
    put(tmp_path, [{"text": text, "label": 1} for text in texts])
    assert read_folder(MOOD, tmp_path).train.texts == tuple(" ".join(text.split()) for text in texts)


def test_a_quoted_text_may_have_lines_with_commas(tmp_path):
    put(tmp_path, [{"text": "one, two\nthree, and four\nfive", "label": 1}, {"text": 'a "quote"', "label": 0}])
    assert read_folder(MOOD, tmp_path).train.texts == ("one, two three, and four five", 'a "quote"')


def test_two_columns_of_one_name_are_refused(tmp_path):
    put(tmp_path)
    (tmp_path / "train.csv").write_text("text,label,text\nfine,1,dull\n", encoding="utf-8")
    assert "train.csv has more than one column 'text'" in refused(tmp_path)


def test_two_keys_of_one_name_are_refused(tmp_path):
    put(tmp_path, ending=".jsonl")
    (tmp_path / "train.jsonl").write_text('{"text": "a", "label": 1, "text": "b"}\n', encoding="utf-8")
    message = refused(tmp_path)
    assert "train.jsonl, line 1" in message
    assert "twice" in message


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("text", ["a", "list"], "a text; got a list"),
        ("text", 3, "a text; got a int"),
        ("label", [1], "a class's name or number; got a list"),
        ("label", 1.0, "a class's name or number; got a float"),
        ("label", True, "a class's name or number; got a bool"),
    ],
)
def test_a_value_of_another_type_is_not_written_as_text(tmp_path, ending, column, value, expected):
    put(tmp_path, [{"text": "a", "label": 1} | {column: value}], ending)
    assert f"train{ending}, row 1, column {column!r}: expected {expected}" in refused(tmp_path)


@pytest.mark.parametrize("content", ["", "text,label\n"], ids=["empty", "header only"])
@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
def test_a_csv_file_without_rows_is_refused(tmp_path, content, ending):
    put(tmp_path, ending=ending)
    data = content.encode()
    (tmp_path / f"train{ending}").write_bytes(gzip.compress(data) if ending.endswith("gz") else data)
    message = refused(tmp_path)
    assert f"train{ending} holds no rows" in message
    assert "['text', 'label']" in message


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz", ".csv.gz"])
def test_a_file_of_no_bytes_is_refused(tmp_path, ending):
    put(tmp_path, ending=ending)
    (tmp_path / f"train{ending}").write_bytes(b"")
    assert f"train{ending} holds no rows" in refused(tmp_path)


def test_a_parquet_file_without_rows_is_refused(tmp_path):
    put(tmp_path, ending=".parquet")
    empty = pyarrow.table({"text": pyarrow.array([], pyarrow.string()), "label": pyarrow.array([], pyarrow.int64())})
    parquet.write_table(empty, tmp_path / "train.parquet")
    assert "train.parquet holds no rows" in refused(tmp_path)


@pytest.mark.parametrize("ending", [".csv.gz", ".jsonl.gz"])
@pytest.mark.parametrize("damage", ["truncated", "not gzip", "damaged within", "damaged at the end"])
def test_a_broken_gzip_file_is_named(tmp_path, ending, damage):
    put(tmp_path, [{"text": f"text {i * i}", "label": i % 2} for i in range(2000)], ending)
    file = tmp_path / f"train{ending}"
    data = bytearray(file.read_bytes())
    if damage == "truncated":
        data = data[: len(data) // 2]
    elif damage == "not gzip":
        data = bytearray(b"text,label\nfine,1\n")
    elif damage == "damaged within":
        data[10:60] = b"\xff" * 50
    else:
        data[-8] ^= 0xFF  # The checksum.
    file.write_bytes(data)
    assert f"train{ending} cannot be read" in refused(tmp_path)


def test_a_broken_parquet_file_is_named(tmp_path):
    put(tmp_path, ending=".parquet")
    (tmp_path / "train.parquet").write_bytes(b"text,label\nfine,1\n")
    assert "train.parquet cannot be read" in refused(tmp_path)


@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
def test_a_file_that_is_not_utf8_is_named(tmp_path, ending):
    put(tmp_path, [{"text": "café", "label": 1}], ending)
    file = tmp_path / f"train{ending}"
    file.write_bytes(file.read_bytes().decode("utf-8").encode("latin-1"))
    message = refused(tmp_path)
    assert f"train{ending} cannot be read" in message
    assert "utf-8" in message


@pytest.mark.parametrize("line", ['{"text": "a", "label"', "text", "[1, 2]", '"text"', "3", "null"])
def test_a_line_that_is_no_json_object_is_named(tmp_path, line):
    put(tmp_path, ending=".jsonl")
    (tmp_path / "train.jsonl").write_text(f'{{"text": "a", "label": 1}}\n{line}\n', encoding="utf-8")
    message = refused(tmp_path)
    assert "train.jsonl" in message
    assert re.search(r"\b(row|line) 2\b", message)


@pytest.mark.parametrize("row", ['a stray "quote row,1', 'a "fine" film,1', "a\0b,1"])
def test_a_quote_in_a_text_without_quotes_is_refused(tmp_path, row):
    for split in ("train.csv", "test.csv"):
        (tmp_path / split).write_text(f'text,label\n\n"a ""fine"" film, all told",1\n{row}\n')
    with pytest.raises(DataError, match=r"row 2 \(line 4\): a quote within a text that is not in quotes, or a NUL"):
        read_folder(MOOD, tmp_path)
