"""Reward terms against independent formulas, their weighted sum, and what is refused."""

import numpy as np
import pytest
from scipy.special import rel_entr
from scipy.stats import entropy as scipy_entropy

from signal_env.acquisition import find_neighbors
from signal_env.acquisition import signal as signal_score
from signal_env.prediction import Prediction
from signal_env.registry import UnknownName
from signal_env.rewards import Candidates, Reward, RewardError, reward_terms


@pytest.fixture
def candidates():
    """Seven texts, eleven labeled ones, three classes."""
    rng = np.random.default_rng(0)
    texts, labeled = (Prediction(rng.dirichlet(np.ones(3), size=n), rng.normal(size=(n, 4))) for n in (7, 11))
    return Candidates(
        texts=tuple(f"text {i}" for i in range(7)),
        prediction=texts,
        labeled=labeled,
        labels=rng.integers(0, 3, size=11),
        neighbors=find_neighbors(texts.embeddings, labeled.embeddings, n_neighbors=5, normalize=True),
    )


@pytest.fixture
def own_registry(monkeypatch):
    """Undoes what a test registers."""
    monkeypatch.setattr(reward_terms, "_entries", dict(reward_terms._entries))


# The terms.


def test_the_paper_s_reward_is_the_acquisition_score(candidates):
    (name, values), *others = Reward("signal")(candidates).items()
    assert (name, others) == ("signal", [])
    expected = signal_score(*candidates.prediction, candidates.labeled, n_neighbors=5, normalize=True)
    np.testing.assert_array_equal(values, expected)


def test_informativeness_is_the_mean_divergence_from_the_neighbours(candidates):
    expected = [
        np.mean([rel_entr(p, candidates.labeled.probabilities[j]).sum() for j in near])
        for p, near in zip(candidates.prediction.probabilities, candidates.neighbors.indices, strict=True)
    ]
    np.testing.assert_allclose(Reward("informativeness")(candidates)["informativeness"], expected, rtol=1e-6)


def test_entropy_and_margin_are_the_text_s_own(candidates):
    values = Reward({"entropy": 1.0, "margin": 1.0})(candidates)
    probabilities = candidates.prediction.probabilities
    second, first = np.partition(probabilities, -2, axis=1)[:, -2:].T
    np.testing.assert_allclose(values["entropy"], scipy_entropy(probabilities, axis=1), rtol=1e-6)
    np.testing.assert_allclose(values["margin"], 1 - (first - second), rtol=1e-9)


@pytest.mark.parametrize("name", list(reward_terms))
def test_every_term_gives_a_finite_value_per_text(name, candidates):
    values = Reward(name)(candidates)[name]
    assert values.shape == (7,)
    assert values.dtype == np.float64
    assert np.isfinite(values).all()
    assert np.unique(values).size == 7


# Their composition.


def test_each_term_is_reported_times_its_weight(candidates):
    alone = {name: Reward(name)(candidates)[name] for name in ("signal", "entropy", "margin")}
    together = Reward({"signal": 1, "entropy": -0.5, "margin": 0})(candidates)
    assert list(together) == ["signal", "entropy", "margin"]
    np.testing.assert_array_equal(together["signal"], alone["signal"])
    np.testing.assert_array_equal(together["entropy"], -0.5 * alone["entropy"])
    np.testing.assert_array_equal(together["margin"], np.zeros(7))


def test_a_user_s_term_is_used_by_name_beside_the_others(candidates, own_registry):
    @reward_terms.register("length")
    def length(candidates):
        return np.array([len(text) for text in candidates.texts])

    values = Reward({"signal": 1.0, "length": 0.25})(candidates)
    assert values["length"].tolist() == [0.25 * len("text 0")] * 7


def test_a_function_or_an_object_is_a_reward_under_its_own_name(candidates):
    def rarity(candidates):
        return [len(candidates.labels)] * len(candidates.texts)

    class Novelty:
        def __call__(self, candidates):
            return np.full(len(candidates.texts), 2.0, dtype=np.float32)

    assert Reward(rarity)(candidates)["rarity"].tolist() == [11.0] * 7
    assert Reward(Novelty())(candidates)["Novelty"].tolist() == [2.0] * 7


def test_terms_see_texts_predictions_labels_and_neighbours(candidates):
    seen = []

    def look(given):
        seen.append(given)
        return np.zeros(7)

    Reward(look)(candidates)
    assert seen == [candidates]


# What is refused.


def test_an_unknown_term_lists_the_known_ones():
    with pytest.raises(UnknownName, match=r"reward term 'sginal'.*'signal'.*entropy, informativeness, margin, signal"):
        Reward({"entropy": 1.0, "sginal": 1.0})


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), -float("inf"), "1", None, True, [1.0]])
def test_a_weight_is_a_finite_number(weight):
    with pytest.raises(RewardError, match="weight of the reward term 'signal' is a finite number; got "):
        Reward({"signal": weight})


@pytest.mark.parametrize("weight", [np.float64(0.5), np.float32(0.5), np.int64(2)])
def test_numpy_s_numbers_are_numbers(weight):
    assert Reward({"signal": weight}).weights == {"signal": float(weight)}


@pytest.mark.parametrize("reward", [{}, None, 3, ["signal"]])
def test_a_reward_without_terms_is_refused(reward):
    with pytest.raises(RewardError, match="a term's name, a mapping from names to weights, or a function; got"):
        Reward(reward)


@pytest.mark.parametrize("shape", [(), (6,), (8,), (7, 1)])
def test_a_term_of_the_wrong_shape_is_named(candidates, shape):
    def crooked(candidates):
        return np.ones(shape)

    with pytest.raises(RewardError) as caught:
        Reward(crooked)(candidates)
    assert f"'crooked' returned the shape {shape}; expected (7,)" in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_named_with_its_text(candidates, value):
    def wild(candidates):
        return np.where(np.arange(7) == 4, value, 1.0)

    with pytest.raises(RewardError, match=f"'wild' returned {value} for the text 'text 4'"):
        Reward(wild)(candidates)
