"""Embeddings on disk: equal bits, shared by processes, and never those of another encoder."""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from signal_env.classifiers.embedding_store import BLOCK, PROBES, EmbeddingStore
from signal_env.classifiers.linear import FrozenEncoder
from signal_env.classifiers.pretrained import EMBEDDED
from signal_env.data import load
from signal_env.tasks import get_task

ROOT = Path(__file__).parents[3]
REVIEWS = get_task("reviews")
TEXTS = load(REVIEWS).train.texts[: 3 * BLOCK + 5]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache directory of the test's own."""
    monkeypatch.setenv("SIGNAL_ENV_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Lengths:
    """Embeds a text by its length times a weight, and records what it was asked for."""

    def __init__(self, weight=1.0):
        self.weight, self.asked = weight, []

    def __call__(self, texts):
        self.asked += texts
        return np.array([[self.weight * len(text), 1.0] for text in texts], dtype=np.float32)


def stored(cache):
    """Return the number of embeddings in each database."""
    counts = []
    for file in sorted((cache / "embeddings").glob("*.sqlite")):
        with closing(sqlite3.connect(file)) as database:
            counts += database.execute("SELECT COUNT(*) FROM embeddings").fetchone()
    return counts


def test_a_text_is_computed_once(cache):
    first, second = Lengths(), Lengths()
    once = EmbeddingStore(first)(TEXTS[:100])
    again = EmbeddingStore(second)(TEXTS[50:150])
    assert sorted(first.asked) == sorted([*PROBES, *TEXTS[:100]])
    assert sorted(second.asked) == sorted([*PROBES, *TEXTS[100:150]])
    assert once[:, 0].tolist() == [len(text) for text in TEXTS[:100]]
    assert again[:, 0].tolist() == [len(text) for text in TEXTS[50:150]]
    assert stored(cache) == [150]


def test_another_encoder_or_identity_has_a_database_of_its_own(cache):
    EmbeddingStore(Lengths())(TEXTS[:3])
    doubled = EmbeddingStore(Lengths(2.0))(TEXTS[:3])
    assert doubled[:, 0].tolist() == [2 * len(text) for text in TEXTS[:3]]
    EmbeddingStore(Lengths(), identity="64 tokens")(TEXTS[:2])
    assert sorted(stored(cache)) == [2, 3, 3]


def test_a_database_that_cannot_be_read_is_reported_and_embeddings_are_computed(cache):
    EmbeddingStore(Lengths())(TEXTS[:3])
    (file,) = (cache / "embeddings").iterdir()
    file.write_bytes(b"this is no database" * 1000)
    with pytest.warns(UserWarning, match=r"cannot be kept in .*\.sqlite and are computed: .*Remove the file"):
        found = EmbeddingStore(Lengths())(TEXTS[:3])
    assert found[:, 0].tolist() == [len(text) for text in TEXTS[:3]]


@pytest.mark.filterwarnings("error")
def test_a_database_that_another_process_has_only_begun_is_used(cache):
    compute = Lengths()
    store = EmbeddingStore(compute)
    store.file.parent.mkdir(parents=True)
    sqlite3.connect(store.file).close()  # an empty file
    store(TEXTS[:3])
    assert stored(cache) == [3]


def test_a_folder_that_cannot_be_written_is_reported_and_embeddings_are_computed(cache):
    cache.write_text("a file in the place of the folder")
    store = EmbeddingStore(Lengths())
    with pytest.warns(UserWarning, match="SIGNAL_ENV_CACHE"):
        found = store(TEXTS[:3])
    assert found[:, 0].tolist() == [len(text) for text in TEXTS[:3]]


# The encoder. A folder stands for any encoder but the embedded one, which is too fast to be worth keeping.


def folder_encoder(max_length=128, folder=EMBEDDED / "encoder"):
    return FrozenEncoder(REVIEWS, str(folder), "cpu", max_length)


def test_stored_embeddings_equal_computed_ones_to_the_bit(cache, monkeypatch):
    computed = folder_encoder()(list(TEXTS))
    assert not cache.exists()  # lists, such as offers, are not kept
    assert np.array_equal(folder_encoder()(TEXTS), computed)
    assert stored(cache) == [len(TEXTS)]
    reading = folder_encoder()
    assert np.array_equal(reading(TEXTS[:1]), computed[:1])
    monkeypatch.setattr(reading, "_computed", lambda texts: pytest.fail(f"computes {texts}"))
    monkeypatch.setattr(reading._store, "_compute", reading._computed)
    assert np.array_equal(reading(TEXTS), computed)


def test_another_number_of_tokens_and_other_weights_have_databases_of_their_own(cache, tmp_path):
    from safetensors.torch import load_file, save_file

    folder_encoder()(TEXTS[:2])
    folder_encoder(max_length=4)(TEXTS[:2])
    other = shutil.copytree(EMBEDDED / "encoder", tmp_path / "other")
    weights = load_file(other / "model.safetensors")
    save_file({name: 1.01 * value for name, value in weights.items()}, other / "model.safetensors", {"format": "pt"})
    folder_encoder(folder=other)(TEXTS[:2])
    assert stored(cache) == [2, 2, 2]


def test_the_embedded_encoder_is_not_kept(cache):
    FrozenEncoder(REVIEWS, "embedded", "cpu", 128)(TEXTS)
    assert not cache.exists()


@pytest.mark.skipif("LONG_TESTS" not in os.environ, reason="set LONG_TESTS=1: begins two processes")
def test_processes_that_embed_the_same_texts_at_once_agree(cache):
    code = f"""
import hashlib
from signal_env.classifiers.linear import FrozenEncoder
from signal_env.data import load
from signal_env.tasks import get_task
task = get_task("reviews")
texts = load(task).train.texts[:{len(TEXTS)}]
print(hashlib.sha256(FrozenEncoder(task, {str(EMBEDDED / "encoder")!r}, "cpu", 128)(texts).tobytes()).hexdigest())
"""
    running = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE) for _ in range(2)]
    hashes = {process.communicate()[0] for process in running}
    assert [process.returncode for process in running] == [0, 0]
    assert len(hashes) == 1
    assert stored(cache) == [len(TEXTS)]
