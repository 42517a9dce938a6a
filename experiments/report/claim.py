"""A claim, its verdict from its evidence, and the tables of claims."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from rich.box import SIMPLE
from rich.table import Table

from experiments.metric import ACCURACY, Metric
from experiments.report.effects import MOST_SEEDS, Effect, Verdict, decide, verdict_on
from signal_env.utils.extras import require

pandas = require("pandas", "plots")

ORIGINS = {"paper": "Claims of the paper's section 5.4", "project": "Questions of this project"}
Origin = Literal["paper", "project"]

SHOWN = 6
"""Effects that the evidence shows one by one; of more, the lowest and the highest."""


@dataclasses.dataclass(frozen=True)
class Claim:
    """A claim and the evidence of the runs.

    Attributes:
        evidence: The numbers: effects with their 95 % intervals, seeds and settings, or the runs that are missing.
        seeds: The number of paired seeds, the smallest of all parts; 0 where nothing is measured.
        seeds_needed: For an undecided claim the number of seeds that would decide it, see `effects.Decision`.
        origin: Whether the paper claims it or this project asks it.
        effects: The parts that the verdict rests on.
    """

    claim: str
    evidence: str
    verdict: Verdict
    seeds: int
    seeds_needed: int | None = None
    origin: Origin = "paper"
    effects: tuple[Effect, ...] = ()

    @property
    def needed(self) -> str:
        """The seeds needed, as a table shows them."""
        if self.seeds_needed is None:
            return ""
        return f">{MOST_SEEDS}" if self.seeds_needed > MOST_SEEDS else str(self.seeds_needed)


def judge(claim: str, effects: Sequence[Effect], lacking: str = "", also: str = "", origin: Origin = "paper") -> Claim:
    """Return a claim with the verdict on its effects: that each of them is above zero.

    Runs that it is `lacking` leave it not measured, unless a part that is there refutes it; `also` is more evidence.
    """
    verdict, needed = decide(effects)
    _, refuting = verdict_on(effects)
    if lacking:
        verdict, needed = "not supported" if refuting else "not measured", None
    measured = [effect for effect in effects if effect.n]
    equal = [effect for effect in refuting if abs(effect.mean) + effect.half < effect.margin]
    margins = ", ".join(dict.fromkeys(effect.margin_in_words for effect in sorted(equal, key=lambda e: e.margin)))
    evidence = {
        "": "; ".join(filter(None, (_shown(measured), also))),
        f"equal within {margins}: ": _names(equal),
        "the opposite holds: ": _names([effect for effect in refuting if effect not in equal]),
        "missing: ": lacking,
        "no seeds in common: ": "" if lacking else _names([effect for effect in effects if not effect.n]),
    }
    shown = "; ".join(f"{what}{names}" for what, names in evidence.items() if names)
    seeds = min((effect.n for effect in measured), default=0)
    return Claim(claim, shown or "nothing to compare", verdict, seeds, needed, origin, tuple(effects))


def _names(effects: Sequence[Effect]) -> str:
    more = len(effects) - SHOWN
    return ", ".join(effect.name for effect in effects[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _shown(effects: Sequence[Effect]) -> str:
    """Return the effects in words, with their numbers of seeds."""
    if not effects:
        return ""
    low, high = min(effect.n for effect in effects), max(effect.n for effect in effects)
    seeds = f"n = {low}" if low == high else f"n = {low} to {high}"
    if len(effects) <= SHOWN:
        return f"{'; '.join(map(str, effects))} ({seeds})"
    ordered = sorted(effects, key=lambda effect: effect.mean)
    verdicts = [verdict_on([effect])[0] for effect in effects]
    alone = ", ".join(f"{verdicts.count(v)} {v}" for v in dict.fromkeys(verdicts))
    return f"{len(effects)} comparisons, alone {alone}; lowest {ordered[0]}; highest {ordered[-1]} ({seeds})"


def claims_table(claims: Sequence[Claim], metric: Metric = ACCURACY) -> Table:
    """Return a table for the terminal: first the paper's claims, then this project's questions."""
    points = metric.words["points"]
    heads = ("claim", f"evidence ({points}, mean ± 95 %)", "seeds", "verdict", "seeds for 80 % power")
    table = Table(*heads, box=SIMPLE)
    table.columns[2].no_wrap = table.columns[3].no_wrap = True
    for origin, title in ORIGINS.items():
        rows = [(c.claim, c.evidence, str(c.seeds or ""), c.verdict, c.needed) for c in claims if c.origin == origin]
        for row in [(f"[bold]{title}",), *rows] if rows else ():
            table.add_row(*row)
        table.add_section()
    return table


def claims_frame(claims: Sequence[Claim]) -> Any:
    """Return the claims as a pandas table, numbered from 1."""
    columns = ("origin", "claim", "verdict", "seeds", "seeds_needed", "evidence")
    rows = [(c.origin, c.claim, c.verdict, c.seeds, c.needed, c.evidence) for c in claims]
    return pandas.DataFrame(rows, columns=columns, index=pandas.RangeIndex(1, len(rows) + 1, name="number"))


def effects_frame(claims: Sequence[Claim]) -> Any:
    """Return every effect that a claim rests on as a pandas table: `number` is the claim's in `claims_frame`.

    `mean`, `low` and `high` are fractions, not points; `verdict` is that on the effect alone.
    """
    columns = ("number", "comparison", "seeds", "mean", "low", "high", "margin", "verdict")
    rows = [
        (number, e.name, e.n, e.mean, e.mean - e.half, e.mean + e.half, e.margin, verdict_on([e])[0])
        for number, claim in enumerate(claims, start=1)
        for e in claim.effects
    ]
    return pandas.DataFrame(rows, columns=columns).replace({np.inf: np.nan})
