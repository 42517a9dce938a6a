"""What a claim is, how its verdict comes from its evidence, and the tables of claims."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from rich.box import SIMPLE
from rich.table import Table

from experiments.report.effects import MOST_SEEDS, Effect, Verdict, decide, refuted_parts
from signal_env.utils.extras import require

Origin = Literal["paper", "project"]

SHOWN = 6
"""Effects that the evidence shows one by one; of more, the lowest and the highest."""


@dataclasses.dataclass(frozen=True)
class Claim:
    """A claim and what the runs say of it.

    Attributes:
        claim: What is claimed, and where.
        evidence: The numbers: effects with their 95 % intervals, seeds and settings, or what is missing.
        verdict: "supported", "not supported", "undecided" or "not measured".
        seeds: The number of paired seeds, the smallest of all parts; 0 where nothing is measured.
        seeds_needed: For an undecided claim the number of seeds that would decide it with 80 % power, see
            `effects.Decision`.
        origin: Whether the paper claims it or this project asks it.
        effects: What the verdict rests on, part by part.
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
    """A claim with the verdict that its effects give: that each of them is above zero.

    Args:
        claim: What is claimed.
        effects: Its parts.
        lacking: What the runs lack for it. It leaves the claim not measured, unless a part that is there refutes it.
        also: What the evidence says beside the effects.
        origin: Whose claim it is.
    """
    decision = decide(effects)
    verdict = decision.verdict
    if lacking and verdict != "not supported":
        verdict = "not measured"
    measured = [effect for effect in effects if effect.n]
    unpaired = "" if lacking else _names([effect for effect in effects if not effect.n])
    parts = [
        _shown(measured),
        also,
        _refuted(effects) if verdict == "not supported" else "",
        f"missing: {lacking}" if lacking else "",
        f"no seeds in common: {unpaired}" if unpaired else "",
    ]
    seeds = min((effect.n for effect in measured), default=0)
    evidence = "; ".join(part for part in parts if part) or "nothing to compare"
    needed = decision.seeds_needed if verdict == "undecided" else None
    return Claim(claim, evidence, verdict, seeds, needed, origin, tuple(effects))


def _refuted(effects: Sequence[Effect]) -> str:
    """Which effects refute a claim, and how: they are as good as zero, or on its other side."""
    parts = refuted_parts(effects)
    equal = [effect for effect in parts if abs(effect.mean) + effect.half < effect.margin]
    opposite = [effect for effect in parts if effect not in equal]
    margins = ", ".join(f"±{margin:g}" for margin in sorted({100 * effect.margin for effect in equal}))
    shown = {f"equal within {margins} points": equal, "the opposite holds": opposite}
    return "; ".join(f"{what}: {_names(refuting)}" for what, refuting in shown.items() if refuting)


def _names(effects: Sequence[Effect]) -> str:
    more = len(effects) - SHOWN
    return ", ".join(effect.name for effect in effects[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _shown(effects: Sequence[Effect]) -> str:
    """The effects in words, with their numbers of seeds."""
    if not effects:
        return ""
    counts = sorted({effect.n for effect in effects})
    seeds = f"n = {counts[0]}" if len(counts) == 1 else f"n = {counts[0]} to {counts[-1]}"
    if len(effects) <= SHOWN:
        return f"{'; '.join(map(str, effects))} ({seeds})"
    ordered = sorted(effects, key=lambda effect: effect.mean)
    verdicts = [decide([effect]).verdict for effect in effects]
    alone = ", ".join(f"{verdicts.count(v)} {v}" for v in dict.fromkeys(verdicts))
    return f"{len(effects)} comparisons, alone {alone}; lowest {ordered[0]}; highest {ordered[-1]} ({seeds})"


def claims_table(claims: Sequence[Claim]) -> Table:
    """The claims as a table: first the paper's, then this project's own questions."""
    table = Table(
        "claim", "evidence (points of accuracy, mean ± 95 %)", "seeds", "verdict", "seeds for 80 % power", box=SIMPLE
    )
    for column in ("seeds", "verdict"):
        next(c for c in table.columns if c.header == column).no_wrap = True
    for origin, title in (("paper", "Claims of the paper's section 5.4"), ("project", "Questions of this project")):
        of_origin = [claim for claim in claims if claim.origin == origin]
        if of_origin:
            table.add_row(f"[bold]{title}")
        for claim in of_origin:
            seeds = str(claim.seeds) if claim.seeds else ""
            table.add_row(claim.claim, claim.evidence, seeds, claim.verdict, claim.needed)
        table.add_section()
    return table


def claims_frame(claims: Sequence[Claim]) -> Any:
    """The claims as a pandas table for a CSV file, numbered from 1."""
    pandas = require("pandas", "plots")
    names = ("origin", "claim", "verdict", "seeds", "needed", "evidence")
    rows = [{name: getattr(claim, name) for name in names} for claim in claims]
    frame = pandas.DataFrame(rows, columns=names, index=pandas.RangeIndex(1, len(rows) + 1, name="number"))
    return frame.rename(columns={"needed": "seeds_needed"})


def effects_frame(claims: Sequence[Claim]) -> Any:
    """Every effect that a claim rests on, as a pandas table: `number` is the claim's in `claims_frame`.

    `mean`, `low` and `high` are fractions, not points; `verdict` is that on the effect alone.
    """
    pandas = require("pandas", "plots")
    rows = [
        {
            "number": number,
            "comparison": effect.name,
            "seeds": effect.n,
            "mean": effect.mean,
            "low": effect.mean - effect.half,
            "high": effect.mean + effect.half,
            "margin": effect.margin,
            "verdict": decide([effect]).verdict,
        }
        for number, claim in enumerate(claims, start=1)
        for effect in claim.effects
    ]
    columns = ("number", "comparison", "seeds", "mean", "low", "high", "margin", "verdict")
    return pandas.DataFrame(rows, columns=columns).replace({np.inf: np.nan})
