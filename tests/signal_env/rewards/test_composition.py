"""Compositions of reward terms: weights, clipping, normalization, and errors."""

import functools
import inspect

import numpy as np
import pytest

from signal_env.rewards import Closing, Reward, RewardError, at_close, reward_terms
from signal_env.utils import plugins
from signal_env.utils.registry import UnknownName


def contributions(reward, candidates):
    return {name: values.contribution for name, values in Reward(reward).of_texts(candidates).items()}


def ramp(texts):
    """A term with known values: the number in the text."""
    return [float(text.split()[1]) for text in texts]


def standard_scores(numbers):
    """Return each number's standard score among those up to it."""
    return [0.0, *((numbers[i] - np.mean(numbers[: i + 1])) / np.std(numbers[: i + 1]) for i in range(1, len(numbers)))]


@pytest.fixture
def with_ramp(own_registry):
    reward_terms.register("ramp")(ramp)


@pytest.mark.parametrize(
    "reward",
    [
        "signal - 0.5*entropy + 0*margin",
        {"signal": 1, "entropy": -0.5, "margin": 0},
        {"signal + margin*0": 1, "-entropy/2": 1},
    ],
)
def test_each_term_s_contribution_is_its_value_times_its_weight(candidates, reward):
    alone = {name: Reward(name).of_texts(candidates)[name].raw for name in ("signal", "entropy", "margin")}
    together = contributions(reward, candidates)
    assert set(together) == {"signal", "entropy", "margin"}
    np.testing.assert_array_equal(together["signal"], alone["signal"])
    np.testing.assert_array_equal(together["entropy"], -0.5 * alone["entropy"])
    np.testing.assert_array_equal(together["margin"], np.zeros(7))
    looked_at = Reward(reward).of_texts(candidates)["margin"]
    np.testing.assert_array_equal(looked_at.raw, alone["margin"])  # a weight of 0 logs a term without adding it


def test_a_user_s_term_is_used_by_name_beside_the_others(candidates, with_ramp):
    assert contributions("signal + 0.25*ramp", candidates)["ramp"].tolist() == [0.25 * i for i in range(7)]


def test_a_function_or_an_object_is_a_reward_under_its_own_name(candidates):
    class Novelty:
        def __call__(self, texts):
            return np.full(len(texts), 2.0, dtype=np.float32)

    assert contributions(ramp, candidates)["ramp"].tolist() == list(range(7))
    assert contributions(Novelty(), candidates)["Novelty"].tolist() == [2.0] * 7


def test_a_name_that_is_no_identifier_stands_in_quotes_or_alone(candidates, own_registry):
    reward_terms.register("my-term")(ramp)
    for reward in ("my-term", {"my-term": 1}, "0*signal + 'my-term'"):
        assert contributions(reward, candidates)["my-term"].tolist() == list(range(7))


def test_terms_get_the_arguments_that_their_parameters_name(candidates):
    seen = []

    def look(texts, probabilities, distances, labeled, labels, labeled_texts, unlabeled, n_neighbors, scale=3):
        seen.append((texts, probabilities, distances, labeled, labels, labeled_texts, unlabeled, n_neighbors, scale))
        return np.zeros(7)

    Reward(look).of_texts(candidates)
    ((texts, probabilities, distances, labeled, labels, labeled_texts, unlabeled, n_neighbors, scale),) = seen
    assert texts == tuple(f"text {i}" for i in range(7))
    assert probabilities.shape == (7, 3)
    assert distances.shape == (7, 5)
    assert labeled.probabilities.shape == (11, 3)
    assert labels.tolist() == [i % 3 for i in range(11)]
    assert labeled_texts[3] == "labeled 3"
    assert unlabeled.texts == ("real 0", "real 1", "a warm film")
    assert (n_neighbors, scale) == (5, 3)
    named = ("texts", "probabilities", "distances", "labeled", "labels", "labeled_texts", "unlabeled", "n_neighbors")
    assert Reward(look).asks == set(named)


@pytest.mark.parametrize("name", plugins.REWARD)
def test_every_name_has_a_value(candidates, name):
    seen = []

    def look(**values):
        seen.append(values)
        return np.zeros(7)

    look.__signature__ = inspect.Signature([inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY)])
    Reward(look).of_texts(candidates)
    assert seen[0].keys() == {name}
    assert seen[0][name] is getattr(candidates, name) or name in ("labeled", "neighbors", "distances", "earlier")


@pytest.mark.parametrize("term", [lambda candidates: [0.0], lambda texts, hint: [0.0], at_close(lambda texts: 0.0)])
def test_a_name_that_does_not_exist_is_answered_with_those_that_do(term):
    known = r"It may ask for: (texts, probabilities, .*, pool|batch_texts, batch_labels, .*, seed); or give"
    with pytest.raises(RewardError, match=r"The reward term '<lambda>' asks for '(candidates|hint|texts)'. " + known):
        Reward(term)


def test_what_texts_were_offered_before_does_not_change_their_dropout(world):
    def spread(texts, offered):
        return [float(offered.dropout.sum()) + len(offered)] * len(texts)

    world.dropout = lambda texts, n_samples, seed: np.full((5, len(texts), 3), float(len(texts)))
    one, many = world.open_round(), world.open_round()
    for text in ("a", "b", "c"):
        world.offered(one, [text])
    world.offered(many, ["a", "b", "c"])
    rewards = [Reward(spread).of_texts(world.candidates(["d"], opened))["spread"].raw for opened in (one, many)]
    assert rewards[0].tolist() == rewards[1].tolist() == [3 * 5 * 3 + 3]


def test_a_partial_closing_term_stays_one():
    closing = functools.partial(at_close(lambda batch_texts, factor: factor * len(batch_texts)), factor=2)
    assert Reward(closing).closing_terms == ("partial",)
    method_of = type("Odd", (), {"at_close": lambda self: None, "__call__": lambda self, texts: [0.0] * len(texts)})
    assert Reward(method_of()).closing_terms == ()


def test_arguments_come_by_name_not_by_position():
    with pytest.raises(RewardError, match="takes 'texts' by position: remove the '/'"):
        Reward(lambda texts, /: [0.0])


def test_a_term_costs_nothing_that_it_does_not_name(world):
    calls = []
    world.pretrained = lambda texts: calls.append(texts) or np.zeros((len(texts), 2))
    candidates = world.candidates(["text 1"])
    Reward("signal + entropy + novelty").of_texts(candidates)
    assert calls == []
    Reward(lambda pretrained: pretrained[:, 0]).of_texts(candidates)
    assert calls == [("text 1",)]


def test_clipping_is_per_term_and_before_the_weight(candidates, with_ramp):
    reward = Reward("2*clip(ramp, 1, 4) + ramp")
    values = reward.of_texts(candidates)
    clipped = values["clip(ramp, 1, 4)"]
    assert clipped.raw.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert clipped.contribution.tolist() == [2, 2, 4, 6, 8, 8, 8]
    assert values["ramp"].contribution.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert contributions("clip(ramp, high=2)", candidates)["clip(ramp, high=2)"].tolist() == [0, 1, 2, 2, 2, 2, 2]


def test_normalization_runs_over_the_episode(world, with_ramp):
    reward = Reward("normalize(ramp)")
    numbers = [3, 5, 4, 4, 10, -2]
    values = []
    for block in (numbers[:1], numbers[1:4], numbers[4:]):
        values += reward.of_texts(world.candidates([f"text {i}" for i in block]))["normalize(ramp)"].value.tolist()
    expected = standard_scores(numbers)
    np.testing.assert_allclose(values, expected, rtol=1e-12)
    probe = world.candidates(["text 7"])
    kept = reward.state_dict()
    first = reward.of_texts(probe, since=kept)["normalize(ramp)"].value
    assert reward.state_dict() == kept
    later = Reward("normalize(ramp)")
    later.load_state_dict(kept)
    assert later.of_texts(probe)["normalize(ramp)"].value.tolist() == first.tolist()
    later.reset()
    assert later.of_texts(probe)["normalize(ramp)"].value.tolist() == [0.0]


def test_each_normalization_has_its_own_memory(world, with_ramp):
    reward = "normalize(ramp) + clip(normalize(ramp), -1, 1) + normalize(normalize(ramp))"
    texts = [f"text {i}" for i in (3, 5, 4, 4, 10)]
    together = Reward(reward).of_texts(world.candidates(texts))
    one_by_one = Reward(reward)
    alone = [one_by_one.of_texts(world.candidates([text])) for text in texts]
    for name, values in together.items():
        assert values.value.tolist() == [each[name].value.item() for each in alone]
    expected = Reward("normalize(ramp)").of_texts(world.candidates(texts))["normalize(ramp)"].value
    assert together["normalize(ramp)"].value.tolist() == expected.tolist()
    assert together["clip(normalize(ramp), -1, 1)"].value.tolist() == np.clip(expected, -1, 1).tolist()


def test_an_offer_that_is_refused_is_not_remembered(world, with_ramp, own_registry):
    reward_terms.register("huge")(lambda texts: [1e300] * len(texts))
    reward = Reward("normalize(ramp) + 1e300*huge")
    with (
        pytest.raises(RewardError, match="reward term 'huge' contributes inf for the text 'text 1'"),
        np.errstate(all="ignore"),
    ):
        reward.of_texts(world.candidates(["text 1"]))
    assert reward.state_dict() == {}


def test_constant_values_are_normalized_to_zero(world, own_registry):
    reward_terms.register("constant")(lambda texts: np.full(len(texts), 0.1))
    values = Reward("normalize(constant)").of_texts(world.candidates([f"text {i}" for i in range(50)]))
    assert values["normalize(constant)"].value.tolist() == [0.0] * 50


def test_clipping_and_normalizing_go_from_the_inside_out(candidates, with_ramp):
    values = Reward("clip(normalize(clip(ramp, 0, 2)), -1, 1)").of_texts(candidates)
    (name,) = values
    assert name == "clip(normalize(clip(ramp, 0, 2)), -1, 1)"
    clipped = [0, 1, 2, 2, 2, 2, 2]
    expected = standard_scores(clipped)
    np.testing.assert_allclose(values[name].value, np.clip(expected, -1, 1), rtol=1e-12)


# Closing terms.


@pytest.mark.parametrize("value", [float("inf"), None, [1.0], np.zeros(3)])
def test_a_closing_term_is_a_finite_number(own_registry, value):
    reward_terms.register("odd")(at_close(lambda batch_texts: value))
    closing = Closing(("a",), np.array([0]), ("b",), np.array([1]), lambda *_: 0.0, seed=0)
    with pytest.raises(RewardError, match=r"reward term 'odd' returned .*; expected one finite number"):
        Reward("odd").of_closing(closing)


# Errors.


def test_an_unknown_term_is_answered_with_the_nearest_known_one():
    for reward in ("entropy + sginal", {"entropy": 1.0, "sginal": 1.0}, "clip(sginal, 0, 1)"):
        with pytest.raises(UnknownName, match=r"reward term 'sginal'. Did you mean 'signal'\? Known: accuracy_gain, "):
            Reward(reward)


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), -float("inf"), "1", None, True, [1.0], 1j, 10**400])
def test_a_weight_is_a_finite_number(weight):
    with pytest.raises(RewardError, match="weight of the reward term 'signal' must be a finite number; got "):
        Reward({"signal": weight})


def test_a_weight_in_an_expression_is_finite_too():
    with pytest.raises(RewardError, match="weight of the reward term 'signal' must be a finite number; got inf"):
        Reward("1e999*signal")


@pytest.mark.parametrize("weight", [np.float64(0.5), np.float32(0.5), np.int64(2)])
def test_numpy_s_numbers_are_numbers(weight):
    assert Reward({"signal": weight}).weights == {"signal": float(weight)}


@pytest.mark.parametrize("reward", [{}, None, 3, ["signal"]])
def test_a_reward_without_terms_is_refused(reward):
    with pytest.raises(RewardError, match=r"an expression such as .*, a mapping from terms to weights, or a function"):
        Reward(reward)


@pytest.mark.parametrize("shape", [(), (6,), (8,), (7, 1)])
def test_a_term_of_the_wrong_shape_is_named(candidates, shape):
    def crooked(texts):
        return np.ones(shape)

    with pytest.raises(RewardError) as caught:
        Reward(crooked).of_texts(candidates)
    assert f"'crooked' returned the shape {shape}; expected (7,)" in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_named_with_its_text(candidates, value):
    def wild(texts):
        return np.where(np.arange(7) == 4, value, 1.0)

    with pytest.raises(RewardError, match=f"'wild' returned {value} for the text 'text 4'"):
        Reward(wild).of_texts(candidates)


def spoil_dropout(dropout):
    dropout.fill(0.0)


def spoil_labels(labels):
    labels.fill(0)


def spoil_distances(distances):
    distances.fill(0.0)


def spoil_neighbors(neighbors):
    neighbors.indices.fill(0)


def spoil_scores(scores):
    scores.fill(0.0)


def spoil_probabilities(probabilities):
    probabilities.sort(axis=1)


def spoil_embeddings(embeddings):
    np.negative(embeddings, out=embeddings)


def spoil_labeled(labeled):
    labeled.embeddings.fill(0.0)


def spoil_unlabeled(unlabeled):
    unlabeled.probabilities[0] = 0.0


@pytest.mark.parametrize(
    "spoil",
    [
        *(spoil_dropout, spoil_labels, spoil_distances, spoil_neighbors, spoil_scores, spoil_probabilities),
        *(spoil_embeddings, spoil_labeled, spoil_unlabeled),
    ],
)
def test_a_term_that_changes_its_arguments_is_stopped_and_named(candidates, spoil):
    before = [np.copy(array) for array in (*candidates.prediction, *candidates.labeled)]
    with pytest.raises(ValueError, match=r"read-only|not writeable") as caught:
        Reward(spoil).of_texts(candidates)
    texts = "on 7 texts: 'text 0', 'text 1', 'text 2' and 4 more"
    assert caught.value.__notes__ == [f"This came out of the reward term '{spoil.__name__}', {texts}."]
    for kept, array in zip(before, (*candidates.prediction, *candidates.labeled), strict=True):
        np.testing.assert_array_equal(kept, array)


def test_a_view_cannot_be_changed(candidates):
    for name in ("texts", "labeled", "labels", "unlabeled", "pool", "offered", "earlier", "normalize", "scores"):
        with pytest.raises(AttributeError):
            setattr(candidates, name, None)


@pytest.mark.parametrize("values", [["1.5"] * 7, [1j] * 7, [None] * 7])
def test_values_are_real_numbers(candidates, values):
    with pytest.raises(RewardError, match=r"'<lambda>' returned .*; expected real numbers"):
        Reward(lambda texts: values).of_texts(candidates)


@pytest.mark.parametrize("name", ["invalid", "_mine"])
def test_names_that_infos_use_themselves_are_refused(own_registry, name):
    reward_terms.register(name)(ramp)
    with pytest.raises(RewardError, match=f"cannot be called '{name}'"):
        Reward(name)


def test_a_callable_is_used_with_any_name_of_its_own(candidates):
    class _Empty:
        def __len__(self):
            return 0

        def __call__(self, texts):
            return np.ones(7)

    assert contributions(_Empty(), candidates)["Empty"].tolist() == [1.0] * 7


@pytest.mark.parametrize("name", [1, None, ("signal",)])
def test_a_mapping_goes_from_text_to_numbers(name):
    with pytest.raises(RewardError, match="keys of a reward's mapping must be terms"):
        Reward({name: 1.0})


def test_the_values_of_a_term_are_copied(candidates):
    values = np.ones(7)
    kept = Reward(lambda texts: values).of_texts(candidates)["<lambda>"]
    values[:] = 5
    assert kept.raw.tolist() == [1.0] * 7
