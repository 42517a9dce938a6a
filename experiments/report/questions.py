"""What this project asks of its own runs, beside the paper's claims: what each part of SIGnAL is good for."""

import fnmatch
import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from experiments.names import FROZEN, SIGNAL, WITHOUT_AL
from experiments.report.claim import Claim, judge
from experiments.report.effects import Effect
from experiments.report.measures import MEASURES, BySeed, Measures, mean, minus
from experiments.report.runs import Runs

SCHEDULES = ("SIGnAL-linear", "SIGnAL-adaptive")
SYNTHESIS = {"gaal": "at_200", "asal": "area_100", "bgadl": "at_200"}
"""Query synthesis before SIGnAL, and what it is compared by: asal labels real texts alone, and ends at 100 %."""


ABLATIONS = ("KL-only", "distance-only", "no-KL-penalty", "fixed-prompt", "fine-tuned", "SIGnAL-half", "offers-*")
"""Methods that are SIGnAL but for one thing, as the study of ablations calls them; a * stands for anything."""


def questions(runs: Runs, measured: Measures) -> list[Claim]:
    """The questions as claims: each averages over the settings that have what it compares, paired by seed."""
    return [
        on_average(
            measured,
            "Reinforcement learning helps: SIGnAL's accuracy up to 200 % is above the frozen generator's",
            SIGNAL,
            FROZEN,
            "area_200",
        ),
        lift(runs.metrics),
        on_average(
            measured,
            "Active learning helps generation: the frozen generator is above one whose texts are labeled at random",
            FROZEN,
            WITHOUT_AL,
            "area_200",
        ),
        *(
            on_average(measured, f"The schedule {name} is above SIGnAL {when}", name, SIGNAL, measure)
            for name in SCHEDULES
            for when, measure in (("early, up to 30 %", "area_30"), ("at 200 %", "at_200"))
        ),
        *(
            on_average(measured, f"SIGnAL {MEASURES[measure]} is above {name}", SIGNAL, name, measure)
            for name, measure in SYNTHESIS.items()
        ),
        *annotator_noise(runs, measured),
        *ablations(measured),
    ]


def ablations(measured: Measures) -> list[Claim]:
    """Whether SIGnAL is better than each of the ablations that have played."""
    return [
        on_average(measured, f"{method} is below SIGnAL {MEASURES['area_200']}", SIGNAL, method, "area_200")
        for pattern in ABLATIONS
        for method in fnmatch.filter(measured.methods, pattern)
    ]


def on_average(measured: Measures, claim: str, method: str, other: str, measure: str) -> Claim:
    """Whether a method is above another, on average over the settings in which both have played."""
    settings = measured.settings([method, other])
    each = {setting: measured.over(setting, method, [other], measure) for setting in settings}
    if not each:
        return judge(claim, [], f"a setting with both {method} and {other}", origin="project")
    effect = Effect.of(f"{method} − {other}, mean of {len(each)} settings", mean([*each.values()]))
    shown = ", ".join(str(Effect.of(setting, values)) for setting, values in each.items() if values)
    lacking = measured.lacking(settings, {method: measure, other: measure})
    return judge(claim, [effect], lacking, shown if len(each) > 1 else "", origin="project")


def lift(metrics: Any) -> Claim:
    """Whether SIGnAL's texts score above the reference's in every setting, in the second half of the rounds."""
    claim = "Reinforcement learning raises the reward: SIGnAL's lift over its reference is above 0 in every setting"
    effects = []
    if "lift/mean" in metrics:
        said = metrics[metrics["method"] == SIGNAL].dropna(subset="lift/mean")
        for setting, of_setting in said.groupby("setting"):
            late = of_setting[of_setting["round"] > of_setting.groupby("seed")["round"].transform("max") / 2]
            by_seed = late.groupby("seed")["lift/mean"].mean().to_dict()
            effects.append(Effect.of(f"{setting}: reward, rounds of the second half", by_seed, 0.0, in_points=False))
    return judge(claim, effects, "" if effects else f"{SIGNAL}'s lift", origin="project")


def annotator_noise(runs: Runs, measured: Measures) -> list[Claim]:
    """Whether the annotator's noise lowers the accuracy at the end, among runs that are alike in all else."""
    levels: dict[float, list[Effect]] = {}
    for name, by_noise in _alike(runs, measured):
        clean = by_noise.pop(0.0)
        for noise, noisy in by_noise.items():
            levels.setdefault(noise, []).append(Effect.of(f"{name}: without − with", minus(clean, noisy)))
    if not levels:
        claim = "Noise of the annotator lowers the accuracy"
        return [judge(claim, [], "runs that differ in annotator_noise alone", origin="project")]
    return [
        judge(f"Noise of the annotator of {noise:.0%} lowers the accuracy at the end", levels[noise], origin="project")
        for noise in sorted(levels)
    ]


def _alike(runs: Runs, measured: Measures) -> Iterator[tuple[str, dict[float, BySeed]]]:
    """Runs that differ in their seed and their annotator's noise alone: accuracies at the end by noise and seed.

    Each has runs without noise, by whose setting and method it is named, and with it.
    """
    groups: dict[str, dict[float, tuple[str, str]]] = {}
    columns = ["setting", "method", "seed", "folder"]
    for setting, method, _, folder in runs.rounds[columns].drop_duplicates().itertuples(index=False):
        config = deepcopy(runs.configs[folder])
        noise = float(config.get("options", {}).pop("annotator_noise", 0.0))
        for name in ("setting", "method", "seed"):
            config.pop(name, None)
        groups.setdefault(json.dumps(config, sort_keys=True, default=str), {})[noise] = (setting, method)
    for names in groups.values():
        if 0.0 in names and len(names) > 1:
            by_noise = {noise: measured.of(*names[noise], "end") for noise in sorted(names)}
            yield " ".join(names[0.0]), by_noise
