"""Reward expressions: their meaning, and clear errors for any other input."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_env.rewards import RewardError
from signal_env.rewards.expression import Factor, parse


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("signal", {"signal": 1}),
        ("  signal\n + 0.1 * novelty ", {"signal": 1, "novelty": 0.1}),
        ("signal + 0.1*novelty - 0.5*repetition", {"signal": 1, "novelty": 0.1, "repetition": -0.5}),
        ("-signal", {"signal": -1}),
        ("+ - - signal", {"signal": 1}),
        ("signal*2/4", {"signal": 0.5}),
        ("2*(signal + (entropy - margin)/2)", {"signal": 2, "entropy": 1, "margin": -1}),
        ("signal + signal", {"signal": 2}),
        ("signal - signal", {"signal": 0}),
        ("(1 + 2)*3*signal", {"signal": 9}),
        ("1e-3*signal", {"signal": 0.001}),
        ("'my-term' - \"signal\"", {"my-term": 1, "signal": -1}),
        ("clip(signal, 0, 1) + signal", {"clip(signal, 0, 1)": 1, "signal": 1}),
        ("clip(signal, low=-1, high=2*3)", {"clip(signal, -1, 6)": 1}),
        ("clip(signal, 0.5)", {"clip(signal, 0.5)": 1}),
        ("3*normalize(clip((signal), 0, 1))", {"normalize(clip(signal, 0, 1))": 3}),
        ("überraschung", {"überraschung": 1}),
    ],
)
def test_an_expression_is_a_weighted_sum(text, terms):
    assert {str(factor): weight for factor, weight in parse(text).items()} == terms


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("", None, "invalid syntax"),
        ("signal +", None, "invalid syntax"),
        ("nan*signal", "nan", "a weight must be a finite number; got nan"),
        ("signal - inf*entropy", "inf", "a weight must be a finite number; got inf"),
        ("signal + 0.1 novelty", "novelty", "invalid syntax"),
        ("signal + (entropy", "(entropy", "'(' was never closed"),
        ("3", "3", "at least one term"),
        ("signal + 1", "1", "a number alone cannot be added"),
        ("2 - signal", "2 -", "a number alone cannot be added"),
        ("signal*entropy", "entropy", "cannot be multiplied by a term"),
        ("signal/0", "0", "the divisor is zero"),
        ("1/signal", "signal", "expected a number"),
        ("signal**2", "signal**2", "expected a term"),
        ("signal if True else entropy", "signal if", "expected a term"),
        ("signal.real", "signal.real", "expected a term"),
        ("[signal]", "[signal]", "expected a term"),
        ("lambda: 0", "lambda", "expected a term"),
        ("True*signal", "True", "expected a term"),
        ("2j*signal", "2j", "expected a term"),
        ("__import__('os').system('true')", "__import__", "expected a term"),
        ("überraschung + klip(signal, 0, 1)", "klip", "'klip' is no function; known: clip"),
        ("clip()", "clip()", "expected clip(TERM, LOW, HIGH)"),
        ("clip(signal, 0, 1, 2)", "clip(", "expected clip(TERM, LOW, HIGH)"),
        ("clip(signal, 0, low=1)", "clip(", "expected clip(TERM, LOW, HIGH)"),
        ("clip(signal, lo=1)", "clip(", "expected clip(TERM, LOW, HIGH)"),
        ("clip(signal, entropy, 1)", "entropy", "expected a number"),
        ("clip(signal, 2, 1)", "clip(", "clip needs low <= high, one of them finite; got 2 and 1"),
        ("clip(signal, 1e999)", "clip(", "clip needs low <= high, one of them finite; got inf and inf"),
        ("clip(signal, high=-1e999)", "clip(", "one of them finite; got -inf and -inf"),
        ("clip(signal)", "clip(", "expected clip(TERM, LOW, HIGH)"),
        ("clip(signal, low=0, low=5)", "clip(", "expected clip(TERM, LOW, HIGH)"),
        ("signal # the paper's + 0.1*novelty", "#", "a reward has no comments"),
        ("signal + '# no comment' # but this", "# but", "a reward has no comments"),
        ("clip(2*signal, 0, 1)", "2*signal", "takes one term without a weight"),
        ("clip(signal + entropy, 0, 1)", "signal + entropy", "takes one term without a weight"),
        ("normalize(3)", "3)", "takes one term without a weight"),
        ("normalize(signal, 3)", "normalize(", "expected normalize(TERM)"),
        ("signal + potential(entropy)", "potential(", "potential-based shaping is a wrapper"),
        ("clip(signal, *[0, 1])", "*[0", "expected a term"),
    ],
)
def test_errors_point_at_the_position(text, place, message):
    with pytest.raises(RewardError) as caught:
        parse(text)
    first, shown, caret = str(caught.value).split("\n")
    assert message in first
    assert shown[4:] == text
    assert caret.index("^") - 4 == (len(text) if place is None else text.index(place))


@pytest.mark.parametrize(
    "text",
    [
        "-" * 1500 + "signal",
        "(" * 900 + "signal" + ")" * 900,
        "+signal" * 1000,
        "a\0b",
        "\ud800",
        "1" + "0" * 400 + "*signal",
    ],
)
def test_an_oversized_expression_is_refused(text):
    with pytest.raises(RewardError):
        parse(text)


@given(st.text(max_size=60) | st.text("sig+-*/()#'0123456789e., \ud800", max_size=60))
def test_any_text_is_an_expression_or_a_reward_error(text):
    with contextlib.suppress(RewardError):
        terms = parse(text)
        assert all(isinstance(factor, Factor) and isinstance(weight, float) for factor, weight in terms.items())


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
LIMITS = st.builds(lambda a, b: (min(a, b), max(a, b)), NUMBERS, NUMBERS)
ONE_SIDED = st.builds(lambda a: (a, float("inf")), NUMBERS) | st.builds(lambda a: (float("-inf"), a), NUMBERS)
TRANSFORMS = st.lists(LIMITS | ONE_SIDED | st.just(()), min_size=1, max_size=3).map(tuple)
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=8)


@given(st.builds(Factor, WORDS, TRANSFORMS))
def test_a_transformed_term_reads_back(factor):
    assert parse(str(factor)) == {factor: 1.0}


NAMES = st.sampled_from(["signal", "entropy", "novelty", "clip(margin, 0, 1)", "normalize(length)"])


@given(st.dictionaries(NAMES, st.floats(-1e6, 1e6), min_size=1))
def test_a_sum_written_out_reads_back(weights):
    text = " + ".join(f"({json.dumps(weight)})*{name}" for name, weight in weights.items())
    assert {str(factor): weight for factor, weight in parse(text).items()} == weights
