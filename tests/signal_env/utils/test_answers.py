"""Which part of an answer is the text, and where it ends."""

import pytest

from signal_env.utils.answers import Answer, after_thinking

QNLI = ("Question", "Sentence")


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (" a film \nExample 2:", "a film"),
        ("\na film", "a film"),
        ("\r\n \n a film", "a film"),
        ("", ""),
        (" \n ", ""),
        ("a\rb", "a"),
        ("a\u2028b", "a\u2028b"),
        ("<think>\nthoughts\n</think>\n\na film\n", "a film"),
        ("[THINK]thoughts[/THINK]a film", "a film"),
        ("<think></think><think>again</think>a film", "a film"),
        ("<think>thoughts", ""),
        ("a film <think>", "a film <think>"),
        ("thoughts</think>a film", "thoughts</think>a film"),
    ],
)
def test_the_first_line_that_is_not_empty(answer, text):
    assert Answer().text(answer) == text


def test_the_last_line_and_the_whole():
    answer = "<think>hm</think>\nHere it is:\n\n  a warm film\n"
    assert Answer("last_line").text(answer) == "a warm film"
    assert Answer("whole").text(answer) == "Here it is: a warm film"
    assert Answer("last_line").text("") == ""


def test_a_block_that_the_prompt_began():
    assert Answer(closing="</think>").text("thoughts</think>a film") == "a film"
    assert Answer(closing="</think>").text("thoughts") == ""
    assert after_thinking("a </think> b </think> c", "</think>") == " b </think> c"


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("Question: Who? Sentence: She.\nQuestion: What?", "Question: Who? Sentence: She."),
        ("Question: Who?\n\nSentence: She.\nQuestion: What?", "Question: Who? Sentence: She."),
        ("Question: Who?\nExample 2: Question: What?", "Question: Who?"),
        ("Question: Who?", "Question: Who?"),
    ],
)
def test_fields_may_have_a_line_each(answer, text):
    assert Answer(fields=QNLI).text(answer) == text


@pytest.mark.parametrize(
    ("answer", "part", "fields", "ends"),
    [
        ("a film\n", "line", (), True),
        ("\n", "line", (), False),
        ("<think>\n", "line", (), False),
        ("<think>a\n</think>\n", "line", (), False),
        ("a film\n", "whole", (), False),
        ("a film\n", "last_line", (), False),
        ("Question: Who?\n", "line", QNLI, False),
        ("Question: Who?\nSentence: She.\n", "line", QNLI, True),
        ("Question: Who? Sentence: She.\n", "line", QNLI, True),
        ("no fields\nat all\n", "line", QNLI, True),
    ],
)
def test_a_line_end_ends_the_text_once_nothing_can_change_it(answer, part, fields, ends):
    assert Answer(part, fields).ends(answer) is ends
