"""Fingerprints of files, folders and data: equal for equal content, wherever it lies."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_env.utils.fingerprint import digest_of, digest_of_file, digest_of_folder


@given(st.binary(max_size=100))
def test_a_file_s_digest_is_its_sha256(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("files") / "file"
    file.write_bytes(content)
    assert digest_of_file(file) == hashlib.sha256(content).hexdigest()


@given(st.lists(st.text(max_size=3), max_size=4), st.lists(st.text(max_size=3), max_size=4))
def test_only_equal_strings_have_equal_digests(one, other):
    assert (digest_of(one) == digest_of(other)) == (one == other)


def put(folder, **files):
    (folder / "sub").mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", "/")).write_text(content)
    return folder


def test_a_folder_may_move(tmp_path):
    one, other = (put(tmp_path / name, a="1", sub__b="2") for name in ("one", "other"))
    assert digest_of_folder(one) == digest_of_folder(other)


@pytest.mark.parametrize("change", [{"a": "2"}, {"sub__b": "1"}, {"c": ""}])
def test_any_file_counts(tmp_path, change):
    before = digest_of_folder(put(tmp_path, a="1", sub__b="2"))
    assert digest_of_folder(put(tmp_path, **change)) != before


def test_hidden_files_do_not_count(tmp_path):
    before = digest_of_folder(put(tmp_path, a="1"))
    put(tmp_path / ".cache", a="1")
    (tmp_path / ".lock").touch()
    assert digest_of_folder(tmp_path) == before


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        digest_of_folder(tmp_path / "nowhere")
