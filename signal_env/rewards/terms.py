"""The built-in reward terms. Distances are between encodings Φ, l2-normalised unless the environment says otherwise."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signal_env import acquisition
from signal_env.acquisition.neighbors import nearest
from signal_env.learner.open_round import Known
from signal_env.rewards.term import Candidates, Closing, at_close, reward_terms
from signal_env.utils.prediction import Floats, scaled

Values = NDArray[np.float64]

NGRAM = 3
"""Words of the n-grams that `repetition` looks for."""

HELD_OUT = 0.2
"""The share of the labeled set that `accuracy_gain` is measured on."""


@reward_terms.register("signal")
def signal(candidates: Candidates) -> Values:
    """The paper's reward, the acquisition score s_x of the text (Algorithm 1, line 12); at least 0."""
    return acquisition.contrast(
        candidates.prediction.probabilities, candidates.labeled.probabilities, candidates.neighbors
    )


@reward_terms.register("informativeness")
def informativeness(candidates: Candidates) -> Values:
    """One half of s_x: mean KL(p(x) || p(x_l)) over the k labeled neighbours, in nats (section 4.2)."""
    return acquisition.contrast(
        candidates.prediction.probabilities,
        candidates.labeled.probabilities,
        candidates.neighbors,
        divide_by_distance=False,
    )


@reward_terms.register("relevance")
def relevance(candidates: Candidates) -> Values:
    """The other half of s_x: mean 1 / d(Φ(x), Φ(x_l)) over the k labeled neighbours, 0 where the distance is 0.

    With one neighbour s_x is the product of both halves.
    """
    return acquisition.closeness(candidates.neighbors)


@reward_terms.register("entropy")
def entropy(candidates: Candidates) -> Values:
    """Entropy of the predicted distribution in nats, from 0 to log C."""
    return acquisition.entropy(candidates.prediction.probabilities)


@reward_terms.register("margin")
def margin(candidates: Candidates) -> Values:
    """1 minus the lead of the likeliest class over the second, from 0 to 1."""
    return acquisition.margin(candidates.prediction.probabilities)


@reward_terms.register("confidence")
def confidence(candidates: Candidates) -> Values:
    """The probability of the likeliest class, from 1/C to 1."""
    values: Values = candidates.prediction.probabilities.max(axis=1).astype(np.float64)
    return values


@reward_terms.register("novelty")
def novelty(candidates: Candidates) -> Values:
    """Distance to the nearest text offered earlier in the episode; 0 for the first one, whatever it is."""
    distances = _distances_before(candidates, candidates.round.earlier)
    return np.array([each.min() if len(each) else 0.0 for each in distances])


@reward_terms.register("diversity")
def diversity(candidates: Candidates) -> Values:
    """Mean distance to the texts offered earlier in the round; 0 for its first one, whatever it is."""
    distances = _distances_before(candidates, candidates.round.offered)
    return np.array([each.mean() if len(each) else 0.0 for each in distances])


@reward_terms.register("proximity")
def proximity(candidates: Candidates) -> Values:
    """Closeness to real text: 1 / (1 + d), d the distance to the nearest other text of the real pool, from 0 to 1.

    The reward of this name in AcquisitionSynthesis (arXiv 2605.13149), with the pool for its target data.
    """
    pool = candidates.round.pool
    known = scaled(pool.prediction.embeddings, candidates.round.normalize)
    neighbors = nearest(_encodings(candidates), known, 2)
    values = np.zeros(len(candidates.texts))
    for i, text in enumerate(candidates.texts):
        others = [d for j, d in zip(neighbors.indices[i], neighbors.distances[i], strict=True) if pool.texts[j] != text]
        values[i] = 1 / (1 + min(others)) if others else 0.0
    return values


@reward_terms.register("gradient")
def gradient(candidates: Candidates) -> Values:
    """Expected length of the last layer's gradient: the mean of ||(p(x) - onehot(y)) ⊗ Φ(x)|| over y ~ p(x).

    (Settles, Craven & Ray 2007.) The norm is inside the mean: the expected gradient itself is 0 where y is drawn from
    the prediction. Φ is taken as it is, as in BADGE. "Gradient magnitude" in AcquisitionSynthesis (arXiv 2605.13149).
    """
    p = candidates.prediction.probabilities.astype(np.float64)
    squared = (p * p).sum(axis=1, keepdims=True)
    lengths = np.sqrt(np.maximum(squared - 2 * p + 1, 0.0))  # ||p - onehot(y)|| for each y
    norms = np.sqrt((candidates.prediction.embeddings.astype(np.float64) ** 2).sum(axis=1))
    values: Values = norms * (p * lengths).sum(axis=1)
    return values


@reward_terms.register("answer_variance")
def answer_variance(candidates: Candidates) -> Values:
    """Disagreement under dropout: the variance of each class's probability over the passes, summed over the classes.

    "Answer variance" in AcquisitionSynthesis (arXiv 2605.13149), where a language model is asked several times. It
    wants a classifier with dropout: "finetune" with an encoder whose configuration has it.
    """
    values: Values = candidates.dropout.astype(np.float64).var(axis=0).sum(axis=1)
    return values


@reward_terms.register("repetition")
def repetition(candidates: Candidates) -> Values:
    """The share of the text's word trigrams that its prompt or a text offered earlier has too, from 0 to 1.

    A text of fewer words counts as one n-gram. Case is ignored.
    """
    earlier = [_spaced(text) for text in candidates.round.earlier.texts]
    values = np.zeros(len(candidates.texts))
    for i, (text, prompt) in enumerate(zip(candidates.texts, candidates.prompts, strict=True)):
        known = "\n".join([_spaced(prompt), *earlier])
        ngrams = _ngrams(text)
        values[i] = sum(ngram in known for ngram in ngrams) / len(ngrams)
        earlier.append(_spaced(text))
    return values


@reward_terms.register("length")
def length(candidates: Candidates) -> Values:
    """The number of words, by white space."""
    return np.array([len(text.split()) for text in candidates.texts], dtype=np.float64)


@reward_terms.register("class_balance")
def class_balance(candidates: Candidates) -> Values:
    """How rare the predicted class is in the labeled set: 1 minus its share of the labels, from 0 to 1."""
    predicted = candidates.prediction.probabilities.argmax(axis=1)
    values: Values = 1.0 - (candidates.labels[None, :] == predicted[:, None]).mean(axis=1)
    return values


@reward_terms.register("accuracy_gain")
@at_close
def accuracy_gain(closing: Closing) -> float:
    """What the round's batch adds to the accuracy on a held-out fifth of the labeled set, from -1 to 1.

    It is paid at the close. A classifier is trained on the other four fifths, and one on these and the batch; both are
    tested on the fifth, drawn anew each round from the labeled set before the batch. The evaluation split has no part.
    That is two trainings a round; with few labels it is a coarse measure: of 50 labels 10 are held out.
    """
    n = len(closing.labeled_texts)
    if n < 2 or not closing.texts:
        return 0.0
    held_out = np.zeros(n, dtype=bool)
    held_out[np.random.default_rng(closing.seed).permutation(n)[: max(1, round(HELD_OUT * n))]] = True
    kept, tested = _rows(closing, ~held_out), _rows(closing, held_out)
    more = (kept[0] + closing.texts, np.concatenate([kept[1], closing.labels]))
    return closing.accuracy(more, tested) - closing.accuracy(kept, tested)


def _rows(closing: Closing, mask: NDArray[np.bool_]) -> tuple[tuple[str, ...], NDArray[Any]]:
    texts = tuple(closing.labeled_texts[i] for i in np.flatnonzero(mask))
    return texts, closing.labeled_labels[mask]


def _distances_before(candidates: Candidates, known: Known) -> Iterator[Values]:
    """Each text's distances to these texts and to the candidates before it, in double precision, pair by pair."""
    x = _encodings(candidates).astype(np.float64)
    before = np.concatenate([scaled(known.prediction.embeddings, candidates.round.normalize), x]).astype(np.float64)
    for i, one in enumerate(x, start=len(known.texts)):
        yield np.sqrt(((before[:i] - one) ** 2).sum(axis=1))


def _encodings(candidates: Candidates) -> Floats:
    return scaled(candidates.prediction.embeddings, candidates.round.normalize)


@lru_cache(maxsize=100_000)
def _spaced(text: str) -> str:
    """A text's words in lower case, with a space around each, so that whole words can be searched for."""
    return f" {' '.join(text.lower().split())} "


def _ngrams(text: str) -> list[str]:
    words = text.lower().split()
    n = min(NGRAM, len(words))
    return [f" {' '.join(words[i : i + n])} " for i in range(len(words) - n + 1)]
