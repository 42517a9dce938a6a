"""Public functions over arrays refuse what is not what they say, and name the array and the text."""

import numpy as np
import pytest

from signal_env import acquisition
from signal_env.acquisition import AcquisitionError
from signal_env.acquisition.batches import kmeans
from signal_env.acquisition.neighbors import Neighbors
from signal_env.utils.prediction import Prediction

P = np.array([[0.9, 0.1], [0.4, 0.6], [0.5, 0.5]])
LOGITS = np.array([[2.0, -1.0], [0.1, 0.3], [3.0, 3.0]])
E = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
NAN = np.array([[1.0, 0.0], [np.nan, 1.0], [1.0, 1.0]])
LABELED = Prediction(P[:2], E[:2])
NEAR = Neighbors(np.array([[0], [1], [1]]), np.array([[0.0], [0.0], [1.0]]))

RNG = np.random.default_rng(0)


def wrong(function, *args, **options):
    """A call that is refused; its id is the function's name."""
    return pytest.param(lambda: function(*args, **options), id=function.__name__)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(*each.values, message, id=f"{each.id}-{message}")
        for message, calls in {
            r"The probabilities of text 0 are none: they are from 0 to 1; got -1": [
                wrong(acquisition.entropy, LOGITS),
                wrong(acquisition.margin, LOGITS),
                wrong(acquisition.least_confidence, LOGITS),
                wrong(acquisition.signal, LOGITS, E, LABELED),
                wrong(acquisition.cal, LOGITS, E, LABELED),
                wrong(acquisition.informativeness, LOGITS, E, LABELED),
                wrong(acquisition.contrast, LOGITS, P, NEAR),
                wrong(acquisition.badge, LOGITS, E, 1, RNG),
            ],
            r"The labeled probabilities of text 0 are none": [
                wrong(acquisition.signal, P, E, Prediction(LOGITS, E)),
                wrong(acquisition.contrast, P, LOGITS, NEAR),
            ],
            r"The dropout of text 0 are none": [wrong(acquisition.bald, LOGITS[None])],
            r"Expected dropout of the shape \(S, n, C\) with S >= 1; got \(3, 2\)": [wrong(acquisition.bald, P)],
            r"The predicted_loss of text 1 are not finite": [wrong(acquisition.learning_loss, NAN[:, 0])],
            r"Expected predicted_loss of the shape \(n,\)": [wrong(acquisition.learning_loss, P)],
            r"The embeddings of text 1 are not finite": [
                wrong(acquisition.signal, P, NAN, LABELED),
                wrong(acquisition.relevance, NAN, LABELED),
                wrong(acquisition.badge, P, NAN, 1, RNG),
                wrong(acquisition.coreset, NAN, LABELED, 1),
                wrong(acquisition.bertkm, NAN, 1, RNG),
                wrong(acquisition.ft_bertkm, NAN, 1, RNG),
                wrong(kmeans, NAN, 1, RNG),
                wrong(acquisition.find_neighbors, NAN, E, 1, True),
            ],
            r"Expected embeddings of the shape \(3, d\); got \(2, 2\)": [
                wrong(acquisition.signal, P, E[:2], LABELED),
                wrong(acquisition.badge, P, E[:2], 1, RNG),
            ],
            r"Expected labeled embeddings of the shape \(n, 2\); got \(2, 1\)": [
                wrong(acquisition.coreset, E, Prediction(P[:2], E[:2, :1]), 1),
                wrong(acquisition.find_neighbors, E, E[:2, :1], 1, True),
            ],
            r"Expected labeled embeddings of 1 texts or more; got 0": [
                wrong(acquisition.signal, P, E, Prediction(P[:0], E[:0])),
                wrong(acquisition.coreset, E, Prediction(P[:0], E[:0]), 1),
            ],
            r"Expected labeled probabilities of the shape \(m, 2\); got \(2, 3\)": [
                wrong(acquisition.cal, P, E, Prediction(np.full((2, 3), 1 / 3), E[:2]))
            ],
            r"batch_size must be a whole number from 1 to 3; got 4": [
                wrong(acquisition.random, P, 4, RNG),
                wrong(acquisition.badge, P, E, 4, RNG),
                wrong(acquisition.coreset, E, LABELED, 4),
                wrong(acquisition.bertkm, E, 4, RNG),
            ],
            r"n_neighbors must be a whole number of at least 1; got 0": [
                wrong(acquisition.signal, P, E, LABELED, 0),
                wrong(acquisition.find_neighbors, E, E, 0, True),
            ],
            r"finite distances of at least 0": [
                wrong(acquisition.closeness, Neighbors(NEAR.indices, -1 - NEAR.distances)),
                wrong(acquisition.relevance, E, LABELED, neighbors=Neighbors(NEAR.indices, NEAR.distances * np.nan)),
            ],
            r"indices of neighbors from 0 to 0; got 0 to 1": [wrong(acquisition.contrast, P, P[:1], NEAR)],
            r"of the shape \(3, k\), k >= 1; got \(2, 1\) and \(2, 1\)": [
                wrong(acquisition.contrast, P, P[:2], Neighbors(NEAR.indices[:2], NEAR.distances[:2]))
            ],
            r"Expected labeled = Prediction\(probabilities, embeddings\); got ndarray": [
                wrong(acquisition.signal, P, E, E)
            ],
        }.items()
        for each in calls
    ],
)
def test_what_is_not_as_said_is_refused(call, message):
    with pytest.raises(AcquisitionError, match=message):
        call()


def test_what_is_as_said_is_not():
    assert acquisition.signal(P, E, LABELED, 1).shape == (3,)
    assert acquisition.contrast(P, P[:2], NEAR).tolist()[:2] == [0.0, 0.0]
    assert sorted(acquisition.badge(P, E, 3, RNG).tolist()) == [0, 1, 2]
    assert acquisition.entropy(P[:0]).shape == (0,)
