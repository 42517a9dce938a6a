"""The reviews corpus: the rule on hand-labeled sentences, and the rule's agreement with the corpus."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from signal_env.data.reviews import generate, load, sentiment

BY_HAND = {
    "a charming film": 1,
    "a dull film": 0,
    "charming, charming": 1,
    "superb and dull": 1,  # 2 - 1
    "charming and awful": 0,  # 1 - 2
    "the plot is charming; the jokes are awful": 0,  # 1 - 2
    "a dull start. a superb end!": 1,  # -1 + 2
}

NEGATION = {
    "not charming": 0,
    "not dull": 1,
    "the plot isn't dull": 1,
    "the plot isn\u2019t dull": 1,
    "it cannot charm": 0,
    "the jokes never drag": 1,
    "far from dull": 1,
    "far, far away, a dull film": 0,
    "anything but charming": 0,
    "fails to charm": 0,
    "lacks wit": 0,
    "avoids padding": 1,
    "nobody will forget it": 1,
    "not dull or thin": 1,  # 1 + 1
    "neither dull nor thin": 1,  # 1 + 1
    "not charming and charming and charming": 1,  # -1 + 1 + 1
    "not a film, charming": 1,
    "it hardly matters and the jokes charm": 1,
}

DOUBLE_NEGATION = {
    "never fails to charm": 1,
    "never fails to bore": 0,
    "not without wit": 1,
    "nothing less than a disaster": 0,
    "it is impossible not to enjoy the songs": 1,
    "nobody will never fail to charm": 0,  # three negators
}

CONTRAST = {
    "dull but charming": 1,  # -1/2 + 1
    "charming yet dull": 0,  # 1/2 - 1
    "superb but dull": 0,  # 2/2 - 1 = 0, a tie
    "awful but charming and funny": 1,  # -2/2 + 1 + 1
    "dull and thin, but not bad": 0,  # (-1 - 1)/2 + 1 = 0, a tie
    "utterly awful, but charming": 0,  # (2 * -2)/2 + 1
    "superb; dull but charming": 1,  # 2 + (-1/2 + 1): only its own sentence is halved
    "superb; charming but awful": 1,  # 2 + (1/2 - 2)
    "a charming, funny cast; but dull": 1,  # 2 - 1: nothing in its own sentence to halve
    "dull but charming but thin": 0,  # (-1/2 + 1)/2 - 1
}

CONCESSION = {
    "although the plot is dull, the songs are charming": 1,  # -1/2 + 1
    "the songs are charming, although the plot is dull": 1,  # 1 - 1/2
    "while the songs are charming, the plot is dull": 0,  # 1/2 - 1
    "despite a superb score, the plot is dull": 0,  # 2/2 - 1 = 0, a tie
    "despite all the wit, not charming": 0,  # 1/2 - 1
    "for all the tedium, it charms": 1,  # -1/2 + 1
    "skip it unless you adore westerns": 0,  # -1 + 2/2 = 0, a tie
    "do not skip it unless you hate westerns and dislike songs": 0,  # 1 - 2/2 - 1/2
    "though it is dull but charming": 1,  # (-1/2)/2 + 1: the contrast ends the concession
    "despite dull jokes and thin songs; it charms": 0,  # -1/2 - 1/2 + 1 = 0, a tie
}

DEGREE = {
    "very charming and dull": 1,  # 2 - 1
    "slightly charming and dull": 0,  # 1/2 - 1
    "charming and a bit dull": 1,  # 1 - 1/2
    "charming and a bitter, dull taste": 0,  # 1 - 1 = 0, a tie: "bitter" holds no "bit"
    "slightly very charming and dull": 1,  # 2 - 1: the last one counts
    "very very charming and awful": 0,  # 2 - 2 = 0, a tie
    "not very charming, and charming": 0,  # -2 + 1
    "very, charming and dull": 0,  # 1 - 1 = 0, a tie: the comma
    "very charming or awful": 0,  # 2 - 2 = 0, a tie: "or" repeats no degree
}

WITHOUT_PRAISE = {
    "": 0,
    " \n\t": 0,
    "charming and dull": 0,
    "a film about a train": 0,
    "not": 0,
    "but": 0,
    "\N{PILE OF POO}\0\ud800": 0,
    "uncharming": 0,
}


@pytest.mark.parametrize(
    ("text", "label"),
    [
        case
        for table in (BY_HAND, NEGATION, DOUBLE_NEGATION, CONTRAST, CONCESSION, DEGREE, WITHOUT_PRAISE)
        for case in table.items()
    ],
)
def test_the_rule_agrees_with_labels_derived_by_hand(text, label):
    assert sentiment(text) == label


VOCABULARY = "charming dull superb awful not never or and but although very slightly , . ; film isn't far from"
SEQUENCES = st.lists(st.sampled_from(VOCABULARY.split())).map(" ".join)


@given(st.text() | SEQUENCES)
def test_any_text_has_a_label_whatever_surrounds_it(text):
    label = sentiment(text)

    assert label in (0, 1)
    assert type(label) is int
    assert sentiment(f" \n{text}\t ") == label
    assert sentiment(text.lower()) == label


@given(SEQUENCES)
def test_letter_case_and_spacing_do_not_matter(text):
    assert sentiment(text.upper()) == sentiment(text.title()) == sentiment(text.replace(" ", "  \n")) == sentiment(text)


@pytest.mark.parametrize("word", ["dull ", "not ", "but ", "very ", "charming, ", "'", "\0", "a ", "although ", "x"])
def test_long_texts_have_a_label_too(word):
    assert sentiment(word * (100_000 // len(word))) == (word == "charming, ")


def test_the_rule_is_exact_on_the_whole_corpus():
    train_texts, train_labels, test_texts, test_labels = load()

    assert [sentiment(text) for text in train_texts] == list(train_labels)
    assert [sentiment(text) for text in test_texts] == list(test_labels)


def test_the_rule_is_exact_on_sentences_outside_the_corpus():
    corpus = {*load()[0], *load()[2]}
    fresh = [(text, label) for text, label in generate(5_000, seed=2) if text not in corpus]

    assert len(fresh) > 4_000
    assert [sentiment(text) for text, _ in fresh] == [label for _, label in fresh]


def test_sentences_are_distinct_and_the_splits_disjoint():
    train_texts, train_labels, test_texts, test_labels = load()

    assert (len(train_texts), len(test_texts)) == (len(train_labels), len(test_labels)) == (30_000, 2_000)
    assert len({*train_texts, *test_texts}) == 32_000


def test_labels_are_balanced_in_both_splits():
    _, train_labels, _, test_labels = load()

    assert 0.45 < np.mean(train_labels) < 0.55
    assert 0.45 < np.mean(test_labels) < 0.55


def test_sentences_are_plain_english_text():
    train_texts, _, test_texts, _ = load()

    for text in (*train_texts, *test_texts):
        assert re.fullmatch(r"[a-z0-9',;: -]+", text)
        assert text == " ".join(text.split())
        assert 4 <= len(text.split()) <= 25
        assert not re.search(r"\ba [aeiou]|\ban [^aeiouh]| [,;:]|[,;:]\S", text)


def test_the_corpus_is_varied():
    words = {word for text in load()[0] for word in text.split()}

    assert len({word.strip(",;:") for word in words}) > 500


def test_a_seed_gives_the_same_sentences_in_another_process():
    program = "import json; from signal_env.data.reviews import generate; print(json.dumps(generate(500, seed=3)))"
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    output = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, check=True, text=True
    ).stdout

    assert [tuple(pair) for pair in json.loads(output)] == generate(500, seed=3)


def test_seeds_differ_and_a_smaller_draw_is_the_beginning_of_a_larger_one():
    assert generate(100, seed=3) != generate(100, seed=4)
    assert generate(100, seed=3)[:10] == generate(10, seed=3)
    assert generate(0, seed=3) == []


def test_a_bag_of_words_needs_labels_and_never_gets_all_of_it():
    train_texts, train_labels, test_texts, test_labels = load()
    vectorizer = CountVectorizer()
    features, held_out = vectorizer.fit_transform(train_texts), vectorizer.transform(test_texts)

    def accuracy(indices):
        model = LogisticRegression(max_iter=1000).fit(features[indices], np.take(train_labels, indices))
        return model.score(held_out, test_labels)

    orders = [np.random.default_rng(seed).permutation(len(train_texts)) for seed in range(5)]
    few, some = (np.mean([accuracy(order[:n]) for order in orders]) for n in (50, 1_000))
    everything = accuracy(orders[0])

    assert 0.55 < few < some - 0.10
    assert few < everything - 0.10
    assert everything < 0.92
