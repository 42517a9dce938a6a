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
    merged = "base: &base {a: 1, b: 2}\nother:\n  <<: *base\n  b: 3\n"
    assert parse_yaml(merged, "The text")["other"] == {"a": 1, "b": 3}


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
