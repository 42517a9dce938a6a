"""A task's splits as files in a folder: csv, csv.gz, jsonl, jsonl.gz or parquet."""

import csv
import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from signal_env.data.corpus import Corpus, DataError, examples
from signal_env.tasks import Task
from signal_env.utils.extras import require

ENDINGS = (".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".parquet")


def read_folder(task: Task, directory: Path) -> Corpus:
    """Read a task's splits from `directory/<task name>` if that folder exists, else from `directory`.

    Each split is one UTF-8 file with the task's columns and a column `label`, which holds class numbers or names.

    Raises:
        DataError: If a file is missing or malformed.
        MissingExtra: If a split is a parquet file and pyarrow is not installed.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> task = Task(name="mood", instruction="Write one:", class_names=("bad", "good"))
        >>> with TemporaryDirectory() as folder:
        ...     for split in ("train.csv", "test.csv"):
        ...         _ = (Path(folder) / split).write_text("text,label\\nwhat fun,good\\n")
        ...     read_folder(task, Path(folder)).train.texts
        ('what fun',)
    """
    columns = {column: column for column in (*task.columns, "label")}
    own = directory / task.name
    folder = own if own.is_dir() else directory
    files = [_find(task, directory, folder, split) for split in (task.train, task.evaluation)]
    return Corpus.of(*(examples(task, _rows(file), columns, str(file)) for file in files))


def _find(task: Task, directory: Path, folder: Path, split: str) -> Path:
    """Return the file of a split, whose name may include the ending."""
    for ending in ("", *ENDINGS):
        file = folder / f"{split}{ending}"
        if file.is_file() and file.name.endswith(ENDINGS):
            return file
    hub = f", or leave data_dir out to read {task.hub.path!r} from the hub" if task.hub else ""
    raise DataError(
        f"No data for task {task.name!r}: expected {directory / task.name / split} or {directory / split} "
        f"with one of the endings {', '.join(ENDINGS)}. Give data_dir=FOLDER or set SIGNAL_ENV_DATA=FOLDER{hub}."
    )


def _rows(file: Path) -> Iterator[Mapping[str, Any]]:
    """Yield a file's rows as mappings from column to value."""
    if file.suffix == ".parquet":
        yield from _parquet_rows(file)
        return
    opener = gzip.open if file.suffix == ".gz" else open
    try:
        with opener(file, "rt", encoding="utf-8-sig", newline="") as lines:
            if ".csv" in file.suffixes:
                yield from csv.DictReader(lines)
            else:
                for number, line in enumerate(lines, start=1):
                    if line.strip():
                        yield _json_row(line, f"{file}, line {number}")
    except (csv.Error, UnicodeDecodeError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataError(f"{file} cannot be read: {error}") from error


def _json_row(line: str, place: str) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{place} cannot be read: {error}") from error


def _parquet_rows(file: Path) -> list[dict[str, Any]]:
    parquet, arrow = require("pyarrow.parquet", "data"), require("pyarrow", "data")
    try:
        rows: list[dict[str, Any]] = parquet.read_table(file).to_pylist()
    except (arrow.ArrowException, OSError) as error:
        raise DataError(f"{file} cannot be read: {error}") from error
    return rows
