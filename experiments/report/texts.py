"""A sample of the texts that runs offered, read from logs that may be too large to be read whole."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from experiments.report.offers import OfferLog
from experiments.runs import KEYS, Runs

LIMIT = 2000
"""Texts in a sample, unless it is asked for another number."""

PROBE = 8
"""Offers that are read of each run to see whether it writes texts."""

CHOOSING = 0.1
"""The part of the sample that runs have that only chose real texts, where others wrote some."""


class Sample(NamedTuple):
    """Texts that runs offered.

    Attributes:
        texts: For each text `setting`, `method`, `seed`, `round`, `text`, `reward`, `terms` (for each reward term its
            `raw` value and its `share` of the reward), `label` (the class's name, or "" if it was never labeled),
            `origin` ("real" or "synthetic") and `invalid` (why it is not valid, or ""). In the order of the runs and,
            within a run, of the offers.
        offered: How many texts these runs offered in all.
        with_real: Whether real texts may be among them.
        problems: Folders of which not everything could be read, and why.
    """

    texts: list[dict[str, Any]]
    offered: int
    with_real: bool
    problems: list[tuple[str, str]]


def sample_texts(runs: Runs, limit: int = LIMIT, with_real: bool = True, seed: int = 0) -> Sample:
    """Samples the offers of all runs, in equal parts and spread over the rounds of each.

    The time it takes depends on `limit` and on the number of runs, not on the size of their logs (see `OfferLog`). What
    is kept of a run has the best and the worst of all that was read. Where some runs wrote texts, nine in ten are of
    those; of a run that offered both kinds those it wrote go first. The same logs give the same sample.

    Args:
        runs: The runs; those without an `offers.jsonl` have no texts here.
        limit: At most so many texts.
        with_real: Whether real texts are shown. If not, nor are duplicates: they may be duplicates of one.
        seed: Another seed, another sample.

    Raises:
        ValueError: If `limit` is negative.
    """
    if limit < 0:
        raise ValueError(f"A sample has 0 texts or more, not {limit}.")
    firsts = runs.rounds.drop_duplicates("folder").set_index("folder")
    offers = runs.rounds.groupby("folder")["offers"].sum()
    logs = []
    for folder, keys in firsts[list(KEYS)].to_dict("index").items():
        if (Path(folder) / "offers.jsonl").is_file():
            logs.append(OfferLog(Path(folder), keys, random.Random(f"{seed} {list(keys.values())}"), with_real))
    writing = [log.writes(PROBE) for log in logs]
    counts = _counts(writing, limit, with_real)
    texts = [text for log, count in zip(logs, counts, strict=True) for text in log.sample(count)]
    problems = [(str(log.folder), problem) for log in logs for problem in log.problems()]
    return Sample(texts, int(sum(offers[str(log.folder)] for log in logs)), with_real, problems)


def _counts(writing: Sequence[bool], limit: int, with_real: bool) -> list[int]:
    """How many texts each run may show: equal parts among those that write and among those that choose.

    Example:
        >>> _counts([True, False, True, False], 20, with_real=True)
        [9, 1, 9, 1]
        >>> _counts([False, False, False, False], 10, with_real=True)
        [2, 3, 2, 3]
    """
    choosing = 0 if not with_real else round(CHOOSING * limit) if any(writing) else limit
    if all(writing):
        choosing = 0
    left = {True: (limit - choosing, writing.count(True)), False: (choosing, writing.count(False))}
    seen = {True: 0, False: 0}
    counts = []
    for kind in writing:
        total, runs = left[kind]
        seen[kind] += 1
        counts.append(seen[kind] * total // runs - (seen[kind] - 1) * total // runs)
    return counts
