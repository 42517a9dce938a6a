"""Text classification tasks: instruction, class names, text fields and data sources."""

import dataclasses
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signal_env.builtin_tasks import BUILTIN
from signal_env.utils.errors import SignalError
from signal_env.utils.reading import read_yaml
from signal_env.utils.registry import Registry
from signal_env.utils.typed import typed_values

MOST_CLASSES = 10
"""The number of classes up to which logs, tables and figures show each class."""


class TaskError(SignalError, ValueError):
    """An invalid task description; the message says what was expected and what came."""


@dataclasses.dataclass(frozen=True)
class Hub:
    """A task's data set on the Hugging Face hub.

    Attributes:
        path: The name of the data set, or a local folder of the same format.
        config: The configuration of the data set (for GLUE, the task), or None.
        columns: The column for each of the task's fields, in order.
        label: The column of the labels.
        revision: The branch or commit to read, or None for the newest of the main branch. "refs/convert/parquet" is the
            hub's own conversion of a data set whose main branch holds a script, which `datasets` no longer runs.
    """

    path: str
    config: str | None = None
    columns: tuple[str, ...] = ("text",)
    label: str = "label"
    revision: str | None = None


@dataclasses.dataclass(frozen=True)
class Task:
    """A text classification task, as plain data.

    Every text has one written form on a single line. With one field, it is the field itself. With several fields, it is
    `Question: ... Sentence: ...`, which a generator can write and `fields` parses without loss.

    Attributes:
        name: The name of the task, and of its folder in a data directory.
        instruction: The first line of every prompt (I in section 4.1 of the paper).
        class_names: One name per label, in label order; at least two.
        columns: The column of each text field in the data files.
        field_names: The name of each field in the written form. The default is made from `columns`.
        train: The file of the training split, with or without its ending (.csv, .csv.gz, .jsonl, .jsonl.gz, .parquet).
        evaluation: The file of the evaluation split. The paper uses "validation" or "test".
        train_size: The size of the original training split, which `pool_fraction` refers to. None is the size of the
            split that is loaded.
        hub: The data set on the Hugging Face hub, or None.
        directory: The folder of the task's files, for a task with files of its own, or None.

    Raises:
        TaskError: If an attribute is not valid.

    Example:
        >>> task = get_task("qnli")
        >>> text = task.write("Who wrote Hamlet?", "Hamlet is a tragedy by Shakespeare.")
        >>> text
        'Question: Who wrote Hamlet? Sentence: Hamlet is a tragedy by Shakespeare.'
        >>> task.fields(text)
        ('Who wrote Hamlet?', 'Hamlet is a tragedy by Shakespeare.')
        >>> task.fields("no question here") is None
        True
    """

    name: str
    instruction: str
    class_names: tuple[str, ...]
    columns: tuple[str, ...] = ("text",)
    field_names: tuple[str, ...] = ()
    train: str = "train"
    evaluation: str = "test"
    train_size: int | None = None
    hub: Hub | None = None
    directory: str | None = None

    def __post_init__(self) -> None:
        for part in ("class_names", "columns", "field_names"):
            object.__setattr__(self, part, tuple(getattr(self, part)))
        for part in ("name", "instruction"):
            if not isinstance(getattr(self, part), str) or not getattr(self, part).strip():
                raise TaskError(f"A task needs {part!r}, a string that is not empty; got {getattr(self, part)!r}.")
        if len(self.class_names) < 2 or len(set(self.class_names)) < len(self.class_names):
            raise TaskError(f"Task {self.name!r} needs two or more distinct class names; got {list(self.class_names)}.")
        if not self.columns:
            raise TaskError(f"Task {self.name!r} needs one or more columns of text fields; got {self.columns}.")
        if self.hub is not None and len(self.hub.columns) != len(self.columns):
            raise TaskError(
                f"Task {self.name!r} needs one column of the hub for each of its columns {self.columns}; "
                f"got {self.hub.columns}."
            )
        if not self.field_names:
            names = tuple(column.replace("_", " ").capitalize() for column in self.columns)
            object.__setattr__(self, "field_names", names)
        if len(set(self.field_names)) < len(self.columns) or len(self.field_names) > len(self.columns):
            raise TaskError(f"Task {self.name!r} needs one distinct field name per column; got {self.field_names}.")

    @property
    def n_classes(self) -> int:
        """The number of classes C."""
        return len(self.class_names)

    def by_class(self, values: Sequence[float] | NDArray[Any]) -> dict[str, float]:
        """Return the value of each class by its name; of more than `MOST_CLASSES` classes, min, median and max instead.

        Args:
            values: `(C,)` numbers.

        Example:
            >>> get_task("sst2").by_class([3, 5])
            {'negative': 3.0, 'positive': 5.0}
            >>> get_task("banking77").by_class(range(77))
            {'min': 0.0, 'median': 38.0, 'max': 76.0}
        """
        if self.n_classes <= MOST_CLASSES:
            return {name: float(value) for name, value in zip(self.class_names, values, strict=True)}
        return {"min": float(min(values)), "median": float(np.median(values)), "max": float(max(values))}

    def labels_of(self, names: Sequence[str], source: str) -> list[int]:
        """Return the task's label of each class of a data set or a model, which may list its classes in another order.

        Names are compared without regard to case. The names "0", "1", ... and transformers' default names "LABEL_0",
        "LABEL_1", ..., in this order, say nothing: they mean the task's classes in order.

        Args:
            names: The name of each class, by its number there.
            source: The name of the data set or the model, for the message.

        Raises:
            TaskError: If the names are not those of the task's classes, one each.

        Example:
            >>> get_task("sst2").labels_of(["POSITIVE", "NEGATIVE"], "a model")
            [1, 0]
        """
        own = [name.strip().casefold() for name in self.class_names]
        given = [str(name).strip().casefold() for name in names]
        numbers = range(self.n_classes)
        if len(set(own)) == len(own) and sorted(given) == sorted(own):
            return [own.index(name) for name in given]
        if given in ([str(number) for number in numbers], [f"label_{number}" for number in numbers]):
            return [*numbers]
        raise TaskError(
            f"{source} has the classes {list(names)}; task {self.name!r} has {list(self.class_names)}. Classes are "
            "known by name: give one whose names are the task's, or name the classes of your own task as it does."
        )

    def write(self, *fields: str) -> str:
        """Return the written form of a text: its fields on a single line, with white space collapsed.

        Args:
            fields: One string per field of the task.

        Raises:
            ValueError: If the number of fields is wrong, or one of several fields is empty.

        Example:
            >>> get_task("qnli").write("Who?", "  She did.")
            'Question: Who? Sentence: She did.'
        """
        names = self.field_names
        if len(fields) != len(names):
            raise ValueError(
                f"Task {self.name!r} needs one text for each of the fields {names}; got {len(fields)} texts."
            )
        fields = tuple(" ".join(field.split()) for field in fields)
        if len(fields) == 1:
            return fields[0]
        if not all(fields):
            raise ValueError(f"Task {self.name!r} needs a text in each of {names}; got {list(fields)}.")
        # A backslash marks the colon of a later field's name within a field. `fields` removes it.
        escaped = [re.sub(rf"({self._later(i)})(\\*):(?!\S)", r"\1\\\2:", field) for i, field in enumerate(fields[:-1])]
        return " ".join(f"{name}: {field}" for name, field in zip(names, [*escaped, fields[-1]], strict=True))

    def fields(self, text: str) -> tuple[str, ...] | None:
        """Parse a written form into its fields.

        Returns:
            One string per field, or None if `text` is not in the task's written form.

        Example:
            >>> get_task("qnli").fields("Question: Who? Sentence: She did.")
            ('Who?', 'She did.')
        """
        text = " ".join(text.split())
        names = self.field_names
        if len(names) == 1:
            return (text,)
        pattern = " ".join(rf"{re.escape(name)}: (\S.*?)" for name in names[:-1])
        match = re.fullmatch(rf"{pattern} {re.escape(names[-1])}: (\S.*)", text)
        if match is None:
            return None
        *earlier, last = match.groups()
        plain = [re.sub(rf"({self._later(i)})\\(\\*):(?!\S)", r"\1\2:", field) for i, field in enumerate(earlier)]
        return (*plain, last)

    def _later(self, index: int) -> str:
        """Return a pattern that matches the name of any field after the one at `index`."""
        return "|".join(re.escape(name) for name in self.field_names[index + 1 :])

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], directory: str | Path | None = None) -> "Task":
        """Build a task from plain data, such as the contents of a YAML file.

        Args:
            mapping: The task's attributes.
            directory: The folder that a relative `directory` in the mapping starts from, and its default.

        Raises:
            TaskError: If an attribute is missing, unknown or not valid, or the name is that of a built-in task.

        Example:
            >>> mood = {"name": "mood", "instruction": "Write one:", "class_names": ["bad", "good"]}
            >>> Task.from_mapping(mood).n_classes
            2
        """
        known = {field.name: field for field in dataclasses.fields(cls)}
        unknown = sorted(set(mapping) - set(known))
        missing = [n for n in ("name", "instruction", "class_names") if n not in mapping]
        if missing:
            raise TaskError(f"The task lacks {missing}; add them. The attributes of a task are {sorted(known)}.")
        if unknown:
            raise TaskError(f"Unknown attributes {unknown}; the attributes of a task are {sorted(known)}.")
        values = dict(mapping)
        for part in ("class_names", "columns", "field_names"):
            if isinstance(values.get(part, []), str) or not isinstance(values.get(part, []), Sequence):
                raise TaskError(f"Expected {part} to be a list of names; got {values[part]!r}.")
            if any(isinstance(name, bool) for name in values.get(part, [])):
                raise TaskError(
                    f"Expected {part} to be a list of names; got {values[part]}. YAML reads an unquoted yes, no, on or "
                    "off as a truth value; put it in quotes."
                )
            if part in values:
                values[part] = tuple(str(name) for name in values[part])
        if values.get("hub") is not None:
            values["hub"] = _hub(values["hub"])
        values = typed_values(values, cls, TaskError)
        if tasks.has(values["name"]):
            raise TaskError(f"A built-in task has the name {values['name']!r}; choose another name.")
        if directory is not None:
            values["directory"] = str(Path(directory) / values.get("directory", "."))
        return cls(**values)


def _hub(mapping: Any) -> Hub:
    """Build a `Hub` from plain data, or raise a `TaskError`."""
    known = [field.name for field in dataclasses.fields(Hub)]
    if not isinstance(mapping, Mapping) or "path" not in mapping or not set(mapping) <= set(known):
        raise TaskError(f"Expected hub to be a mapping with 'path' and optionally others of {known}; got {mapping!r}.")
    if not isinstance(mapping.get("columns", []), list | tuple):
        raise TaskError(f"Expected the hub's columns to be a list of names; got {mapping['columns']!r}.")
    return Hub(**typed_values({**mapping, "columns": tuple(mapping.get("columns", ("text",)))}, Hub, TaskError))


tasks: Registry[Task] = Registry("task")
"""The built-in tasks, and those that users register, by name."""

for _mapping in BUILTIN:
    tasks.register(_mapping["name"])(Task.from_mapping(_mapping))


def get_task(task: str | Path | Task) -> Task:
    """Return the task with a registered name, or the task that a YAML file describes.

    Args:
        task: A registered name, the path of a `.yaml` or `.yml` file, or a task, which is returned unchanged. A file
            holds a mapping with the attributes of `Task`.

    Raises:
        UnknownName: If `task` is neither a registered name nor a path.
        TaskError: If the file is missing or does not describe a task, or the path is that of data.

    Example:
        >>> get_task("agnews").class_names
        ('World', 'Sports', 'Business', 'Sci/Tech')
    """
    if isinstance(task, Task):
        return task
    path = Path(task)
    if path.suffix not in {".yaml", ".yml"}:
        is_data = path.suffix in {".csv", ".jsonl", ".parquet"} or (os.path.isdir(path) and any(path.glob("train.*")))
        if is_data and str(task) not in tasks:
            raise TaskError(
                f"Expected a task's name ({', '.join(tasks)}) or the .yaml file that describes a task of your own, "
                f"beside which its data lies; got {str(task)!r}."
            )
        return tasks[str(task)]
    if not path.is_file():
        raise TaskError(
            f"No task file at {path}; give the path of an existing file, or one of the names {', '.join(tasks)}."
        )
    mapping = read_yaml(path, str(path), TaskError)
    if not isinstance(mapping, dict):
        raise TaskError(
            f"{path} should hold a mapping with name, instruction and class_names; got {type(mapping).__name__}."
        )
    return Task.from_mapping(mapping, directory=path.parent.resolve())
