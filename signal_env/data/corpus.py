"""A task's texts and labels, and the checks that every source's rows go through."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from signal_env.spaces import is_utf8
from signal_env.tasks import Task

Example = tuple[str, int]


class DataError(ValueError):
    """Data that is missing or malformed; the message says where, what was expected and what to do."""


class Split(NamedTuple):
    """Texts in their written form (`Task.write`) and their labels.

    Attributes:
        texts: `n` texts.
        labels: `(n,)` integers from 0 to C - 1.
    """

    texts: tuple[str, ...]
    labels: NDArray[np.int64]


class Corpus(NamedTuple):
    """A task's data.

    Attributes:
        train: Where pools are drawn from. Its texts are distinct: a repeated one is kept once, with its first label.
        evaluation: What accuracy is measured on, and nothing else.
    """

    train: Split
    evaluation: Split

    @classmethod
    def of(cls, train: Iterable[Example], evaluation: Iterable[Example]) -> "Corpus":
        """Builds a corpus from `(text, label)` pairs."""
        first_labels: dict[str, int] = {}
        for text, label in train:
            first_labels.setdefault(text, label)
        return cls(_split(first_labels.items()), _split(evaluation))


def examples(
    task: Task, rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str], place: str
) -> Iterator[Example]:
    """Turns a source's rows into `(written text, label)` pairs, and checks each.

    Args:
        task: The task that the rows belong to.
        rows: One mapping from column to value per text.
        columns: For each of `task.columns`, and "label", the source's own name of it.
        place: Where the rows come from, for error messages.

    Raises:
        DataError: If there is no row, or one lacks a column, has an unknown label or an empty text.
    """
    named = {name: label for label, name in enumerate(task.class_names)}
    numbers_are_names = any(name.lstrip("-").isdigit() for name in named)
    labels = named if numbers_are_names else {str(label): label for label in range(task.n_classes)} | named
    row_number = 0
    for row_number, row in enumerate(rows, start=1):
        if not isinstance(row, Mapping):
            raise DataError(
                f"{place}, row {row_number}: expected an object with {list(columns.values())}; got {row!r:.80}."
            )
        missing = [column for column in columns.values() if _is_missing(row.get(column))]
        if missing:
            present = sorted(str(column) for column in row)
            raise DataError(
                f"{place}, row {row_number}: expected the columns {list(columns.values())}, "
                f"missing or empty {missing}, found {present}."
            )
        label = str(row[columns["label"]]).strip()
        if label not in labels:
            raise DataError(f"{place}, row {row_number}: unknown label {label!r}; expected one of {list(labels)}.")
        try:
            text = task.write(*(str(row[columns[column]]) for column in task.columns))
        except ValueError as error:
            raise DataError(f"{place}, row {row_number}: {error}") from error
        if not text:
            raise DataError(f"{place}, row {row_number}: the text is empty.")
        if not is_utf8(text):
            raise DataError(
                f"{place}, row {row_number}: the text {text!r:.80} holds a lone surrogate; mend its encoding."
            )
        yield text, labels[label]
    if row_number == 0:
        raise DataError(f"{place} holds no rows; expected the columns {list(columns.values())} and at least one text.")


def _is_missing(value: object) -> bool:
    """Whether a value is None or not a number, which is how tables write a missing one."""
    return value is None or value != value


def _split(pairs: Iterable[Example]) -> Split:
    texts, labels = zip(*pairs, strict=True)
    return Split(texts, np.asarray(labels, dtype=np.int64))
