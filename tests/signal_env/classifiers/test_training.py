"""The training loop: early stopping and batches."""

import numpy as np
import pytest

from signal_env.classifiers import ClassifierError, make_classifier
from signal_env.classifiers.training import Training, _batches, _plateau, train
from signal_env.data import load
from signal_env.tasks import get_task


def test_batches_hold_every_text_once_and_texts_of_similar_length():
    lengths = np.random.default_rng(0).integers(1, 100, 500).tolist()
    batches = list(_batches(lengths, 10, np.random.default_rng(1)))
    assert sorted(np.concatenate(batches).tolist()) == list(range(500))
    spread = [max(lengths[i] for i in batch) - min(lengths[i] for i in batch) for batch in batches]
    assert np.mean(spread) < 10


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([1.0, 0.5, 0.4], False),
        ([0.5, 0.6, 0.6, 0.6], True),
        ([1.0, 0.999, 0.998, 0.997], True),
        ([1, 0.9, 0.8, 0.7], False),
    ],
)
def test_plateau(losses, expected):
    assert _plateau(losses, patience=3) is expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"batch_size": 0}, "batch_size to be at least 1; got 0"),
        ({"batch_size": -4}, "batch_size to be at least 1"),
        ({"patience": 0}, "patience to be at least 1"),
        ({"epochs": -3}, "epochs to be at least 0"),
        ({"min_steps": -1}, "min_steps to be at least 0"),
        ({"warmup": 2.0}, "warmup to be a fraction from 0 to 1; got 2.0"),
        ({"weight_decay": float("nan")}, "weight_decay to be at least 0; got nan"),
        ({"learning_rate": 0.0}, "learning_rate to be a number above 0; got 0.0"),
    ],
)
def test_numbers_out_of_their_range_are_refused(options, expected):
    with pytest.raises(ClassifierError, match=expected):
        Training(**options)


def test_small_sets_are_passed_often_enough_for_the_smallest_number_of_steps():
    model = make_classifier("finetune", get_task("reviews"), "embedded").text_model
    training = Training(epochs=4, min_steps=7, batch_size=16, target_loss=10.0)
    texts = load(get_task("reviews")).train.texts
    assert train(model, texts[:5], np.array([0, 1, 0, 1, 0]), training, 0) == 7
    # Below the target loss, larger sets stop at the end of the pass in which the smallest number is reached.
    assert train(model, texts[:80], np.arange(80) % 2, training, 0) == 10


def test_weights_of_zero_take_texts_out_of_the_loss():
    texts, labels = ["a dull film", "a superb film"], np.array([0, 0])
    losses = []
    for weight in ([1.0, 0.0], [2.0, 0.0], [1.0, 1.0]):
        model = make_classifier("finetune", get_task("reviews"), "embedded").text_model
        training = Training(epochs=1, min_steps=0)
        train(model, texts, labels, training, 0, lambda *step: losses.append(step[2]), np.array(weight))
    # Before training, all logits are zero: each text's loss is log 2, and the mean is over both texts.
    np.testing.assert_allclose(losses, np.log(2) * np.array([0.5, 1.0, 1.0]), rtol=1e-6)


def test_training_stops_at_the_target_loss():
    corpus = load(get_task("reviews"))
    counts = []
    for target in (0.5, 0.0):
        model = make_classifier("finetune", get_task("reviews"), "embedded").text_model
        training = Training(epochs=30, min_steps=0, learning_rate=1e-3, target_loss=target, patience=30)
        seen = []
        steps = train(
            model, corpus.train.texts[:32], corpus.train.labels[:32], training, 0, lambda *s, seen=seen: seen.append(s)
        )
        assert [step for step, _, _ in seen] == list(range(1, steps + 1))
        counts.append(steps)
    assert counts[0] < counts[1] == 60
