"""What a task is: its instruction, class names, text fields, sizes and places of its data (the paper's Table 1)."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from signal_env.utils.registry import Registry


class TaskError(ValueError):
    """A task that is not well described; the message says which part and how to mend it."""


@dataclasses.dataclass(frozen=True)
class Hub:
    """Where a task's data set lies on the Hugging Face hub.

    Attributes:
        path: The data set's name, or a local folder of the same format.
        config: The data set's configuration (the GLUE task), or None.
        columns: The data set's column for each of the task's fields, in order.
        label: The data set's label column.
    """

    path: str
    config: str | None = None
    columns: tuple[str, ...] = ("text",)
    label: str = "label"


@dataclasses.dataclass(frozen=True)
class Task:
    """A text classification task, as plain data.

    A task with one field writes a text as it is. With several fields, a text has one written form on one line,
    `Question: ... Sentence: ...`, which `fields` reads back without loss, so that a generator can write it too.

    Attributes:
        name: The task's name, which is also its folder's name in a data directory.
        instruction: The first line of every prompt (section 4.1's I).
        class_names: One name per label, in label order.
        columns: The column of each text field in the data files.
        field_names: The name of each field in the written form; by default made from the columns.
        train: The file of the training split, with or without its ending (.csv, .csv.gz, .jsonl, .parquet).
        evaluation: The file of the evaluation split: "validation" or "test", as the paper uses.
        train_size: The size of the original training split, of which `pool_fraction` is a share. None: that at hand.
        hub: Where the data set lies on the Hugging Face hub, if it does.
        directory: Where the files are, for a task that brings its own folder.

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
                raise TaskError(f"A task needs {part!r}, a text that is not empty; got {getattr(self, part)!r}.")
        if len(self.class_names) < 2 or len(set(self.class_names)) < len(self.class_names):
            raise TaskError(f"Task {self.name!r} needs two or more distinct class names; got {list(self.class_names)}.")
        if not self.columns:
            raise TaskError(f"Task {self.name!r} needs the column of at least one text field.")
        if self.hub is not None and len(self.hub.columns) != len(self.columns):
            raise TaskError(
                f"Task {self.name!r} has the columns {self.columns}; the hub's {self.hub.columns} are not as many."
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

    def write(self, *fields: str) -> str:
        """The one written form of a text's fields: a single line, white space collapsed.

        Raises:
            ValueError: If the number of fields is wrong, or one of several is empty.
        """
        names = self.field_names
        if len(fields) != len(names):
            raise ValueError(f"Task {self.name!r} has the fields {names}; got {len(fields)} texts.")
        fields = tuple(" ".join(field.split()) for field in fields)
        if len(fields) == 1:
            return fields[0]
        if not all(fields):
            raise ValueError(f"Task {self.name!r} needs a text in each of {names}; got {list(fields)}.")
        # Where a field itself holds a later field's name, its colon gets a backslash, which reading takes off again.
        escaped = [re.sub(rf"({self._later(i)})(\\*):(?!\S)", r"\1\\\2:", field) for i, field in enumerate(fields[:-1])]
        return " ".join(f"{name}: {field}" for name, field in zip(names, [*escaped, fields[-1]], strict=True))

    def fields(self, text: str) -> tuple[str, ...] | None:
        """Reads a written form back into its fields; None if `text` is not one."""
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
        """A pattern for the names of the fields after the one at `index`."""
        return "|".join(re.escape(name) for name in self.field_names[index + 1 :])

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], directory: str | Path | None = None) -> "Task":
        """Builds a task from plain data, such as a YAML file's.

        Args:
            mapping: The task's attributes.
            directory: The folder that a relative `directory` starts from, and the default of it.

        Raises:
            TaskError: If an attribute is missing, unknown, or of the wrong form.
        """
        known = {field.name: field for field in dataclasses.fields(cls)}
        unknown = sorted(set(mapping) - set(known))
        missing = [n for n in ("name", "instruction", "class_names") if n not in mapping]
        if missing:
            raise TaskError(f"The task lacks {missing}; its attributes are {sorted(known)}.")
        if unknown:
            raise TaskError(f"A task has no {unknown}; its attributes are {sorted(known)}.")
        values = dict(mapping)
        for part in ("class_names", "columns", "field_names"):
            if isinstance(values.get(part, []), str) or not isinstance(values.get(part, []), Sequence):
                raise TaskError(f"{part} is a list of names; got {values[part]!r}.")
            if any(isinstance(name, bool) for name in values.get(part, [])):
                raise TaskError(
                    f"{part} is a list of names; got {values[part]}. YAML reads an unquoted yes, no, on or off as a "
                    "truth value: put it in quotes."
                )
            if part in values:
                values[part] = tuple(str(name) for name in values[part])
        if values.get("hub") is not None:
            values["hub"] = _hub(values["hub"])
        if values["name"] in tasks:
            raise TaskError(f"{values['name']!r} is the name of a built-in task; choose another name.")
        if directory is not None:
            values["directory"] = str(Path(directory) / values.get("directory", "."))
        return cls(**values)


def _hub(mapping: Any) -> Hub:
    known = [field.name for field in dataclasses.fields(Hub)]
    if not isinstance(mapping, Mapping) or "path" not in mapping or not set(mapping) <= set(known):
        raise TaskError(f"hub is a mapping with 'path' and, if needed, others of {known}; got {mapping!r}.")
    if not isinstance(mapping.get("columns", []), list | tuple):
        raise TaskError(f"The hub's columns are a list of names; got {mapping['columns']!r}.")
    return Hub(**{**mapping, "columns": tuple(mapping.get("columns", ("text",)))})


tasks: Registry[Task] = Registry("task")

for _task in (
    Task(
        name="sst2",
        instruction="Based on the following examples of movie reviews, come up with a new example:",
        class_names=("negative", "positive"),
        evaluation="validation",
        train_size=67_349,
        hub=Hub("stanfordnlp/sst2", columns=("sentence",)),
    ),
    Task(
        name="agnews",
        instruction="Based on the following examples of news articles about the world, sports, business or science "
        "and technology, come up with a new example:",
        class_names=("World", "Sports", "Business", "Sci/Tech"),
        evaluation="test",
        train_size=120_000,
        hub=Hub("fancyzhx/ag_news"),
    ),
    Task(
        name="qnli",
        instruction="Based on the following examples of a question and a sentence that may or may not contain its "
        "answer, come up with a new example:",
        class_names=("entailment", "not_entailment"),
        columns=("text", "text_pair"),
        field_names=("Question", "Sentence"),
        evaluation="validation",
        train_size=104_743,
        hub=Hub("nyu-mll/glue", config="qnli", columns=("question", "sentence")),
    ),
    Task(
        name="reviews",
        instruction="Based on the following examples of movie reviews, come up with a new example:",
        class_names=("negative", "positive"),
        evaluation="test",
    ),
):
    tasks.register(_task.name)(_task)


def get_task(task: str | Path | Task) -> Task:
    """The task of that name, or the one that a YAML file describes.

    Args:
        task: A registered name, the path of a `.yaml` file, or a task, which is returned as it is.

    Raises:
        UnknownName: If it is neither a registered name nor a path that ends in .yaml or .yml.
        TaskError: If the file is missing or does not describe a task.
    """
    if isinstance(task, Task):
        return task
    path = Path(task)
    if path.suffix not in {".yaml", ".yml"}:
        return tasks[str(task)]
    if not path.is_file():
        raise TaskError(f"No task file at {path}.")
    import yaml

    try:
        mapping = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise TaskError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(mapping, dict):
        raise TaskError(f"{path} should hold a mapping with name, instruction and class_names; got {type(mapping)}.")
    return Task.from_mapping(mapping, directory=path.parent.resolve())
