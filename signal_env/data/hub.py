"""A task's splits on the Hugging Face hub, read with `datasets`."""

from signal_env.data.corpus import Corpus, DataError, examples
from signal_env.tasks import Task
from signal_env.utils.extras import require


def read_hub(task: Task) -> Corpus:
    """Read a task's splits from the data set that `task.hub` names.

    The data set may also be a local folder of the hub's format.

    Raises:
        MissingExtra: If `datasets` is not installed.
        DataError: If the data set cannot be loaded or is malformed.
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
            rows = datasets.load_dataset(hub.path, hub.config, split=split)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise DataError(
                f"No data for task {task.name!r}: {hub.path!r} ({split}) could not be loaded from the hub. {ways} "
                f"The hub client reported {type(error).__name__}: {error}"
            ) from error
        splits.append(examples(task, rows, columns, f"{hub.path} ({split})"))
    return Corpus.of(*splits)
