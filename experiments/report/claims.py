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
from experiments.report.measures import Measures, mean
from experiments.report.questions import questions
from experiments.report.rankings import rank_statement
from experiments.runs import Runs
from signal_env.tasks import get_task
from signal_env.utils.extras import require

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
        *where_most(measured),
        *smaller_pools(measured),
        label_balance(runs.rounds),
        *pool_based(measured),
        *questions(runs, measured),
    ]


def above_pool_based(measured: Measures) -> list[Claim]:
    """Judge SIGnAL above each pool-based method: at the end of each one's curve, at equal labels, and along the curve."""
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


def where_most(measured: Measures) -> list[Claim]:
    """Judge where SIGnAL gains most, and that it begins below."""
    gains = _gains(measured)
    most = mean([gains[s] for s in ESPECIALLY]) - mean([gains[s] for s in SETTINGS if s not in ESPECIALLY])
    tasks = {task: mean([gains[f"{task}-{fraction}"] for fraction in FRACTIONS]) for task in TASKS}
    above_qnli = [Effect.of(f"{TASKS[t]} − QNLI", (tasks[t] - tasks["qnli"]).dropna()) for t in ("sst2", "agnews")]
    below = {s: -measured.over(s, SIGNAL, POOL_BASED, "area_30") for s in SETTINGS}
    lacking = _lacking(measured, SETTINGS, "at_200", "at_100")
    shown = ", ".join(str(Effect.of(setting, gain)) for setting, gain in gains.items() if len(gain))
    return [
        judge(
            f"SIGnAL's gain is largest on {', '.join(ESPECIALLY)}: their mean is above that of the other settings",
            [Effect.of("these − the others", most.dropna())],
            lacking,
            f"gains: {shown}" if shown else "",
        ),
        judge(
            "SIGnAL gains more on SST-2 and on AG News than on QNLI (means over both pool sizes)", above_qnli, lacking
        ),
        judge(
            "Early, in every setting, SIGnAL is below the mean of the pool-based methods",
            [Effect.of(f"{setting}: pool-based − SIGnAL", values) for setting, values in below.items()],
            _lacking(measured, SETTINGS, "area_30", "area_30"),
        ),
    ]


def smaller_pools(measured: Measures) -> list[Claim]:
    """Judge that SIGnAL gains more where there is less data; for QNLI the paper says the opposite."""
    small, large = FRACTIONS
    gains = _gains(measured)
    more = {task: (gains[f"{task}-{small}"] - gains[f"{task}-{large}"]).dropna() for task in TASKS}
    found = [
        judge(
            f"The smaller the data, the larger SIGnAL's gain: {small} above {large}, on average over the tasks",
            [Effect.of(f"gain at {small} − gain at {large}, mean of the tasks", mean([*more.values()]))],
            _lacking(measured, SETTINGS, "at_200", "at_100"),
        )
    ]
    for task, name in TASKS.items():
        high, low, sign = (large, small, -1) if task == "qnli" else (small, large, 1)
        effect = Effect.of(f"gain at {high} − gain at {low}", sign * more[task])
        lacking = _lacking(measured, [f"{task}-{small}", f"{task}-{large}"], "at_200", "at_100")
        found.append(judge(f"On {name} SIGnAL gains more at {high} than at {low}", [effect], lacking))
    return found


def label_balance(rounds: Any) -> Claim:
    """Judge that QNLI's synthetic texts turn from entailment alone to both classes.

    Of the texts that are labeled in the first and in the last third of the rounds.
    """
    effects, shown, absent = [], [], []
    for setting in (f"qnli-{fraction}" for fraction in FRACTIONS):
        shares = _first_and_last(rounds[(rounds["setting"] == setting) & (rounds["method"] == SIGNAL)])
        if shares is None:
            absent.append(setting)
            shares = require("pandas", "plots").DataFrame(columns=["first", "last"], dtype=float)
        nearer = (shares["first"] - 0.5).abs() - (shares["last"] - 0.5).abs()
        effects += [
            Effect.of(f"{setting}: first share of entailment − {ONLY:.0%}", shares["first"] - ONLY, SHARE_MARGIN),
            Effect.of(f"{setting}: nearer to half at last", nearer, SHARE_MARGIN),
        ]
        if len(shares):
            first, last = shares.mean()
            shown.append(f"{setting}: share of entailment {first:.0%} at first, {last:.0%} at last")
    text = (
        f"On QNLI the generator first writes entailment alone (over {ONLY:.0%} of its labeled texts), and the classes "
        "grow balanced"
    )
    return judge(text, effects, f"{SIGNAL} on {', '.join(absent)}" if absent else "", "; ".join(shown))


def _first_and_last(rounds: Any) -> Any:
    """Return the share of entailment in the first and in the last third of the rounds by seed; None without runs."""
    entailment = get_task("qnli").class_names.index("entailment")
    shares = {}
    for seed, run in rounds[rounds["index"] > 0].groupby("seed"):
        counts = np.array(run["synthetic_label_counts"].tolist(), dtype=float)
        third = max(1, len(counts) // 3)
        ends = counts[:third].sum(axis=0), counts[-third:].sum(axis=0)
        if len(counts) > 1 and all(end.any() for end in ends):
            shares[seed] = [end[entailment] / end.sum() for end in ends]
    if rounds.empty:
        return None
    return require("pandas", "plots").DataFrame.from_dict(shares, orient="index", columns=["first", "last"])


def pool_based(measured: Measures) -> list[Claim]:
    """Judge how the pool-based methods compare with each other, by their areas up to 100 %."""
    above = [
        Effect.of(
            f"{method} − random", mean([measured.over(setting, method, ["random"], "area_100") for setting in SETTINGS])
        )
        for method in POOL_BASED
        if method != "random"
    ]
    lacking = measured.lacking(SETTINGS, dict.fromkeys(POOL_BASED, "area_100"))
    return [
        judge("Every pool-based method is above random (areas, on average over the settings)", above, lacking),
        *(_ranked(measured, text, need, holds, lacking) for text, need, holds in RANKED),
    ]


def _ranked(measured: Measures, text: str, need: int | None, holds: Callable[[Ranks], Any], lacking: str) -> Claim:
    """Judge a statement about the ranks of the pool-based methods' areas."""
    pandas = require("pandas", "plots")
    areas = [
        pandas.concat([measured.of(setting, method, "area_100") for method in POOL_BASED], axis=1, join="inner")
        for setting in SETTINGS
    ]
    if lacking or any(area.empty for area in areas):
        return Claim(text, f"missing: {lacking or 'seeds that all methods have'}", "not measured", 0)

    def statement(ranks: Any) -> Any:
        return holds(dict(zip(POOL_BASED, np.moveaxis(ranks, 1, 0), strict=True)))

    ranking = rank_statement([area.to_numpy().T for area in areas], statement, need)
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
    effects = [str(Effect.of(name, values)) for name, values in over.items() if len(values)]
    return f"minus the mean of the five: {', '.join(effects)}" if effects else ""


def _gains(measured: Measures) -> dict[str, Any]:
    """Return SIGnAL's gain by setting and seed: at 200 % over the mean of the pool-based methods at 100 %."""
    return {setting: measured.over(setting, SIGNAL, POOL_BASED, "at_200", "at_100") for setting in SETTINGS}


def _lacking(measured: Measures, settings: Sequence[str], ours: str, theirs: str) -> str:
    return measured.lacking(settings, {SIGNAL: ours} | dict.fromkeys(POOL_BASED, theirs))
