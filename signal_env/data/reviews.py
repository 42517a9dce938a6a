"""The embedded reviews corpus: a grammar of movie-review sentences, and the rule that labels any text.

The grammar composes a sentence together with its score; the rule reads the finished text and knows nothing of the
grammar. They agree on every sentence, so the rule is an exact annotator of the corpus and of what a generator writes.
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
    """Labels any text: 1 for praise, 0 for everything else.

    The rule reads from left to right and knows the words in `reviews_words`, whatever their case:

    1. A graded word adds its grade (-2 to 2) to its sentence, times a degree, a sign and a weight.
    2. Degree: 2 after an intensifier (*very*), 1/2 after a dampener (*slightly*); of several, the last one counts.
    3. Sign: -1 after an odd number of negators (*not*, *n't*, *never*, *lacks*, *far from*), so that two cancel out.
       The word *or* repeats the sign of the graded word before it.
    4. Degree and sign act on the next graded word only, and not across a comma, *and*, a contrast, a conceder or the
       end of a sentence.
    5. Weight: 1/2 in a concession, which goes from a conceder (*although*, *despite*, *unless*) to the next comma,
       contrast or end of the sentence; 1 elsewhere.
    6. A contrast (*but*, *yet*) halves what its sentence has added up so far.
    7. Any of ``. ; : ! ?`` ends a sentence. The sentences' sums are added up: above zero the label is 1; below zero, at
       a tie and in a text without graded words it is 0.

    Words are runs of the letters a to z with apostrophes inside; characters not named here only separate words.

    Args:
        text: Any string. The time taken is linear in its length.

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
    """What the rule looks for in a text."""

    pattern: re.Pattern[str]
    grades: dict[str, int]
    degrees: dict[str, float]
    negators: frozenset[str]
    contrasts: tuple[str, ...]
    conceders: tuple[str, ...]
    breaks: tuple[str, ...]


@cache
def _cues() -> _Cues:
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
    """The entries of a list in `reviews_words`."""
    return tuple(entry.strip() for entry in re.split(r"[|\n]", text.strip()))


def generate(count: int, seed: int) -> list[tuple[str, int]]:
    """Draws distinct sentences from the grammar, each with the label of its derivation.

    A sentence whose score is a tie, that repeats a choice of words or that is too short or too long is drawn again.

    Args:
        count: Number of sentences.
        seed: The same seed gives the same sentences on every platform; a smaller count gives the first of them.

    Returns:
        Pairs of a text and its label, `count` of them, in the order drawn.

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
    """Loads the corpus: 30,000 sentences to learn from and 2,000 others to test on.

    Returns:
        The training texts, their labels, the test texts, their labels.

    Example:
        >>> train_texts, train_labels, test_texts, test_labels = load()
        >>> len(train_texts), len(test_texts)
        (30000, 2000)
    """
    texts, labels = zip(*generate(TRAIN_SIZE + TEST_SIZE, CORPUS_SEED), strict=True)
    return texts[:TRAIN_SIZE], labels[:TRAIN_SIZE], texts[TRAIN_SIZE:], labels[TRAIN_SIZE:]


class _Slot(NamedTuple):
    """A place for a symbol: derived with the same (1) or the opposite (-1) polarity, its score taken times a factor."""

    symbol: str
    turn: int
    factor: float


class _Rule(NamedTuple):
    """One way to write a symbol: pieces of text and slots, and the grade of the text."""

    parts: tuple[str | _Slot, ...]
    grade: int = 0


def _derive(symbol: str, polarity: int, random: Random, pieces: list[str]) -> float:
    """Writes a symbol onto `pieces` and returns its score.

    The polarity only steers the choice of words, so that a contrast does contrast; the label is the score's.
    """
    rules = _grammar()[symbol, polarity]
    rule = rules[int(random.random() * len(rules))]  # random() alone is stable across Python versions
    score = float(rule.grade)
    for part in rule.parts:
        if isinstance(part, str):
            pieces.append(part)
        else:
            score += part.factor * _derive(part.symbol, polarity * part.turn, random, pieces)
    return score


@cache
def _grammar() -> dict[tuple[str, int], list[_Rule]]:
    """Compiles the grammar: the rules of each symbol in praise (1) and in blame (-1), repeated by weight."""
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
    """The words of one grade, repeated by Zipf's law: in inverse proportion to their rank."""
    entries = _entries(text)
    return [
        rule for rank, word in enumerate(entries, start=1) for rule in [_Rule((word,), grade)] * (len(entries) // rank)
    ]


def _parse(entry: str) -> list[_Rule]:
    """Reads one alternative of the grammar, repeated as often as its weight says."""
    weight, _, template = entry.partition(" ") if entry[:1].isdigit() else ("1", "", entry)
    parts: list[str | _Slot] = []
    for literal, marks, symbol in re.findall(r"([^{]+)|\{(\W*)(\w+)\}", template):
        turns, factors = zip((1, 1.0), *(words.OPERATORS[mark] for mark in marks), strict=True)
        parts.append(literal or _Slot(symbol, prod(turns), prod(factors)))
    return [_Rule(tuple(parts))] * int(weight)


def _spell(pieces: list[str]) -> str:
    """Joins the pieces of a derivation: single spaces, none before a mark, and *an* before a vowel."""
    text = " ".join("".join(pieces).split()).replace(" ,", ",").replace(" ;", ";").replace(" :", ":")
    return re.sub(r"\ba(?= (?:[aeiou]|honest\b))", "an", text)
