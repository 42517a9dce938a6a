"""The options of classifiers as they are listed: those of the code, and of a user's own."""

import dataclasses
import inspect

import pytest

from experiments.__main__ import main
from signal_env.classifiers import ClassifierError, classifiers, make_classifier
from signal_env.classifiers.finetune import FinetuneClassifier
from signal_env.classifiers.linear import LinearClassifier
from signal_env.classifiers.options import options_of
from signal_env.classifiers.training import Training
from signal_env.tasks import get_task


class Forest:
    """A classifier of a user's own, which is never trained here."""

    def __init__(self, task, encoder, device, trees: int, rule: str | None = "gini", shuffled=False):
        self.trees, self.rule, self.shuffled = trees, rule, shuffled

    def fit(self, texts, labels, seed):
        raise NotImplementedError

    def predict(self, texts):
        raise NotImplementedError


@pytest.fixture
def forest(monkeypatch):
    """Register the class for one test."""
    monkeypatch.setattr(classifiers, "_entries", dict(classifiers._entries))
    classifiers.register("forest")(Forest)


def test_built_in_options_are_those_of_the_code():
    own = {name: {one.name: one.default for one in options_of(classifiers[name])[0]} for name in ("linear", "finetune")}
    for name, kind in (("linear", LinearClassifier), ("finetune", FinetuneClassifier)):
        for parameter in inspect.signature(kind).parameters.values():
            if parameter.name not in ("task", "encoder", "device", "training"):
                assert own[name].pop(parameter.name) == repr(parameter.default)
    assert own == {
        "linear": {},
        "finetune": {field.name: repr(field.default) for field in dataclasses.fields(Training)},
    }


def test_a_class_of_one_s_own_is_listed_and_checked(forest):
    options, others = options_of(classifiers["forest"])
    assert [str(option) for option in options] == [
        "trees (int, required)",
        "rule (str or None, default 'gini')",
        "shuffled (default False)",
    ]
    assert not others
    task = get_task("reviews")
    assert make_classifier("forest", task, "embedded", trees=3).trees == 3
    with pytest.raises(ClassifierError, match=r"no option 'tress'. Did you mean 'trees'\?.* shuffled \(default False"):
        make_classifier("forest", task, "embedded", tress=3)
    with pytest.raises(ClassifierError, match="needs the option 'trees'"):
        make_classifier("forest", task, "embedded")
    with pytest.raises(ClassifierError, match="an object takes no options; got trees"):
        make_classifier(Forest(task, "embedded", "cpu", 3), task, "embedded", trees=3)


def test_options_that_cannot_be_read_are_passed_on():
    def anything(task, encoder, device, **options):
        return options

    assert options_of(anything) == ([], True)


@pytest.mark.parametrize("wrong", [["depht", "3"], ["class_weight", "heavy"], ["inverse_regularization", "-1"]])
def test_a_wrong_option_is_one_line_on_the_command_line(tmp_path, capsys, wrong):
    run = ["run", "--pool-size", "40", "--round-size", "4", "--out", str(tmp_path / "run")]
    assert main([*run, "--classifier-options", *wrong]) == 1
    error = capsys.readouterr().err
    assert wrong[0] in error
    assert len(error.strip().splitlines()) == 1


def test_help_lists_the_options_of_every_classifier(forest, capsys):
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for name in ("linear", "finetune", "forest"):
        assert f"Options of the classifier '{name}':" in shown
        for option in options_of(classifiers[name])[0]:
            assert str(option) in shown
