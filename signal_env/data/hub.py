"""A task's splits on the Hugging Face hub, read with `datasets`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from signal_env.data.corpus import Corpus, DataError, examples
from signal_env.tasks import Task, TaskError
from signal_env.utils.extras import require


def read_hub(task: Task) -> Corpus:
    """Read a task's splits from the data set that `task.hub` names.

    The data set may also be a local folder of the hub's format. Where it names its classes, labels are read by name,
    and their numbers may differ from the task's. Where it does not, they are read by number.

    Raises:
        MissingExtra: If `datasets` is not installed.
        DataError: If the data set cannot be loaded or is malformed, or names its classes otherwise
            than the task.
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


def _named(task: Task, rows: Iterable[Mapping[str, Any]], names: Sequence[str], source: str) -> Iterable[Any]:
    """Return rows with the task's labels in place of the data set's numbers, if the data set names its classes.

    Raises:
        DataError: If the names are not the task's.
    """
    if not names:
        return rows
    assert task.hub is not None
    column = task.hub.label
    try:
        labels = dict(enumerate(task.class_names[label] for label in task.labels_of(names, source)))
    except TaskError as error:
        raise DataError(str(error)) from error
    return ({**row, column: labels.get(row[column], row[column])} for row in rows)
