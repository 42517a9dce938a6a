"""The hash of a plugin: of its file, and of what it imports from its own folder or package."""

import hashlib

import pytest

from experiments.plugin_content import content_hash


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def hash_of(file):
    return content_hash(file, file.read_bytes())


FILES = {
    "mine.py": "import numpy\nimport beside\ndef late():\n    from deep.inner import word\n",
    "beside.py": "from further import WORD\nimport mine\n",
    "further.py": "WORD = 'tender'\n",
    "deep/__init__.py": "",
    "deep/inner.py": "from . import words\nfrom .more.last import x\n",
    "deep/words.py": "word = 'cold'\n",
    "deep/more/last.py": "from ..up import y as x\n",
    "deep/up.py": "y = 1\n",
    "other.py": "unused = True\n",
    "deep/unused.py": "",
    "agents.py": "import this_project",
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_counts_if_the_plugin_imports_it(tmp_path, name):
    write(tmp_path, FILES)
    before = hash_of(tmp_path / "mine.py")
    write(tmp_path, {name: FILES[name] + "# changed\n"})
    assert (hash_of(tmp_path / "mine.py") == before) == (name in ("other.py", "deep/unused.py", "agents.py"))


def test_the_place_and_the_files_own_name_do_not_count(tmp_path):
    write(tmp_path / "here", {"one.py": "import beside\n", "beside.py": ""})
    write(tmp_path / "there", {"two.py": "import beside\n", "beside.py": ""})
    assert hash_of(tmp_path / "here" / "one.py") == hash_of(tmp_path / "there" / "two.py")


def test_a_file_alone_has_its_own_hash(tmp_path):
    write(
        tmp_path, {"mine.py": "import numpy\nfrom agents.agent import Agent\n", "agents.py": "", "broken.py": "def f(:"}
    )
    for name in ("mine.py", "broken.py"):
        assert hash_of(tmp_path / name) == hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()


def test_a_file_in_a_package_has_the_package_s_beginning_and_a_package_has_all_files(tmp_path):
    write(tmp_path, {"own/__init__.py": "", "own/terms.py": "", "own/deep/last.py": ""})
    terms, package = tmp_path / "own" / "terms.py", tmp_path / "own" / "__init__.py"
    before = hash_of(terms), hash_of(package)
    write(tmp_path, {"own/deep/last.py": "x = 1\n"})
    assert hash_of(terms) == before[0]
    assert hash_of(package) != before[1]
    write(tmp_path, {"own/__init__.py": "x = 1\n"})
    assert hash_of(terms) != before[0]
