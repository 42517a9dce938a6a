"""The questions of this project about its own runs, beside the paper's claims: what each part of SIGnAL is good for."""

import fnmatch
import json
from collections.abc import Iterator
from typing import Any

from experiments.names import FROZEN, SIGNAL, WITHOUT_AL
from experiments.report.claim import Claim, judge
from experiments.report.effects import Effect
from experiments.report.measures import Measures, any_seed, mean
from experiments.report.statistics import second_half
from experiments.runs import Runs

COMPARISONS = (
    (
        "Reinforcement learning helps: SIGnAL's accuracy up to 200 % is above the frozen generator's",
        *(SIGNAL, FROZEN, "area_200"),
    ),
    (
        "Active learning helps generation: the frozen generator is above one whose texts are labeled at random",
        *(FROZEN, WITHOUT_AL, "area_200"),
    ),
    ("The schedule SIGnAL-linear is above SIGnAL early, up to 30 %", "SIGnAL-linear", SIGNAL, "area_30"),
    ("The schedule SIGnAL-linear is above SIGnAL at 200 %", "SIGnAL-linear", SIGNAL, "at_200"),
    ("The schedule SIGnAL-adaptive is above SIGnAL early, up to 30 %", "SIGnAL-adaptive", SIGNAL, "area_30"),
    ("The schedule SIGnAL-adaptive is above SIGnAL at 200 %", "SIGnAL-adaptive", SIGNAL, "at_200"),
    ("SIGnAL at 200 % is above gaal", SIGNAL, "gaal", "at_200"),
    ("SIGnAL up to 100 % is above asal", SIGNAL, "asal", "area_100"),
    ("SIGnAL at 200 % is above bgadl", SIGNAL, "bgadl", "at_200"),
)
"""Questions whether a method is above another one, by a measure."""

ABLATIONS = ("KL-only", "distance-only", "no-KL-penalty", "fixed-prompt", "fine-tuned", "SIGnAL-half", "offers-*")
"""Methods that are SIGnAL but for one thing, as the study of ablations names them; a * stands for anything."""


def questions(runs: Runs, measured: Measures) -> list[Claim]:
    """Return the questions as claims: each averages over the settings that have both sides, paired by seed."""
    ablations = [
        (f"{method} is below SIGnAL up to 200 %", SIGNAL, method, "area_200")
        for pattern in ABLATIONS
        for method in fnmatch.filter(measured.methods, pattern)
    ]
    first, *others = COMPARISONS
    return [
        on_average(measured, *first),
        lift(runs.metrics),
        *(on_average(measured, *comparison) for comparison in others),
        *annotator_noise(runs, measured),
        *(on_average(measured, *ablation) for ablation in ablations),
    ]


def on_average(measured: Measures, claim: str, method: str, other: str, measure: str) -> Claim:
    """Judge that a method is above another, on average over the settings in which both have played."""
    each = {s: measured.over(s, method, [other], measure) for s in measured.settings(method, other)}
    if not each:
        return judge(claim, [], f"a setting with both {method} and {other}", origin="project")
    effect = Effect.of(f"{method} − {other}, mean of {len(each)} settings", mean([*each.values()]))
    shown = ", ".join(str(Effect.of(setting, values)) for setting, values in each.items() if any_seed(values))
    lacking = measured.lacking([*each], {method: measure, other: measure})
    return judge(claim, [effect], lacking, shown if len(each) > 1 else "", origin="project")


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
    levels: dict[float, list[Effect]] = {}
    for noise, clean, noisy in _alike(runs):
        lost = measured.of(*clean, "end") - measured.of(*noisy, "end")
        levels.setdefault(noise, []).append(Effect.of(f"{' '.join(clean)}: without − with", lost))
    if not levels:
        claim = "Noise of the annotator lowers the accuracy"
        return [judge(claim, [], "runs that differ in annotator_noise alone", origin="project")]
    return [
        judge(f"Noise of the annotator of {noise:.0%} lowers the accuracy at the end", levels[noise], origin="project")
        for noise in sorted(levels)
    ]


def _alike(runs: Runs) -> Iterator[tuple[float, tuple[str, str], tuple[str, str]]]:
    """Yield runs that differ in the annotator's noise alone: the noise, setting and method without it, and with it."""
    groups: dict[str, dict[float, tuple[str, str]]] = {}
    columns = ["setting", "method", "folder"]
    for setting, method, folder in runs.rounds[columns].drop_duplicates().itertuples(index=False):
        config = {k: v for k, v in runs.configs[folder].items() if k not in ("setting", "method", "seed")}
        options = dict(config.get("options", {}))
        noise = float(options.pop("annotator_noise", 0.0))
        key = json.dumps(config | {"options": options}, sort_keys=True, default=str)
        groups.setdefault(key, {})[noise] = (setting, method)
    for names in groups.values():
        if 0.0 in names:
            yield from ((noise, names[0.0], noisy) for noise, noisy in names.items() if noise)
