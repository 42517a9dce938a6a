"""A task's texts and labels, and the checks that rows of every source pass."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from signal_env.spaces import is_utf8
from signal_env.tasks import MOST_CLASSES, Task
from signal_env.utils.errors import SignalError
from signal_env.utils.fingerprint import digest_of

Example = tuple[str, int]


class DataError(SignalError, ValueError):
    """Missing or malformed data; the message says where, what was expected and what to do."""


class Split(NamedTuple):
    """Texts in their written form (see `Task.write`), with labels.

    Attributes:
        texts: `n` texts.
        labels: `(n,)` integers from 0 to C - 1.
    """

    texts: tuple[str, ...]
    labels: NDArray[np.int64]


class Corpus(NamedTuple):
    """A task's data. `fingerprint` identifies it by its content.

    Attributes:
        train: The split that pools are drawn from. Its texts are distinct.
        evaluation: The split that the classifier is measured on. It is used for nothing else, and may repeat texts.
    """

    train: Split
    evaluation: Split

    def __deepcopy__(self, memo: dict[int, Any]) -> "Corpus":
        """Return the corpus itself, which never changes."""
        return self

    @classmethod
    def of(cls, train: Iterable[Example], evaluation: Iterable[Example]) -> "Corpus":
        """Build a corpus from `(text, label)` pairs. A repeated training text is kept once, with its first label.

        Example:
            >>> Corpus.of([("fun", 1), ("dull", 0), ("fun", 0)], [("fun", 1)]).train
            Split(texts=('fun', 'dull'), labels=array([1, 0]))
        """
        first_labels: dict[str, int] = {}
        for text, label in train:
            first_labels.setdefault(text, label)
        return cls(_split(first_labels.items()), _split(evaluation))

    def fingerprint(self) -> dict[str, str]:
        """Return the SHA-256 of each split's texts and labels, in their order, whatever file or format they are from.

        Example:
            >>> one, other = (Corpus.of([("fun", label)], [("dull", 0)]).fingerprint() for label in (0, 1))
            >>> [name for name in one if one[name] != other[name]]
            ['train']
        """
        return {
            name: digest_of(chain(split.texts, [",".join(map(str, split.labels.tolist()))]))
            for name, split in self._asdict().items()
        }


def examples(
    task: Task, rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str], source: str
) -> Iterator[Example]:
    """Check a source's rows and yield each as a `(written text, label)` pair.

    Args:
        task: The task that the rows belong to.
        rows: One mapping from column to value per text.
        columns: The source's column name for each of `task.columns` and for "label".
        source: The name of the source, for error messages.

    Raises:
        DataError: If there are no rows, or a row lacks a column or has an unknown label or an unusable text.

    Example:
        >>> from signal_env.tasks import get_task
        >>> rows = [{"sentence": " a fine film ", "label": "positive"}, {"sentence": "a dull film", "label": 0}]
        >>> list(examples(get_task("sst2"), rows, {"text": "sentence", "label": "label"}, "two rows"))
        [('a fine film', 1), ('a dull film', 0)]
    """
    labels = known_labels(task)
    row_number = 0
    for row_number, row in enumerate(rows, start=1):
        yield _example(task, row, columns, labels, f"{source}, row {row_number}")
    if row_number == 0:
        raise DataError(f"{source} holds no rows; expected the columns {list(columns.values())} and at least one text.")


def known_labels(task: Task) -> dict[str, int]:
    """Map each written label, a class's name or number, to the label. Numbers are left out if a name is a number."""
    named = {name: label for label, name in enumerate(task.class_names)}
    numbers_are_names = any(name.lstrip("-").isdigit() for name in named)
    return named if numbers_are_names else {str(label): label for label in range(task.n_classes)} | named


def _example(task: Task, row: Any, columns: Mapping[str, str], labels: Mapping[str, int], place: str) -> Example:
    """Check one row and return its written text and label."""
    if not isinstance(row, Mapping):
        raise DataError(f"{place}: expected an object with {list(columns.values())}; got {row!r:.80}.")
    missing = [column for column in columns.values() if _is_missing(row.get(column))]
    if missing:
        present = sorted(str(column) for column in row)
        raise DataError(
            f"{place}: expected the columns {list(columns.values())}, missing or empty {missing}, found {present}."
        )
    for name, column in columns.items():
        value, is_label = row[column], name == "label"
        number = is_label and isinstance(value, Integral) and not isinstance(value, bool)
        if not isinstance(value, str) and not number:
            expected, kind = "a class's name or number" if is_label else "a text", type(value).__name__
            raise DataError(f"{place}, column {column!r}: expected {expected}; got a {kind}, {value!r:.80}.")
    label = str(row[columns["label"]]).strip()
    if label not in labels:
        raise DataError(f"{place}: unknown label {label!r}; expected {_expected(labels)}.")
    try:
        text = task.write(*(row[columns[column]] for column in task.columns))
    except ValueError as error:
        raise DataError(f"{place}: {error}") from error
    if not text:
        raise DataError(f"{place}: the text is empty; remove the row, or give it a text.")
    if not is_utf8(text):
        raise DataError(f"{place}: the text {text!r:.80} holds a lone surrogate; fix its encoding.")
    return text, labels[label]


def _expected(labels: Mapping[str, int]) -> str:
    """Return in words which labels are known: all, or the first and the last of many."""
    known = list(labels)
    if len(known) <= 2 * MOST_CLASSES:
        return f"one of {known}"
    return f"one of {len(known)} names and numbers, from {known[0]!r} to {known[-1]!r}"


def _is_missing(value: object) -> bool:
    """Return whether a value is None or NaN, which tables use for missing values."""
    return value is None or value != value


def _split(pairs: Iterable[Example]) -> Split:
    texts, labels = zip(*pairs, strict=True)
    return Split(texts, np.asarray(labels, dtype=np.int64))
