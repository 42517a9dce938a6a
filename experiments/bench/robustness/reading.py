"""Reading back what an episode has written: every text must be in every log as it was offered."""

import csv
import dataclasses
import html
import json
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from experiments.progress import console
from experiments.report import ReportConfig
from experiments.report import main as report
from signal_env.tasks import Task

SHORT, LONGEST = 400, 4_000
"""Characters of a text that TensorBoard's cards and a report's page show."""


@dataclasses.dataclass
class Played:
    """An episode: its folder and task; its actions with their kinds, rewards and infos; and where its rounds end.

    `known` are the texts that the log of labels may have beside the actions.
    """

    folder: Path
    task: Task
    kinds: list[str] = dataclasses.field(default_factory=list)
    texts: list[str] = dataclasses.field(default_factory=list)
    rewards: list[float] = dataclasses.field(default_factory=list)
    infos: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    rounds: list[int] = dataclasses.field(default_factory=list)
    known: set[str] = dataclasses.field(default_factory=set)


def read_back(played: Played) -> Iterator[str]:
    """Yield every way in which the logs, TensorBoard's files and the report differ from what was played."""
    yield from _of_offers(played)
    yield from _of_labels(played)
    yield from _of_board(played)
    yield from _of_projector(played)
    yield from _of_report(played)


def canonical(text: str, task: Task) -> str:
    """Return a text with its white space made single spaces, the fields of a written text likewise.

    A pair of surrogates is one character, as in JSON.
    """
    text = json.loads(json.dumps(text))
    fields = task.fields(text)
    return " ".join(text.split()) if fields is None or len(fields) == 1 else task.write(*fields)


def visible(text: str) -> str:
    """Return a text with Python's escapes for invisible characters, and without spaces, as cards may break lines."""
    shown = (c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
    return "".join(shown).replace(" ", "")


def _of_offers(played: Played) -> Iterator[str]:
    lines = _lines(played.folder / "offers.jsonl")
    if len(lines) != len(played.texts):
        yield f"offers.jsonl has {len(lines)} lines of {len(played.texts)}"
    for i, (line, text, info) in enumerate(zip(lines, played.texts, played.infos, strict=False)):
        if not line["text"] == info["text"] == canonical(text, played.task):
            yield f"offers.jsonl has another text in line {i + 1}: {line['text']!r:.60} of {text!r:.60}"
        total = sum(term["contribution"] for term in line["reward_terms"].values())
        if line["reward"] != played.rewards[i] or abs(line["reward"] - total) > 1e-12:
            yield f"offers.jsonl has another reward in line {i + 1}"


def _of_labels(played: Played) -> Iterator[str]:
    possible = played.known | {info["text"] for info in played.infos if not info["invalid"]}
    for line in _lines(played.folder / "labels.jsonl"):
        if line["text"] not in possible:
            yield f"labels.jsonl has a text that nobody offered: {line['text']!r:.60}"


def _of_board(played: Played) -> Iterator[str]:
    """Compare the cards of each round, whose five best and five worst texts have their rewards."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(played.folder / "tensorboard"), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    means = [(event.step, event.value) for event in events.Scalars("reward_mean/total")]
    starts = [0, *played.rounds[:-1]]
    for tag, sign in (("texts/best/text_summary", -1), ("texts/worst/text_summary", 1)):
        cards = [event.tensor_proto.string_val[0].decode() for event in events.Tensors(tag)]
        if len(cards) != len(played.rounds):
            yield f"TensorBoard has {len(cards)} cards {tag} of {len(played.rounds)}"
        for card, start, end in zip(cards, starts, played.rounds, strict=False):
            # A line break of the card is an element, and no character that a text could have.
            rows = [row[2:-2].replace("<br>", "").split(" | ") for row in card.split("\n")[2:]]
            rows = [[html.unescape(cell) for cell in row] for row in rows]
            offered = {visible(_cut(info["text"], SHORT, "…")) for info in played.infos[start:end]}
            expected = sorted(sign * reward for reward in played.rewards[start:end])[:5]
            if [row[0] for row in rows] != [f"{sign * reward:.3f}" for reward in expected]:
                yield f"a card {tag} has other rewards than the round that ends with offer {end}"
            for row in rows:
                if row[-1].replace(" ", "") not in offered:
                    yield f"a card {tag} has a text that was not offered: {row[-1]!r:.60}"
    for (step, mean), start, end in zip(means, starts, played.rounds, strict=True):
        if not np.isclose(mean, np.mean(played.rewards[start:end]), rtol=1e-5, atol=1e-6):
            yield f"reward_mean/total of round {step} is {mean}"


def _of_projector(played: Played) -> Iterator[str]:
    """Compare the projector's texts, whose white space of any kind is one space, line by line."""
    folder = played.folder / "tensorboard" / "projector"
    lines = (folder / "metadata.tsv").read_text(encoding="utf-8").removesuffix("\n").split("\n")
    points = (folder / "tensors.tsv").read_text(encoding="utf-8").removesuffix("\n").split("\n")
    if len(lines) != len(points) + 1:
        yield f"the projector has {len(lines) - 1} texts for {len(points)} points"
    possible = {" ".join(text.split()) for text in played.known | {info["text"] for info in played.infos}}
    for line in lines[1:]:
        cells = line.split("\t")
        if len(cells) != 4 or cells[0] not in possible:
            yield f"the projector has a line that is no text: {line!r:.60}"


def _of_report(played: Played) -> Iterator[str]:
    """Compare the texts of a report's page, and read its tables as CSV."""
    out = played.folder.parent / f"report-{played.folder.name}"
    with console.capture(), redirect_stdout(StringIO()):
        report(ReportConfig(runs=(played.folder,), out=out))
    page = (out / "index.html").read_text(encoding="utf-8")
    data = _Data(page).content
    columns = [column["id"] for column in data["columns"]]
    offered = {_shortened(info["text"]) for info in played.infos}
    rows = [dict(zip(columns, row, strict=True)) for row in data["rows"]]
    if not rows:
        yield "the report has no texts"
    for row in rows:
        if row["text"] not in offered:
            yield f"the report has a text that was not offered: {row['text']!r:.60}"
    for file in (out / "tables").glob("*.csv"):
        with file.open(encoding="utf-8", newline="") as lines:
            widths = {len(cells) for cells in csv.reader(lines)}
        if len(widths) > 1:
            yield f"the report's table {file.name} has rows of {sorted(widths)} cells"


class _Data(HTMLParser):
    """The JSON of a page's texts, found as a browser finds it."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=False)
        self._open, self._parts = False, list[str]()
        self.feed(page)
        self.content: dict[str, Any] = json.loads("".join(self._parts))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open the element with the data."""
        self._open = tag == "script" and dict(attrs).get("id") == "data"

    def handle_endtag(self, tag: str) -> None:
        """Close it."""
        self._open = False

    def handle_data(self, data: str) -> None:
        """Keep what is in it."""
        if self._open:
            self._parts.append(data)


def _lines(file: Path) -> list[dict[str, Any]]:
    """Return the objects of a log; only "\\n" ends a line, whatever the texts hold."""
    return [json.loads(line) for line in re.findall(rb"[^\n]*\n", file.read_bytes())]


def _cut(text: str, longest: int, end: str) -> str:
    return text if len(text) <= longest else text[:longest] + end


def _shortened(text: str) -> str:
    return _cut(text, LONGEST, f" … ({len(text) - LONGEST:,} more characters)")
