"""Every built-in term against an independent formula."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.special import rel_entr
from scipy.stats import entropy as scipy_entropy

from signal_env.acquisition import expected_error_reduction as score_expected_error
from signal_env.acquisition import signal as signal_score
from signal_env.rewards import Closing, Reward, reward_terms
from signal_env.utils.prediction import Prediction


def raw(name, candidates):
    return Reward(name).of_texts(candidates)[name].raw


def encoded(world, texts, normalize=True):
    x = world.predict(texts).embeddings
    return x / np.linalg.norm(x, axis=1, keepdims=True) if normalize else x


def test_the_paper_s_reward_is_the_acquisition_score(candidates):
    expected = signal_score(*candidates.prediction, candidates.labeled, n_neighbors=5, normalize=True)
    np.testing.assert_array_equal(raw("signal", candidates), expected)


def test_the_halves_of_the_score_are_the_mean_divergence_and_the_mean_closeness(candidates):
    near = candidates.neighbors
    divergences = [
        [rel_entr(p, candidates.labeled.probabilities[j]).sum() for j in indices]
        for p, indices in zip(candidates.prediction.probabilities, near.indices, strict=True)
    ]
    np.testing.assert_allclose(raw("informativeness", candidates), np.mean(divergences, axis=1), rtol=1e-6)
    np.testing.assert_allclose(raw("relevance", candidates), np.mean(1 / near.distances, axis=1), rtol=1e-12)
    np.testing.assert_allclose(raw("signal", candidates), np.mean(divergences / near.distances, axis=1), rtol=1e-6)


def test_a_copy_of_a_labeled_text_is_not_infinitely_relevant(world):
    values = raw("relevance", world.candidates(["labeled 3"]))
    distances = np.sort(cdist(encoded(world, ["labeled 3"]), encoded(world, [f"labeled {i}" for i in range(11)]))[0])
    np.testing.assert_allclose(values, [np.sum(1 / distances[1:5]) / 5], rtol=1e-6)


def test_entropy_margin_and_confidence_are_the_text_s_own(candidates):
    probabilities = candidates.prediction.probabilities
    _, second, first = np.sort(probabilities, axis=1).T
    np.testing.assert_allclose(raw("entropy", candidates), scipy_entropy(probabilities, axis=1), rtol=1e-6)
    np.testing.assert_allclose(raw("margin", candidates), 1 - (first - second), rtol=1e-9)
    np.testing.assert_array_equal(raw("confidence", candidates), first)


@pytest.mark.parametrize("normalize", [True, False])
def test_novelty_and_diversity_are_distances_to_earlier_offers(world, normalize):
    before, round_so_far, texts = ["old 0", "old 1", "old 2"], ["new 0", "new 1"], [f"text {i}" for i in range(6)]
    opened = world.open_round(before=before, normalize=normalize)
    world.offered(opened, round_so_far)
    candidates = world.candidates(texts, opened)
    everything = encoded(world, before + round_so_far + texts, normalize)
    distances = cdist(everything, everything)
    nearest = [distances[5 + i, : 5 + i].min() for i in range(6)]
    mean = [distances[5 + i, 3 : 5 + i].mean() for i in range(6)]
    np.testing.assert_allclose(raw("novelty", candidates), nearest, rtol=1e-6)
    np.testing.assert_allclose(raw("diversity", candidates), mean, rtol=1e-6)


def test_the_first_text_has_nothing_to_differ_from(world):
    for name in ("novelty", "diversity"):
        values = raw(name, world.candidates(["text 0", "text 1"]))
        assert values[0] == 0
        assert values[1] > 0


def test_proximity_is_closeness_to_the_nearest_other_real_text(world):
    texts = ["real 0", "something else", "labeled 4"]
    pool = world.open_round().pool.texts
    distances = cdist(encoded(world, texts), encoded(world, pool))
    distances[np.array(texts)[:, None] == np.array(pool)[None, :]] = np.inf
    expected = 1 / (1 + distances.min(axis=1))
    np.testing.assert_allclose(raw("proximity", world.candidates(texts)), expected, rtol=1e-6)


def test_gradient_is_the_expected_length_of_the_last_layer_s_gradient(candidates):
    torch = pytest.importorskip("torch")
    expected = []
    for p, x in zip(*candidates.prediction, strict=True):
        length = 0.0
        for y in range(3):
            # A head whose softmax is p: zero weights, and log p as the bias, which is no part of the gradient taken.
            weights = torch.zeros((3, 4), dtype=torch.float64, requires_grad=True)
            logits = weights @ torch.tensor(x) + torch.tensor(np.log(p))
            torch.nn.functional.cross_entropy(logits[None], torch.tensor([y])).backward()
            length += p[y] * weights.grad.norm().item()
        expected.append(length)
    np.testing.assert_allclose(raw("gradient", candidates), expected, rtol=1e-9)


@pytest.mark.parametrize("normalize", [True, False])
def test_typicality_is_the_inverse_mean_distance_to_other_texts_of_the_pool(world, normalize):
    opened = world.open_round(normalize=normalize)
    pool, texts = list(opened.pool.texts), ["text 0", "real 1", "text 2"]
    distances = cdist(encoded(world, texts, normalize), encoded(world, pool, normalize))
    distances[1, pool.index("real 1")] = np.nan  # not to itself
    expected = 1 / np.nanmean(distances, axis=1)  # the pool has fewer than twenty texts
    np.testing.assert_allclose(raw("typicality", world.candidates(texts, opened)), expected, rtol=1e-6)


def test_expected_error_reduction_is_that_of_the_pool_and_of_each_text_alone(world, candidates):
    labeled, pool = candidates.labeled, candidates.pool
    known = {"labeled": labeled, "labels": np.arange(11) % 3, "pool": Prediction(*pool.prediction)}
    expected = score_expected_error(*candidates.prediction, **known)
    np.testing.assert_array_equal(raw("expected_error_reduction", candidates), expected)
    alone = [raw("expected_error_reduction", world.candidates([text]))[0] for text in candidates.texts]
    np.testing.assert_array_equal(alone, expected)
    assert len(set(expected)) == 7


def test_answer_variance_is_the_spread_under_dropout(world, candidates):
    samples = world.dropout(candidates.texts)
    expected = [sum(np.var([sample[i, c] for sample in samples]) for c in range(3)) for i in range(7)]
    np.testing.assert_allclose(raw("answer_variance", candidates), expected, rtol=1e-12)


def test_repetition_counts_trigrams_of_the_prompt_and_of_earlier_offers(world):
    opened = world.open_round(before=["one two three four"])
    world.offered(opened, ["five six seven"])
    texts = [
        "one two three nine",  # one of two trigrams is of an earlier round
        "FIVE six  seven",  # all of an earlier one
        "example text here now",  # "example text here" is in the prompt, "text here now" is not
        "text here now",  # in the text before it
        "here now",  # shorter than a trigram: the whole text counts
        "ne two",  # no whole words
    ]
    prompts = ["", "", "Write:\nExample 1: an Example text here\nNew Example:", "", "", ""]
    values = raw("repetition", world.candidates(texts, opened, prompts))
    assert values.tolist() == [0.5, 1.0, 0.5, 1.0, 1.0, 0.0]


def test_length_is_in_words(world):
    assert raw("length", world.candidates(["one", "one two  three", "one-two three"])).tolist() == [1, 3, 2]


def test_class_balance_is_how_rare_the_predicted_class_is(world):
    labels = [0] * 6 + [1] * 4 + [2]
    candidates = world.candidates([f"text {i}" for i in range(30)], world.open_round(labels=labels))
    expected = {0: 1 - 6 / 11, 1: 1 - 4 / 11, 2: 1 - 1 / 11}
    predicted = candidates.prediction.probabilities.argmax(axis=1)
    assert len(set(predicted)) == 3
    np.testing.assert_allclose(raw("class_balance", candidates), [expected[c] for c in predicted], rtol=1e-12)


def test_accuracy_gain_is_measured_on_held_out_labels():
    asked = []

    def accuracy(training, held_out):
        asked.append((training, held_out))
        return len(training[0]) / 100

    texts = tuple(f"text {i}" for i in range(20))
    labels = np.arange(20) % 2
    closing = Closing(("new 0", "new 1", "new 2"), np.array([1, 1, 0]), texts, labels, accuracy, seed=5)
    assert Reward("accuracy_gain").of_closing(closing)["accuracy_gain"].raw.tolist() == pytest.approx([0.03])
    more, less = sorted(asked, key=lambda call: -len(call[0][0]))
    assert more[1] is less[1]
    held_out = less[1]
    assert len(held_out[0]) == 4
    assert set(held_out[0]) | set(less[0][0]) == set(texts)
    assert more[0][0] == less[0][0] + closing.batch_texts
    for names, own in (held_out, less[0]):
        assert [int(name.split()[1]) % 2 for name in names] == own.tolist()
    assert more[0][1].tolist()[-3:] == [1, 1, 0]


def test_nothing_labeled_gains_nothing():
    closing = Closing((), np.zeros(0, int), ("a", "b"), np.array([0, 1]), lambda *_: pytest.fail("trained"), seed=0)
    assert Reward("accuracy_gain").of_closing(closing)["accuracy_gain"].raw.tolist() == [0.0]


TEXT_TERMS = [name for name in reward_terms if name != "accuracy_gain"]


@pytest.mark.parametrize("name", TEXT_TERMS)
def test_every_term_gives_a_finite_value_per_text_alone_and_together(name, world):
    texts = [f"{'very ' * i}odd text that {i}" for i in range(5)]
    prompts = ["an odd text that", "", "very odd", "", ""]
    together = raw(name, world.candidates(texts, world.open_round(before=["old text"]), prompts))
    opened = world.open_round(before=["old text"])
    alone = []
    for text, prompt in zip(texts, prompts, strict=True):
        alone.append(raw(name, world.candidates([text], opened, [prompt])).item())
        world.offered(opened, [text])
    assert together.tolist() == alone
    assert np.isfinite(together).all()
