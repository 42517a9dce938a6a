"""Embeddings on disk, which processes share: a study embeds each text once, not once in each of its processes."""

import hashlib
import os
import random
import sqlite3
import warnings
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from signal_env.classifiers.pretrained import blocks
from signal_env.utils.storage import NoCache, cache_dir

PROBES = (
    "good",
    "What is the name of the river that flows through the largest city of this country?",
    " ".join(f"Word {i} of a text that is longer than every limit on the number of tokens." for i in range(60)),
)
"""Texts whose embeddings identify an encoder: its weights, its code, and the rounding of this machine."""

BLOCK = 64
"""The number of texts that are computed and written at a time."""

CREATE = "CREATE TABLE IF NOT EXISTS embeddings (text BLOB PRIMARY KEY, embedding BLOB)"

Embeddings = NDArray[np.float32]


class EmbeddingStore:
    """Embeddings by text, in a database in the cache directory. It may be removed at any time.

    The database's name is a hash of `identity` and of the embeddings of `PROBES`, so that another encoder, another
    version of a library or another machine with other rounding has another database. Texts are stored as hashes. A
    database that cannot be read or written is reported as a warning, and embeddings are then computed.

    Args:
        compute: Returns embeddings `(n, d)` of `n` texts. The embedding of a text must not depend on the other texts.
        probes: `PROBES` in the written form of the task.
        identity: What else the embeddings depend on.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from unittest.mock import patch
        >>> def lengths(texts):
        ...     return np.array([[len(text)] for text in texts], dtype=np.float32)
        >>> with TemporaryDirectory() as folder, patch.dict(os.environ, SIGNAL_ENV_CACHE=folder):
        ...     EmbeddingStore(lengths)(["fun", "dull"]).tolist()
        ...     sorted(file.suffix for file in Path(folder, "embeddings").iterdir())
        [[3.0], [4.0]]
        ['.sqlite']
    """

    def __init__(
        self, compute: Callable[[Sequence[str]], Embeddings], probes: Sequence[str] = PROBES, identity: str = ""
    ) -> None:
        self._compute = compute
        computed = np.ascontiguousarray(compute(probes), dtype=np.float32)
        name = hashlib.sha256(repr((identity, computed.shape)).encode() + computed.tobytes()).hexdigest()
        try:
            self.file: Path | None = cache_dir("embeddings", f"{name[:32]}.sqlite")
        except NoCache as error:
            self.file = Path("embeddings")
            self._give_up(error)

    def __call__(self, texts: Sequence[str]) -> Embeddings:
        """Return embeddings `(n, d)` of `n` different texts; those that are not stored are computed and stored.

        Blocks of texts are computed in an order of the process's own, and each is looked for just before, so that
        processes that embed the same texts at the same time share the work.
        """
        found = self._read(texts)
        missing = [*blocks([text for text in texts if text not in found], BLOCK)]
        random.Random(os.getpid()).shuffle(missing)
        for block in missing:
            found |= self._read(block)
            if rest := [text for text in block if text not in found]:
                computed = self._compute(rest)
                self._write(rest, computed)
                found |= zip(rest, computed, strict=True)
        return np.stack([found[text] for text in texts])

    def _read(self, texts: Sequence[str]) -> dict[str, Embeddings]:
        """Return the stored embeddings of those of the texts that have one."""
        if self.file is None:
            return {}
        keys = {_key(text): text for text in texts}
        found: dict[str, Embeddings] = {}
        try:
            if not self.file.exists():
                return {}
            with closing(sqlite3.connect(self.file, timeout=60)) as database:
                database.execute(CREATE)  # Another process may have made the file just now, and no table yet.
                for part in blocks([*keys], 500):
                    marks = ",".join("?" * len(part))
                    rows = database.execute(f"SELECT text, embedding FROM embeddings WHERE text IN ({marks})", part)
                    found |= {keys[key]: np.frombuffer(value, dtype=np.float32) for key, value in rows}
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)
        return found

    def _write(self, texts: Sequence[str], embeddings: Embeddings) -> None:
        """Store embeddings. Those that another process has stored meanwhile are equal, and stay."""
        if self.file is None:
            return
        rows = [(_key(text), row.tobytes()) for text, row in zip(texts, embeddings, strict=True)]
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.file, timeout=60)) as database, database:
                database.execute(CREATE)
                database.executemany("INSERT OR IGNORE INTO embeddings VALUES (?, ?)", rows)
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        """Warn, and compute all embeddings from now on."""
        warnings.warn(
            f"Embeddings cannot be kept in {self.file} and are computed: {error}. Remove the file, or set "
            "SIGNAL_ENV_CACHE to another folder.",
            stacklevel=2,
        )
        self.file = None


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).digest()
