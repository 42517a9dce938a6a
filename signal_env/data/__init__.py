"""Where texts come from: a folder of files, the hub, or the embedded reviews corpus."""

import os
from functools import lru_cache
from pathlib import Path

from signal_env.data.corpus import Corpus, DataError, Split
from signal_env.tasks import Task

__all__ = ["Corpus", "DataError", "Split", "load"]


def load(task: Task, data_dir: str | Path | None = None) -> Corpus:
    """Loads a task's data: from a folder's files, else the embedded corpus, else the hub's data set.

    Nothing falls back to other data. The folder is `data_dir`, else the task's own, else (but for the embedded task)
    the environment variable `SIGNAL_ENV_DATA`; it holds the split files itself or in a folder with the task's name.
    The hub is asked only when no folder is named. The same data loaded again in this process is the cached copy.

    Raises:
        DataError: If the data is not there or is malformed.

    Example:
        >>> from signal_env.tasks import get_task
        >>> corpus = load(get_task("reviews"))
        >>> len(corpus.train.texts), len(corpus.evaluation.texts)
        (30000, 2000)
    """
    directory = data_dir or task.directory
    if directory is None and task.name != "reviews":
        directory = os.environ.get("SIGNAL_ENV_DATA")
    return _load(task, str(Path(directory).expanduser().resolve()) if directory else None)


@lru_cache(maxsize=8)
def _load(task: Task, directory: str | None) -> Corpus:
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
    raise DataError(f"No data for task {task.name!r}: give data_dir=FOLDER with its files.")
