"""Tasks: the paper's tasks, tasks from YAML, and the written form of texts with several fields."""

import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_env.tasks import Hub, Task, TaskError, get_task, tasks
from signal_env.utils.registry import UnknownName


def collapsed(text):
    return " ".join(text.split())


def make(**changes):
    """Return a small task with these attributes changed."""
    return Task(**{"name": "mine", "instruction": "Write one:", "class_names": ("no", "yes"), **changes})


# The paper's tasks.


@pytest.mark.parametrize(
    ("name", "train", "classes", "evaluation"),
    # Table 1: 67.3K, 120K and 105K texts; 2, 4 and 2 classes. Section 5.1: SST-2 and QNLI are evaluated on validation.
    [("sst2", 67_349, 2, "validation"), ("agnews", 120_000, 4, "test"), ("qnli", 104_743, 2, "validation")],
)
def test_the_paper_s_tasks_have_table_1_s_sizes(name, train, classes, evaluation):
    task = get_task(name)
    assert (task.name, task.train_size, task.n_classes, task.evaluation) == (name, train, classes, evaluation)
    assert len(task.class_names) == classes


def test_trec_and_banking77_have_their_published_sizes():
    # Li and Roth 2002: 5,452 training questions of 6 types. Casanueva et al. 2020: 10,003 training texts, 77 intents.
    trec, banking = get_task("trec"), get_task("banking77")
    assert (trec.train_size, trec.n_classes, trec.evaluation) == (5_452, 6, "test")
    assert (banking.train_size, banking.n_classes, banking.evaluation) == (10_003, 77, "test")


def test_class_names_are_in_label_order():
    assert get_task("trec").class_names == ("DESC", "ENTY", "ABBR", "HUM", "LOC", "NUM")
    assert list(get_task("banking77").class_names) == sorted(get_task("banking77").class_names)
    assert get_task("sst2").class_names == ("negative", "positive")
    assert get_task("agnews").class_names == ("World", "Sports", "Business", "Sci/Tech")
    assert get_task("qnli").class_names == ("entailment", "not_entailment")
    assert get_task("reviews").class_names == ("negative", "positive")


def test_the_instruction_of_sst2_is_the_paper_s():
    assert (
        get_task("sst2").instruction == "Based on the following examples of movie reviews, come up with a new example:"
    )


def test_qnli_has_a_question_and_a_sentence():
    task = get_task("qnli")
    assert task.columns == ("text", "text_pair")
    assert task.write("Who?", "She did.") == "Question: Who? Sentence: She did."


@pytest.mark.parametrize("name", list(tasks))
def test_tasks_are_plain_hashable_data(name):
    task = get_task(name)
    assert task == dataclasses.replace(task)
    assert len({task, dataclasses.replace(task), dataclasses.replace(task, instruction="Another:")}) == 2


def test_a_task_passes_through():
    task = make()
    assert get_task(task) is task


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UnknownName, match=r"task 'sst-2'.*'sst2'.*agnews, banking77, qnli, reviews, sst2, trec"):
        get_task("sst-2")


def test_a_data_file_is_no_task(tmp_path):
    (tmp_path / "train.csv").write_text("text,label\n")
    for place in (tmp_path, tmp_path / "train.csv", "tickets/train.csv"):
        with pytest.raises(TaskError, match=r"or the \.yaml file that describes a task of your own"):
            get_task(str(place))


# The written form.

ONE = make()
TWO = get_task("qnli")
THREE = make(columns=("title", "premise", "hypothesis"))
NESTED = make(columns=("a", "b", "c"), field_names=("Text", "Answer", "Long Answer"))
ODD = make(columns=("a", "b"), field_names=("A+ (best?)", "[B] \\ .*"))


def words_of(task):
    """Generate texts that could confuse the parser: field names with and without colons and backslashes."""
    names = [
        f"{mark}{name}{end}" for name in task.field_names for mark in ("", "\\", "\\\\") for end in ("", ":", "::")
    ]
    pieces = st.one_of(
        st.sampled_from([*names, "\\", ":", "a", "\n", "\t", " ", "\u00a0", "\u2028"]), st.text(max_size=6)
    )
    return st.lists(pieces, max_size=6).flatmap(lambda some: st.sampled_from([" ".join(some), "".join(some)]))


@given(words_of(ONE))
def test_one_field_is_written_as_it_is(text):
    assert ONE.write(text) == collapsed(text)
    assert ONE.fields(ONE.write(text)) == (collapsed(text),)


def fields_of(task):
    """Generate a text for each of the task's fields, not empty, with white space collapsed."""
    return st.tuples(*(words_of(task).map(lambda text: collapsed(text) or "a") for _ in task.columns))


several = pytest.mark.parametrize("task", [TWO, THREE, NESTED, ODD], ids=["two", "three", "nested names", "odd names"])


@several
@given(st.data())
def test_several_fields_are_read_back_without_loss(task, data):
    fields = data.draw(fields_of(task))
    text = task.write(*fields)
    assert text == collapsed(text)
    assert task.fields(text) == fields


@several
@given(st.data())
def test_different_fields_are_written_differently(task, data):
    one, other = data.draw(fields_of(task)), data.draw(fields_of(task))
    assert (task.write(*one) == task.write(*other)) == (one == other)


@given(st.lists(st.sampled_from(["Question:", "Sentence:", "\\Sentence:", "a", "\\"]), max_size=8))
def test_whatever_is_readable_can_be_written_and_read_again(words):
    fields = TWO.fields(" ".join(words))
    if fields is not None:
        assert TWO.fields(TWO.write(*fields)) == fields


def test_a_field_may_hold_the_other_s_name():
    text = TWO.write("Is Sentence: a field?", "Question: and Sentence: are.")
    assert TWO.fields(text) == ("Is Sentence: a field?", "Question: and Sentence: are.")


def test_field_names_are_made_from_the_columns():
    assert make(columns=("text", "text_pair")).field_names == ("Text", "Text pair")
    assert THREE.write("a", "b", "c") == "Title: a Premise: b Hypothesis: c"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no names at all",
        "Question: no sentence",
        "Sentence: no question",
        "Sentence: b Question: a",
        "Question: Sentence:",
        "Question: a Sentence:",
        "Question:  Sentence: b",
        "question: a sentence: b",
        "Question: a\\ \\Sentence: b",
        "Well, Question: a Sentence: b",
        "Question:a Sentence:b",
    ],
)
def test_texts_that_are_not_of_the_form_are_not_read(text):
    assert TWO.fields(text) is None


def test_white_space_does_not_matter_when_reading():
    assert TWO.fields("  Question:\n who \t asked?\nSentence:  He\u00a0did. ") == ("who asked?", "He did.")


def test_writing_the_wrong_fields_is_an_error():
    with pytest.raises(ValueError, match=r"\('Question', 'Sentence'\); got 1 texts"):
        TWO.write("only one")
    with pytest.raises(ValueError, match=r"'qnli' needs a text in each of .*Question.*\['who\?', ''\]"):
        TWO.write("who?", " \n ")


# Required attributes.


@pytest.mark.parametrize("part", ["name", "instruction"])
@pytest.mark.parametrize("value", ["", "  ", None, 3])
def test_name_and_instruction_are_texts(part, value):
    with pytest.raises(TaskError, match=f"needs '{part}'.*got {re.escape(repr(value))}"):
        make(**{part: value})


@pytest.mark.parametrize("names", [(), ("only",), ("same", "same"), ("a", "b", "a")])
def test_two_or_more_distinct_classes(names):
    with pytest.raises(TaskError, match=r"'mine' needs two or more distinct class names; got \["):
        make(class_names=names)


@pytest.mark.parametrize("names", [("A",), ("A", "A"), ("A", "B", "C")])
def test_one_distinct_field_name_per_column(names):
    with pytest.raises(TaskError, match="'mine' needs one distinct field name per column"):
        make(columns=("a", "b"), field_names=names)


def test_one_column_at_least():
    with pytest.raises(TaskError, match=r"needs one or more columns of text fields; got \(\)"):
        make(columns=())


# Tasks from YAML.

STARS = """
name: stars
instruction: "Write a product review like these:"
class_names: [one star, two stars, three stars, four stars, five stars]
columns: [title, body]
evaluation: validation
directory: files
hub:
  path: someone/stars
  config: english
  columns: [review_title, review_body]
  label: rating
"""


def test_a_yaml_file_describes_a_task(tmp_path):
    file = tmp_path / "stars.yaml"
    file.write_text(STARS, encoding="utf-8")
    task = get_task(file)
    assert task == get_task(str(file))
    assert task.n_classes == 5
    assert task.class_names[4] == "five stars"
    assert task.fields(task.write("Good", "Very good")) == ("Good", "Very good")
    assert (task.train, task.evaluation, task.train_size) == ("train", "validation", None)
    assert task.hub == Hub("someone/stars", "english", ("review_title", "review_body"), "rating")
    assert task.directory == str(tmp_path / "files")
    assert hash(task) == hash(get_task(file))


def test_a_yaml_task_s_files_lie_beside_it_by_default(tmp_path, monkeypatch):
    (tmp_path / "mine.yml").write_text("name: mine\ninstruction: Go\nclass_names: [a, b]\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert get_task("mine.yml").directory == str(tmp_path)


def test_an_absolute_directory_stays(tmp_path):
    task = Task.from_mapping(
        {"name": "mine", "instruction": "Go", "class_names": ["a", "b"], "directory": str(tmp_path / "there")},
        directory=tmp_path / "here",
    )
    assert task.directory == str(tmp_path / "there")


def test_yaml_is_read_as_utf8(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("name: mine\ninstruction: Écris 🙂\nclass_names: [nö, yés]\n", encoding="utf-8")
    assert get_task(file).instruction == "Écris 🙂"
    assert get_task(file).class_names == ("nö", "yés")


def refused(tmp_path, text):
    """Return the error message for a task file."""
    file = tmp_path / "task.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(TaskError) as caught:
        get_task(file)
    return str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(TaskError, match=r"No task file at .*nowhere\.yaml"):
        get_task(tmp_path / "nowhere.yaml")


def test_broken_yaml_is_named_with_its_line(tmp_path):
    message = refused(tmp_path, "name: mine\nclass_names: [a, b\ninstruction: Go\n")
    assert "task.yaml is not valid YAML" in message
    assert "line 3" in message


@pytest.mark.parametrize("text", ["", "- name\n- instruction\n", "just a sentence"])
def test_yaml_that_is_no_mapping_is_refused(tmp_path, text):
    assert "should hold a mapping with name, instruction and class_names" in refused(tmp_path, text)


def test_missing_attributes_are_named(tmp_path):
    message = refused(tmp_path, "name: mine\n")
    assert "lacks ['instruction', 'class_names']" in message


def test_unknown_attributes_are_named_beside_the_known_ones(tmp_path):
    message = refused(tmp_path, "name: mine\ninstruction: Go\nclass_names: [a, b]\nclases: 2\n")
    assert "['clases']" in message
    assert "train_size" in message


def test_one_class_is_refused(tmp_path):
    assert "two or more" in refused(tmp_path, "name: mine\ninstruction: Go\nclass_names: [a]\n")


@pytest.mark.parametrize("value", ["a", "3", "{a: 1}"])
@pytest.mark.parametrize("part", ["class_names", "columns", "field_names"])
def test_lists_are_lists(tmp_path, part, value):
    lines = {"name": "mine", "instruction": "Go", "class_names": "[a, b]", part: value}
    message = refused(tmp_path, "\n".join(f"{key}: {value}" for key, value in lines.items()))
    assert f"Expected {part} to be a list of names; got " in message


@pytest.mark.parametrize(
    ("hub", "words"),
    [
        ("someone/stars", "path"),  # A name, not a mapping.
        ("{path: someone/stars, colums: [a]}", "colums"),
        ("{config: english}", "path"),
        ("{path: someone/stars, columns: sentence}", "list"),
        ("{path: someone/stars, columns: [a, b]}", "columns"),  # Two columns for the task's one.
    ],
)
def test_a_hub_entry_that_is_not_well_formed_is_refused(tmp_path, hub, words):
    assert words in refused(tmp_path, f"name: mine\ninstruction: Go\nclass_names: [a, b]\nhub: {hub}\n")


def test_class_names_that_yaml_reads_as_truth_values_are_refused(tmp_path):
    message = refused(tmp_path, "name: mine\ninstruction: Go\nclass_names: [no, yes]\n")
    assert "class_names" in message
    assert "False" in message
