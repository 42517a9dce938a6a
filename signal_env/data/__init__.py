"""Sources of texts and labels: a folder of files, the Hugging Face hub, or the embedded reviews corpus."""

import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from signal_env.data.corpus import Corpus, DataError, Split
from signal_env.tasks import Task
from signal_env.utils.fingerprint import digest_of_file, digest_while_untouched

__all__ = ["Corpus", "DataError", "Split", "fingerprint", "load"]


def load(task: Task, data_dir: str | Path | None = None) -> Corpus:
    """Load a task's training and evaluation split.

    The first of these sources that is set is read; there is no fallback to another one if reading fails:

    1. the folder `data_dir`;
    2. the task's own `directory`;
    3. the folder `SIGNAL_ENV_DATA` (environment variable), except for the task "reviews";
    4. the embedded corpus, for the task "reviews";
    5. the task's data set on the hub.

    A folder holds the split files itself, or in a subfolder with the task's name. The last eight corpora are cached in
    the process, by the content of their files: a file that has changed is read again.

    Args:
        task: The task.
        data_dir: A folder of split files, or None.

    Raises:
        DataError: If the data is missing or malformed.
        MissingExtra: If the source needs an optional dependency that is not installed.

    Example:
        >>> from signal_env.tasks import get_task
        >>> corpus = load(get_task("reviews"))
        >>> len(corpus.train.texts), len(corpus.evaluation.texts)
        (30000, 2000)
    """
    return _load(*_source(task, _directory(task, data_dir), digest_of_file))


def fingerprint(task: Task, data_dir: str | Path | None = None) -> dict[str, str]:
    """Return the SHA-256 of each split's texts and labels, see `Corpus.fingerprint`, of the corpus that `load` loads.

    It is computed once in a process while the files' sizes and times stay.

    Raises:
        DataError: If the data is missing or malformed.
        MissingExtra: If the source needs an optional dependency that is not installed.

    Example:
        >>> from signal_env.tasks import get_task
        >>> list(fingerprint(get_task("reviews")))
        ['train', 'evaluation']
    """
    return dict(_fingerprint(*_source(task, _directory(task, data_dir), digest_while_untouched)))


Files = tuple[tuple[str, str], ...]


def _directory(task: Task, data_dir: str | Path | None) -> str | Path | None:
    """Return the folder of a task's files, or None for another source."""
    directory = data_dir or task.directory
    if directory is None and task.name != "reviews":
        directory = os.environ.get("SIGNAL_ENV_DATA")
    return directory or None


def _source(task: Task, directory: str | Path | None, digest: Callable[[Path], str]) -> tuple[Task, str | None, Files]:
    """Return the task, the folder of its files, and the files with the digests of their contents."""
    if directory is None:
        return task, None, ()
    from signal_env.data.folder import files_of

    folder = Path(os.path.expanduser(directory)).resolve()
    return task, str(folder), tuple((str(file), digest(file)) for file in files_of(task, folder))


@lru_cache(maxsize=64)
def _fingerprint(task: Task, directory: str | None, files: Files) -> dict[str, str]:
    return _load(task, directory, files).fingerprint()


@lru_cache(maxsize=8)
def _load(task: Task, directory: str | None, files: Files) -> Corpus:
    """Load a corpus. `files` is for the cache."""
    if directory is not None:
        from signal_env.data.folder import read_folder

        return read_folder(task, Path(directory))
    if task.name == "reviews":
        from signal_env.data.reviews import load as load_reviews

        train_texts, train_labels, test_texts, test_labels = load_reviews()
        return Corpus.of(zip(train_texts, train_labels, strict=True), zip(test_texts, test_labels, strict=True))
    if task.hub is not None:
        from signal_env.data.hub import read_hub

        return read_hub(task)
    raise DataError(
        f"No data for task {task.name!r}: give data_dir=FOLDER, or set SIGNAL_ENV_DATA=FOLDER, with its files."
    )
