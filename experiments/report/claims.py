"""The claims of the paper's section 5.4 and this project's questions, each with its evidence and a verdict.

`claims.yaml` has those that differ only in names; `effects` judges differences that are paired by seed, `rankings`
ranks. The comparisons:

- "SIGnAL above pool-based" is SIGnAL minus each of the five pool-based methods, which implies the mean of them and the
  best. At 100 % these have all labeled the same texts: those whose numbers are the same are one comparison.
- A *gain* is SIGnAL's accuracy at 200 % minus the mean accuracy of the five at 100 %, as the paper's curves end.
- An *area* is the mean accuracy over a range of labels, and "early" means from the initial labels to 30 % of |R|.
"""

import dataclasses
import fnmatch
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import numpy as np
import yaml

from experiments.names import POOL_BASED, SIGNAL, TASKS
from experiments.report.claim import Claim, judge
from experiments.report.effects import Effect
from experiments.report.rankings import Statement, rank_statement
from experiments.report.statistics import Array, Measures, second_half
from experiments.runs import Runs
from signal_env.tasks import get_task

STATEMENTS = yaml.safe_load(files("experiments.report").joinpath("claims.yaml").read_text(encoding="utf-8"))

SETTINGS = tuple(f"{task}-{fraction}" for task in TASKS for fraction in ("0.1%", "1%"))
"""The settings of the paper's Figure 3."""

ONLY = 0.9
"""The share of a class from which on texts count as "exclusively" of it."""

SHARE_MARGIN = 0.05
"""Shares of labels that differ by less count as equal: that is one text in twenty."""

RANDOM, ENTROPY, BERTKM, BADGE, CAL = range(len(POOL_BASED))

MOST, ALL = len(SETTINGS) // 2 + 1, None


def _between(ranks: Array) -> Any:
    pairs = [pair for mixed in (BADGE, CAL) for pair in ((BERTKM, mixed), (ENTROPY, mixed), (mixed, RANDOM))]
    return np.stack([ranks[:, ahead].mean(axis=0) < ranks[:, behind].mean(axis=0) for ahead, behind in pairs])


RANKED: tuple[tuple[str, int | None, Statement], ...] = (
    ("BERTKM is the best pool-based method in most settings", MOST, lambda ranks: ranks[:, BERTKM] == 1),
    ("Entropy is among the two best pool-based methods in every setting", ALL, lambda ranks: ranks[:, ENTROPY] <= 2),
    ("BADGE and CAL lie between: behind BERTKM and Entropy, ahead of random (mean ranks)", ALL, _between),
)
"""Claims about the ranks of the pool-based methods by their areas: the number of parts that must hold, and which."""


def claims(runs: Runs) -> list[Claim]:
    """Return the claims of the paper, then the questions of this project, each judged by these runs.

    Settings and methods are known by their names in a study, such as "sst2-0.1%" and "SIGnAL". A claim for which runs
    are missing names them.
    """
    measured = Measures(runs.rounds)
    helps, *questions = (on_average(measured, *question) for question in STATEMENTS["questions"])
    return [
        *above_pool_based(measured),
        *gains_compared(measured),
        label_balance(runs.rounds),
        *pool_based(measured),
        helps,
        lift(runs.metrics),
        *questions,
        *annotator_noise(runs, measured),
        *(
            on_average(measured, f"{method} is below SIGnAL up to 200 %", SIGNAL, method, "area_200")
            for pattern in STATEMENTS["ablations"]
            for method in fnmatch.filter(measured.methods, pattern)
        ),
    ]


def above_pool_based(measured: Measures) -> list[Claim]:
    """Judge SIGnAL above each pool-based method: at the end of each curve, at equal labels, and along the curves."""
    found = []
    for text, ours, theirs in STATEMENTS["above"]:
        each = {setting: _above_each(measured, setting, ours, theirs) for setting in SETTINGS}
        over = {setting: measured.over(setting, SIGNAL, POOL_BASED, ours, theirs) for setting in SETTINGS}
        parts = [dataclasses.replace(e, name=f"{setting}: {e.name}") for setting in SETTINGS for e in each[setting]]
        lacking = _lacking(measured, SETTINGS, ours, theirs)
        mean = "minus the mean of the five: "
        found.append(judge(f"Consistently, in every setting, {text}", parts, lacking, _in_words(over, mean)))
        for s in SETTINGS if ours != "area_100" else ():
            lacking = _lacking(measured, [s], ours, theirs)
            found.append(judge(f"On {s} {text}", each[s], lacking, _in_words({"SIGnAL": over[s]}, mean)))
    return found


def gains_compared(measured: Measures) -> list[Claim]:
    """Judge where SIGnAL gains most, and that it begins below."""
    gains = {setting: measured.over(setting, SIGNAL, POOL_BASED, "at_200", "at_100") for setting in SETTINGS}
    found: list[Claim] = []
    for claim, parts in (statement.values() for statement in STATEMENTS["gains"]):
        effects = [
            Effect.of(name, np.mean([gains[s] for s in more], axis=0) - np.mean([gains[s] for s in less], axis=0))
            for name, more, less in parts
        ]
        settings = [s for s in SETTINGS if any(s in (*more, *less) for _, more, less in parts)]
        also = "" if found else _in_words(gains, "gains: ")
        found.append(
            judge(
                claim,
                effects,
                _lacking(measured, settings, "at_200", "at_100"),
                also,
            )
        )
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
    entailment = get_task("qnli").class_names.index("entailment")
    for setting in [setting for setting in SETTINGS if setting.startswith("qnli")]:
        of_setting = rounds[(rounds["setting"] == setting) & (rounds["method"] == SIGNAL)]
        if of_setting.empty:
            absent.append(setting)
        shares = []
        for _, run in of_setting[of_setting["index"] > 0].groupby("seed"):
            counts = np.array(run["synthetic_label_counts"].tolist(), dtype=float)
            third = max(1, len(counts) // 3)
            ends = np.array([counts[:third].sum(axis=0), counts[-third:].sum(axis=0)])
            if len(counts) > 1 and ends.any(axis=1).all():
                shares.append(ends[:, entailment] / ends.sum(axis=1))
        first, last = np.reshape(shares, (-1, 2)).T
        effects += [
            Effect.of(f"{setting}: first share of entailment − {ONLY:.0%}", first - ONLY, SHARE_MARGIN),
            Effect.of(f"{setting}: nearer to half at last", abs(first - 0.5) - abs(last - 0.5), SHARE_MARGIN),
        ]
        if shares:
            shown.append(f"{setting}: share of entailment {first.mean():.0%} at first, {last.mean():.0%} at last")
    text = (
        f"On QNLI the generator first writes entailment alone (over {ONLY:.0%} of its labeled texts), and the classes "
        "grow balanced"
    )
    return judge(text, effects, f"{SIGNAL} on {', '.join(absent)}" if absent else "", "; ".join(shown))


def pool_based(measured: Measures) -> list[Claim]:
    """Judge how the pool-based methods compare with each other, by their areas up to 100 %."""
    areas = [np.stack([measured.of(setting, method, "area_100") for method in POOL_BASED]) for setting in SETTINGS]
    over = np.mean([area - area[RANDOM] for area in areas], axis=0)
    above = [Effect.of(f"{method} − random", over[i]) for i, method in enumerate(POOL_BASED) if i != RANDOM]
    lacking = measured.lacking(SETTINGS, dict.fromkeys(POOL_BASED, "area_100"))
    found = [judge("Every pool-based method is above random (areas, on average over the settings)", above, lacking)]
    areas = [area[:, ~np.isnan(area).any(axis=0)] for area in areas]  # the seeds that all methods have
    for text, need, statement in RANKED:
        if lacking or not all(area.size for area in areas):
            found.append(Claim(text, f"missing: {lacking or 'seeds that all methods have'}", "not measured", 0))
            continue
        (verdict, needed), probability, of_each, seeds = rank_statement(areas, statement, need)
        ranks = ", ".join(f"{m} {rank:.1f}" for m, rank in zip(POOL_BASED, of_each.mean(axis=0), strict=True))
        first = ", ".join(f"{m} {n}" for m, n in zip(POOL_BASED, (of_each == 1).sum(axis=0), strict=True))
        evidence = f"holds with probability {probability:.2f}; mean ranks: {ranks}; first in settings: {first}"
        found.append(Claim(text, f"{evidence} (n = {seeds})", verdict, seeds, needed))
    return found


def on_average(measured: Measures, claim: str, method: str, other: str, measure: str) -> Claim:
    """Judge that a method is above another, on average over the settings in which both have played."""
    each = {s: measured.over(s, method, [other], measure) for s in measured.settings(method, other)}
    if not each:
        return judge(claim, [], f"a setting with both {method} and {other}", origin="project")
    effect = Effect.of(f"{method} − {other}, mean of {len(each)} settings", np.mean([*each.values()], axis=0))
    lacking = measured.lacking([*each], {method: measure, other: measure})
    return judge(claim, [effect], lacking, _in_words(each) if len(each) > 1 else "", origin="project")


def lift(metrics: Any) -> Claim:
    """Judge that SIGnAL's texts score above the reference's in every setting, in the second half of the rounds."""
    claim = "Reinforcement learning raises the reward: SIGnAL's lift over its reference is above 0 in every setting"
    effects = []
    if "lift/mean" in metrics:
        late = second_half(metrics[metrics["method"] == SIGNAL].dropna(subset="lift/mean"))
        for setting, of_setting in late.groupby("setting"):
            by_seed = of_setting.groupby("seed")["lift/mean"].mean().to_numpy()
            effects.append(Effect.of(f"{setting}: reward, rounds of the second half", by_seed, 0.0, in_points=False))
    return judge(claim, effects, "" if effects else f"{SIGNAL}'s lift", origin="project")


def annotator_noise(runs: Runs, measured: Measures) -> list[Claim]:
    """Judge that the annotator's noise lowers the accuracy at the end, among runs that are alike in all else."""
    groups: dict[str, dict[float, tuple[str, str]]] = {}
    columns = ["setting", "method", "folder"]
    for setting, method, folder in runs.rounds[columns].drop_duplicates().itertuples(index=False):
        config = {k: v for k, v in runs.configs[folder].items() if k not in ("setting", "method", "seed")}
        options = dict(config.get("options", {}))
        noise = float(options.pop("annotator_noise", 0.0))
        alike = json.dumps(config | {"options": options}, sort_keys=True, default=str)
        groups.setdefault(alike, {})[noise] = (setting, method)
    levels: dict[float, list[Effect]] = {}
    for names in groups.values():
        if (clean := names.pop(0.0, None)) is None:
            continue
        for noise, noisy in names.items():
            lost = measured.of(*clean, "end") - measured.of(*noisy, "end")
            levels.setdefault(noise, []).append(Effect.of(f"{' '.join(clean)}: without − with", lost))
    if not levels:
        claim = "Noise of the annotator lowers the accuracy"
        return [judge(claim, [], "runs that differ in annotator_noise alone", origin="project")]
    return [
        judge(f"Noise of the annotator of {noise:.0%} lowers the accuracy at the end", levels[noise], origin="project")
        for noise in sorted(levels)
    ]


def _above_each(measured: Measures, setting: str, ours: str, theirs: str) -> list[Effect]:
    """Return SIGnAL minus each pool-based method; those that give the same numbers are one effect."""
    found: dict[tuple[float, ...], list[str]] = {}
    for method in POOL_BASED:
        effect = Effect.of(method, measured.over(setting, SIGNAL, [method], ours, theirs))
        found.setdefault(effect.differences, []).append(method)
    named = {d: "all pool-based" if len(m) == len(POOL_BASED) else ", ".join(m) for d, m in found.items()}
    return [Effect(f"SIGnAL − {name}", differences) for differences, name in named.items()]


def _in_words(differences: Mapping[str, Array], title: str = "") -> str:
    """Return a title and differences by seed in words, as far as there are such."""
    effects = [Effect.of(name, by_seed) for name, by_seed in differences.items()]
    shown = ", ".join(str(effect) for effect in effects if effect.n)
    return shown and title + shown


def _lacking(measured: Measures, settings: Sequence[str], ours: str, theirs: str) -> str:
    return measured.lacking(settings, {SIGNAL: ours} | dict.fromkeys(POOL_BASED, theirs))
