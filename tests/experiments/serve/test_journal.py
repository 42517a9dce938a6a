"""The journal of requests and answers."""

import pytest

from experiments.serve.journal import Journal
from experiments.serve.request import BadRequest, Request
from signal_env.utils.errors import StateError

FIRST, SECOND = Request("offer", "a", texts=("a film\ud800", "é")), Request("prompts", None, n=2)


@pytest.fixture
def journal(tmp_path):
    kept = Journal(tmp_path)
    assert (kept.accept(FIRST), kept.accept(SECOND)) == (0, 1)
    kept.answer(0, {"rewards": [0.1]})
    yield kept
    kept.close()


def test_requests_and_answers_are_read_back(journal, tmp_path):
    again = Journal(tmp_path, journal.size)
    assert list(again.since(0)) == [(0, FIRST), (1, SECOND)]
    assert (again.accepted, again.answered) == (2, 1)
    assert again.answer_of(0) == {"rewards": [0.1]}
    assert again.known(FIRST) == again.accept(FIRST) == 0
    assert again.known(SECOND) is None  # it has no key
    with pytest.raises(BadRequest, match="belongs to another request, number 0"):
        again.accept(Request("offer", "a", texts=("another film",)))
    again.close()


def test_answers_behind_the_kept_ones_are_dropped(journal, tmp_path):
    kept = journal.size
    journal.answer(1, {"texts": ["p", "q"]})
    again = Journal(tmp_path, kept)
    assert again.answered == 1
    again.answer(1, {"texts": ["p", "q"]})
    assert again.answer_of(1) == {"texts": ["p", "q"]}
    with pytest.raises(ValueError, match="expected the answer to 2, got 5"):
        again.answer(5, {})
    again.close()


def test_a_torn_last_line_was_never_accepted(journal, tmp_path):
    file = tmp_path / "requests.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"order": 2, "verb"')
    again = Journal(tmp_path, journal.size)
    assert again.accepted == 2
    again.close()
    assert file.read_bytes() == whole


def test_damage_is_an_error(journal, tmp_path):
    file = tmp_path / "requests.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(lines[1] + lines[0])
    with pytest.raises(StateError, match=r"Line 1 of .*requests.jsonl is damaged"):
        Journal(tmp_path, journal.size)
    file.write_bytes(b"")
    with pytest.raises(StateError, match="does not fit"):
        Journal(tmp_path, journal.size)
    file.write_bytes(b"".join(lines))
    with pytest.raises(StateError, match="does not fit"):
        Journal(tmp_path, journal.size + 7)
