"""Fields of dataclasses in `help`: every field with its docstring, type and default."""

import dataclasses
import pydoc
import re

from signal_env.config import SignalConfig
from signal_env.utils.documentation import documented


def test_help_has_every_option_of_the_environment_with_a_description():
    shown = pydoc.plain(pydoc.render_doc(SignalConfig)).replace("|", " ")
    section = shown.partition("Attributes:")[2].partition("Methods defined here")[0]
    entries = dict(re.findall(r"^ {7,8}(\w+) \((.*)\):$", section, re.MULTILINE))
    assert list(entries) == [field.name for field in dataclasses.fields(SignalConfig)]
    for field in dataclasses.fields(SignalConfig):
        default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        assert entries[field.name].endswith(f"default {default!r}")
        about = section.partition(f" {field.name} (")[2].partition(":\n")[2].split("\n")[0]
        assert re.match(r"\s+[A-Z\"`].{10}", about), f"{field.name} has no description"


def test_the_documentation_of_an_option_is_its_docstring_in_the_source():
    assert "        The paper's p, in-context examples per prompt, at least 0.\n" in SignalConfig.__doc__
    assert (
        "device (str, default 'cpu'):\n        Torch device of the classifier and the annotator.\n"
        in SignalConfig.__doc__
    )


def test_fields_without_a_default_or_a_docstring():
    @documented
    @dataclasses.dataclass
    class Point:
        """A point."""

        x: float
        y: float = 0.0
        """Height above the ground,
        in meters."""

    assert Point.__doc__ == (
        "A point.\n\nAttributes:\n    x (float, required):\n    y (float, default 0.0):\n"
        "        Height above the ground, in meters.\n"
    )


def test_without_a_source_the_docstring_stays():
    space = {"dataclasses": dataclasses}
    exec("@dataclasses.dataclass\nclass Made:\n    'A class.'\n    x: int = 0\n    'A field.'\n", space)
    assert documented(space["Made"]).__doc__ == "A class."
