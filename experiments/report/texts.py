"""A sample of the texts that runs offered, with their rewards and labels."""

import json
import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments.config import RunError
from experiments.runs import KEYS, Runs

LIMIT = 2000
"""Texts in a sample by default."""

CHOOSING = 0.1
"""The part of the sample for runs that only chose real texts, where others wrote some."""

READ = 4
"""Lines that are read for each one that is kept."""

LONGEST = 4000
"""Characters of a text that are kept."""

NAMES = ("offers.jsonl", "labels.jsonl")


class Sample(NamedTuple):
    """Texts that runs offered.

    Attributes:
        texts: For each text `setting`, `method`, `seed`, `round`, `text`, `reward`, `terms` (for each reward term its
            `raw` value and its `contribution` to the reward), `label` (its class, or "" if it was never labeled),
            `origin` ("real" or "synthetic") and `invalid` (why it is not valid, or ""). In the order of the runs and,
            within a run, of the offers.
        offered: The number of texts that these runs offered in all.
        with_real: Whether real texts may be among them.
        problems: Folders of which not everything could be read, and why.
    """

    texts: list[dict[str, Any]]
    offered: int
    with_real: bool
    problems: list[tuple[str, str]]


def sample_texts(runs: Runs, limit: int = LIMIT, with_real: bool = True, seed: int = 0) -> Sample:
    """Sample the offers of all runs, in equal parts and spread over the rounds of each.

    The best and the worst of all lines that are read of a run are kept. Where some runs wrote texts, nine in ten are of
    those; of a run that offered both kinds those it wrote go first. The same logs give the same sample.

    Args:
        runs: The runs; those without an `offers.jsonl` have no texts here.
        limit: The largest number of texts.
        with_real: Whether real texts are shown. If not, nor are duplicates: they may be duplicates of one.
        seed: The seed of the sample.

    Raises:
        RunError: If `limit` is negative.
    """
    if limit < 0:
        raise RunError(f"A sample has 0 texts or more, not {limit}.")
    first = runs.rounds.drop_duplicates("folder").set_index("folder")[list(KEYS)]
    first = first[[(Path(folder) / NAMES[0]).is_file() for folder in first.index]]
    writing = [b'"real": false' in (Path(folder) / NAMES[0]).read_bytes() for folder in first.index]
    offered = runs.rounds.groupby("folder")["offers"].sum()[first.index].sum()
    sample = Sample([], int(offered), with_real, [])
    counts = _counts(writing, limit, with_real)
    for folder, of_run, count in zip(first.index, first.to_dict("records"), counts, strict=True):
        rng = random.Random(f"{seed} {list(of_run.values())}")
        texts, problems = _sample_run(Path(folder), count, rng, with_real)
        sample.texts.extend(of_run | text for text in texts)
        sample.problems.extend((folder, problem) for problem in problems)
    return sample


def _counts(writing: Sequence[bool], limit: int, with_real: bool) -> list[int]:
    """Return the number of texts of each run: equal parts among those that write and among those that choose.

    Example:
        >>> _counts([True, False, True, False], 20, with_real=True)
        [9, 1, 9, 1]
        >>> _counts([False, False, False, False], 10, with_real=True)
        [2, 3, 2, 3]
    """
    choosing = 0 if not with_real or all(writing) else round(CHOOSING * limit) if any(writing) else limit
    counts = np.zeros(len(writing), dtype=int)
    for kind, total in ((True, limit - choosing), (False, choosing)):
        of_kind = np.array(writing, dtype=bool) == kind
        counts[of_kind] = np.diff(np.arange(of_kind.sum() + 1) * total // max(1, of_kind.sum()))
    return counts.tolist()


def _sample_run(
    folder: Path, count: int, rng: random.Random, with_real: bool
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return at most `count` texts of a run, in the order of the offers, and the problems with its logs."""
    logs = [(folder / name).read_bytes() if (folder / name).is_file() else b"" for name in NAMES]
    *lines, _ = logs[0].split(b"\n")
    places = min(READ * count, len(lines))  # one line of each of so many equal parts of the log
    read = [_offer(lines[int((i + rng.random()) * len(lines) / places)]) for i in range(places)]
    offers = [o for o in read if o and (with_real or (not o["real"] and o["invalid"] != "duplicate"))]
    synthetic = [offer for offer in offers if not offer["real"]]
    texts = [
        {
            "round": offer["round"],
            "text": _shortened(offer["text"]),
            "reward": offer["reward"],
            "terms": offer["reward_terms"],
            "label": _label(logs[1], offer["text"]),
            "origin": "real" if offer["real"] else "synthetic",
            "invalid": offer["invalid"],
        }
        for offer in spread(synthetic if len(synthetic) >= count else offers, count)
    ]
    torn = [name for name, log in zip(NAMES, logs, strict=True) if log and not log.endswith(b"\n")]
    problems = [f"the last line of {name} is torn; it was left out" for name in torn]
    for name, wrong in zip(NAMES, (read.count(None), sum(text["label"] is None for text in texts)), strict=True):
        if wrong:
            problems.append(f"{name} has lines that no run writes ({wrong} of those read); they were left out")
    return [text | {"label": text["label"] or ""} for text in texts], problems


def spread(lines: Sequence[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """Return at most `count` of the lines in their order: the best and the worst reward, and evenly spaced ones.

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


def _offer(written: bytes) -> dict[str, Any] | None:
    """Return a line of the log, or None if an environment writes no such line."""
    try:
        line = json.loads(written)
        terms = {
            name: {"raw": term["raw"], "contribution": term.get("contribution", term.get("share"))}  # an earlier name
            for name, term in line["reward_terms"].items()
        }
        numbers = [line["reward"], *(number for term in terms.values() for number in term.values())]
        kinds = {"text": str, "invalid": str, "round": int, "real": bool}
        sound = all(isinstance(line[name], kind) for name, kind in kinds.items()) and all(map(math.isfinite, numbers))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return line | {"reward_terms": terms} if sound else None


def _label(log: bytes, text: str) -> str | None:
    """Return the class that a text was labeled as; "" if it was not, None if its line is no line of the log.

    The text is looked up as `signal_env.wrappers.recording.LineLog` writes it: parsing all lines of hundreds of runs
    would take most of the report's time.
    """
    place = log.find(b'"text": ' + json.dumps(text, ensure_ascii=False).encode("utf-8", "backslashreplace"))
    end = log.find(b"\n", max(place, 0))
    if place < 0 or end < 0:
        return ""
    try:
        return str(json.loads(log[log.rfind(b"\n", 0, place) + 1 : end])["label"])
    except (ValueError, KeyError, TypeError):
        return None


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} … ({len(text) - LONGEST:,} more characters)"
