"""A task's splits as files in a folder: csv, csv.gz, jsonl, jsonl.gz or parquet."""

import csv
import gzip
import json
import re
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from signal_env.data.corpus import Corpus, DataError, examples, known_labels
from signal_env.tasks import Task
from signal_env.utils.extras import require

LONGEST_FIELD = 2**31 - 1
"""Characters of the longest text of a CSV file: as many as the reader can count everywhere."""

FIELD = r'(?:"[^"]*(?:""[^"]*)*"|[^",\r\n]*)'
"""A field of a CSV file (RFC 4180): in quotes, with the quotes in it doubled, or without any quote."""

ROW = re.compile(rf"{FIELD}(?:,{FIELD})*[\r\n]*")

ENDINGS = (".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".parquet")


def read_folder(task: Task, directory: Path) -> Corpus:
    """Read a task's splits from `directory/<task name>` if that folder exists, else from `directory`.

    Each split is one UTF-8 file with the task's columns and a column `label`, which holds class numbers or names. Files
    are read strictly: a row that does not fit its columns is an error and not a shorter text. A text of a CSV file may
    span several lines in quotes, unless one of them reads as a row of its own, which a stray quote has then swallowed.

    Raises:
        DataError: If a file is missing or malformed; the message names the file, the row and the column.
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
    labels = known_labels(task)
    return Corpus.of(*(examples(task, _rows(file, labels), columns, str(file)) for file in files_of(task, directory)))


def files_of(task: Task, directory: Path) -> tuple[Path, Path]:
    """Return the files of the training and the evaluation split, see `read_folder`.

    Raises:
        DataError: If one is missing.
    """
    own = directory / task.name
    folder = own if own.is_dir() else directory
    return _find(task, directory, folder, task.train), _find(task, directory, folder, task.evaluation)


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


def _rows(file: Path, labels: Collection[str]) -> Iterator[Mapping[str, Any]]:
    """Yield a file's rows as mappings from column to value."""
    if file.suffix == ".parquet":
        yield from _parquet_rows(file)
        return
    opener = gzip.open if file.suffix == ".gz" else open
    try:
        with opener(file, "rt", encoding="utf-8-sig", newline="") as lines:
            yield from _csv_rows(lines, file, labels) if ".csv" in file.suffixes else _json_rows(lines, file)
    except (csv.Error, UnicodeDecodeError, OSError, zlib.error, EOFError) as error:
        raise DataError(f"{file} cannot be read: {error}") from error


def _csv_rows(lines: Iterable[str], file: Path, labels: Collection[str]) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV file, each with as many values as the header has columns."""
    csv.field_size_limit(LONGEST_FIELD)
    read: list[str] = []  # the lines of the row that is being read
    reader = csv.reader(_kept(lines, read), strict=True)
    columns = next(reader, [])
    if repeated := sorted({column for column in columns if columns.count(column) > 1}):
        raise DataError(f"{file} has more than one column {repeated[0]!r}; give each column a name of its own.")
    number, before = 0, reader.line_num
    read.clear()
    try:
        for number, values in enumerate(filter(None, reader), start=1):  # an empty line is no row
            place = f"{file}, row {number} (line {before + 1})"
            if len(values) != len(columns):
                raise DataError(
                    f"{place}: expected {len(columns)} values, for {columns}; got {len(values)}: {values!r:.120}. Put "
                    "a text that holds a comma or a quote in quotes, and double the quotes in it."
                )
            if any('"' in value or "\0" in value for value in values) and not _is_row("".join(read)):
                raise DataError(
                    f"{place}: a quote within a text that is not in quotes, or a NUL character: {values!r:.120}. Put "
                    "the text in quotes, and double the quotes in it."
                )
            _refuse_swallowed_rows(columns, values, labels, place)
            yield dict(zip(columns, values, strict=True))
            before = reader.line_num
            read.clear()
    except csv.Error as error:
        raise DataError(
            f"{file}, row {number + 1} (line {before + 1}) cannot be read: {error}. Is there a stray quote? Put the "
            "text in quotes, and double the quotes in it."
        ) from error


def _kept(lines: Iterable[str], read: list[str]) -> Iterator[str]:
    """Yield the lines, and append each to `read`."""
    for line in lines:
        read.append(line)
        yield line


def _is_row(text: str) -> bool:
    """Return whether a text is a row of a CSV file.

    Example:
        >>> _is_row('"a ""fine"" film",1\\n'), _is_row('a "fine" film,1\\n')
        (True, False)
    """
    return "\0" not in text and ROW.fullmatch(text.lstrip("\r\n")) is not None


def _refuse_swallowed_rows(columns: Sequence[str], values: Sequence[str], labels: Collection[str], place: str) -> None:
    """Raise a DataError if a line within a text of several lines reads as a row, with one of the task's labels."""
    if "label" not in columns or not any("\n" in value or "\r" in value for value in values):
        return
    where = columns.index("label")
    for column, value in zip(columns, values, strict=True):
        for line in value.splitlines():
            parts = next(csv.reader([line]), [])
            if len(parts) == len(columns) and parts[where].strip() in labels:
                raise DataError(
                    f"{place}: the column {column!r} holds a line that is a row itself, {line!r:.80}. Does a stray "
                    "quote begin the text? Double the quotes in it. If the line belongs to the text, give the file as "
                    "JSON lines (.jsonl)."
                )


def _json_rows(lines: Iterable[str], file: Path) -> Iterator[Any]:
    """Yield the objects of a file of JSON lines; blank lines are no rows."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield json.loads(line, object_pairs_hook=_without_repeats)
        except ValueError as error:
            raise DataError(f"{file}, line {number} cannot be read: {error}") from error


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        raise ValueError(f"a key is there twice, one of {[key for key, _ in pairs]!r:.80}")
    return row


def _parquet_rows(file: Path) -> list[dict[str, Any]]:
    parquet, arrow = require("pyarrow.parquet", "data"), require("pyarrow", "data")
    try:
        rows: list[dict[str, Any]] = parquet.read_table(file).to_pylist()
    except (arrow.ArrowException, OSError) as error:
        raise DataError(f"{file} cannot be read: {error}") from error
    return rows
