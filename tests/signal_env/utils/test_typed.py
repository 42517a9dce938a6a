"""Values have the types of their options, or one error that says what was expected and what came."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import gymnasium as gym
import numpy as np
import pytest

import signal_env  # noqa: F401
from signal_env.classifiers import ClassifierError, classifiers, make_classifier
from signal_env.config import ConfigError, SignalConfig
from signal_env.stopping import StoppingError
from signal_env.stopping.measure import Stopping
from signal_env.tasks import Task, TaskError, get_task
from signal_env.utils.typed import OptionError, typed, typed_values


@dataclasses.dataclass
class Part:
    """A part of a file."""

    names: Sequence[str]
    size: int = 2


class Own:
    """A classifier with one option."""

    def __init__(self, task, encoder, device, max_iter: int = 1) -> None:
        self.max_iter = max_iter

    def fit(self, texts, labels, seed): ...

    def predict(self, texts): ...


@pytest.mark.parametrize(
    ("value", "annotation", "expected"),
    [
        (3.0, int, 3),
        (3, float, 3.0),
        (3, int | float, 3),
        (3.0, int | float, 3.0),
        (np.int64(3), int | None, 3),
        (np.float32(0.5), float, 0.5),
        (np.float64(3), int, 3),
        (np.array(3), int, 3),
        (np.bool_(False), bool, False),
        (np.str_("a"), str, "a"),
        (None, float | None, None),
        (1, float | Literal["linear"], 1.0),
        ("linear", float | Literal["linear"], "linear"),
        (["a"], tuple[str, ...], ("a",)),
        (np.array([1.0, 2.0]), tuple[int, ...], (1, 2)),
        (range(3), Sequence[int], [0, 1, 2]),
        ("a/b", Path, Path("a/b")),
        (Path("a/b"), str | None, "a/b"),
        ({"a": 1}, str | Mapping[str, float], {"a": 1.0}),
        ({"names": ["a"], "size": 3.0}, Part, Part(["a"], 3)),
        ({"a": np.int64(1)}, Mapping[str, Any], {"a": 1}),
    ],
)
def test_what_is_exactly_of_the_type_is_a_value_of_it(value, annotation, expected):
    found = typed(value, annotation, "option")
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "annotation", "message"),
    [
        (3.5, int, "option must be a whole number; got 3.5"),
        (float("inf"), int, "a whole number; got inf"),
        ("3", int, "a whole number; got '3'. Write numbers without quotes."),
        ("abc", int, "a whole number; got 'abc'."),
        (10**400, float, "a number; got a whole number of 1329 bits."),
        (-(10**1000), bool, "True or False; got a whole number of 3322 bits."),
        (True, int, "a whole number; got True"),
        (True, float | None, "a number or None; got True"),
        (1, bool, "True or False; got 1"),
        ("yes", bool, "True or False; got 'yes'"),
        (True, str, "a text; got True. YAML reads an unquoted yes, no, on or off as a truth value; put it in quotes."),
        (1e-3, str, "a text; got 0.001. In a file, put a text that looks like a number in quotes."),
        (None, int, "a whole number; got None. Leave it out for the default."),
        ("cubic", float | Literal["linear"], "a number or 'linear'; got 'cubic'"),
        ([1], Mapping[str, float], "a mapping (each value a number); got [1]"),
        ({"a": "b"}, str | Mapping[str, float], "option['a'] must be a number; got 'b'"),
        ("ab", Sequence[str], "a list (each a text); got 'ab'"),
        ({"a": 1}, tuple[int, ...], "a list (each a whole number); got {'a': 1}"),
        ([1, "b"], tuple[int, ...], "option[1] must be a whole number; got 'b'"),
        ({"names": ["a"], "sise": 3}, Part, "option (a name) must be 'names' or 'size'; got 'sise'"),
        ({"size": 3}, Part, "option (without names) must be Part"),
        (5, Callable[[str], int] | str, "a function or a text; got 5"),
        (5, Task | str, "Task or a text; got 5"),
    ],
)
def test_any_other_value_is_an_error_that_says_what_was_expected_and_came(value, annotation, message):
    with pytest.raises(OptionError) as caught:
        typed(value, annotation, "option")
    assert message in str(caught.value)
    assert ("without quotes" in str(caught.value)) == (value == "3")


def test_objects_pass_where_a_class_or_a_function_may_stand():
    task = get_task("sst2")
    assert typed(task, Task | str, "task") is task
    assert typed(len, Callable[[str], int] | str, "term") is len
    description = {"object": "mine:term", "content": None}
    assert typed(description, str, "reward") == description


def test_types_that_a_signature_cannot_tell_are_left_alone():
    def term(weight: "NoSuchName", n: int = 1): ...  # noqa: F821

    assert typed_values({"weight": "x", "other": 1}, term) == {"weight": "x", "other": 1}


def test_numbers_of_numpy_are_numbers_in_the_environment():
    options = {"pool_size": np.int64(40), "round_size": np.float64(10), "invalid_reward": np.float32(0.5)}
    options |= {"retrain": np.bool_(True), "evaluation_size": np.array(20), "reward": {"signal": np.float64(2)}}
    env = gym.make("SignalEnv-reviews-v0", **options)
    config = env.unwrapped.learner.config
    env.close()
    values = [config.pool_size, config.round_size, config.invalid_reward, config.retrain, config.evaluation_size]
    assert [type(value) for value in values] == [int, int, float, bool, int]
    assert config.reward == {"signal": 2.0}


def test_options_of_the_environment_of_classifiers_and_criteria_have_types(monkeypatch):
    monkeypatch.setitem(classifiers._entries, "own", Own)
    with pytest.raises(ConfigError, match="n_neighbors must be a whole number; got '3'"):
        SignalConfig(n_neighbors="3")
    with pytest.raises(ClassifierError, match=r"option max_iter of the classifier 'own'.*whole number; got 2\.5"):
        make_classifier("own", get_task("reviews"), "embedded", max_iter=2.5)
    assert make_classifier("own", get_task("reviews"), "embedded", max_iter=2.0).max_iter == 2
    with pytest.raises(StoppingError, match="threshold must be a number; got 'high'"):
        Stopping("stable_predictions", {"threshold": "high"})


def test_attributes_of_a_task_have_types(tmp_path):
    file = tmp_path / "mood.yaml"
    text = "name: mood\ninstruction: Write one\nclass_names: [bad, good]\n"
    file.write_text(f"{text}train_size: 1e3\n")
    assert get_task(file).train_size == 1000
    for line, message in [
        ("train_size: many", "train_size must be a whole number or None; got 'many'"),
        ("train: no", "train must be a text; got False"),
        ("name: mine", "'name' twice"),
        ("hub: {path: 5}", "path must be a text; got 5"),
    ]:
        file.write_text(f"{text}{line}\n")
        with pytest.raises(TaskError, match=message):
            get_task(file)
