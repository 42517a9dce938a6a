"""The embedded reviews corpus: a grammar that generates movie-review sentences, and a rule that labels any text.

The grammar derives a sentence together with its score. The rule reads only the finished text. Both give every sentence
of the grammar the same label, so the rule is an exact annotator of the corpus, and defined on any generated text.
"""

import re
from functools import cache
from math import prod
from random import Random
from typing import NamedTuple

from signal_env.data import reviews_words as words

TRAIN_SIZE, TEST_SIZE = 30_000, 2_000
CORPUS_SEED = 1
MIN_WORDS, MAX_WORDS = 4, 25
SENTENCE_ENDS = (".", ";", ":", "!", "?")


def sentiment(text: str) -> int:
    """Label any text: 1 for praise, 0 for everything else.

    The rule reads the text from left to right, ignores case, and looks words up in `reviews_words`:

    1. A graded word adds grade (-2 to 2) x degree x sign x weight to the sum of its sentence.
    2. Degree: 2 after an intensifier (*very*), 1/2 after a dampener (*slightly*), else 1. The last one before the
       graded word counts.
    3. Sign: -1 after an odd number of negators (*not*, *n't*, *never*, *lacks*, *far from*), else 1. The word *or*
       repeats the sign of the graded word before it.
    4. Degree and sign act on the next graded word only. A comma, *and*, a contrast, a conceder or the end of a sentence
       resets them.
    5. Weight: 1/2 within a concession, else 1. A concession begins with a conceder (*although*, *despite*, *unless*)
       and ends at the next comma, contrast or end of a sentence.
    6. A contrast (*but*, *yet*) halves the sum of its sentence so far.
    7. Any of ``. ; : ! ?`` ends a sentence.
    8. The label is 1 if the sum over all sentences is above zero, else 0.

    A word is a run of the letters a to z, with apostrophes inside. Characters not named here only separate words.

    Args:
        text: Any string. The run time is linear in its length.

    Returns:
        1 (positive) or 0 (negative).

    Example:
        >>> sentiment("a warm, oddly moving film that never drags")  # 1 + 1 - (-1) = 3
        1
        >>> sentiment("although the songs are superb, the plot is thin")  # 2 / 2 - 1 = 0, a tie
        0
        >>> sentiment("the plot is thin, but nobody will dislike the leads")  # -1 / 2 - (-1) = 1/2
        1
    """
    cues = _cues()
    total = sentence = 0.0
    sign, last_sign, degree, weight = 1, 1, 1.0, 1.0
    for token in cues.pattern.findall(" ".join(text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").split())):
        if token in cues.grades:
            sentence += cues.grades[token] * degree * sign * weight
            sign, last_sign, degree = 1, sign, 1.0
        elif token in cues.degrees:
            degree = cues.degrees[token]
        elif token in cues.negators or token.endswith("n't"):
            sign = -sign
        elif token == "or":
            sign = last_sign
        elif token in cues.breaks:
            sign, last_sign, degree = 1, 1, 1.0
            if token in cues.contrasts:
                sentence /= 2
            elif token in SENTENCE_ENDS:
                total, sentence = total + sentence, 0.0
            if token != "and":
                weight = 0.5 if token in cues.conceders else 1.0
    return int(total + sentence > 0)


class _Cues(NamedTuple):
    """The words that the rule acts on, and a pattern that finds its tokens in a text."""

    pattern: re.Pattern[str]
    grades: dict[str, int]
    degrees: dict[str, float]
    negators: frozenset[str]
    contrasts: tuple[str, ...]
    conceders: tuple[str, ...]
    breaks: tuple[str, ...]


@cache
def _cues() -> _Cues:
    """Compile the word lists."""
    tables = words.GRADED.values()
    grades = {word: grade for table in tables for grade, text in table.items() for word in _entries(text)}
    degrees = dict.fromkeys(_entries(words.INTENSIFIERS), 2.0) | dict.fromkeys(_entries(words.DAMPENERS), 0.5)
    negators, contrasts, conceders = map(_entries, (words.NEGATORS, words.CONTRASTS, words.CONCEDERS))
    phrases = "|".join(cue for cue in (*degrees, *negators, *conceders) if " " in cue)
    return _Cues(
        pattern=re.compile(rf"\b(?:{phrases})\b|[a-z]+(?:'[a-z]+)*|[,.;:!?]"),
        grades=grades,
        degrees=degrees,
        negators=frozenset(negators),
        contrasts=contrasts,
        conceders=conceders,
        breaks=(",", "and", *contrasts, *conceders, *SENTENCE_ENDS),
    )


def _entries(text: str) -> tuple[str, ...]:
    """Return the entries of a list in `reviews_words`."""
    return tuple(entry.strip() for entry in re.split(r"[|\n]", text.strip()))


def generate(count: int, seed: int) -> list[tuple[str, int]]:
    """Draw distinct sentences from the grammar, each with the label of its derivation.

    Rejected and drawn again are sentences with a score of zero, with a repeated choice of words, or with fewer than
    `MIN_WORDS` or more than `MAX_WORDS` words.

    Args:
        count: The number of sentences.
        seed: Seed of the draws. The same seed gives the same sentences on every platform, and a smaller count gives
            the first of them.

    Returns:
        `count` pairs of a text and its label (0 or 1), in the order drawn.

    Example:
        >>> [label == sentiment(text) for text, label in generate(3, seed=0)]
        [True, True, True]
    """
    random = Random(seed)
    labels: dict[str, int] = {}
    while len(labels) < count:
        pieces: list[str] = []
        score = _derive("review", 1 if random.random() < 0.5 else -1, random, pieces)
        text = _spell(pieces)
        choices = [piece for piece in pieces if piece and piece == piece.strip()]
        if score and len(set(choices)) == len(choices) and MIN_WORDS <= len(text.split()) <= MAX_WORDS:
            labels[text] = int(score > 0)
    return list(labels.items())


@cache
def load() -> tuple[tuple[str, ...], tuple[int, ...], tuple[str, ...], tuple[int, ...]]:
    """Generate the corpus: 30,000 training sentences and 2,000 other test sentences. The result is cached.

    Returns:
        Training texts, training labels, test texts, test labels.

    Example:
        >>> train_texts, train_labels, test_texts, test_labels = load()
        >>> len(train_texts), len(test_texts)
        (30000, 2000)
    """
    texts, labels = zip(*generate(TRAIN_SIZE + TEST_SIZE, CORPUS_SEED), strict=True)
    return texts[:TRAIN_SIZE], labels[:TRAIN_SIZE], texts[TRAIN_SIZE:], labels[TRAIN_SIZE:]


class _Slot(NamedTuple):
    """A placeholder for a symbol of the same (1) or opposite (-1) polarity; `factor` multiplies the symbol's score."""

    symbol: str
    sign: int
    factor: float


class _Rule(NamedTuple):
    """One expansion of a symbol: pieces of text and slots, and the grade that it adds to the score."""

    parts: tuple[str | _Slot, ...]
    grade: int = 0


def _derive(symbol: str, polarity: int, random: Random, pieces: list[str]) -> float:
    """Expand a symbol at random: append its text to `pieces` and return its score.

    The polarity steers the choice of words, so that the two sides of a contrast differ. It does not set the label,
    which follows from the score.
    """
    rules = _grammar()[symbol, polarity]
    rule = rules[int(random.random() * len(rules))]  # Of all methods, only random() is stable across Python versions.
    score = float(rule.grade)
    for part in rule.parts:
        if isinstance(part, str):
            pieces.append(part)
        else:
            score += part.factor * _derive(part.symbol, polarity * part.sign, random, pieces)
    return score


@cache
def _grammar() -> dict[tuple[str, int], list[_Rule]]:
    """Compile the grammar: the rules of each symbol for praise (1) and for blame (-1), repeated by weight."""
    grammar: dict[tuple[str, int], list[_Rule]] = {}
    for polarity, mark in (1, "+"), (-1, "-"):
        for symbol, table in words.GRADED.items():
            grammar[symbol, polarity] = [
                rule for grade in table if grade * polarity > 0 for rule in _graded_rules(table[grade], grade)
            ]
        for symbol, text in words.GRAMMAR.items():
            grammar[symbol.removesuffix(mark), polarity] = [rule for entry in _entries(text) for rule in _parse(entry)]
    return grammar


def _graded_rules(text: str, grade: int) -> list[_Rule]:
    """Return a rule for each word of one grade, repeated in inverse proportion to the word's rank (Zipf's law)."""
    entries = _entries(text)
    return [
        rule for rank, word in enumerate(entries, start=1) for rule in [_Rule((word,), grade)] * (len(entries) // rank)
    ]


def _parse(entry: str) -> list[_Rule]:
    """Parse one alternative of the grammar into a rule, repeated by its weight."""
    weight, _, template = entry.partition(" ") if entry[:1].isdigit() else ("1", "", entry)
    parts: list[str | _Slot] = []
    for literal, marks, symbol in re.findall(r"([^{]+)|\{(\W*)(\w+)\}", template):
        signs, factors = zip((1, 1.0), *(words.OPERATORS[mark] for mark in marks), strict=True)
        parts.append(literal or _Slot(symbol, prod(signs), prod(factors)))
    return [_Rule(tuple(parts))] * int(weight)


def _spell(pieces: list[str]) -> str:
    """Join the pieces of a derivation, with single spaces, none before a mark, and *an* before a vowel."""
    text = " ".join("".join(pieces).split()).replace(" ,", ",").replace(" ;", ";").replace(" :", ":")
    return re.sub(r"\ba(?= (?:[aeiou]|honest\b))", "an", text)
