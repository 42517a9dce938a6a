"""The view of an open round."""

import gymnasium as gym


def test_a_view_shows_its_sizes_and_the_labels_of_labeled_texts_only():
    env = gym.make("SignalEnv-reviews-v0", pool_size=60, round_size=10)
    env.reset(seed=0)
    unlabeled = env.unwrapped.unlabeled
    assert repr(unlabeled) == "View(50 texts, 10 labeled texts)"
    assert repr(unlabeled.rows([3, 1])) == "View(2 texts, 10 labeled texts)"
    assert dict(zip(unlabeled.labeled_texts, unlabeled.labels, strict=True)) == dict(env.unwrapped.learner.labeled)


def test_texts_submitted_earlier_in_the_round_are_still_in_it():
    env = gym.make("SignalEnv-reviews-v0", pool_size=60, round_size=10, selection="submitted")
    env.reset(seed=0)
    first = env.unwrapped.unlabeled.texts[0]
    assert env.step(first)[-1]["invalid"] == ""
    assert env.unwrapped.unlabeled.texts[0] == first
    assert env.step(first)[-1]["invalid"] == "duplicate"
