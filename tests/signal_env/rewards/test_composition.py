"""Compositions of reward terms: weights, clipping, normalisation, and what is refused."""

import numpy as np
import pytest

from signal_env.rewards import Closing, Reward, RewardError, at_close, potentials, reward_terms
from signal_env.utils.registry import UnknownName


def shares(reward, candidates):
    return {name: values.share for name, values in Reward(reward).of_texts(candidates).items()}


def ramp(candidates):
    """A term whose values are known: the number in the text."""
    return [float(text.split()[1]) for text in candidates.texts]


def standard_scores(numbers):
    """Each number's standard score among those up to it."""
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
def test_each_term_s_share_is_its_value_times_its_weight(candidates, reward):
    alone = {name: Reward(name).of_texts(candidates)[name].raw for name in ("signal", "entropy", "margin")}
    together = shares(reward, candidates)
    assert set(together) == {"signal", "entropy", "margin"}
    np.testing.assert_array_equal(together["signal"], alone["signal"])
    np.testing.assert_array_equal(together["entropy"], -0.5 * alone["entropy"])
    np.testing.assert_array_equal(together["margin"], np.zeros(7))
    looked_at = Reward(reward).of_texts(candidates)["margin"]
    np.testing.assert_array_equal(looked_at.raw, alone["margin"])  # a weight of 0 shows a term without paying for it


def test_a_user_s_term_is_used_by_name_beside_the_others(candidates, with_ramp):
    assert shares("signal + 0.25*ramp", candidates)["ramp"].tolist() == [0.25 * i for i in range(7)]


def test_a_function_or_an_object_is_a_reward_under_its_own_name(candidates):
    class Novelty:
        def __call__(self, candidates):
            return np.full(len(candidates.texts), 2.0, dtype=np.float32)

    assert shares(ramp, candidates)["ramp"].tolist() == list(range(7))
    assert shares(Novelty(), candidates)["Novelty"].tolist() == [2.0] * 7


def test_a_name_that_is_no_identifier_stands_in_quotes_or_alone(candidates, own_registry):
    reward_terms.register("my-term")(ramp)
    for reward in ("my-term", {"my-term": 1}, "0*signal + 'my-term'"):
        assert shares(reward, candidates)["my-term"].tolist() == list(range(7))


def test_terms_see_texts_predictions_labels_neighbours_and_the_round(candidates):
    seen = []

    def look(given):
        seen.append(given)
        return np.zeros(7)

    Reward(look).of_texts(candidates)
    assert seen == [candidates]
    assert candidates.labeled.probabilities.shape == (11, 3)
    assert candidates.round.labeled.texts[3] == "labeled 3"


def test_clipping_is_per_term_and_before_the_weight(candidates, with_ramp):
    reward = Reward("2*clip(ramp, 1, 4) + ramp")
    values = reward.of_texts(candidates)
    clipped = values["clip(ramp, 1, 4)"]
    assert clipped.raw.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert clipped.share.tolist() == [2, 2, 4, 6, 8, 8, 8]
    assert values["ramp"].share.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert shares("clip(ramp, high=2)", candidates)["clip(ramp, high=2)"].tolist() == [0, 1, 2, 2, 2, 2, 2]


def test_normalisation_runs_over_the_episode(world, with_ramp):
    reward = Reward("normalize(ramp)")
    numbers = [3, 5, 4, 4, 10, -2]
    values = []
    for block in (numbers[:1], numbers[1:4], numbers[4:]):
        values += reward.of_texts(world.candidates([f"text {i}" for i in block]))["normalize(ramp)"].value.tolist()
    expected = standard_scores(numbers)
    np.testing.assert_allclose(values, expected, rtol=1e-12)
    probe = world.candidates(["text 7"])
    kept = reward.state_dict()
    first = reward.of_texts(probe, keep=False)["normalize(ramp)"].value
    assert reward.state_dict() == kept
    later = Reward("normalize(ramp)")
    later.load_state_dict(kept)
    assert later.of_texts(probe)["normalize(ramp)"].value.tolist() == first.tolist()
    later.reset()
    assert later.of_texts(probe)["normalize(ramp)"].value.tolist() == [0.0]


def test_each_normalisation_has_its_own_memory(world, with_ramp):
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
    reward_terms.register("huge")(lambda candidates: [1e300] * len(candidates.texts))
    reward = Reward("normalize(ramp) + 1e300*huge")
    with (
        pytest.raises(RewardError, match="reward term 'huge' is worth inf for the text 'text 1'"),
        np.errstate(all="ignore"),
    ):
        reward.of_texts(world.candidates(["text 1"]))
    assert reward.state_dict() == {}


def test_what_does_not_vary_is_normal(world, own_registry):
    reward_terms.register("constant")(lambda candidates: np.full(len(candidates.texts), 0.1))
    values = Reward("normalize(constant)").of_texts(world.candidates([f"text {i}" for i in range(50)]))
    assert values["normalize(constant)"].value.tolist() == [0.0] * 50


def test_clipping_and_normalising_go_from_the_inside_out(candidates, with_ramp):
    values = Reward("clip(normalize(clip(ramp, 0, 2)), -1, 1)").of_texts(candidates)
    (name,) = values
    assert name == "clip(normalize(clip(ramp, 0, 2)), -1, 1)"
    clipped = [0, 1, 2, 2, 2, 2, 2]
    expected = standard_scores(clipped)
    np.testing.assert_allclose(values[name].value, np.clip(expected, -1, 1), rtol=1e-12)


# Terms that are not paid by text.


def test_potentials_pay_differences_of_states(own_registry):
    potentials.register("certainty")(lambda state: 2 * state["a"])
    reward = Reward("0.5*potential(certainty, gamma=0.9) + potential('b/c d')")
    reward.require_features(["a", "b/c d"])
    states = [{"a": 1.0, "b/c d": 0.0}, {"a": 3.0, "b/c d": 0.5}, {}]
    paid = reward.of_steps(states, n=3)
    assert paid["potential(certainty, gamma=0.9)"].raw.tolist() == pytest.approx([0.9 * 6 - 2, -6, 0])
    assert paid["potential(certainty, gamma=0.9)"].share.tolist() == pytest.approx([0.5 * (0.9 * 6 - 2), -3, 0])
    assert paid["potential('b/c d')"].share.tolist() == [0.5, -0.5, 0.0]
    with pytest.raises(UnknownName, match=r"potential 'certainti'. Did you mean 'certainty'\?"):
        Reward("potential(certainti)").require_features(["a"])


@pytest.mark.parametrize("height", [float("nan"), "high", None])
def test_a_potential_is_a_finite_number(own_registry, height):
    potentials.register("odd")(lambda state: height)
    with pytest.raises(RewardError, match=r"potential 'odd' returned .*; expected a finite number"):
        Reward("potential(odd)").of_steps([{"a": 1.0}, {"a": 1.0}], 1)


@pytest.mark.parametrize("value", [float("inf"), None, [1.0], np.zeros(3)])
def test_what_the_close_pays_is_a_finite_number(own_registry, value):
    reward_terms.register("odd")(at_close(lambda closing: value))
    closing = Closing(("a",), np.array([0]), ("b",), np.array([1]), lambda *_: 0.0, seed=0)
    with pytest.raises(RewardError, match=r"reward term 'odd' returned .*; expected a finite number"):
        Reward("odd").of_closing(closing)


# What is refused.


def test_an_unknown_term_is_answered_with_the_nearest_known_one():
    for reward in ("entropy + sginal", {"entropy": 1.0, "sginal": 1.0}, "clip(sginal, 0, 1)"):
        with pytest.raises(UnknownName, match=r"reward term 'sginal'. Did you mean 'signal'\? Known: accuracy_gain, "):
            Reward(reward)


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), -float("inf"), "1", None, True, [1.0], 1j, 10**400])
def test_a_weight_is_a_finite_number(weight):
    with pytest.raises(RewardError, match="weight of the reward term 'signal' is a finite number; got "):
        Reward({"signal": weight})


def test_a_weight_in_an_expression_is_finite_too():
    with pytest.raises(RewardError, match="weight of the reward term 'signal' is a finite number; got inf"):
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
    def crooked(candidates):
        return np.ones(shape)

    with pytest.raises(RewardError) as caught:
        Reward(crooked).of_texts(candidates)
    assert f"'crooked' returned the shape {shape}; expected (7,)" in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_named_with_its_text(candidates, value):
    def wild(candidates):
        return np.where(np.arange(7) == 4, value, 1.0)

    with pytest.raises(RewardError, match=f"'wild' returned {value} for the text 'text 4'"):
        Reward(wild).of_texts(candidates)


def test_a_term_that_writes_to_what_it_sees_is_stopped_and_named(candidates):
    spoilt = [
        lambda c: c.dropout.fill(0.0),
        lambda c: c.round.labels.fill(0),
        lambda c: c.neighbors.distances.fill(0.0),
        lambda c: c.prediction.probabilities.sort(axis=1),
        lambda c: np.negative(c.prediction.embeddings, out=c.prediction.embeddings),
        lambda c: c.labeled.embeddings.fill(0.0),
        lambda c: c.round.unlabeled.probabilities.__setitem__(0, 0.0),
    ]
    before = [np.copy(array) for array in (*candidates.prediction, *candidates.labeled)]
    for spoil in spoilt:

        def spoiling(candidates, spoil=spoil):
            spoil(candidates)
            return np.zeros(7)

        with pytest.raises(ValueError, match=r"read-only|not writeable") as caught:
            Reward(spoiling).of_texts(candidates)
        assert caught.value.__notes__ == ["This came out of the reward term 'spoiling'."]
    for kept, array in zip(before, (*candidates.prediction, *candidates.labeled), strict=True):
        np.testing.assert_array_equal(kept, array)
    for name, value in (("texts", ()), ("round", None)):
        with pytest.raises(AttributeError):
            setattr(candidates, name, value)
    for name in ("labeled", "labels", "unlabeled", "pool", "offered", "earlier", "normalize"):
        with pytest.raises(AttributeError):
            setattr(candidates.round, name, None)


def test_a_potential_cannot_write_to_the_state(own_registry):
    potentials.register("greedy")(lambda state: state.update(a=9) or 0.0)
    with pytest.raises(AttributeError) as caught:
        Reward("potential(greedy)").of_steps([{"a": 1.0}, {"a": 2.0}], 1)
    assert caught.value.__notes__ == ["This came out of the reward term 'greedy'."]


@pytest.mark.parametrize("values", [["1.5"] * 7, [1j] * 7, [None] * 7])
def test_values_are_real_numbers(candidates, values):
    with pytest.raises(RewardError, match=r"'<lambda>' returned .*; expected real numbers"):
        Reward(lambda _: values).of_texts(candidates)


@pytest.mark.parametrize("name", ["invalid", "_mine"])
def test_names_that_infos_use_themselves_are_refused(own_registry, name):
    reward_terms.register(name)(ramp)
    with pytest.raises(RewardError, match=f"cannot be called '{name}'"):
        Reward(name)


def test_a_callable_is_used_whatever_it_says_of_itself(candidates):
    class _Empty:
        def __len__(self):
            return 0

        def __call__(self, candidates):
            return np.ones(7)

    assert shares(_Empty(), candidates)["Empty"].tolist() == [1.0] * 7


@pytest.mark.parametrize("name", [1, None, ("signal",)])
def test_a_mapping_goes_from_text_to_numbers(name):
    with pytest.raises(RewardError, match="goes from terms, as text, to weights"):
        Reward({name: 1.0})


def test_what_a_term_returns_is_copied(candidates):
    values = np.ones(7)
    kept = Reward(lambda _: values).of_texts(candidates)["<lambda>"]
    values[:] = 5
    assert kept.raw.tolist() == [1.0] * 7
