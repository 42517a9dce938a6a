"""Held-out training texts: whole, and nothing of them is left to train on."""

import numpy as np
import pytest

from experiments.holdout import hold_out
from signal_env.config import ConfigError
from signal_env.data import load
from signal_env.tasks import get_task


def contains(text, part):
    """Whether a text contains the words of another in sequence, by a search in the text itself."""
    return f" {part.lower()} " in f" {text.lower()} "


def test_a_held_out_text_is_whole_and_training_lacks_its_parts():
    rng = np.random.default_rng(0)
    texts = sorted({" ".join(rng.choice(list("abcABC"), size=rng.integers(1, 7))) for _ in range(400)})
    train, held = hold_out(texts, 0.1)
    whole = [i for i, t in enumerate(texts) if not any(contains(u, t) and u.lower() != t.lower() for u in texts)]
    assert set(held) < set(whole)
    assert len(held) == round(0.1 * len(whole)) > 5
    expected = [i for i, text in enumerate(texts) if not any(contains(texts[h], text) for h in held)]
    assert train.tolist() == expected
    assert len(expected) < len(texts) - len(held)


def test_another_seed_holds_out_other_texts_and_the_same_seed_the_same():
    texts = [f"text {i} of many" for i in range(100)]
    first, again, other = (hold_out(texts, 0.2, seed)[1].tolist() for seed in (0, 0, 1))
    assert first == again != other
    assert len(first) == 20


def test_held_out_texts_of_sst2_are_sentences(data_dir):
    texts = load(get_task("sst2"), data_dir).train.texts
    train, held = hold_out(texts, 0.1)
    n_words = [len(text.split()) for text in texts]
    assert np.mean([n_words[i] for i in held]) > 15 > 10 > np.mean(n_words)
    assert len(train) < len(texts) - 5 * len(held)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.5, float("nan")])
def test_a_fraction_is_between_0_and_1(fraction):
    with pytest.raises(ConfigError, match=f"above 0 and below 1; got {fraction}"):
        hold_out(["one", "two"], fraction)


def test_both_parts_have_texts():
    with pytest.raises(ConfigError, match="leaves 0 texts to hold out and 3 to train on, of 3 texts"):
        hold_out(["one", "two", "three"], 0.1)
