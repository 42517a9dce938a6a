"""Budget allocation: the numbers of real and synthetic texts in a round's batch, and their choice."""

import numpy as np
import pytest

from signal_env.acquisition import AcquisitionError, Strategy, select
from signal_env.config import ConfigError, Sizes
from signal_env.learner.allocation import Allocation, adaptive_share
from signal_env.utils.prediction import Prediction

SIZES = Sizes(pool=50, initial=10, round=5, offers=5, budget=110)


def position(embeddings):
    """A user's acquisition function."""
    return embeddings[:, 0]


def whole(batch_size, embeddings, rng):
    """A user's function that chooses a batch as a whole: the lowest positions."""
    return np.argsort(embeddings[:, 0])[:batch_size]


@pytest.fixture(scope="session")
def made(tabulated):
    """Return a function that makes an unlabeled set of random texts."""

    def make(n_real, n_synthetic, batch_size=5, seed=0):
        rng = np.random.default_rng(seed)
        n = n_real + n_synthetic
        unlabeled = Prediction(rng.dirichlet([1, 1], size=n), rng.random((n, 3)))
        labeled = Prediction(rng.dirichlet([1, 1], size=4), rng.random((4, 3)))
        return tabulated(unlabeled, labeled, n_real=n_real, batch_size=batch_size)

    return make


def allocated(function, share, unlabeled, labeled=10, reliability=1.0):
    return Allocation(Strategy(function), share, SIZES)(unlabeled, labeled, reliability, np.random.default_rng(0))


def kinds(unlabeled, indices):
    """Return the numbers of real and of synthetic texts."""
    return int(unlabeled.real[indices].sum()), int((~unlabeled.real[indices]).sum())


@pytest.mark.parametrize("function", ["signal", "entropy", "random", "badge", position, whole])
def test_without_a_share_the_function_chooses(made, function):
    unlabeled = made(30, 20)
    expected = Strategy(function)(unlabeled, 50, np.random.default_rng(0))
    found = allocated(function, None, unlabeled)
    assert found.indices.tolist() == expected.indices.tolist()
    assert found.synthetic_target is None
    if expected.scores is not None:
        assert found.scores.tolist() == expected.scores.tolist()
        assert found.selected.tolist() == sorted(expected.scores, reverse=True)[:5]


@pytest.mark.parametrize("function", ["signal", "entropy", position])
@pytest.mark.parametrize(("share", "n"), [(0, 0), (0.2, 1), (0.6, 3), (1.0, 5)])
def test_each_kinds_best_texts_are_chosen(made, function, share, n):
    unlabeled = made(30, 20)
    order = Strategy(function)(made(30, 20, batch_size=50), 50, np.random.default_rng(0)).indices.tolist()
    real, synthetic = ([i for i in order if (i < 30) == kind] for kind in (True, False))
    found = allocated(function, share, unlabeled)
    assert found.indices.tolist() == real[: 5 - n] + synthetic[:n]
    assert found.synthetic_target == share
    assert len(found.scores) == 50


def test_a_function_that_chooses_a_whole_batch_chooses_each_kinds_part(made):
    unlabeled = made(30, 20)
    coreset = allocated("coreset", 0.4, unlabeled)
    parts = [
        start
        + select(
            "coreset",
            embeddings=unlabeled.embeddings[start:stop],
            labeled=unlabeled.labeled.embeddings,
            batch_size=n,
        )
        for start, stop, n in ((0, 30, 3), (30, 50, 2))
    ]
    assert coreset.indices.tolist() == np.concatenate(parts).tolist()
    assert coreset.scores is coreset.selected is None
    lowest = np.argsort(unlabeled.embeddings[:, 0])
    expected = [*lowest[lowest < 30][:3], *lowest[lowest >= 30][:2]]
    assert allocated(whole, 0.4, unlabeled).indices.tolist() == expected


@pytest.mark.parametrize("function", ["random", "badge", "bertkm", "ft_bertkm", "bald", "cal"])
def test_all_functions_can_be_shared(made, function):
    unlabeled = made(30, 20)
    found = allocated(function, 0.6, unlabeled)
    assert kinds(unlabeled, found.indices) == (2, 3)
    assert len(set(found.indices.tolist())) == 5


@pytest.mark.parametrize("function", [position, whole])
@pytest.mark.parametrize(
    ("n_real", "n_synthetic", "share", "expected"),
    [(30, 2, 1.0, (3, 2)), (2, 30, 0.0, (2, 3)), (0, 9, 0.0, (0, 5)), (9, 0, 1.0, (5, 0)), (1, 2, 0.5, (1, 2))],
)
def test_where_one_kind_has_too_few_the_other_fills_up(made, function, n_real, n_synthetic, share, expected):
    unlabeled = made(n_real, n_synthetic)
    assert kinds(unlabeled, allocated(function, share, unlabeled).indices) == expected


@pytest.mark.parametrize("share", [None, 0.5, "linear", "adaptive"])
def test_from_nothing_nothing_is_chosen(made, share):
    found = allocated(position, share, made(0, 0))
    assert (len(found.indices), found.scores, found.synthetic_target) == (0, None, None)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 1 / 3, 0.9, 1.0])
def test_shares_add_up_over_rounds(made, share):
    allocation = Allocation(Strategy(position), share, SIZES)
    unlabeled = made(30, 20)
    total = 0
    for i in range(1, 21):
        total += kinds(unlabeled, allocation(unlabeled, 10, 1.0, np.random.default_rng(0)).indices)[1]
        assert abs(total - 5 * i * share) <= 0.5 + 1e-9


def test_linear_is_the_share_of_the_budget_that_is_spent(made):
    allocation = Allocation(Strategy(position), "linear", SIZES)
    unlabeled = made(30, 20, batch_size=10)
    rounds = [allocation(unlabeled, labeled, 1.0, np.random.default_rng(0)) for labeled in range(10, 110, 10)]
    assert [found.synthetic_target for found in rounds] == pytest.approx([i / 10 for i in range(10)])
    assert [kinds(unlabeled, found.indices)[1] for found in rounds] == list(range(10))


@pytest.mark.parametrize("reliability", [0.0, 0.3, 0.9, 0.97, 1.0])
def test_adaptive_counts_a_synthetic_score_as_much_as_its_label_is_worth(made, reliability):
    unlabeled = made(30, 20)
    found = allocated(position, "adaptive", unlabeled, reliability=reliability)
    values = [
        x if real else reliability * x for x, real in zip(unlabeled.embeddings[:, 0], unlabeled.real, strict=True)
    ]
    best = sorted(range(50), key=lambda i: (-values[i], i))[:5]
    assert found.synthetic_target == sum(i >= 30 for i in best) / 5
    assert set(found.indices.tolist()) == set(best)


def test_adaptive_needs_scores_of_at_least_0():
    with pytest.raises(ConfigError, match="'badge' chooses a batch as a whole"):
        Allocation(Strategy("badge"), "adaptive", SIZES)
    with pytest.raises(AcquisitionError, match="at least 0, since it weights them; got -2"):
        adaptive_share(np.array([1.0, -2.0]), np.array([True, False]), batch_size=1, reliability=1.0)


def test_with_a_reliable_annotator_adaptive_is_the_plain_rule(made):
    unlabeled = made(30, 20)
    plain, adaptive = (allocated("signal", share, unlabeled).indices.tolist() for share in (None, "adaptive"))
    assert sorted(plain) == sorted(adaptive)
    assert 0 < kinds(unlabeled, plain)[1] < 5


def test_a_synthetic_text_that_is_worth_nothing_comes_after_real_ones_that_score_nothing():
    scores, real = np.array([0.0, 0.0, 5.0]), np.array([True, True, False])
    assert adaptive_share(scores, real, batch_size=2, reliability=0.0) == 0.0
