"""Sources of texts and labels: a folder of files, the Hugging Face hub, or the embedded reviews corpus."""

import os
from functools import lru_cache
from pathlib import Path

from signal_env.data.corpus import Corpus, DataError, Split
from signal_env.tasks import Task
from signal_env.utils.fingerprint import digest_of_file

__all__ = ["Corpus", "DataError", "Split", "load"]


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
    directory = data_dir or task.directory
    if directory is None and task.name != "reviews":
        directory = os.environ.get("SIGNAL_ENV_DATA")
    if not directory:
        return _load(task, None, ())
    from signal_env.data.folder import files_of

    folder = Path(directory).expanduser().resolve()
    files = files_of(task, folder)
    return _load(task, str(folder), tuple((str(file), digest_of_file(file)) for file in files))


@lru_cache(maxsize=8)
def _load(task: Task, directory: str | None, files: tuple[tuple[str, str], ...]) -> Corpus:
    """Load a corpus; `files` are its files and the digests of their contents, for the cache."""
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
