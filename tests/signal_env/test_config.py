"""The options of an experiment: the paper's sizes, the defaults, and every error."""

import dataclasses
import json

import pytest

from signal_env.config import ConfigError, SignalConfig, Sizes, check
from signal_env.learner.experiment import experiment_sizes
from signal_env.learner.selection import selection_of


def sizes(original=1000, available=1000, **options):
    config = SignalConfig(**options)
    return Sizes.of(config, original, available, selection_of(config).budget_fraction)


def refused(original=1000, available=1000, **options):
    """Return the error message for these options."""
    with pytest.raises(ConfigError) as caught:
        sizes(original, available, **options)
    return str(caught.value)


# Sizes.


@pytest.mark.parametrize(
    ("original", "fraction", "pool", "batch", "budget"),
    [
        # R is a fraction of the original training split (section 5.1), a round 10 % of R, the budget 200 % of R (5.3).
        (67_349, 0.01, 673, 67, 1346),  # SST-2: 673.49; 67.3
        (67_349, 0.001, 67, 7, 134),  # 67.349; 6.7
        (120_000, 0.01, 1200, 120, 2400),  # AG News
        (120_000, 0.001, 120, 12, 240),
        (104_743, 0.01, 1047, 105, 2094),  # QNLI: 1047.43; 104.7
        (104_743, 0.001, 105, 10, 210),  # 104.743; 10.5, which is rounded to the even number
    ],
)
def test_the_paper_s_settings(original, fraction, pool, batch, budget):
    expected = Sizes(pool=pool, initial=batch, round=batch, offers=batch, budget=budget)
    assert sizes(original, original, pool_fraction=fraction) == expected


def test_pool_based_methods_stop_at_the_whole_pool():
    assert sizes(67_349, 67_349, selection="submitted").budget == 673
    assert sizes(67_349, 67_349, selection="acquisition").budget == 2 * 673


def test_the_pool_is_a_share_of_the_original_split_though_fewer_texts_are_at_hand():
    assert sizes(original=120_000, available=41_463).pool == 1200


def test_numbers_come_before_shares():
    expected = Sizes(pool=50, initial=8, round=5, offers=20, budget=61)
    given = {"pool_size": 50, "initial_labeled": 8, "round_size": 5, "offers_per_round": 20, "budget": 61}
    assert sizes(**given, pool_fraction=0.5, round_fraction=0.5, budget_fraction=9.0) == expected


def test_a_round_labels_one_text_at_least():
    assert sizes(pool_size=3).round == 1


def test_shares_are_of_the_pool():
    assert sizes(pool_size=40, round_fraction=0.25, budget_fraction=1.5) == Sizes(40, 10, 10, 10, 60)
    assert sizes(pool_size=40, budget_fraction=0.5, selection="submitted").budget == 20


def test_the_initial_labels_and_offers_are_a_round_by_default():
    assert sizes(pool_size=40, round_size=7) == Sizes(40, 7, 7, 7, 80)


# Errors of sizes.


@pytest.mark.parametrize("pool", [0, -1, 1001])
def test_the_pool_is_part_of_the_training_split(pool):
    assert f"pool_size must be from 1 to 1000 texts of the training split; got {pool}" in refused(pool_size=pool)


def test_a_share_that_needs_more_texts_than_there_are_is_refused():
    assert "from 1 to 41463 texts of the training split; got 60000" in refused(120_000, 41_463, pool_fraction=0.5)


def test_a_share_of_nothing_is_refused():
    assert "got 0" in refused(pool_fraction=0.0)


@pytest.mark.parametrize("size", [0, -3, 51])
@pytest.mark.parametrize("option", ["round_size", "initial_labeled"])
def test_a_round_and_the_initial_labels_are_part_of_the_pool(option, size):
    assert f"{option} must be from 1 to the pool's 50 texts; got {size}" in refused(pool_size=50, **{option: size})


@pytest.mark.parametrize("offers", [0, -1])
def test_a_round_has_an_offer_at_least(offers):
    assert f"offers_per_round must be at least 1; got {offers}" in refused(offers_per_round=offers)


@pytest.mark.parametrize("budget", [{"budget": 5}, {"budget": 3}, {"budget": 0}, {"budget_fraction": 0.1}])
def test_a_budget_is_more_than_the_initial_labels(budget):
    message = refused(pool_size=50, initial_labeled=5, **budget)
    assert "spent by the 5 initial ones" in message
    assert "larger budget or a smaller initial_labeled" in message


def test_a_budget_that_can_never_be_spent_is_refused():
    assert "at most the pool's 50 texts; got 100" in refused(pool_size=50, keep_best=0)
    assert sizes(pool_size=50, keep_best=0, budget_fraction=1.0).budget == 50


def test_a_budget_of_no_share_is_no_default():
    assert "budget of 0 labels" in refused(pool_size=50, budget_fraction=0.0)


@pytest.mark.parametrize("value", [20.5, "20"])
@pytest.mark.parametrize("option", ["pool_size", "initial_labeled", "round_size", "offers_per_round", "budget"])
def test_sizes_are_whole_numbers(option, value):
    message = refused(**{"pool_size": 50, option: value})
    assert repr(value) in message


# Options that need no data.


def test_the_defaults_with_a_task_are_in_order():
    check(SignalConfig(task="sst2"))


def test_a_task_is_needed():
    with pytest.raises(ConfigError, match=r"task=NAME or task=FILE\.yaml"):
        experiment_sizes(SignalConfig())


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("max_idle_rounds", 0, "max_idle_rounds must be at least 1; got 0"),
        ("n_neighbors", 0, "n_neighbors must be at least 1; got 0"),
        ("n_examples", -1, "n_examples must be at least 0; got -1"),
        ("max_text_length", 0, "max_text_length must be at least 1; got 0"),
        ("invalid_reward", float("nan"), "invalid_reward must be finite; got nan"),
        ("invalid_reward", float("inf"), "invalid_reward must be finite; got inf"),
        ("invalid_reward", -float("inf"), "invalid_reward must be finite; got -inf"),
        ("evaluation_size", 0, "evaluation_size must be at least 1; got 0"),
        ("synthetic_share", 1.5, "synthetic_share must be a number from 0 to 1, 'linear', 'adaptive' or None; got 1.5"),
        ("synthetic_share", float("nan"), "got nan"),
        ("synthetic_share", True, "got True"),
        ("synthetic_share", "half", "got 'half'"),
    ],
)
def test_options_out_of_range_are_refused(option, value, words):
    with pytest.raises(ConfigError) as caught:
        check(SignalConfig(task="sst2", **{option: value}))
    assert words in str(caught.value)


@pytest.mark.parametrize("share", [0.5, "linear", "adaptive"])
def test_an_agent_that_submits_texts_has_no_synthetic_share(share):
    with pytest.raises(ConfigError, match="the agent chooses what is labeled"):
        selection_of(SignalConfig(task="sst2", selection="submitted", synthetic_share=share))


def test_an_agent_that_submits_texts_has_no_best_offers():
    with pytest.raises(ConfigError, match="keep_best is for selection='acquisition'"):
        selection_of(SignalConfig(task="sst2", selection="submitted", keep_best=3))


@pytest.mark.parametrize("selection", ["random", None, ["submitted"]])
def test_there_are_two_ways_to_choose(selection):
    with pytest.raises(ConfigError, match="selection must be 'acquisition' or 'submitted'; got "):
        selection_of(SignalConfig(task="sst2", selection=selection))


def test_an_adaptive_share_needs_an_annotator():
    with pytest.raises(ConfigError, match="got annotator='gold', which is none"):
        check(SignalConfig(task="sst2", annotator="gold", synthetic_share="adaptive"))
    check(SignalConfig(task="sst2", annotator="gold", synthetic_share=0.0))


@pytest.mark.parametrize("value", [2.5, "20"])
@pytest.mark.parametrize("option", ["n_neighbors", "n_examples", "max_text_length", "evaluation_size"])
def test_counts_are_whole_numbers(option, value):
    with pytest.raises(ConfigError) as caught:
        check(SignalConfig(task="sst2", **{option: value}))
    assert option in str(caught.value)
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize(
    ("option", "value"),
    [("n_examples", 0), ("n_neighbors", 1), ("invalid_reward", -5.0), ("evaluation_size", 1), ("max_text_length", 1)]
    + [("synthetic_share", share) for share in (0, 1, 0.0, 1.0)],
)
def test_the_ends_of_the_ranges_are_allowed(option, value):
    check(SignalConfig(task="sst2", **{option: value}))


def test_options_survive_json():
    config = SignalConfig(task="sst2", pool_size=50, reward={"signal": 1.0, "entropy": 0.1}, selection="submitted")
    assert SignalConfig(**json.loads(json.dumps(dataclasses.asdict(config)))) == config


def test_options_cannot_be_changed_afterwards():
    with pytest.raises(dataclasses.FrozenInstanceError):
        SignalConfig().task = "sst2"
