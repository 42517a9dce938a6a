"""The log of accepted requests, and the log of their answers."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from experiments.serve.request import BadRequest, Request
from signal_env.utils.errors import StateError
from signal_env.utils.storage import sync
from signal_env.wrappers.recording import LineLog

REQUESTS, ANSWERS = "requests.jsonl", "answers.jsonl"
"""The names of the two files in a run's folder."""


class Journal:
    """The requests that a served experiment has accepted, in order, and their answers.

    A request is accepted when its line is on the disk. Results depend on the accepted requests and their order alone,
    so answers are written without waiting for the disk: those that a crash loses are computed again.

    Args:
        folder: The run's folder.
        answered: Bytes of the answers to keep; the rest are computed again.
        open_requests: The number of requests without an answer to keep; default: all.

    Raises:
        StateError: If the log of the requests is damaged.
    """

    def __init__(self, folder: Path, answered: int = 0, open_requests: int | None = None) -> None:
        requests, answers = folder / REQUESTS, folder / ANSWERS
        self._orders: dict[str | None, int] = {}
        self._places: list[int] = []  # the first byte of each request
        ends = [end for end, _ in _lines(answers) if end <= answered]
        size, kept = 0, None if open_requests is None else len(ends) + open_requests
        for size, line in islice(_lines(requests), kept):
            self._places.append(size - len(line))
            if (key := json.loads(line)["key"]) is not None:
                self._orders[key] = len(self._places) - 1
        if ends[-1:] != [answered][: answered > 0] or len(ends) > len(self._places):
            raise StateError(f"{answers} does not fit {REQUESTS} and the checkpoint: restore the folder.")
        self._answered = [0, *ends]  # the last byte of each answer, behind 0
        self._requests = LineLog(requests, size if requests.exists() else None)
        self._answers = LineLog(answers, answered if answers.exists() else None)

    @property
    def answered(self) -> int:
        """The number of requests that have an answer."""
        return len(self._answered) - 1

    @property
    def accepted(self) -> int:
        """The number of requests."""
        return len(self._places)

    @property
    def size(self) -> int:
        """The bytes of the answers, for `answered` of a later journal."""
        return self._answers.size

    def accept(self, request: Request) -> int:
        """Append a request, unless its key is there already; return its number in the order.

        It is accepted after `commit` only.

        Raises:
            BadRequest: If the key is that of another request.
        """
        if request.key in self._orders:
            return self._repeated(request, self._orders[request.key])
        order = self.accepted
        self._places.append(self._requests.size)
        self._requests.write({"order": order} | request.to_dict())
        if request.key is not None:
            self._orders[request.key] = order
        return order

    def commit(self) -> None:
        """Wait until all requests are on the disk."""
        sync(self._requests.file)

    def known(self, request: Request) -> int | None:
        """Return the number of a request that is repeated, or None for a new one; see `accept` for errors."""
        return None if request.key not in self._orders else self.accept(request)

    def _repeated(self, request: Request, order: int) -> int:
        if self.request(order) != request:
            raise BadRequest(
                f"The key {request.key!r} belongs to another request, number {order}: give each request its own key."
            )
        return order

    def answer(self, order: int, answer: dict[str, Any]) -> None:
        """Append the answer to a request; they are answered in order."""
        if order != self.answered:
            raise ValueError(f"Requests are answered in order: expected the answer to {self.answered}, got {order}.")
        self._answers.write({"order": order} | answer)
        self._answered.append(self._answers.size)

    def request(self, order: int) -> Request:
        """Return a request by its number."""
        return Request.from_dict(self._read(self._requests.file, self._places[order]))

    def answer_of(self, order: int) -> dict[str, Any]:
        """Return the answer to a request by its number."""
        answer = self._read(self._answers.file, self._answered[order])
        del answer["order"]
        return answer

    def since(self, order: int) -> Iterator[tuple[int, Request]]:
        """Yield the requests from a number on, each with its number."""
        for i in range(order, self.accepted):
            yield i, self.request(i)

    def sync(self) -> None:
        """Wait until all answers are on the disk."""
        sync(self._answers.file)

    def close(self) -> None:
        """Close the files."""
        self._requests.close()
        self._answers.close()

    def _read(self, file: Path, place: int) -> dict[str, Any]:
        with file.open("rb") as lines:
            lines.seek(place)
            line: dict[str, Any] = json.loads(lines.readline())
        return line


def _lines(file: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the whole lines of a log, each with the byte behind it; a torn last line does not count.

    Args:
        file: The log; one that does not exist has no lines.

    Raises:
        StateError: If a line is no JSON object of its place.
    """
    if not file.exists():
        return
    end = 0
    with file.open("rb") as lines:
        for i, line in enumerate(lines):
            if not line.endswith(b"\n"):
                return
            try:
                fits = json.loads(line)["order"] == i
            except (ValueError, TypeError, KeyError):
                fits = False
            if not fits:
                raise StateError(f"Line {i + 1} of {file} is damaged: restore the file, or serve another folder.")
            end += len(line)
            yield end, line
