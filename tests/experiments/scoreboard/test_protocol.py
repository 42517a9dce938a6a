"""The protocol: what it fixes, and what a method may set."""

import pytest

from experiments.config import RunError, make_config
from experiments.scoreboard.protocol import FIXED, read_protocol
from signal_env.config import SignalConfig


def test_all_methods_play_the_same_settings_and_seeds():
    protocol = read_protocol()
    study = protocol.study("mine", {"agent": "cal"})
    assert [*study.settings] == ["reviews", "sst2-0.1%", "sst2-1%", "agnews-0.1%", "trec", "banking77"]
    assert len(study.runs) == 6 * 30
    assert {run.options.classifier for run in study.runs} == {"linear"}
    assert {run.options.encoder for run in study.runs if run.setting != "reviews"} == {"minilm"}
    fractions = {run.setting: run.options.pool_fraction for run in study.runs}
    assert (fractions["sst2-0.1%"], fractions["sst2-1%"], fractions["trec"]) == (0.001, 0.01, 0.1)


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"options": {"pool_size": 100}}, r"fixes pool_size .* pool_size=100"),
        ({"options": {"classifier_options": {"C": 3.0}}}, "classifier_options"),
        ({"options": {"retrain": False, "stopping": "stable_predictions"}}, "stopping, retrain|retrain"),
        ({"options": {"budget_fraction": 3.0}}, "budget_fraction"),
    ],
)
def test_a_method_may_not_set_what_the_protocol_fixes(values, wrong):
    with pytest.raises(RunError, match=wrong):
        read_protocol().study("mine", {"agent": "cal"} | values, ["reviews"])


def test_a_method_may_set_its_reward_and_its_offers():
    options = {"reward": "entropy", "offers_per_round": 100, "n_examples": 1, "keep_best": 20}
    run = read_protocol().study("mine", {"agent": "generator", "options": options}, ["reviews"], [3]).runs[0]
    assert vars(run.options).items() >= options.items()


def test_settings_and_seeds_are_the_protocols():
    with pytest.raises(RunError, match=r"no reviws\. Did you mean 'reviews'"):
        read_protocol().study("mine", {"agent": "cal"}, ["reviws"])
    with pytest.raises(RunError, match="seeds 0 to 29; got 30, 31"):
        read_protocol().study("mine", {"agent": "cal"}, ["reviews"], [29, 30, 31])
    with pytest.raises(RunError, match="Known: signal-v1"):
        read_protocol("signal-v0")


def test_the_fixed_options_are_options():
    assert set(FIXED) <= set(SignalConfig.__dataclass_fields__)


def test_a_run_is_known_by_its_options_whatever_its_name():
    config = make_config("SignalEnv-sst2-v0", "cal", options={"classifier": "linear", "encoder": "minilm"})
    protocol = read_protocol()
    assert protocol.setting_of({"options": vars(config.options)}) == "sst2-1%"
    with pytest.raises(RunError, match="classifier is 'finetune', not 'linear'"):
        protocol.setting_of({"options": vars(config.options) | {"classifier": "finetune"}})
    with pytest.raises(RunError, match="no setting with the task 'qnli'"):
        protocol.setting_of({"options": {"task": "qnli"}})
