"""`select` and `Strategy`: every registered name on one set of arrays, a user's own functions, and what is refused."""

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_env import acquisition
from signal_env.acquisition import AcquisitionError, Choice, Strategy, acquisitions, contrastive, select, top
from signal_env.utils.prediction import Prediction
from signal_env.utils.registry import UnknownName

NAMES = list(acquisitions)


def arrays(n=40, m=9, classes=3, d=6, dtype=np.float64, seed=0):
    """Return the arrays that `select` takes, of n unlabeled and m labeled texts."""
    rng = np.random.default_rng(seed)

    def probabilities(*shape):
        return rng.dirichlet(np.ones(classes), size=shape).astype(dtype)

    return {
        "probabilities": probabilities(n),
        "embeddings": rng.normal(size=(n, d)).astype(dtype),
        "labeled": (probabilities(m), rng.normal(size=(m, d)).astype(dtype)),
        "pretrained": rng.normal(size=(n, d + 2)).astype(dtype),
        "dropout": probabilities(5, n),
        "predicted_loss": rng.normal(size=n).astype(dtype),
        "texts": tuple(f"text {i}" for i in range(n)),
        "labels": np.arange(m) % classes,
    }


@pytest.fixture
def own_registry(monkeypatch):
    """Restore the registry after the test."""
    monkeypatch.setattr(acquisitions, "_entries", dict(acquisitions._entries))


# Every registered name.


def test_the_names():
    scores = {"bald", "cal", "entropy", "informativeness", "learning_loss", "least_confidence", "margin", "relevance"}
    scores |= {"signal", "typicality", "expected_error_reduction"}
    assert set(NAMES) >= scores | {"badge", "bertkm", "class_balanced", "coreset", "ft_bertkm", "random"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("normalize", [True, False])
def test_every_name_chooses_different_texts(name, dtype, normalize):
    for batch_size in (1, 7, 39, 40):
        batch = select(name, **arrays(dtype=dtype), batch_size=batch_size, normalize=normalize, rng=0)
        assert batch.shape == (batch_size,)
        assert batch.dtype == np.int64
        assert np.unique(batch).size == batch_size
        assert batch.min() >= 0
        assert batch.max() < 40


@pytest.mark.parametrize("name", NAMES)
def test_every_name_takes_all_texts_if_there_are_too_few(name):
    assert sorted(select(name, **arrays(n=5), batch_size=6, rng=0).tolist()) == [0, 1, 2, 3, 4]
    assert select(name, **arrays(n=1), batch_size=1000, rng=0).tolist() == [0]
    assert select(name, **arrays(n=1), batch_size=1, rng=0).tolist() == [0]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_chooses_nothing_from_nothing(name):
    batch = select(name, **arrays(n=0), batch_size=3, rng=0)
    assert batch.shape == (0,)
    assert batch.dtype == np.int64


@pytest.mark.parametrize("name", NAMES)
def test_every_name_repeats_with_its_seed_or_generator(name):
    given = arrays()
    one, other = (select(name, **given, batch_size=10, rng=5) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(one, select(name, **given, batch_size=10, rng=np.random.default_rng(5)))


def test_without_a_seed_the_draw_is_another_one_every_time():
    draws = {tuple(select("random", **arrays(), batch_size=20).tolist()) for _ in range(5)}
    assert len(draws) == 5


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_inputs_are_read_only_and_left_as_they_were(name, dtype):
    given, before = arrays(dtype=dtype), arrays(dtype=dtype)
    for value in (*given.values(), *given["labeled"]):
        if isinstance(value, np.ndarray):
            value.flags.writeable = False  # so that writing raises
    batch = select(name, **given, batch_size=10, rng=0)
    for key, value in before.items():
        for one, other in zip(value, given[key], strict=True):
            np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(batch, select(name, **before, batch_size=10, rng=0))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_memory_mapped_arrays_are_as_good_as_others(name, dtype, tmp_path):
    def mapped(key, value):
        file = np.memmap(tmp_path / key, dtype=value.dtype, mode="w+", shape=value.shape)
        file[:] = value
        file.flush()
        return np.memmap(tmp_path / key, dtype=value.dtype, mode="r", shape=value.shape)

    given = arrays(n=2500, m=50, dtype=dtype)  # more than one block
    files = {key: mapped(key, value) for key, value in given.items() if key not in ("labeled", "texts")}
    files["labeled"] = tuple(mapped(f"labeled{i}", value) for i, value in enumerate(given["labeled"]))
    expected = select(name, **given, batch_size=30, rng=0)
    np.testing.assert_array_equal(select(name, **files, batch_size=30, rng=0), expected)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_in_any_memory_order_are_as_good_as_others(name, dtype):
    def strided(value):
        wider = np.full((*value.shape[:-1], 2 * value.shape[-1]), np.nan, dtype=dtype)
        wider[..., ::2] = value
        return wider[..., ::2]

    given = arrays(dtype=dtype)
    expected = select(name, **given, batch_size=10, rng=0)
    for form in (np.asfortranarray, strided):
        other = {key: form(value) for key, value in given.items() if key not in ("labeled", "texts", "labels")}
        other["labels"] = np.repeat(given["labels"], 2)[::2]
        other["labeled"] = tuple(form(value) for value in given["labeled"])
        np.testing.assert_array_equal(select(name, **other, batch_size=10, rng=0), expected)


@pytest.mark.parametrize("name", NAMES)
def test_lists_and_whole_numbers_are_arrays(name):
    rng = np.random.default_rng(0)
    given = arrays(n=12, m=4)
    given["embeddings"], given["pretrained"] = rng.integers(-9, 10, size=(12, 6)), rng.integers(-9, 10, size=(12, 8))
    given["labeled"] = (given["labeled"][0], rng.integers(-9, 10, size=(4, 6)))
    expected = select(name, **given, batch_size=5, rng=0)
    lists = {key: value.tolist() for key, value in given.items() if key not in ("labeled", "texts")}
    lists["labeled"] = tuple(value.tolist() for value in given["labeled"])
    np.testing.assert_array_equal(select(name, **lists, batch_size=5, rng=0), expected)


NEEDS = {
    "badge": {"probabilities", "embeddings"},
    "bald": {"dropout"},
    "bertkm": {"pretrained"},
    "cal": {"probabilities", "embeddings", "labeled"},
    "class_balanced": {"probabilities", "embeddings", "labeled", "labels"},
    "coreset": {"embeddings", "labeled"},
    "entropy": {"probabilities"},
    "expected_error_reduction": {"probabilities", "embeddings", "labeled", "labels"},
    "ft_bertkm": {"embeddings"},
    "informativeness": {"probabilities", "embeddings", "labeled"},
    "learning_loss": {"predicted_loss"},
    "least_confidence": {"probabilities"},
    "margin": {"probabilities"},
    "random": {"probabilities"},
    "relevance": {"embeddings", "labeled"},
    "signal": {"probabilities", "embeddings", "labeled"},
    "typicality": {"embeddings"},
}


@pytest.mark.parametrize("name", sorted(NEEDS))
def test_only_what_is_asked_for_is_needed_and_looked_at(name):
    given = arrays()
    expected = select(name, **given, batch_size=10, rng=0)
    asked = {key: value for key, value in given.items() if key in NEEDS[name]}
    np.testing.assert_array_equal(select(name, **asked, batch_size=10, rng=0), expected)
    spoilt = {key: np.full((3, 1), np.nan) for key in given.keys() - NEEDS[name] - {"texts"}}
    np.testing.assert_array_equal(select(name, **asked, **spoilt, batch_size=10, rng=0), expected)


@pytest.mark.parametrize("name", sorted(NEEDS))
def test_every_array_that_is_missing_is_named(name):
    given = {key: value for key, value in arrays().items() if key in NEEDS[name]}
    for missing in NEEDS[name]:
        with pytest.raises(AcquisitionError, match=f"'{name}' asks for {missing}: give {missing}=... to select"):
            select(name, **(given | {missing: None}), batch_size=3)


def test_bertkm_takes_the_embeddings_where_there_are_no_pretrained_ones():
    given = arrays()
    expected = select("ft_bertkm", embeddings=given["embeddings"], batch_size=6, rng=0)
    np.testing.assert_array_equal(select("bertkm", embeddings=given["embeddings"], batch_size=6, rng=0), expected)
    other = select("bertkm", embeddings=given["embeddings"], pretrained=given["pretrained"], batch_size=6, rng=0)
    np.testing.assert_array_equal(other, select("ft_bertkm", embeddings=given["pretrained"], batch_size=6, rng=0))


def test_coreset_wants_of_the_labeled_texts_their_embeddings_alone():
    given = arrays()
    pair = select("coreset", embeddings=given["embeddings"], labeled=given["labeled"], batch_size=6)
    alone = select("coreset", embeddings=given["embeddings"], labeled=given["labeled"][1], batch_size=6)
    prediction = select("coreset", embeddings=given["embeddings"], labeled=Prediction(*given["labeled"]), batch_size=6)
    assert pair.tolist() == alone.tolist() == prediction.tolist()


# A user's own function.


def test_a_function_of_a_users_own_is_used_as_it_is_or_by_name(own_registry):
    @acquisitions.register("longest")
    def longest(texts):
        return np.array([len(text) for text in texts])

    texts = ["one", "three", "a", "seven", "eleven"]
    assert select("longest", texts=texts, batch_size=3).tolist() == [4, 1, 3]
    assert select(longest, texts=texts, batch_size=3).tolist() == [4, 1, 3]
    assert select(lambda texts: [-len(text) for text in texts], texts=texts, batch_size=2).tolist() == [2, 0]


def test_a_function_gets_exactly_what_it_asks_for():
    seen = {}

    def curious(labeled, texts, n_neighbors, probabilities, batch_size, normalize, rng, embeddings):
        seen.update(locals())
        return np.arange(batch_size)[::-1]

    given = arrays()
    batch = select(curious, **given, batch_size=4, n_neighbors=3, normalize=False, rng=np.random.default_rng(7))
    assert batch.tolist() == [3, 2, 1, 0]
    np.testing.assert_array_equal(seen["probabilities"], given["probabilities"])
    np.testing.assert_array_equal(seen["embeddings"], given["embeddings"])
    np.testing.assert_array_equal(seen["labeled"].probabilities, given["labeled"][0])
    np.testing.assert_array_equal(seen["labeled"].embeddings, given["labeled"][1])
    assert seen["texts"] == given["texts"]
    assert (seen["n_neighbors"], seen["normalize"], seen["batch_size"]) == (3, False, 4)
    assert seen["rng"].random() == np.random.default_rng(7).random()


def test_options_reach_the_function_s_own_parameters():
    given = arrays()

    def leaning(probabilities, batch_size, towards=0):
        return np.argsort(-probabilities[:, towards], kind="stable")[:batch_size]

    first, last = (select(leaning, **given, batch_size=3, **options) for options in ({}, {"towards": 2}))
    np.testing.assert_array_equal(first, np.argsort(-given["probabilities"][:, 0])[:3])
    np.testing.assert_array_equal(last, np.argsort(-given["probabilities"][:, 2])[:3])


def test_contrastive_with_its_options_given_is_a_strategy():
    given = arrays()
    mixed = functools.partial(contrastive, direction="labeled", divide_by_distance=True)
    assert Strategy(mixed).asks == {"probabilities", "embeddings", "labeled", "n_neighbors", "normalize", "neighbors"}
    labeled = Prediction(*given["labeled"])
    for k in (1, 5):
        scores = contrastive(
            given["probabilities"], given["embeddings"], labeled, k, direction="labeled", divide_by_distance=True
        )
        batch = select(mixed, **given, n_neighbors=k, batch_size=10)
        np.testing.assert_array_equal(batch, np.argsort(-scores, kind="stable")[:10])
    assert batch.tolist() != select("cal", **given, n_neighbors=5, batch_size=10).tolist()
    assert batch.tolist() != select("signal", **given, n_neighbors=5, batch_size=10).tolist()


def test_what_a_partial_gives_is_not_asked_for_again():
    given = arrays()
    near = functools.partial(acquisition.signal, n_neighbors=1)
    assert "n_neighbors" not in Strategy(near).asks
    np.testing.assert_array_equal(
        select(near, **given, n_neighbors=9, batch_size=10), select("signal", **given, n_neighbors=1, batch_size=10)
    )


def test_parameters_with_a_default_and_variable_ones_are_the_function_s_own():
    def own(probabilities, *_, temperature=1.0, **more):
        return probabilities[:, 0] * temperature

    assert Strategy(own).asks == {"probabilities"}
    assert Strategy(own).name == "own"

    class Weighted:
        def __call__(self, embeddings):
            return embeddings[:, 0]

    assert Strategy(Weighted()).asks == {"embeddings"}
    assert Strategy(Weighted()).name == "Weighted"


def test_a_strategy_returns_the_scores_of_all_texts_where_there_are_some():
    class Known:
        batch_size = 2
        probabilities = np.array([[0.9, 0.1], [0.5, 0.5], [0.6, 0.4]])

    choice = Strategy("margin")(Known(), 3, np.random.default_rng(0))
    assert isinstance(choice, Choice)
    assert choice.indices.tolist() == [1, 2]
    assert choice.scores == pytest.approx([0.2, 1.0, 0.8])
    assert Strategy("random")(Known(), 3, np.random.default_rng(0)).scores is None
    assert Strategy("margin")(Known(), 0, np.random.default_rng(0)).indices.tolist() == []


# What is refused.


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(UnknownName, match=r"acquisition function 'entorpy'\. Did you mean 'entropy'\? Known: .*badge"):
        select("entorpy", **arrays(), batch_size=3)
    with pytest.raises(UnknownName, match="Did you mean 'ft_bertkm'"):
        Strategy("ft-bertkm")


def test_neighbors_and_scores_are_computed_for_a_function_that_names_them():
    given = arrays()
    known = {name: given[name] for name in ("probabilities", "embeddings", "labeled")}
    expected = select("signal", **known, batch_size=5, n_neighbors=3)
    assert select(lambda scores: scores, **known, batch_size=5, n_neighbors=3).tolist() == expected.tolist()
    nearest = select(lambda distances: -distances[:, 0], **known, batch_size=5, n_neighbors=3)
    apart = select(lambda neighbors: -neighbors.distances.min(axis=1), **known, batch_size=5, n_neighbors=3)
    assert nearest.tolist() == apart.tolist()
    with pytest.raises(AcquisitionError, match="asks for probabilities: give probabilities="):
        select(lambda scores: scores, embeddings=given["embeddings"], labeled=given["labeled"], batch_size=5)
    with pytest.raises(AcquisitionError, match="asks for labeled_texts, which only an environment has"):
        select(lambda texts, labeled_texts: texts, texts=["a"], batch_size=1)


def test_a_function_that_asks_for_something_else_is_told_what_there_is():
    def greedy(probabilities, gold_labels):
        return probabilities[:, 0]

    with pytest.raises(AcquisitionError, match=r"'greedy' asks for 'gold_labels'. It may ask for: texts, .*rng"):
        select(greedy, **arrays(), batch_size=3)


def test_an_option_that_the_function_does_not_have_is_an_error():
    with pytest.raises(TypeError, match="temperature"):
        select("entropy", **arrays(), batch_size=3, temperature=2.0)


@pytest.mark.parametrize("batch_size", [0, -1])
def test_a_batch_has_at_least_one_text(batch_size):
    with pytest.raises(AcquisitionError, match=f"batch_size must be at least 1; got {batch_size}"):
        select("entropy", **arrays(), batch_size=batch_size)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("entropy", "probabilities"),
        ("badge", "embeddings"),
        ("bertkm", "pretrained"),
        ("bald", "dropout"),
        ("learning_loss", "predicted_loss"),
        ("signal", "labeled probabilities"),
        ("coreset", "labeled embeddings"),
    ],
)
def test_values_that_are_not_finite_are_named_with_their_array_and_row(name, array, dtype, value):
    given = arrays(n=5000, m=5000, dtype=dtype)
    spoilt = {
        "dropout": lambda: given["dropout"][3],
        "predicted_loss": lambda: given["predicted_loss"][:, None],
        "labeled probabilities": lambda: given["labeled"][0],
        "labeled embeddings": lambda: given["labeled"][1],
    }.get(array, lambda: given[array])()
    spoilt[4900, -1] = spoilt[4999, 0] = value
    with pytest.raises(AcquisitionError, match=f"The {array} of text 4900 are not finite"):
        select(name, **given, batch_size=10)


@pytest.mark.parametrize(
    ("name", "wrong", "message"),
    [
        ("entropy", {"probabilities": np.ones((40, 1))}, r"probabilities of the shape \(n, C >= 2\); got \(40, 1\)"),
        ("entropy", {"probabilities": np.ones(40)}, r"probabilities of the shape \(n, C >= 2\); got \(40,\)"),
        ("entropy", {"probabilities": 0.5}, r"probabilities of the shape \(n, C >= 2\); got \(\)"),
        ("badge", {"embeddings": np.ones(40)}, r"embeddings of the shape \(n, d\); got \(40,\)"),
        ("badge", {"embeddings": np.ones((40, 6, 1))}, r"embeddings of the shape \(n, d\); got \(40, 6, 1\)"),
        ("bertkm", {"pretrained": np.ones(40)}, r"pretrained of the shape \(n, d\); got \(40,\)"),
        ("bald", {"dropout": np.ones((40, 3))}, r"dropout of the shape \(S, n, C >= 2\); got \(40, 3\)"),
        ("bald", {"dropout": np.ones((5, 40, 1))}, r"dropout of the shape \(S, n, C >= 2\); got \(5, 40, 1\)"),
        ("learning_loss", {"predicted_loss": np.ones((40, 1))}, r"predicted_loss of the shape \(n,\); got \(40, 1\)"),
        ("class_balanced", {"labels": np.zeros(8, dtype=int)}, r"labels of the shape \(9,\), whole numbers"),
        ("class_balanced", {"labels": np.zeros(9)}, r"labels of the shape \(9,\), whole numbers"),
        ("class_balanced", {"labels": np.arange(9)}, "labels from 0 to 2; got 0 to 8"),
        ("coreset", {"labeled": np.ones(6)}, r"labeled embeddings of the shape \(n, d\); got \(6,\)"),
        ("signal", {"labeled": (np.ones((9, 1)), np.ones((9, 6)))}, r"labeled probabilities of the shape"),
    ],
)
def test_arrays_of_the_wrong_form_are_told_the_right_one(name, wrong, message):
    with pytest.raises(AcquisitionError, match=f"Expected {message}"):
        select(name, **(arrays() | wrong), batch_size=3)


@pytest.mark.parametrize(
    "labeled",
    [
        (np.full((9, 2), 0.5), np.ones((9, 6))),  # C = 2 and not 3
        (np.full((9, 3), 1 / 3), np.ones((9, 5))),  # d = 5 and not 6
        (np.full((8, 3), 1 / 3), np.ones((9, 6))),  # 8 and not 9 texts
        np.ones((9, 6)),  # no probabilities
    ],
)
@pytest.mark.parametrize("name", ["signal", "cal"])
def test_labeled_arrays_that_do_not_fit_are_told_so(name, labeled):
    with pytest.raises(AcquisitionError, match=r"labeled = \(probabilities, embeddings\) of the shapes \(m, C\) and"):
        select(name, **(arrays() | {"labeled": labeled}), batch_size=3)


@pytest.mark.parametrize("name", ["signal", "cal", "coreset"])
def test_no_labeled_texts_are_refused(name):
    with pytest.raises(AcquisitionError, match="Expected at least one labeled text; got none"):
        select(name, **arrays(m=0), batch_size=3)


def test_coreset_without_labeled_embeddings_says_what_to_give():
    with pytest.raises(AcquisitionError, match=r"'coreset' asks for labeled: give labeled=\.\.\. to select"):
        select("coreset", embeddings=arrays()["embeddings"], batch_size=3)
    with pytest.raises(AcquisitionError, match="at least one labeled text; got none"):
        select("coreset", embeddings=arrays()["embeddings"], labeled=np.zeros((0, 6)), batch_size=3)
    with pytest.raises(AcquisitionError, match=r"labeled embeddings \(9, 5\)"):
        select("coreset", embeddings=arrays()["embeddings"], labeled=np.zeros((9, 5)), batch_size=3)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("badge", {"embeddings": np.ones((41, 6))}),
        ("signal", {"probabilities": np.full((39, 3), 1 / 3)}),
    ],
)
def test_arrays_of_different_numbers_of_texts_are_refused(name, wrong):
    with pytest.raises(AcquisitionError, match=r"same number of texts; got .*40"):
        select(name, **(arrays() | wrong), batch_size=3)


def test_as_many_texts_as_rows_are_expected():
    def shout(texts, probabilities):
        return probabilities[:, 0]

    with pytest.raises(AcquisitionError, match=r"same number of texts; got .*'texts': 2"):
        select(shout, **(arrays() | {"texts": ("one", "two")}), batch_size=3)


@pytest.mark.parametrize(
    "scores",
    [
        np.zeros(39),
        np.zeros(41),
        np.zeros((40, 1)),
        0.5,
        None,
        np.full(40, np.nan),
        np.where(np.arange(40) == 7, np.inf, 1.0),
        np.where(np.arange(40) == 7, -np.inf, 1.0),
        ["high"] * 40,
    ],
)
def test_scores_that_are_none_are_refused_with_the_function_s_name(scores):
    def odd(probabilities):
        return scores

    with pytest.raises(AcquisitionError, match=r"function 'odd' returned .*expected 40 finite scores"):
        select(odd, **arrays(), batch_size=3)


@pytest.mark.parametrize(
    "indices",
    [
        [0, 1],
        [0, 1, 2, 3],
        [[0, 1, 2]],
        [[0], [1], [2]],
        [0, 1, 1],
        [0, 1, 40],
        [-1, 0, 1],
        [0.0, 1.0, 2.0],
        [True, False, True],
        [],
        None,
        0,
        np.ones(40, dtype=bool),
        ["0", "1", "2"],
    ],
)
def test_indices_that_are_none_are_refused_with_the_function_s_name(indices):
    def odd(probabilities, batch_size):
        return indices

    with pytest.raises(AcquisitionError, match=r"(?s)'odd' returned .*; expected 3 different indices from 0 to 39"):
        select(odd, **arrays(), batch_size=3)


@pytest.mark.parametrize("dtype", [np.int32, np.uint8, np.int64])
def test_indices_of_any_whole_type_are_fine(dtype):
    def last(probabilities, batch_size):
        return np.arange(len(probabilities) - batch_size, len(probabilities)).astype(dtype)

    batch = select(last, **arrays(), batch_size=3)
    assert batch.tolist() == [37, 38, 39]
    assert batch.dtype == np.int64


def test_the_errors_are_value_errors():
    assert issubclass(AcquisitionError, ValueError)
    assert issubclass(UnknownName, ValueError)


# Choosing the highest.


def test_top_takes_the_highest_first_and_equals_by_index():
    assert top(np.array([0.5, 2.0, 0.5, 2.0, 1.0]), 4).tolist() == [1, 3, 4, 0]
    assert top(np.zeros(200), 50).tolist() == list(range(50))
    assert top(np.array([1.0, 2.0]), 5).tolist() == [1, 0]
    assert top(np.array([1.0, 2.0]), 0).tolist() == []


@given(st.lists(st.sampled_from([0.0, -0.0, 0.25, 1.0, 1e9]), max_size=60), st.integers(0, 60))
def test_top_is_a_stable_sort(scores, n):
    expected = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:n]
    assert top(np.array(scores), n).tolist() == expected


# Probabilities are what they are said to be.

LOGITS = np.array([[2.0, -1.0], [0.3, 0.1], [4.0, 3.0]])


@pytest.mark.parametrize("strategy", ["entropy", "margin", "least_confidence", "badge"])
def test_logits_are_no_probabilities(strategy):
    with pytest.raises(AcquisitionError, match=r"probabilities of text 0 are none: .*got -1.0.*softmax"):
        select(strategy, probabilities=LOGITS, embeddings=np.eye(3), batch_size=1, rng=0)


@pytest.mark.parametrize("function", [acquisitions[name] for name in ("entropy", "margin", "least_confidence")])
def test_the_functions_refuse_logits_too(function):
    with pytest.raises(AcquisitionError, match="probabilities of text 1 are none"):
        function(np.array([[0.5, 0.5], [0.9, 0.3]]))


def test_logits_under_dropout_are_refused_with_the_text():
    samples = np.full((2, 3, 2), 0.5)
    samples[1, 2] = LOGITS[0]
    with pytest.raises(AcquisitionError, match="dropout of text 2 are none"):
        select("bald", dropout=samples, batch_size=1)


def test_half_precision_over_many_classes_is_accurate_enough():
    p = np.random.default_rng(0).dirichlet(np.ones(150), size=200).astype(np.float16)
    assert len(select("entropy", probabilities=p, batch_size=5)) == 5
