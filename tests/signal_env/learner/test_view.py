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


def test_a_round_of_very_many_single_offers_has_a_view():
    options = {"pool_size": 60, "round_size": 10, "offers_per_round": 700, "evaluation_size": 20}
    env = gym.make("SignalEnv-reviews-v0", reward="diversity", **options).unwrapped
    env.reset(seed=0)
    for i in range(690):
        env.step(f"a film of {i} parts")
    offered = env.learner.opened.offered
    assert len(offered.scores) == len(offered) == 690  # more than Python's calls may nest, at two for each offer
    assert len(env.learner.opened.selectable().neighbors.indices) == 50 + 690
