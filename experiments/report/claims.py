"""The claims of the paper's section 5.4 and this project's questions, each with its evidence and a verdict.

`claims.yaml` has those that differ only in names; `effects` judges differences that are paired by seed, `rankings`
ranks. The comparisons:

- "SIGnAL above pool-based" is SIGnAL minus each of the five pool-based methods, which implies the mean of them and the
  best. At 100 % these have all labeled the same texts: those whose numbers are the same are one comparison.
- A *gain* is SIGnAL's accuracy at 200 % minus the mean accuracy of the five at 100 %, as the paper's curves end.
- An *area* is the mean accuracy over a range of labels, and "early" means from the initial labels to 30 % of |R|.

A comparison rests on the seeds that all its methods have. Another metric may stand in the place of accuracy; "above"
then means better, also for the negative log-likelihood, of which less is better.
"""

import dataclasses
import fnmatch
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.metric import ACCURACY, Metric
from experiments.names import POOL_BASED, SIGNAL, TASKS
from experiments.report.claim import Claim, Origin, judge
from experiments.report.effects import Effect
from experiments.report.rankings import Statement, rank_statement
from experiments.report.statistics import Array, Measures, pool_agents, second_half
from experiments.runs import Runs
from signal_env.tasks import get_task
from signal_env.utils.reading import read_yaml

STATEMENTS = read_yaml(Path(__file__).with_name("claims.yaml"), "The claims of a report")

SETTINGS = tuple(f"{task}-{fraction}" for task in TASKS for fraction in ("0.1%", "1%"))
"""The settings of the paper's Figure 3."""

ONLY = 0.9
"""The share of a class from which on texts count as "exclusively" of it."""

SHARE_MARGIN = 0.05
"""Shares of labels that differ by less count as equal: that is one text in twenty."""

RANDOM, ENTROPY, BERTKM, BADGE, CAL = range(len(POOL_BASED))


def _between(ranks: Array) -> Any:
    pairs = [pair for mixed in (BADGE, CAL) for pair in ((BERTKM, mixed), (ENTROPY, mixed), (mixed, RANDOM))]
    return np.stack([ranks[:, ahead].mean(axis=0) < ranks[:, behind].mean(axis=0) for ahead, behind in pairs])


RANKED: tuple[tuple[str, bool, Statement, tuple[int, ...]], ...] = (
    ("BERTKM is the best pool-based method in most settings", False, lambda r: r[:, BERTKM] == 1, (0, 0, 1, 0, 0)),
    (
        "Entropy is among the two best pool-based methods in every setting",
        True,
        lambda ranks: ranks[:, ENTROPY] <= 2,
        (0, 1, 0, 0, 0),
    ),
    (
        "BADGE and CAL lie between: behind BERTKM and Entropy, ahead of random (mean ranks)",
        True,
        _between,
        (-1, 1, 1, 0, 0),
    ),
)
"""Claims about the ranks of the pool-based methods by their areas: whether all parts must hold or most of them, which
parts, and the methods that they favor, see `rank_statement`."""


def claims(runs: Runs, metric: Metric = ACCURACY) -> list[Claim]:
    """Return the claims of the paper, then the questions of this project, each judged by these runs.

    Settings and methods are known by their names in a study, such as "sst2-0.1%" and "SIGnAL". A claim for which runs
    are missing names them.
    """
    measured = Measures(runs.rounds, metric)
    helps, *questions = (on_average(measured, *question) for question in STATEMENTS["questions"])
    choosing = {str(config.get("method") or config["agent"]): config["agent"] for config in runs.configs.values()}
    choosing = {method: agent for method, agent in choosing.items() if agent in pool_agents()}
    return [
        *above_pool_based(measured),
        *gains_compared(measured),
        label_balance(runs.rounds),
        *pool_based(measured),
        helps,
        lift(runs.metrics),
        *questions,
        *elsewhere(measured),
        *(
            on_average(measured, f"{method} is above random up to 100 %", method, "random", "area_100")
            for method in measured.methods
            if method in choosing and method not in POOL_BASED
        ),
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
    for statement, ours, theirs in STATEMENTS["above"]:
        text = statement.format(metric=measured.metric.title)
        each = {setting: _above_each(measured, setting, ours, theirs) for setting in SETTINGS}
        over = {setting: measured.over(setting, SIGNAL, POOL_BASED, ours, theirs) for setting in SETTINGS}
        parts = [dataclasses.replace(e, name=f"{setting}: {e.name}") for setting in SETTINGS for e in each[setting]]
        lacking = _lacking(measured, SETTINGS, ours, theirs)
        mean = "minus the mean of the five: "
        found.append(judge(f"Consistently, in every setting, {text}", parts, lacking, _in_words(measured, over, mean)))
        for s in SETTINGS if ours != "area_100" else ():
            lacking = _lacking(measured, [s], ours, theirs)
            found.append(judge(f"On {s} {text}", each[s], lacking, _in_words(measured, {"SIGnAL": over[s]}, mean)))
    return found


def gains_compared(measured: Measures) -> list[Claim]:
    """Judge where SIGnAL gains most, and that it begins below."""
    gains = {setting: measured.over(setting, SIGNAL, POOL_BASED, "at_200", "at_100") for setting in SETTINGS}
    found: list[Claim] = []
    for claim, parts in (statement.values() for statement in STATEMENTS["gains"]):
        effects = [_effect(measured, name, _mean_of(gains, more) - _mean_of(gains, less)) for name, more, less in parts]
        settings = [s for s in SETTINGS if any(s in (*more, *less) for _, more, less in parts)]
        also = "" if found else _in_words(measured, gains, "gains: ")
        found.append(
            judge(
                claim,
                effects,
                _lacking(measured, settings, "at_200", "at_100"),
                also,
            )
        )
    early = [
        _effect(measured, f"{setting}: pool-based − SIGnAL", -measured.over(setting, SIGNAL, POOL_BASED, "area_30"))
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


def pool_based(measured: Measures, settings: Sequence[str] = SETTINGS, origin: Origin = "paper") -> list[Claim]:
    """Judge how the paper's pool-based methods compare with each other, by their areas up to 100 %."""
    also = "" if origin == "paper" else f"; {len(settings)} settings: {', '.join(settings)}"
    areas = [np.stack([measured.of(setting, method, "area_100") for method in POOL_BASED]) for setting in settings]
    over = np.mean([area - area[RANDOM] for area in areas], axis=0)
    above = [_effect(measured, f"{method} − random", over[i]) for i, method in enumerate(POOL_BASED) if i != RANDOM]
    lacking = measured.lacking(settings, dict.fromkeys(POOL_BASED, "area_100"))
    text = f"Every pool-based method is above random (areas, on average over the settings){also}"
    found = [judge(text, above, lacking, origin=origin)]
    areas = [area[:, ~np.isnan(area).any(axis=0)] for area in areas]  # the seeds that all methods have
    for statement_text, every, statement, favored in RANKED:
        text, need = f"{statement_text}{also}", None if every else len(settings) // 2 + 1
        if lacking or not all(area.size for area in areas):
            missing = f"missing: {lacking or 'seeds that all methods have'}"
            found.append(Claim(text, missing, "not measured", 0, origin=origin))
            continue
        (verdict, needed), probability, of_each, seeds = rank_statement(areas, statement, need, favored=favored)
        ranks = ", ".join(f"{m} {rank:.1f}" for m, rank in zip(POOL_BASED, of_each.mean(axis=0), strict=True))
        first = ", ".join(f"{m} {n}" for m, n in zip(POOL_BASED, (of_each == 1).sum(axis=0), strict=True))
        evidence = f"holds with probability {probability:.2f}; mean ranks: {ranks}; first in settings: {first}"
        found.append(Claim(text, f"{evidence} (n = {seeds})", verdict, seeds, needed, origin))
    return found


def elsewhere(measured: Measures) -> list[Claim]:
    """Judge the pool-based methods on all settings that they have played, if some of these are not the paper's."""
    settings = measured.settings(*POOL_BASED)
    more = [setting for setting in settings if setting not in SETTINGS]
    return pool_based(measured, [*(s for s in SETTINGS if s in settings), *more], "project") if more else []


def on_average(measured: Measures, claim: str, method: str, other: str, measure: str) -> Claim:
    """Judge that a method is above another, on average over the settings in which both have played."""
    claim = claim.format(metric=measured.metric.title)
    each = {s: measured.over(s, method, [other], measure) for s in measured.settings(method, other)}
    if not each:
        return judge(claim, [], f"a setting with both {method} and {other}", origin="project")
    effect = _effect(measured, f"{method} − {other}, mean of {len(each)} settings", np.mean([*each.values()], axis=0))
    lacking = measured.lacking([*each], {method: measure, other: measure})
    return judge(claim, [effect], lacking, _in_words(measured, each) if len(each) > 1 else "", origin="project")


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
            levels.setdefault(noise, []).append(_effect(measured, f"{' '.join(clean)}: without − with", lost))
    what = measured.metric.title if measured.metric.sign > 0 else "likelihood"
    if not levels:
        claim = f"Noise of the annotator lowers the {what}"
        return [judge(claim, [], "runs that differ in annotator_noise alone", origin="project")]
    return [
        judge(f"Noise of the annotator of {noise:.0%} lowers the {what} at the end", levels[noise], origin="project")
        for noise in sorted(levels)
    ]


def _effect(measured: Measures, name: str, by_seed: Array) -> Effect:
    """Return the effect of differences by the metric of the measures."""
    return Effect.of(name, by_seed, in_points=measured.metric.in_points)


def _mean_of(by_setting: Mapping[str, Array], settings: Sequence[str]) -> Array:
    return np.asarray(np.mean([by_setting[setting] for setting in settings], axis=0))


def _above_each(measured: Measures, setting: str, ours: str, theirs: str) -> list[Effect]:
    """Return SIGnAL minus each pool-based method; those that give the same numbers are one effect."""
    found: dict[tuple[float, ...], list[str]] = {}
    for method in POOL_BASED:
        effect = _effect(measured, method, measured.over(setting, SIGNAL, [method], ours, theirs))
        found.setdefault(effect.differences, []).append(method)
    named = {d: "all pool-based" if len(m) == len(POOL_BASED) else ", ".join(m) for d, m in found.items()}
    return [_effect(measured, f"SIGnAL − {name}", np.array(differences)) for differences, name in named.items()]


def _in_words(measured: Measures, differences: Mapping[str, Array], title: str = "") -> str:
    """Return a title and differences by seed in words, as far as there are such."""
    effects = [_effect(measured, name, by_seed) for name, by_seed in differences.items()]
    shown = ", ".join(str(effect) for effect in effects if effect.n)
    return shown and title + shown


def _lacking(measured: Measures, settings: Sequence[str], ours: str, theirs: str) -> str:
    return measured.lacking(settings, {SIGNAL: ours} | dict.fromkeys(POOL_BASED, theirs))
