"""The criteria over an episode: state, options, and the checks of a user's own."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from signal_env.stopping import Before, Stopping, StoppingError, stopping_criteria
from signal_env.utils.registry import UnknownName

BUILTIN = {"classification_change", "overall_uncertainty", "stable_predictions"}


def known(labels, confidence=0.9):
    """Return two classes' predictions for U, and for R the same."""
    p = np.where(np.array(labels)[:, None] == np.arange(2), confidence, 1 - confidence)
    return SimpleNamespace(probabilities=p, texts=("a", "b", "c", "d"), pool=SimpleNamespace(probabilities=p))


def before(labels):
    return Before(known(labels).probabilities, known(labels).probabilities)


def test_an_episode_by_hand():
    stopping = Stopping("stable_predictions", {"window": 2, "threshold": 0.9})
    stopping.measure(known([0, 1, 0, 1]), None, labeled=5)
    uncertainty = -(0.9 * np.log2(0.9) + 0.1 * np.log2(0.1))
    assert stopping.report() == {"overall_uncertainty": {"value": pytest.approx(uncertainty)}}
    stopping.measure(known([0, 1, 0, 1]), before([0, 1, 0, 1]), labeled=10)
    report = stopping.report()
    assert report["classification_change"] == {"value": 0.0, "met_at": 10}
    assert report["stable_predictions"] == {"value": 1.0}
    assert not stopping.met
    stopping.measure(None, None, labeled=10)  # an idle round
    assert stopping.report() == {"classification_change": {"met_at": 10}}
    stopping.measure(known([0, 1, 0, 1], 0.999), before([0, 1, 0, 1]), labeled=15)
    assert stopping.report()["stable_predictions"] == {"value": 1.0, "met_at": 15}
    assert stopping.report()["overall_uncertainty"]["met_at"] == 15
    assert stopping.met
    stopping.measure(known([1, 1, 0, 0]), before([0, 1, 0, 1]), labeled=20)
    assert stopping.report()["classification_change"] == {"value": 0.5, "met_at": 10}  # the first time stays
    assert stopping.report()["stable_predictions"] == {"value": 0.0, "met_at": 15}
    assert stopping.met
    stopping.reset()
    assert (stopping.report(), stopping.met) == ({}, False)


def test_a_state_goes_on_to_the_bit():
    one, other = (Stopping("stable_predictions", {"threshold": 0.5}) for _ in range(2))
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=(8, 4))
    for i in range(8):
        if i == 4:
            other.load_state_dict(json.loads(json.dumps(one.state_dict())))
        arguments = known(labels[i], 0.7), before(labels[i - 1]) if i else None, i
        one.measure(*arguments)
        if i >= 4:
            other.measure(*arguments)
            assert other.report() == one.report()
    assert other.state_dict() == one.state_dict()


def test_every_registered_criterion_is_measured_with_what_it_asks_for():
    asked = []

    @stopping_criteria.register("texts_seen")
    def texts_seen(texts, values, probabilities, least=2):
        asked.append((texts, values.tolist(), probabilities.flags.writeable, least))
        return len(texts) + len(values), len(values) >= least

    try:
        stopping = Stopping()
        for labeled in (5, 10, 15):
            stopping.measure(known([0, 1, 0, 1]), None, labeled)
        assert stopping.report()["texts_seen"] == {"value": 6.0, "met_at": 15}
        assert [values for _, values, *_ in asked] == [[], [4.0], [4.0, 5.0]]
        assert not stopping.met  # no criterion ends the episode
    finally:
        del stopping_criteria._entries["texts_seen"]
    assert set(stopping_criteria) == BUILTIN


def test_a_function_ends_the_episode_and_has_its_name():
    def spent_ten(labels, at=10):
        return float(len(labels)), len(labels) >= at

    stopping = Stopping(spent_ten, {"at": 3})
    view = known([0, 1, 0, 1])
    view.labels = np.zeros(3)
    stopping.measure(view, None, labeled=3)
    assert stopping.report()["spent_ten"] == {"value": 3.0, "met_at": 3}
    assert (stopping.chosen, stopping.met) == ("spent_ten", True)


@pytest.mark.parametrize("returned", [0.5, (0.5,), (np.nan, True), (0.5, 1), ("low", True), (np.inf, False), True])
def test_a_criterion_that_returns_the_unusable_is_named(returned):
    def odd(probabilities):
        return returned

    with pytest.raises(StoppingError, match="The stopping criterion 'odd' returned"):
        Stopping(odd).measure(known([0, 1, 0, 1]), None, labeled=5)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("stable",), UnknownName, "Known: classification_change, overall_uncertainty, stable_predictions"),
        ((3,), StoppingError, "must be the name of a criterion"),
        ((None, {"threshold": 0.9}), StoppingError, "give stopping=NAME too"),
        (("overall_uncertainty", {"window": 3}), StoppingError, "no option 'window'. Its options: threshold"),
        (("overall_uncertainty", {"probabilities": 3}), StoppingError, "no option 'probabilities'"),
        ((lambda accuracy: (0.0, True),), StoppingError, "asks for 'accuracy'"),
        ((lambda gold: (0.0, True),), StoppingError, "asks for 'gold'"),
    ],
)
def test_what_cannot_be_used_is_named(arguments, error, message):
    with pytest.raises(error, match=message):
        Stopping(*arguments)
