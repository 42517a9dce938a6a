"""The claims of the paper's section 5.4, each with the measured evidence and a statistical verdict.

`effects` judges differences that are paired by seed, `rankings` ranks. The comparisons:

- "SIGnAL above pool-based" is SIGnAL minus each of the five pool-based methods, which implies the mean of them and the
  best. At 100 % these have all labeled the same texts: those whose numbers are the same are one comparison.
- A *gain* is SIGnAL's accuracy at 200 % minus the mean accuracy of the five at 100 %, as the paper's curves end.
- An *area* is the mean accuracy over a range of labels, and "early" means from the initial labels to 30 % of |R|.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from experiments.names import POOL_BASED, SIGNAL, TASKS
from experiments.report.claim import Claim, judge
from experiments.report.effects import Effect
from experiments.report.measures import Measures, any_seed, mean
from experiments.report.questions import questions
from experiments.report.rankings import rank_statement
from experiments.runs import Runs
from signal_env.tasks import get_task

FRACTIONS = ("0.1%", "1%")
SETTINGS = tuple(f"{task}-{fraction}" for task in TASKS for fraction in FRACTIONS)
"""The settings of the paper's Figure 3."""

ESPECIALLY = ("sst2-0.1%", "sst2-1%", "agnews-0.1%")
"""The settings of the largest gains, says the paper."""

ONLY = 0.9
"""The share of a class from which on texts count as "exclusively" of it."""

SHARE_MARGIN = 0.05
"""Shares of labels that differ by less count as equal: that is one text in twenty."""

ABOVE = (
    ("SIGnAL at 200 % is above every pool-based method at 100 %", "at_200", "at_100"),
    ("at equal labels, 100 %, SIGnAL is above every pool-based method", "at_100", "at_100"),
    ("SIGnAL's mean accuracy up to 100 % is above that of every pool-based method", "area_100", "area_100"),
)
"""Claims of SIGnAL above each pool-based method: the measure of SIGnAL, and that of the others."""

SMALL, LARGE = (tuple(s for s in SETTINGS if s.endswith(f"-{fraction}")) for fraction in FRACTIONS)
OF_TASK = {task: tuple(s for s in SETTINGS if s.startswith(task)) for task in TASKS}

Part = tuple[str, Sequence[str], Sequence[str]]

GAINS: dict[str, tuple[Part, ...]] = {
    f"SIGnAL's gain is largest on {', '.join(ESPECIALLY)}: their mean is above that of the other settings": (
        ("these − the others", ESPECIALLY, tuple(s for s in SETTINGS if s not in ESPECIALLY)),
    ),
    "SIGnAL gains more on SST-2 and on AG News than on QNLI (means over both pool sizes)": (
        ("SST-2 − QNLI", OF_TASK["sst2"], OF_TASK["qnli"]),
        ("AG News − QNLI", OF_TASK["agnews"], OF_TASK["qnli"]),
    ),
    "The smaller the data, the larger SIGnAL's gain: 0.1% above 1%, on average over the tasks": (
        ("gain at 0.1% − gain at 1%, mean of the tasks", SMALL, LARGE),
    ),
    "On SST-2 SIGnAL gains more at 0.1% than at 1%": (("gain at 0.1% − gain at 1%", ["sst2-0.1%"], ["sst2-1%"]),),
    "On AG News SIGnAL gains more at 0.1% than at 1%": (("gain at 0.1% − gain at 1%", ["agnews-0.1%"], ["agnews-1%"]),),
    "On QNLI SIGnAL gains more at 1% than at 0.1%": (("gain at 1% − gain at 0.1%", ["qnli-1%"], ["qnli-0.1%"]),),
}
"""Claims of where SIGnAL gains more: the parts are mean gains over settings, minus mean gains over other settings."""

Ranks = Mapping[str, Any]

RANKED: tuple[tuple[str, int | None, Callable[[Ranks], Any]], ...] = (
    (
        "BERTKM is the best pool-based method in most settings",
        len(SETTINGS) // 2 + 1,
        lambda ranks: ranks["bertkm"] == 1,
    ),
    (
        "Entropy is among the two best pool-based methods in every setting",
        None,
        lambda ranks: ranks["entropy"] <= 2,
    ),
    (
        "BADGE and CAL lie between: behind BERTKM and Entropy, ahead of random (mean ranks)",
        None,
        lambda ranks: np.stack(
            [
                ranks[ahead].mean(axis=0) < ranks[behind].mean(axis=0)
                for mixed in ("badge", "cal")
                for ahead, behind in (("bertkm", mixed), ("entropy", mixed), (mixed, "random"))
            ]
        ),
    ),
)
"""Claims about the ranks of the pool-based methods by their areas: the number of parts that must hold (None: all), and
the parts, from each method's ranks by setting."""


def claims(runs: Runs) -> list[Claim]:
    """Return the claims of the paper, then the questions of this project, each judged by these runs.

    Settings and methods are known by their names in a study, such as "sst2-0.1%" and "SIGnAL". A claim for which runs
    are missing names them.
    """
    measured = Measures(runs.rounds)
    return [
        *above_pool_based(measured),
        *gains_compared(measured),
        label_balance(runs.rounds),
        *pool_based(measured),
        *questions(runs, measured),
    ]


def above_pool_based(measured: Measures) -> list[Claim]:
    """Judge SIGnAL above each pool-based method: at the end of each curve, at equal labels, and along the curves."""
    found = []
    for text, ours, theirs in ABOVE:
        each = {setting: _above_each(measured, setting, ours, theirs) for setting in SETTINGS}
        over = {setting: measured.over(setting, SIGNAL, POOL_BASED, ours, theirs) for setting in SETTINGS}
        parts = [dataclasses.replace(e, name=f"{setting}: {e.name}") for setting in SETTINGS for e in each[setting]]
        lacking = _lacking(measured, SETTINGS, ours, theirs)
        found.append(judge(f"Consistently, in every setting, {text}", parts, lacking, _over_mean(over)))
        for s in SETTINGS if ours != "area_100" else ():
            lacking = _lacking(measured, [s], ours, theirs)
            found.append(judge(f"On {s} {text}", each[s], lacking, _over_mean({"SIGnAL": over[s]})))
    return found


def gains_compared(measured: Measures) -> list[Claim]:
    """Judge where SIGnAL gains most, and that it begins below."""
    gains = {setting: measured.over(setting, SIGNAL, POOL_BASED, "at_200", "at_100") for setting in SETTINGS}
    shown = ", ".join(str(Effect.of(setting, gain)) for setting, gain in gains.items() if any_seed(gain))
    found: list[Claim] = []
    for claim, parts in GAINS.items():
        effects = [
            Effect.of(name, mean([gains[s] for s in more]) - mean([gains[s] for s in less]))
            for name, more, less in parts
        ]
        settings = [s for s in SETTINGS if any(s in (*more, *less) for _, more, less in parts)]
        also = f"gains: {shown}" if shown and not found else ""
        found.append(judge(claim, effects, _lacking(measured, settings, "at_200", "at_100"), also))
    early = [
        Effect.of(f"{setting}: pool-based − SIGnAL", -measured.over(setting, SIGNAL, POOL_BASED, "area_30"))
        for setting in SETTINGS
    ]
    text = "Early, in every setting, SIGnAL is below the mean of the pool-based methods"
    found.insert(2, judge(text, early, _lacking(measured, SETTINGS, "area_30", "area_30")))
    return found


def label_balance(rounds: Any) -> Claim:
    """Judge that QNLI's synthetic texts turn from entailment alone to both classes.

    Of the texts that are labeled in the first and in the last third of the rounds.
    """
    effects, shown, absent = [], [], []
    for setting in OF_TASK["qnli"]:
        of_setting = rounds[(rounds["setting"] == setting) & (rounds["method"] == SIGNAL)]
        if of_setting.empty:
            absent.append(setting)
        shares = np.array([_first_and_last(run) for _, run in of_setting.groupby("seed")]).reshape(-1, 2)
        (first, last), (far, near) = shares.T, abs(shares.T - 0.5)
        effects += [
            Effect.of(f"{setting}: first share of entailment − {ONLY:.0%}", first - ONLY, SHARE_MARGIN),
            Effect.of(f"{setting}: nearer to half at last", far - near, SHARE_MARGIN),
        ]
        if any_seed(first):
            means = f"{np.nanmean(first):.0%} at first, {np.nanmean(last):.0%} at last"
            shown.append(f"{setting}: share of entailment {means}")
    text = (
        f"On QNLI the generator first writes entailment alone (over {ONLY:.0%} of its labeled texts), and the classes "
        "grow balanced"
    )
    return judge(text, effects, f"{SIGNAL} on {', '.join(absent)}" if absent else "", "; ".join(shown))


def _first_and_last(run: Any) -> tuple[float, float]:
    """Return the share of entailment in a run's synthetic texts, in the first and the last third of its rounds."""
    counts = np.array(run[run["index"] > 0]["synthetic_label_counts"].tolist(), dtype=float)
    third = max(1, len(counts) // 3)
    first, last = counts[:third].sum(axis=0), counts[-third:].sum(axis=0)
    if len(counts) < 2 or not (first.any() and last.any()):
        return np.nan, np.nan
    entailment = get_task("qnli").class_names.index("entailment")
    return float(first[entailment] / first.sum()), float(last[entailment] / last.sum())


def pool_based(measured: Measures) -> list[Claim]:
    """Judge how the pool-based methods compare with each other, by their areas up to 100 %."""
    over = {m: [measured.over(setting, m, ["random"], "area_100") for setting in SETTINGS] for m in POOL_BASED}
    above = [Effect.of(f"{method} − random", mean(over[method])) for method in POOL_BASED if method != "random"]
    lacking = measured.lacking(SETTINGS, dict.fromkeys(POOL_BASED, "area_100"))
    return [
        judge("Every pool-based method is above random (areas, on average over the settings)", above, lacking),
        *(_ranked(measured, text, need, holds, lacking) for text, need, holds in RANKED),
    ]


def _ranked(measured: Measures, text: str, need: int | None, holds: Callable[[Ranks], Any], lacking: str) -> Claim:
    """Judge a statement about the ranks of the pool-based methods' areas."""
    areas = [np.stack([measured.of(setting, method, "area_100") for method in POOL_BASED]) for setting in SETTINGS]
    areas = [area[:, ~np.isnan(area).any(axis=0)] for area in areas]  # the seeds that all methods have
    if lacking or not all(area.size for area in areas):
        return Claim(text, f"missing: {lacking or 'seeds that all methods have'}", "not measured", 0)

    def statement(ranks: Any) -> Any:
        return holds(dict(zip(POOL_BASED, np.moveaxis(ranks, 1, 0), strict=True)))

    ranking = rank_statement(areas, statement, need)
    ranks = ", ".join(f"{m} {rank:.1f}" for m, rank in zip(POOL_BASED, ranking.ranks.mean(axis=0), strict=True))
    first = ", ".join(f"{m} {int(n)}" for m, n in zip(POOL_BASED, (ranking.ranks == 1).sum(axis=0), strict=True))
    evidence = (
        f"holds with probability {ranking.probability:.2f}; mean ranks: {ranks}; first in settings: {first} "
        f"(n = {ranking.seeds})"
    )
    return Claim(text, evidence, ranking.decision.verdict, ranking.seeds, ranking.decision.seeds_needed)


def _above_each(measured: Measures, setting: str, ours: str, theirs: str) -> list[Effect]:
    """Return SIGnAL minus each pool-based method; those that give the same numbers are one effect."""
    found: dict[tuple[float, ...], list[str]] = {}
    for method in POOL_BASED:
        effect = Effect.of(method, measured.over(setting, SIGNAL, [method], ours, theirs))
        found.setdefault(effect.differences, []).append(method)
    named = {d: "all pool-based" if len(m) == len(POOL_BASED) else ", ".join(m) for d, m in found.items()}
    return [Effect(f"SIGnAL − {name}", differences) for differences, name in named.items()]


def _over_mean(over: Mapping[str, Any]) -> str:
    """Return SIGnAL minus the mean of the pool-based methods in words, where there is such a number."""
    effects = [str(Effect.of(name, values)) for name, values in over.items() if any_seed(values)]
    return f"minus the mean of the five: {', '.join(effects)}" if effects else ""


def _lacking(measured: Measures, settings: Sequence[str], ours: str, theirs: str) -> str:
    return measured.lacking(settings, {SIGNAL: ours} | dict.fromkeys(POOL_BASED, theirs))
