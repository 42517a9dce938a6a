"""The cache directory and atomic writes."""

import os
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_env.utils.storage import cache_dir, new_folder, write_text


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# The cache.


@pytest.fixture
def no_variables(monkeypatch, tmp_path):
    for name in ("SIGNAL_ENV_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_the_default_is_the_user_s_cache_folder(no_variables, tmp_path):
    assert cache_dir("annotators", "sst2") == tmp_path / "home" / ".cache" / "signal_env" / "annotators" / "sst2"


def test_xdg_cache_home_comes_before_the_default(no_variables, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir("a") == tmp_path / "xdg" / "signal_env" / "a"


def test_signal_env_cache_comes_first(no_variables, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("SIGNAL_ENV_CACHE", str(tmp_path / "ours"))
    assert cache_dir("a", "b") == tmp_path / "ours" / "a" / "b"
    assert cache_dir() == tmp_path / "ours"


def test_empty_variables_count_as_unset(no_variables, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("SIGNAL_ENV_CACHE", "")
    assert cache_dir() == tmp_path / "home" / ".cache" / "signal_env"


def test_cache_dir_creates_no_folder(no_variables, tmp_path):
    cache_dir("annotators")
    assert not (tmp_path / "home").exists()


# Files.


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r")))
def test_a_text_is_read_back_as_it_was_written(tmp_path_factory, text):
    file = tmp_path_factory.mktemp("files") / "note.txt"
    write_text(file, text)
    assert file.read_bytes() == text.encode("utf-8")
    assert names(file.parent) == ["note.txt"]


def test_a_lone_surrogate_does_not_stop_a_log(tmp_path):
    write_text(tmp_path / "log", "before \ud800 after")
    assert (tmp_path / "log").read_text(encoding="utf-8") == "before \\ud800 after"


def test_missing_folders_are_made_and_old_files_replaced(tmp_path):
    file = tmp_path / "a" / "b" / "note.txt"
    write_text(file, "a first and longer version")
    write_text(file, "a second")
    assert file.read_text(encoding="utf-8") == "a second"
    assert names(file.parent) == ["note.txt"]


@contextmanager
def full_disk(room):
    """Limit the size of files in a block to `room` bytes."""
    resource = pytest.importorskip("resource", reason="file size limits exist on Unix only")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path):
    file = tmp_path / "note.txt"
    write_text(file, "old")
    with pytest.raises(OSError, match="File too large"), full_disk(room=100):
        write_text(file, "new" * 1000)
    assert file.read_text(encoding="utf-8") == "old"
    assert names(tmp_path) == ["note.txt"]


def test_contents_are_on_disk_before_the_rename(tmp_path, monkeypatch):
    """Syncs come in this order: the contents of a file, its rename, the entries of its folder."""
    calls = []

    def watch(name, describe):
        call = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args: (calls.append((name, describe(*args))), call(*args))[1])

    watch("fsync", lambda descriptor: os.fstat(descriptor).st_ino)
    watch("replace", lambda old, new: new.name)
    write_text(tmp_path / "note.txt", "text")
    note, folder = (tmp_path / "note.txt").stat().st_ino, tmp_path.stat().st_ino
    assert calls == [("fsync", note), ("replace", "note.txt"), ("fsync", folder)]
    calls.clear()
    with new_folder(tmp_path / "model", mark="part") as place:
        (place / "inner").mkdir()
        (place / "inner" / "part").write_text("1")
    inodes = [(tmp_path / "model" / name).stat().st_ino for name in ("inner/part", "inner", "")]
    assert calls == [*(("fsync", inode) for inode in inodes), ("replace", "model"), ("fsync", folder)]


def test_an_error_while_renaming_leaves_nothing_behind(tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "inside").touch()
    with pytest.raises(OSError, match="taken"):
        write_text(tmp_path / "taken", "text")
    assert names(tmp_path) == ["taken"]
    assert names(tmp_path / "taken") == ["inside"]


def test_a_written_file_has_the_permissions_of_any_new_file(tmp_path):
    write_text(tmp_path / "ours", "text")
    (tmp_path / "plain").write_text("text", encoding="utf-8")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


# Folders.


def test_a_new_folder_appears_when_the_block_ends(tmp_path):
    target = tmp_path / "a" / "model"
    with new_folder(target, mark="old") as folder:
        (folder / "part").write_text("1", encoding="utf-8")
        assert not target.exists()
        assert folder.parent == target.parent  # The same file system, so that renaming is atomic.
    assert names(target) == ["part"]
    assert names(target.parent) == ["model"]


def test_a_new_folder_replaces_the_old_one_whole(tmp_path):
    target = tmp_path / "model"
    target.mkdir()
    (target / "old").touch()
    with new_folder(target, mark="old") as folder:
        (folder / "new").touch()
        assert names(target) == ["old"]
    assert names(target) == ["new"]
    assert names(tmp_path) == ["model"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_leaves_the_old_folder_and_no_temporary_one(tmp_path, error):
    target = tmp_path / "model"
    target.mkdir()
    (target / "old").touch()

    def fail(folder):
        (folder / "half").touch()
        raise error("stopped")

    with pytest.raises(error, match="stopped"), new_folder(target, mark="old") as folder:
        fail(folder)
    assert names(target) == ["old"]
    assert names(tmp_path) == ["model"]


def test_a_new_folder_has_the_permissions_of_any_new_folder(tmp_path):
    with new_folder(tmp_path / "ours", mark="part"):
        pass
    (tmp_path / "plain").mkdir()
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_path_may_be_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_text(Path("note.txt"), "text")
    with new_folder(Path("model"), mark="part") as folder:
        (folder / "part").touch()
    assert names(tmp_path) == ["model", "note.txt"]


def test_a_folder_of_another_kind_is_never_replaced(tmp_path):
    target = tmp_path / "thesis"
    target.mkdir()
    (target / "chapter").touch()
    refused = pytest.raises(FileExistsError, match=r"will not be replaced: it has no model\.json")
    with refused, new_folder(target, mark="model.json"):
        pass
    assert names(target) == ["chapter"]
    (tmp_path / "empty").mkdir()
    with new_folder(tmp_path / "empty", mark="model.json") as folder:
        (folder / "model.json").touch()
    assert names(tmp_path / "empty") == ["model.json"]
