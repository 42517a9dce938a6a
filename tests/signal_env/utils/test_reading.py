"""YAML and JSON are read strictly, and what is written is read back the same by any reader."""

import math

import pytest
import yaml

from signal_env.utils.reading import ReadingError, dump_yaml, parse_yaml, read_json, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("-2E5", -200000.0),
        ("1.5e-3", 0.0015),
        (".5", 0.5),
        ("7", 7),
        ("1_000", 1000),
        ("0x10", 16),
        ("12:30", "12:30"),
        ("010", "010"),
        ("2026-01-02", "2026-01-02"),
        ("1e", "1e"),
        ("yes", True),
        ("'yes'", "yes"),
        ("~", None),
        (".inf", math.inf),
    ],
)
def test_numbers_are_what_they_look_like(text, value):
    found = parse_yaml(f"it: {text}", "The text")["it"]
    assert found == value
    assert type(found) is type(value)


def test_a_name_twice_is_an_error_with_both_lines():
    with pytest.raises(ReadingError, match=r"The text has 'b' twice \(lines 3 and 4\)"):
        parse_yaml("a:\n- 1\nb: 1\nb: 2\n", "The text")
    with pytest.raises(ReadingError, match=r"'c' twice \(lines 2 and 2\)"):
        parse_yaml("a:\n  {c: 1, c: 1}\n", "The text")
    for text, message in (("true: 1\nTrue: 2", "True twice"), ("0x10: 1\n16: 2", "16 twice")):
        with pytest.raises(ReadingError, match=message):
            parse_yaml(text, "The text")
    assert parse_yaml("1: a\n'1': b", "The text") == {1: "a", "1": "b"}
    merged = "base: &base {a: 1, b: 2}\nother:\n  <<: *base\n  b: 3\n"
    assert parse_yaml(merged, "The text")["other"] == {"a": 1, "b": 3}


@pytest.mark.parametrize("value", ["!!int yes", "!!int ''", "!!float x", "!!bool 5", "!!timestamp x", "9" * 5000])
def test_a_value_that_is_none_of_its_tag_is_an_error_with_its_line(value):
    with pytest.raises(ReadingError, match=r"The text is not valid YAML: '.* is no (int|float|bool|timestamp) line 2"):
        parse_yaml(f"a: 1\nb: {value}", "The text")


@pytest.mark.parametrize("value", ["\x85", "a\x85 b", "\u2028a\n\u2029", "\ufeff", "\r", "a\tb\x7f"])
def test_characters_that_yaml_would_fold_are_read_back(value):
    for kept in ({"it": value}, {value: "it"}):
        text = dump_yaml(kept)
        assert parse_yaml(text, "The text") == yaml.safe_load(text) == kept


@pytest.mark.parametrize("value", ["1e-3", "1e3", "12:30", "010", "2026-01-02", "yes", "", "1_000", ".5", "a: b", 1e-5])
def test_what_is_written_is_read_back_by_this_and_other_readers(value):
    text = dump_yaml({"it": value})
    assert parse_yaml(text, "The text") == {"it": value}
    assert yaml.safe_load(text) == {"it": value}


def test_files_that_cannot_be_read_are_named(tmp_path):
    file = tmp_path / "file.json"
    with pytest.raises(ReadingError, match=r"The file cannot be read: .*No such file"):
        read_yaml(file, "The file")
    for text, message in [
        ('{"a": 1, "a": 2}', "'a' is there twice"),
        ('{"a": NaN}', "NaN is no number"),
        ("{", "The file is not valid JSON"),
    ]:
        file.write_text(text)
        with pytest.raises(ReadingError, match=message):
            read_json(file, "The file")
    file.write_text("a: [b")
    with pytest.raises(ReadingError, match=r"The file is not valid YAML: [^\n]*line 1"):
        read_yaml(file, "The file")
