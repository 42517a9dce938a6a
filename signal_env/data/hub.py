"""A task's splits on the Hugging Face hub, read with `datasets`."""

from collections.abc import Iterable, Mapping
from typing import Any

from signal_env.data.corpus import Corpus, DataError, examples
from signal_env.tasks import Task
from signal_env.utils.extras import require


def read_hub(task: Task) -> Corpus:
    """Read a task's splits from the data set that `task.hub` names.

    The data set may also be a local folder of the hub's format. Where it names its classes as the task does, labels are
    read by name; their numbers may differ. Where it names them otherwise or not at all, they are read by number.

    Raises:
        MissingExtra: If `datasets` is not installed.
        DataError: If the data set cannot be loaded or is malformed, or shares only some class names with the task.
    """
    assert task.hub is not None
    hub = task.hub
    ways = (
        f"Give data_dir=FOLDER (or set SIGNAL_ENV_DATA=FOLDER) with {task.name}/{task.train}.csv and "
        f"{task.name}/{task.evaluation}.csv, or connect to the hub."
    )
    try:
        datasets = require("datasets", "data")
    except ImportError as error:
        raise type(error)(f"No data for task {task.name!r}. {ways} {error}") from error
    columns = dict(zip(task.columns, hub.columns, strict=True)) | {"label": hub.label}
    splits = []
    for split in (task.train, task.evaluation):
        try:
            rows = datasets.load_dataset(hub.path, hub.config, split=split, revision=hub.revision)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise DataError(
                f"No data for task {task.name!r}: {hub.path!r} ({split}) could not be loaded from the hub. {ways} "
                f"The hub client reported {type(error).__name__}: {error}"
            ) from error
        source = f"{hub.path} ({split})"
        names = getattr(rows.features.get(hub.label), "names", ())  # a ClassLabel has names
        splits.append(examples(task, _named(task, rows, names, source), columns, source))
    return Corpus.of(*splits)


def _named(task: Task, rows: Iterable[Mapping[str, Any]], names: Iterable[str], source: str) -> Iterable[Any]:
    """Return rows with the data set's class names in place of their numbers, if they are the task's class names.

    Raises:
        DataError: If only some of the names are the task's.
    """
    assert task.hub is not None
    known, column = dict(enumerate(names)), task.hub.label
    others = sorted(set(known.values()) - set(task.class_names))
    if len(others) == len(known):
        return rows
    if others:
        raise DataError(
            f"{source} names its classes {list(known.values())}; expected the class names of task {task.name!r}, "
            f"{list(task.class_names)}. Not among them: {others}. Name the task's classes as the data set does."
        )
    return ({**row, column: known.get(row[column], row[column])} for row in rows)
