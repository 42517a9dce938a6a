"""Hold out training texts, to choose settings on them without reading the evaluation split."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from signal_env.config import ConfigError


def hold_out(texts: Sequence[str], fraction: float, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split training texts into a part to train on and whole texts to measure accuracy on.

    Some training files hold parts of other texts: most of SST-2's are phrases of its sentences, with labels that the
    sentence's label follows from. A text is whole if no other text contains its words in sequence. Held-out texts are a
    random sample of the whole ones. The part to train on lacks every text that a held-out one contains. Upper and
    lower case count as equal.

    Args:
        texts: `n` written texts.
        fraction: The number of held-out texts as a fraction of the whole texts, above 0 and below 1.
        seed: Seed of the sample.

    Returns:
        The indices of the texts to train on and of those held out, both in ascending order. Other texts are unused.

    Raises:
        ConfigError: If the fraction is not above 0 and below 1, or either part would have no text.

    Example:
        >>> texts = ["a fine film", "fine", "a dull film", "dull"]
        >>> train, held = hold_out(texts, 0.5)
        >>> [texts[i] for i in held], [texts[i] for i in train]
        (['a fine film'], ['a dull film', 'dull'])
    """
    if not 0 < fraction < 1:
        raise ConfigError(f"Expected a fraction of held-out texts above 0 and below 1; got {fraction}.")
    words = [text.lower().split() for text in texts]
    keys = [" ".join(each) for each in words]
    lengths: dict[str, set[int]] = {}
    for first, *others in words:
        lengths.setdefault(first, set()).add(1 + len(others))
    known = set(keys)
    pairs = zip(words, keys, strict=True)
    inner = {part for each, key in pairs for part in _parts(each, lengths) if part in known and part != key}
    whole = [index for index, key in enumerate(keys) if key not in inner]
    size = round(fraction * len(whole))
    held = np.sort(np.random.default_rng(seed).permutation(whole)[:size])
    excluded = {part for index in held for part in _parts(words[index], lengths)}
    train = np.array([index for index, key in enumerate(keys) if key not in excluded], dtype=np.int64)
    if not len(held) or not len(train):
        raise ConfigError(
            f"A fraction of {fraction} leaves {len(held)} texts to hold out and {len(train)} to train on, of "
            f"{len(texts)} texts. Give another fraction, or more texts."
        )
    return train, held


def _parts(words: Sequence[str], lengths: Mapping[str, set[int]]) -> Iterator[str]:
    """Yield the sequences of a text's words that begin and are as long as one of the texts."""
    for start, word in enumerate(words):
        for length in lengths.get(word, ()):
            if start + length <= len(words):
                yield " ".join(words[start : start + length])
