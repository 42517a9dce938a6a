"""One run's log of offers, of which only lines at some places are read."""

import json
import math
import os
import random
from collections.abc import Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import Any

READ = 4
"""Lines that are read for each one that is kept."""

LONGEST = 4000
"""Characters that are kept of a text."""


class OfferLog:
    """`offers.jsonl` of a run, and what `labels.jsonl` beside it says of its texts.

    Lines are found without reading those before them: a place in the file stands for the line that begins after it,
    and a place in the last line for the first one. The places are drawn from parts of equal size, so that they spread
    over all rounds; of a short log nearly every line is found, of a long one a line's chance is as the length of the
    one before it.

    Args:
        folder: The run's folder.
        keys: What each text says of its run: `setting`, `method` and `seed`.
        rng: Draws the places.
        with_real: Whether real texts may be shown, and duplicates, which may be of one.
    """

    def __init__(self, folder: Path, keys: dict[str, Any], rng: random.Random, with_real: bool = True) -> None:
        self.folder, self._keys, self._rng, self._with_real = folder, keys, rng, with_real
        self._wrong: dict[str, set[Any]] = {"offers.jsonl": set(), "labels.jsonl": set()}
        self._torn = {name: _torn(folder / name) for name in ("offers.jsonl", "labels.jsonl")}

    def writes(self, places: int) -> bool:
        """Whether a text at one of so many places is synthetic."""
        return any(not line["real"] for line in self._lines(places))

    def sample(self, count: int) -> list[dict[str, Any]]:
        """At most `count` texts as `signal_env`'s report shows them, in the order of the offers.

        The best and the worst of `READ` times as many are among them; the others are evenly spaced.
        """
        lines = list(self._lines(READ * count))
        if not self._with_real:
            lines = [line for line in lines if not line["real"] and line["invalid"] != "duplicate"]
        synthetic = [line for line in lines if not line["real"]]
        kept = spread(synthetic if len(synthetic) >= count else lines, count)
        labels = self._labels([line["text"] for line in kept])
        return [self._row(line, label) for line, label in zip(kept, labels, strict=True)]

    def problems(self) -> list[str]:
        """What could not be read, as far as was looked."""
        found = [f"the last line of {name} is torn; it was left out" for name, torn in self._torn.items() if torn]
        for name, wrong in self._wrong.items():
            if wrong:
                found.append(f"{name} has lines that no run writes ({len(wrong)} of those read); they were left out")
        return found

    def _lines(self, places: int) -> Iterator[dict[str, Any]]:
        """The offers at so many places, each once, in the order of the file."""
        with (self.folder / "offers.jsonl").open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            drawn = [int((i + self._rng.random()) * size / places) for i in range(places)]
            starts = {start for place in drawn if (start := _next_start(file, place)) is not None}
            for start in sorted(starts):
                file.seek(start)
                written = file.readline()
                if not written.endswith(b"\n"):
                    continue  # torn, as `problems` says
                offer = _offer(written)
                if offer is None:
                    self._wrong["offers.jsonl"].add(start)
                else:
                    yield offer

    def _labels(self, texts: Sequence[str]) -> list[str]:
        """The names of the classes that the texts were labeled as; "" for those that were not."""
        file = self.folder / "labels.jsonl"
        written = file.read_bytes() if texts and file.is_file() else b""
        labels = []
        for text in texts:
            line = _line_with(written, text)
            try:
                labels.append(str(json.loads(line)["label"]) if line else "")
            except (ValueError, KeyError, TypeError):
                self._wrong["labels.jsonl"].add(line)
                labels.append("")
        return labels

    def _row(self, line: dict[str, Any], label: str) -> dict[str, Any]:
        text = line["text"]
        if len(text) > LONGEST:
            text = f"{text[:LONGEST]} … ({len(text) - LONGEST:,} more characters)"
        terms = {
            name: {"raw": term["raw"], "contribution": term["contribution"]}
            for name, term in line["reward_terms"].items()
        }
        row = self._keys | {"round": line["round"], "text": text, "reward": line["reward"], "terms": terms}
        return row | {"label": label, "origin": "real" if line["real"] else "synthetic", "invalid": line["invalid"]}


def spread(lines: Sequence[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """At most `count` of the lines: the best paid, the worst paid and evenly spaced others, in their order.

    Example:
        >>> lines = [{"reward": reward} for reward in (3, 9, 4, 5, 6, 1, 7)]
        >>> [line["reward"] for line in spread(lines, 4)]
        [9, 4, 6, 1]
    """
    if len(lines) <= count:
        return list(lines)
    by_reward = sorted(range(len(lines)), key=lambda i: lines[i]["reward"])
    ends = [by_reward[-1], by_reward[0]][:count]
    others = [i for i in range(len(lines)) if i not in ends]
    wanted = count - len(ends)
    even = [others[(2 * i + 1) * len(others) // (2 * wanted)] for i in range(wanted)]
    return [lines[i] for i in sorted(ends + even)]


def _next_start(file: BufferedReader, place: int) -> int | None:
    """Where the first line begins at or after a place, or the file's first line if there is none."""
    if place == 0:
        return 0
    file.seek(place - 1)
    file.readline()
    start = file.tell()
    return start if file.peek(1) else 0


def _torn(file: Path) -> bool:
    """Whether a log ends in the middle of a line."""
    if not file.is_file() or file.stat().st_size == 0:
        return False
    with file.open("rb") as log:
        log.seek(-1, os.SEEK_END)
        return log.read() != b"\n"


def _offer(written: bytes) -> dict[str, Any] | None:
    """A line of the log, or None if it is not a line that an environment writes."""
    try:
        line = json.loads(written)
        numbers = [
            line["reward"],
            *(term[name] for term in line["reward_terms"].values() for name in ("raw", "contribution")),
        ]
        sound = isinstance(line["text"], str) and isinstance(line["invalid"], str) and isinstance(line["round"], int)
        sound = sound and isinstance(line["real"], bool) and all(math.isfinite(number) for number in numbers)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return line if sound else None


def _line_with(written: bytes, text: str) -> bytes:
    """The line of `labels.jsonl` with a text; none if there is none, or if it is torn.

    The text is looked up as `signal_env.wrappers.recording.LineLog` writes it: parsing all lines of hundreds of runs
    would take most of the report's time.
    """
    place = written.find(b'"text": ' + json.dumps(text, ensure_ascii=False).encode("utf-8", "backslashreplace"))
    begin, end = written.rfind(b"\n", 0, max(place, 0)) + 1, written.find(b"\n", max(place, 0))
    return written[begin:end] if place >= 0 and end >= 0 else b""
