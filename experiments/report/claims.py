"""The claims of the paper's section 5.4, each with the measured evidence and a verdict that comes from statistics.

How a verdict comes from differences that are paired by seed says `effects`, from ranks `rankings`. What is compared:

- "SIGnAL above pool-based" is SIGnAL minus each of the five pool-based methods, which implies the mean of them and the
  best. At 100 % these have all labeled the same texts: those whose numbers are the same are one comparison.
- A *gain* is SIGnAL's accuracy at 200 % minus the mean accuracy of the five at 100 %, as the paper's curves end.
- An *area* is the mean accuracy over a range of labels, and "early" means from the initial labels to 30 % of |R|.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.names import POOL_BASED, SIGNAL, TASKS
from experiments.report.claim import Claim, claims_frame, claims_table, effects_frame, judge
from experiments.report.effects import Effect
from experiments.report.measures import BySeed, Measures, common, mean, minus
from experiments.report.questions import questions
from experiments.report.rankings import Statement, rank_statement
from experiments.report.runs import Runs
from signal_env.tasks import get_task

__all__ = ["Claim", "claims", "claims_frame", "claims_table", "effects_frame"]

FRACTIONS = ("0.1%", "1%")
SETTINGS = tuple(f"{task}-{fraction}" for task in TASKS for fraction in FRACTIONS)
"""The paper's, in its Figure 3."""

ESPECIALLY = ("sst2-0.1%", "sst2-1%", "agnews-0.1%")
"""Where the paper sees the largest gains."""

ONLY = 0.9
"""The share of a class from which on texts are taken to be "exclusively" of it."""

SHARE_MARGIN = 0.05
"""Shares of labels that differ by less count as equal: that is one text in twenty."""


def claims(runs: Runs) -> list[Claim]:
    """The claims of the paper, then the questions of this project, each judged by these runs.

    Settings and methods are known by their names in a study, such as "sst2-0.1%" and "SIGnAL". A claim for which runs
    are missing says which.
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
    """SIGnAL above each pool-based method: at the end of each one's curve, at equal labels, and along the curve."""
    compared = (
        ("SIGnAL at 200 % is above every pool-based method at 100 %", "at_200", "at_100"),
        ("at equal labels, 100 %, SIGnAL is above every pool-based method", "at_100", "at_100"),
        ("SIGnAL's mean accuracy up to 100 % is above that of every pool-based method", "area_100", "area_100"),
    )
    found = []
    for text, ours, theirs in compared:
        each = {setting: _above_each(measured, setting, ours, theirs) for setting in SETTINGS}
        over_mean = {s: measured.over(s, SIGNAL, POOL_BASED, ours, theirs) for s in SETTINGS}
        parts = [dataclasses.replace(e, name=f"{setting}: {e.name}") for setting in SETTINGS for e in each[setting]]
        lacking = _lacking(measured, SETTINGS, ours, theirs)
        found.append(judge(f"Consistently, in every setting, {text}", parts, lacking, _minus_mean(over_mean)))
        if ours != "area_100":
            for s in SETTINGS:
                also = _minus_mean({"SIGnAL": over_mean[s]})
                found.append(judge(f"On {s} {text}", each[s], _lacking(measured, [s], ours, theirs), also))
    return found


def where_most(measured: Measures) -> list[Claim]:
    """Where SIGnAL gains most, and that it begins below."""
    gains = {setting: _gain(measured, setting) for setting in SETTINGS}
    others = [setting for setting in SETTINGS if setting not in ESPECIALLY]
    most = minus(mean([gains[s] for s in ESPECIALLY]), mean([gains[s] for s in others]))
    above = {s: measured.over(s, SIGNAL, POOL_BASED, "area_30") for s in SETTINGS}
    early = [Effect.of(f"{s}: pool-based − SIGnAL", {i: -d for i, d in over.items()}) for s, over in above.items()]
    tasks = {task: mean([gains[f"{task}-{fraction}"] for fraction in FRACTIONS]) for task in TASKS}
    above_qnli = [Effect.of(f"{TASKS[t]} − QNLI", minus(tasks[t], tasks["qnli"])) for t in ("sst2", "agnews")]
    lacking = _lacking(measured, SETTINGS, "at_200", "at_100")
    shown = ", ".join(str(Effect.of(setting, gain)) for setting, gain in gains.items() if gain)
    return [
        judge(
            f"SIGnAL's gain is largest on {', '.join(ESPECIALLY)}: their mean is above that of the other settings",
            [Effect.of("these − the others", most)],
            lacking,
            f"gains: {shown}" if shown else "",
        ),
        judge(
            "SIGnAL gains more on SST-2 and on AG News than on QNLI (means over both pool sizes)", above_qnli, lacking
        ),
        judge(
            "Early, in every setting, SIGnAL is below the mean of the pool-based methods",
            early,
            _lacking(measured, SETTINGS, "area_30", "area_30"),
        ),
    ]


def smaller_pools(measured: Measures) -> list[Claim]:
    """Whether SIGnAL gains more where there is less data; for QNLI the paper says the opposite."""
    small, large = FRACTIONS
    gains = {setting: _gain(measured, setting) for setting in SETTINGS}
    differences = [minus(gains[f"{task}-{small}"], gains[f"{task}-{large}"]) for task in TASKS]
    found = [
        judge(
            f"The smaller the data, the larger SIGnAL's gain: {small} above {large}, on average over the tasks",
            [Effect.of(f"gain at {small} − gain at {large}, mean of the tasks", mean(differences))],
            _lacking(measured, SETTINGS, "at_200", "at_100"),
        )
    ]
    for task, name in TASKS.items():
        more, less = (large, small) if task == "qnli" else (small, large)
        effect = Effect.of(f"gain at {more} − gain at {less}", minus(gains[f"{task}-{more}"], gains[f"{task}-{less}"]))
        lacking = _lacking(measured, [f"{task}-{small}", f"{task}-{large}"], "at_200", "at_100")
        found.append(judge(f"On {name} SIGnAL gains more at {more} than at {less}", [effect], lacking))
    return found


def label_balance(rounds: Any) -> Claim:
    """Whether QNLI's synthetic texts turn from entailment alone to both classes.

    Of the texts that are labeled in the first and in the last third of the rounds.
    """
    entailment = get_task("qnli").class_names.index("entailment")
    effects, shown, absent = [], [], []
    for setting in (f"qnli-{fraction}" for fraction in FRACTIONS):
        of_setting = rounds[(rounds["setting"] == setting) & (rounds["method"] == SIGNAL)]
        if of_setting.empty:
            absent.append(setting)
        pairs = {seed: _first_and_last(run, entailment) for seed, run in of_setting.groupby("seed")}
        shares = {seed: pair for seed, pair in pairs.items() if not np.isnan(pair).any()}
        only = {seed: first - ONLY for seed, (first, _) in shares.items()}
        nearer = {seed: abs(first - 0.5) - abs(last - 0.5) for seed, (first, last) in shares.items()}
        effects += [
            Effect.of(f"{setting}: first share of entailment − {ONLY:.0%}", only, SHARE_MARGIN),
            Effect.of(f"{setting}: nearer to half at last", nearer, SHARE_MARGIN),
        ]
        if shares:
            first, last = np.mean([*shares.values()], axis=0)
            shown.append(f"{setting}: share of entailment {first:.0%} at first, {last:.0%} at last")
    text = (
        f"On QNLI the generator first writes entailment alone (over {ONLY:.0%} of its labeled texts), and the classes "
        "grow balanced"
    )
    return judge(text, effects, f"{SIGNAL} on {', '.join(absent)}" if absent else "", "; ".join(shown))


def pool_based(measured: Measures) -> list[Claim]:
    """How the pool-based methods compare with each other, by their areas up to 100 %."""
    order = {method: i for i, method in enumerate(POOL_BASED)}

    def best(ranks: Any) -> Any:
        return ranks[:, order["bertkm"]] == 1

    def among_two(ranks: Any) -> Any:
        return ranks[:, order["entropy"]] <= 2

    def between(ranks: Any) -> Any:
        mean_of = dict(zip(POOL_BASED, ranks.mean(axis=0), strict=True))
        behind = [mean_of[good] < mean_of[mixed] for good in ("bertkm", "entropy") for mixed in ("badge", "cal")]
        return np.stack([*behind, *(mean_of[mixed] < mean_of["random"] for mixed in ("badge", "cal"))])

    chosen = [method for method in POOL_BASED if method != "random"]
    above = []
    for method in chosen:
        over_random = [measured.over(setting, method, ["random"], "area_100") for setting in SETTINGS]
        above.append(Effect.of(f"{method} − random", mean(over_random)))
    lacking = measured.lacking(SETTINGS, dict.fromkeys(POOL_BASED, "area_100"))
    return [
        judge("Every pool-based method is above random (areas, on average over the settings)", above, lacking),
        _ranked(measured, "BERTKM is the best pool-based method in most settings", best, need=len(SETTINGS) // 2 + 1),
        _ranked(measured, "Entropy is among the two best pool-based methods in every setting", among_two),
        _ranked(
            measured, "BADGE and CAL lie between: behind BERTKM and Entropy, ahead of random (mean ranks)", between
        ),
    ]


def _ranked(measured: Measures, text: str, statement: Statement, need: int | None = None) -> Claim:
    """The claim of a statement about the ranks of the pool-based methods' areas."""
    lacking = measured.lacking(SETTINGS, dict.fromkeys(POOL_BASED, "area_100"))
    areas = [[measured.of(setting, method, "area_100") for method in POOL_BASED] for setting in SETTINGS]
    seeds = [common(of_setting) for of_setting in areas]
    if lacking or not all(seeds):
        return Claim(text, f"missing: {lacking or 'seeds that all methods have'}", "not measured", 0)
    values = [np.array([[area[i] for i in of] for area in areas_]) for areas_, of in zip(areas, seeds, strict=True)]
    ranking = rank_statement(values, statement, need)
    ranks = ", ".join(f"{m} {rank:.1f}" for m, rank in zip(POOL_BASED, ranking.ranks.mean(axis=0), strict=True))
    first = ", ".join(f"{m} {int(n)}" for m, n in zip(POOL_BASED, (ranking.ranks == 1).sum(axis=0), strict=True))
    evidence = (
        f"holds with probability {ranking.probability:.2f}; mean ranks: {ranks}; first in settings: {first} "
        f"(n = {ranking.seeds})"
    )
    return Claim(text, evidence, ranking.decision.verdict, ranking.seeds, ranking.decision.seeds_needed)


def _above_each(measured: Measures, setting: str, ours: str, theirs: str) -> list[Effect]:
    """SIGnAL minus each pool-based method; those that give the same numbers are one effect."""
    found: dict[tuple[float, ...], list[str]] = {}
    for method in POOL_BASED:
        effect = Effect.of(method, measured.over(setting, SIGNAL, [method], ours, theirs))
        found.setdefault(effect.differences, []).append(method)
    named = {d: "all pool-based" if len(m) == len(POOL_BASED) else ", ".join(m) for d, m in found.items()}
    return [Effect(f"SIGnAL − {name}", differences) for differences, name in named.items()]


def _minus_mean(over_mean: Mapping[str, BySeed]) -> str:
    """SIGnAL minus the mean of the pool-based methods, where there is such a number."""
    effects = [Effect.of(name, values) for name, values in over_mean.items() if values]
    return f"minus the mean of the five: {', '.join(map(str, effects))}" if effects else ""


def _gain(measured: Measures, setting: str) -> BySeed:
    """SIGnAL's gain by seed: at 200 % over the mean of the pool-based methods at 100 %."""
    return measured.over(setting, SIGNAL, POOL_BASED, "at_200", "at_100")


def _lacking(measured: Measures, settings: Sequence[str], ours: str, theirs: str) -> str:
    return measured.lacking(settings, {SIGNAL: ours} | dict.fromkeys(POOL_BASED, theirs))


def _first_and_last(run: Any, label: int) -> tuple[float, float]:
    """The share of a label among a run's synthetic texts, in the first and in the last third of its rounds."""
    counts = np.array(run[run["index"] > 0]["synthetic_label_counts"].tolist(), dtype=float)
    if len(counts) < 2:
        return np.nan, np.nan
    third = max(1, len(counts) // 3)
    first, last = counts[:third].sum(axis=0), counts[-third:].sum(axis=0)
    if not (first.any() and last.any()):
        return np.nan, np.nan
    return float(first[label] / first.sum()), float(last[label] / last.sum())
