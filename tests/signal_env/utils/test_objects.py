"""Descriptions of objects: plain data stay, and an object is known by its content."""

import dataclasses
import functools
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from sklearn.linear_model import LogisticRegression

from signal_env.utils.objects import (
    content_hash,
    described,
    holds_object,
    is_description,
    is_known,
    known_by_name,
    name_of,
)


def names_of(source):
    """Return the names that a module of one's own defines."""
    names = {"__name__": "own"}
    exec(textwrap.dedent(source), names)
    return names


def test_plain_data_stay_as_they_are():
    value = {"a": [1, 2.5, None, True, "text"], "b": {"c": "d"}}
    assert described(value) == value
    assert not holds_object(value)
    assert described({"n": np.int64(3), "t": (1, 2), "r": range(2), "p": Path("a")}) == {
        "n": 3,
        "t": [1, 2],
        "r": [0, 1],
        "p": "a",
    }


def test_an_object_becomes_a_mapping_that_yaml_holds():
    @dataclasses.dataclass
    class Own:
        rate: float
        inner: object

    about = described({"own": Own(0.5, len)})
    assert yaml.safe_load(yaml.safe_dump(about)) == about
    assert about["own"]["rate"] == 0.5
    assert about["own"]["object"] == name_of(Own)
    assert about["own"]["inner"]["object"] == "builtins:len"
    assert is_description(about["own"])
    assert holds_object(about)
    assert described(about) == about


BASE = """
    SCALE = [2, 3]
    def helper(x):
        return x * SCALE[0]
    class Parent:
        def go(self):
            return 1
    class Own(Parent):
        def __init__(self, n=1):
            self.n = n
        def act(self, x):
            return helper(x) + self.n
"""


def hash_of(source):
    return content_hash(names_of(source)["Own"]())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("+ self.n", "- self.n"),
        ("x * SCALE", "x / SCALE"),
        ("[2, 3]", "[2, 4]"),
        ("return 1", "return 2"),
        ("n=1", "n=2"),
    ],
    ids=["its code", "a function it calls", "data it names", "its base's code", "its state"],
)
def test_another_content_is_another_hash(old, new):
    assert old in BASE
    assert hash_of(BASE) == hash_of(BASE)
    assert hash_of(BASE) != hash_of(BASE.replace(old, new))


SMALLEST = """
    from agents.agent import Agent
    class Parent(Agent):
        def act(self, observations):
            return [""]
    class Own(Parent):
        pass
"""


def test_a_subclass_of_a_protocol_is_the_same_before_and_after_its_first_object():
    """The first object makes Python write an `__init__` into the class."""
    names = names_of(SMALLEST)
    before = [content_hash(names[name]) for name in ("Own", "Parent")]
    own, parent = names["Own"](), names["Parent"]()
    assert vars(names["Own"])["__init__"] is object.__init__
    assert [content_hash(names[name]) for name in ("Own", "Parent")] == before
    fresh = names_of(SMALLEST)
    assert content_hash(fresh["Own"]()) == content_hash(own) != content_hash(parent)
    given = names_of(SMALLEST.replace("pass", "__init__ = lambda self: None"))["Own"]
    assert content_hash(given) != before[0]


def test_methods_and_slots_that_are_made_in_c_are_known_by_name():
    class Own:
        __slots__ = ("x",)
        first, second = str.upper, object.__repr__

    assert name_of(Own.first) == "builtins:str.upper"
    assert name_of(vars(Own)["x"]) == f"{__name__}:{Own.__qualname__}.x"
    before = content_hash(Own)
    Own.first = str.lower
    assert content_hash(Own) != before is not None


def test_where_the_code_stands_does_not_matter():
    assert hash_of(BASE) == hash_of("\n\n    # a comment\n" + BASE)


@pytest.mark.parametrize(
    "make",
    [
        lambda n: np.arange(n),
        lambda n: torch.arange(n, dtype=torch.bfloat16),
        lambda n: np.random.default_rng(n),
        lambda n: LogisticRegression(C=n),
        lambda n: functools.partial(sorted, key=n),
        lambda n: lambda x: x + n,
        lambda n: {"a", "b", n},
        lambda n: [1, n].append,
    ],
    ids=["array", "tensor", "generator", "estimator", "partial", "closure", "set", "bound method"],
)
def test_objects_of_many_kinds_are_known_by_their_values(make):
    assert content_hash(make(3)) == content_hash(make(3))
    assert content_hash(make(3)) != content_hash(make(4))


def test_an_object_that_holds_itself_is_hashed():
    first, second = [1], [1]
    first.append(first)
    second.append(second)
    assert content_hash(first) == content_hash(second)


def test_a_content_that_cannot_be_read_is_none():
    class Own:
        def __init__(self):
            self.lock = threading.Lock()

    about = described({"a": [Own()]})
    assert about["a"][0]["content"] is None
    assert not is_known(about)
    assert is_known(described({"a": [len]}))


def test_a_class_may_say_what_stands_for_its_objects():
    class Own:
        def __init__(self, n):
            self.n, self.lock = n, threading.Lock()

        def __content__(self):
            return {"n": self.n}

    assert content_hash(Own(1)) == content_hash(Own(1)) != content_hash(Own(2))
    assert is_known(described(Own(1)))


def test_installed_code_is_known_by_its_name():
    assert all(map(known_by_name, ("json", "numpy", "sklearn.linear_model", "signal_env.env", "experiments")))
    assert not known_by_name("__main__")
    assert not known_by_name("own")


def test_the_hash_is_the_same_in_every_process():
    source = f"""
import numpy as np
from signal_env.utils.objects import content_hash
names, smallest = {{"__name__": "own"}}, {{"__name__": "own"}}
exec({textwrap.dedent(BASE)!r}, names)
exec({textwrap.dedent(SMALLEST)!r}, smallest)
own = [names["Own"](), smallest["Own"](), {{"b", "a", "c"}}, np.random.default_rng(3)]
print(*map(content_hash, own))
"""
    found = {
        subprocess.run(
            [sys.executable, "-c", source],
            env={"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"},
            cwd=Path(__file__).parents[3],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in "12"
    }
    assert len(found) == 1
    assert next(iter(found)).split()[:2] == [hash_of(BASE), hash_of(SMALLEST)]
