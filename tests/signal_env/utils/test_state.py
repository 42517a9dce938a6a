"""What is seen of an object that a plug-in calls, and what is not."""

import functools
import random
import time
from collections import Counter, deque

import numpy as np
import pytest
import torch

from signal_env.utils.state import Unchanged, changed, lacking, owners, snapshot


class Nested:
    def __init__(self, value):
        self.value = value


class Slotted:
    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value


class Shared:
    value = []


def setting(name, value):
    return lambda owner: setattr(owner, name, value)


@pytest.mark.parametrize(
    ("value", "change"),
    [
        (-1, setting("value", -2)),  # which have one hash
        (1, setting("value", True)),
        (None, setting("other", 0)),
        ("a", lambda owner: delattr(owner, "value")),
        ([1, [2, {"a": 3}]], lambda owner: owner.value[1][1].update(a=4)),
        ({"a"}, lambda owner: owner.value.add("b")),
        (Counter(a=1), lambda owner: owner.value.update("a")),
        (deque([1, 2]), lambda owner: owner.value.rotate()),
        (bytearray(b"ab"), lambda owner: owner.value.reverse()),
        (np.zeros((3, 2)), lambda owner: owner.value.__setitem__((2, 1), 1e-300)),
        (np.random.default_rng(0), lambda owner: owner.value.random()),
        (random.Random(0), lambda owner: owner.value.random()),
        (torch.zeros(3), lambda owner: owner.value.add_(1)),
        (torch.nn.Linear(2, 1), lambda owner: torch.nn.init.ones_(owner.value.weight)),
        (Nested(Nested([])), lambda owner: owner.value.value.value.append(0)),
        (Slotted([]), lambda owner: owner.value.value.append(0)),
        (list(range(20_000)), lambda owner: owner.value.append(0)),
        ({i: str(i) for i in range(900)}, lambda owner: owner.value.update({450: ""})),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_change_is_seen(value, change):
    owner = Nested(value)
    before = snapshot(owner)
    assert changed(before, snapshot(owner)) == []
    change(owner)
    assert changed(before, snapshot(owner)) in (["value"], ["other"])


def test_a_change_of_a_container_of_the_class_is_seen():
    before = snapshot(Shared())
    Shared().value.append(0)
    assert changed(before, snapshot(Shared())) == ["Shared.value"]


@pytest.mark.parametrize("value", [float("nan"), [float("nan")], {"a": float("nan")}, time.sleep, Nested, (1, None)])
def test_what_stays_the_same_is_no_change(value):
    owner = Nested(value)
    owner.itself = owner  # a cycle
    before = snapshot(owner)
    owner.value = float("nan") if isinstance(value, float) else value
    assert changed(before, snapshot(owner)) == []


def test_the_objects_that_a_callable_may_change():
    memory, words = Nested(set()), []

    def score(texts, memory):
        return [0.0] * len(texts)

    class Scorer(Nested):
        def __call__(self, texts):
            return self.score(texts)

        def score(self, texts):
            return [0.0] * len(texts)

    class Cached(Scorer):
        stateless = True

    scorer = Scorer(0)
    for harmless in (score, len, np.sqrt, functools.cache(score), Cached(0), Scorer):
        assert all(isinstance(owner, np.ufunc) for owner in owners(harmless)), harmless
    for drawing in (np.random.rand, random.random):  # NumPy's and Python's global random numbers
        (owner,) = owners(drawing)
        before = snapshot(owner)
        drawing()
        assert changed(before, snapshot(owner)) == ["items"]
    assert owners(scorer) == owners(scorer.score) == owners(functools.partial(scorer.score)) == [scorer]
    assert owners(functools.partial(score, memory=memory)) == [memory]
    assert owners(functools.partial(print, words, "a", 1)) == owners(words.append) == [words]
    assert lacking(scorer) == ["reset", "state_dict", "load_state_dict"]


def test_the_check_costs_little_beside_a_prediction():
    """An object with large tables takes well under the time of one text's encoding, some hundred microseconds."""

    class Table:
        def __init__(self):
            self.vectors = np.ones((200_000, 50))
            self.words = {f"word {i}": i for i in range(200_000)}

    unchanged = Unchanged([Table()], "term", None, ValueError)
    unchanged.note()
    sampled = sum(len(str(one)) for one in snapshot(Table()).values())
    assert sampled < 100_000  # characters: a sample, not the table
    unchanged.check()
