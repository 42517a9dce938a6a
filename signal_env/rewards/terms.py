"""The built-in reward terms. Distances are between encodings Φ, l2-normalized unless the environment says otherwise."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from signal_env import acquisition
from signal_env.acquisition.neighbors import Neighbors, nearest
from signal_env.rewards.term import at_close, reward_terms
from signal_env.utils.prediction import Floats, Prediction, scaled

Values = NDArray[np.float64]

NGRAM = 3
"""Words of an n-gram of `repetition`."""

HELD_OUT = 0.2
"""Fraction of the labeled set on which `accuracy_gain` is measured."""


class KnownTexts(Protocol):
    """Texts under the current classifier: the arguments `offered`, `earlier`, `pool` and `unlabeled` of terms."""

    texts: tuple[str, ...]
    embeddings: Floats

    @property
    def prediction(self) -> Prediction:
        """Probabilities and embeddings together."""
        ...

    def __len__(self) -> int:
        """Return the number of texts."""
        ...


@reward_terms.register("signal")
def signal(scores: Values) -> Values:
    """Return the paper's reward, the acquisition score s_x of the text (Algorithm 1, line 12); at least 0."""
    return scores


@reward_terms.register("informativeness")
def informativeness(probabilities: Floats, labeled: Prediction, neighbors: Neighbors) -> Values:
    """Compute one half of s_x: mean KL(p(x) || p(x_l)) over the k labeled neighbors, in nats (section 4.2)."""
    return acquisition.contrast(probabilities, labeled.probabilities, neighbors, divide_by_distance=False)


@reward_terms.register("relevance")
def relevance(neighbors: Neighbors) -> Values:
    """Compute the other half of s_x: mean 1 / d(Φ(x), Φ(x_l)) over the k labeled neighbors; 0 where the distance is 0.

    With one neighbor s_x is the product of both halves.
    """
    return acquisition.closeness(neighbors)


@reward_terms.register("entropy")
def entropy(probabilities: Floats) -> Values:
    """Compute the entropy of the predicted distribution in nats, from 0 to log C."""
    return acquisition.entropy(probabilities)


@reward_terms.register("margin")
def margin(probabilities: Floats) -> Values:
    """Compute 1 minus the lead of the likeliest class over the second, from 0 to 1."""
    return acquisition.margin(probabilities)


@reward_terms.register("confidence")
def confidence(probabilities: Floats) -> Values:
    """Return the probability of the likeliest class, from 1/C to 1."""
    values: Values = probabilities.max(axis=1).astype(np.float64)
    return values


@reward_terms.register("novelty")
def novelty(embeddings: Floats, earlier: KnownTexts, normalize: bool) -> Values:
    """Compute the distance to the nearest text offered earlier in the episode; 0 for the episode's first text."""
    distances = _distances_before(embeddings, earlier, normalize)
    return np.array([each.min() if len(each) else 0.0 for each in distances])


@reward_terms.register("diversity")
def diversity(embeddings: Floats, offered: KnownTexts, normalize: bool) -> Values:
    """Compute the mean distance to the texts offered earlier in the round; 0 for the round's first text."""
    distances = _distances_before(embeddings, offered, normalize)
    return np.array([each.mean() if len(each) else 0.0 for each in distances])


@reward_terms.register("proximity")
def proximity(texts: Sequence[str], embeddings: Floats, pool: KnownTexts, normalize: bool) -> Values:
    """Compute the closeness to real text: 1 / (1 + d), d the distance to the nearest other text of the real pool.

    It lies between 0 and 1. AcquisitionSynthesis (arXiv 2605.13149) has a reward of this name, with the pool as target
    data.
    """
    nearest_others = _distances_to_others(texts, embeddings, pool, normalize, 1)
    return np.array([1 / (1 + distances[0]) if len(distances) else 0.0 for distances in nearest_others])


@reward_terms.register("typicality")
def typicality(texts: Sequence[str], embeddings: Floats, pool: KnownTexts, normalize: bool) -> Values:
    """Compute the closeness to the 20 nearest other texts of the real pool, 1 / (mean distance) (Hacohen et al. 2022).

    It is high where real texts are dense, whether or not some of them are labeled.
    """
    neighbors = _distances_to_others(texts, embeddings, pool, normalize, acquisition.TYPICAL_NEIGHBORS)
    return np.array([acquisition.typical(each[None])[0] if len(each) else 0.0 for each in neighbors])


@reward_terms.register("expected_error_reduction")
def expected_error_reduction(
    probabilities: Floats,
    embeddings: Floats,
    labeled: Prediction,
    labels: NDArray[np.int64],
    pool: KnownTexts,
    normalize: bool,
) -> Values:
    """Compute by how many nats labeling the text is expected to lower the mean entropy of the real pool's predictions.

    It comes from one Newton step of the classifier's last layer for each label that the text may get (Roy & McCallum
    2001), see `signal_env.acquisition.expected_error_reduction`. Below 0, if the entropy is expected to rise.
    """
    known = (probabilities, embeddings, labeled, labels, normalize, pool.prediction)
    return acquisition.expected_error_reduction(*known)


@reward_terms.register("gradient")
def gradient(probabilities: Floats, embeddings: Floats) -> Values:
    """Compute the expected length of the last layer's gradient (Settles, Craven & Ray 2007).

    It is the mean of ||(p(x) - onehot(y)) ⊗ Φ(x)|| over y ~ p(x). The norm is inside the mean, since the expected
    gradient itself is 0 if y is drawn from the prediction. Φ is not normalized, as in BADGE. In AcquisitionSynthesis
    (arXiv 2605.13149) it is called "gradient magnitude".
    """
    p = probabilities.astype(np.float64)
    squared = (p * p).sum(axis=1, keepdims=True)
    lengths = np.sqrt(np.maximum(squared - 2 * p + 1, 0.0))  # ||p - onehot(y)|| for each y
    norms = np.sqrt((embeddings.astype(np.float64) ** 2).sum(axis=1))
    values: Values = norms * (p * lengths).sum(axis=1)
    return values


@reward_terms.register("answer_variance")
def answer_variance(dropout: Floats) -> Values:
    """Compute the disagreement under dropout: the variance of each class's probability, summed over the classes.

    In AcquisitionSynthesis (arXiv 2605.13149), "answer variance" comes from several answers of a language model. The
    term needs a classifier with dropout: "finetune" with an encoder whose configuration has it.
    """
    values: Values = dropout.astype(np.float64).var(axis=0).sum(axis=1)
    return values


@reward_terms.register("repetition")
def repetition(texts: Sequence[str], prompts: Sequence[str], earlier: KnownTexts) -> Values:
    """Compute the fraction of the text's word trigrams that its prompt or an earlier text has too, from 0 to 1.

    A text of fewer than three words counts as one n-gram. Case is ignored.
    """
    before = [_spaced(text) for text in earlier.texts]
    values = np.zeros(len(texts))
    for i, (text, prompt) in enumerate(zip(texts, prompts, strict=True)):
        known = "\n".join([_spaced(prompt), *before])
        ngrams = _ngrams(text)
        values[i] = sum(ngram in known for ngram in ngrams) / len(ngrams)
        before.append(_spaced(text))
    return values


@reward_terms.register("length")
def length(texts: Sequence[str]) -> Values:
    """Count the words, by white space."""
    return np.array([len(text.split()) for text in texts], dtype=np.float64)


@reward_terms.register("class_balance")
def class_balance(probabilities: Floats, labels: NDArray[np.int64]) -> Values:
    """Compute how rare the predicted class is in the labeled set: 1 minus its fraction of the labels, from 0 to 1."""
    predicted = probabilities.argmax(axis=1)
    values: Values = 1.0 - (labels[None, :] == predicted[:, None]).mean(axis=1)
    return values


@reward_terms.register("accuracy_gain")
@at_close
def accuracy_gain(
    batch_texts: tuple[str, ...],
    batch_labels: NDArray[np.int64],
    labeled_texts: tuple[str, ...],
    labels: NDArray[np.int64],
    accuracy: Callable[..., float],
    seed: int,
) -> float:
    """Compute the gain in accuracy from the round's batch on a held-out fifth of the labeled set, from -1 to 1.

    The fifth is drawn anew each round, from the labeled set before the batch. One classifier is trained on the other
    four fifths, another one on these and the batch, and both are tested on the fifth: two trainings a round. The
    evaluation split is not used. With few labels the measure is coarse: of 50 labels 10 are held out.
    """
    n = len(labeled_texts)
    if n < 2 or not batch_texts:
        return 0.0
    held_out = np.zeros(n, dtype=bool)
    held_out[np.random.default_rng(seed).permutation(n)[: max(1, round(HELD_OUT * n))]] = True

    def rows(mask: NDArray[np.bool_]) -> tuple[tuple[str, ...], NDArray[Any]]:
        return tuple(labeled_texts[i] for i in np.flatnonzero(mask)), labels[mask]

    kept, tested = rows(~held_out), rows(held_out)
    more = (kept[0] + batch_texts, np.concatenate([kept[1], batch_labels]))
    return accuracy(more, tested) - accuracy(kept, tested)


def _distances_before(embeddings: Floats, known: KnownTexts, normalize: bool) -> Iterator[Values]:
    """Yield each text's distances to known texts and to the texts before it, in double precision, pair by pair."""
    x = scaled(embeddings, normalize).astype(np.float64)
    before = np.concatenate([scaled(known.embeddings, normalize), x]).astype(np.float64)
    for i, one in enumerate(x, start=len(known)):
        yield np.sqrt(((before[:i] - one) ** 2).sum(axis=1))


def _distances_to_others(
    texts: Sequence[str], embeddings: Floats, pool: KnownTexts, normalize: bool, k: int
) -> Iterator[Values]:
    """Yield each text's distances to its k nearest texts of the pool, itself left out, the nearest first."""
    found = nearest(scaled(embeddings, normalize), scaled(pool.embeddings, normalize), k + 1)
    for text, indices, distances in zip(texts, *found, strict=True):
        yield distances[[pool.texts[i] != text for i in indices]][:k]


@lru_cache(maxsize=100_000)
def _spaced(text: str) -> str:
    """Return a text's words in lower case, with a space around each, so that whole words can be searched for."""
    return f" {' '.join(text.lower().split())} "


def _ngrams(text: str) -> list[str]:
    words = text.lower().split()
    n = min(NGRAM, len(words))
    return [f" {' '.join(words[i : i + n])} " for i in range(len(words) - n + 1)]
