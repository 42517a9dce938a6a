"""Scores of a method in a protocol, against the reference runs."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from experiments.config import RunError
from experiments.metric import METRICS
from experiments.report.statistics import DIGITS, curve_scores, iqm, stratified, student
from experiments.scoreboard.protocol import Protocol
from signal_env.utils.extras import require

pandas = require("pandas", "plots")

AT = ("at_50", "at_100", "at_200")
"""The scores at fixed numbers of labels."""

SCORES = ("area", *AT, "macro_f1_area", "macro_f1_at_100")
"""The scores of a run in points of accuracy or of macro-F1, each from 0 to 1."""

BASE = "random"
"""The method whose normalized score is 0."""

FEWEST = 5
"""Fewest runs, over all settings, of a bootstrap interval. With fewer it is much too narrow."""

Interval = dict[str, float | None]
"""A mean and the 95 % interval around it: `mean`, `low`, `high`; None where there is none."""


class Anchors(NamedTuple):
    """What normalized scores are relative to, by setting.

    Attributes:
        random: The area of each run of `random`, by setting and seed.
        means: A table by setting: `random`, its mean area; `whole_pool`, the mean accuracy of the classifier that has
            the labels of the whole pool; and `gap`, the difference.
    """

    random: Any
    means: Any


def run_table(rounds: Any) -> Any:
    """Return the scores of each run, a row for each setting, method and seed with the columns `SCORES`.

    An area is the mean along the curve from the first round to 100 % of the pool; NaN for a run that has not gone so
    far.
    """
    scores, macro_f1 = (curve_scores(rounds, METRICS[name]) for name in ("accuracy", "macro_f1"))
    table = scores[["area_100", *AT]].rename(columns={"area_100": "area"})
    return table.assign(macro_f1_area=macro_f1["area_100"], macro_f1_at_100=macro_f1["at_100"])


def anchors(references: Any) -> Anchors:
    """Return the anchors of the normalized score, from the result of `run_table` for the references.

    At 100 % `random` has labeled the whole pool, so its accuracy there is that of a classifier with all its labels.
    """
    random = references.xs(BASE, level="method")
    means = random.groupby("setting").mean()[["area", "at_100"]].set_axis(["random", "whole_pool"], axis="columns")
    return Anchors(random["area"], means.assign(gap=means["whole_pool"] - means["random"]))


def normalized(own: Any, of: Anchors) -> Any:
    """Return the normalized score of each run, by setting and seed: 0 is `random`, 100 the whole pool's labels.

    That is 100 times the run's area minus that of `random` on the same seed, over the mean accuracy of a classifier
    with the whole pool's labels minus the mean area of `random`. Equal seeds have equal pools: differences cancel.
    Over all seeds the mean is 100 times the method's mean area minus that of `random`, over the same.

    Args:
        own: The areas of the runs, by setting and seed.
        of: The anchors.

    Raises:
        RunError: If the references lack a setting, or all labels of its pool are worth no more than `random`.
    """
    settings = own.index.get_level_values("setting")
    gaps = of.means["gap"].reindex(settings)
    if (bad := ~(gaps > 0)).any():
        name = settings[int(bad.to_numpy().argmax())]
        raise RunError(
            f"No normalized score on {name}: expected references whose accuracy with the whole pool's labels is above "
            f"the area of {BASE}; got a difference of {gaps[bad].iloc[0]:.4g}."
        )
    gains = (own - of.random.reindex(own.index)).round(DIGITS)
    return 100 * gains / gaps.to_numpy()


class Scoreboard:
    """Scores of methods against the reference runs of a protocol.

    Attributes:
        protocol: The protocol.
        rounds: The rounds of the reference runs.
        anchors: What normalized scores are relative to.
        first: The size of the pool and the number of initial labels, a table by setting.

    Args:
        references: The rounds of the reference runs, see `references.COLUMNS`.
        protocol: The protocol.
    """

    def __init__(self, references: Any, protocol: Protocol) -> None:
        self.protocol, self.rounds, self._references = protocol, references, run_table(references)
        self.anchors = anchors(self._references)
        self.first = references.sort_values("labeled").groupby("setting")[["pool", "labeled"]].first()

    def score(self, own: Any) -> dict[str, Any]:
        """Return the scores of a method as plain data, from the rounds of its runs.

        Returns:
            `settings`, by name: `seeds`; `SCORES`, each a mean with its 95 % interval over seeds (Student's t); the
            anchors `random` and `whole_pool`; `score`, the normalized score; `differences`, the paired differences of
            areas to every reference, on the `pairs` of equal seeds; and `rank`, 1 plus the number of references with a
            larger mean on the seeds in common, `of` all of these and the method.
            `overall`: the `settings` that count; `not_played`, the others of the protocol; the number of `runs`; and
            `score`, the interquartile mean of their normalized scores with its 95 % stratified bootstrap interval
            (Agarwal et al. 2021).
        """
        runs, scores = run_table(own).droplevel("method"), self.normalized(own)
        settings = [name for name in self.protocol.settings if name in runs.index]
        by_setting = {name: self._in_setting(name, runs.loc[[name]], scores.loc[[name]]) for name in settings}
        left = [name for name in self.protocol.settings if name not in settings]
        overall = {"settings": settings, "not_played": left, "runs": len(runs), "score": aggregate(scores, settings)}
        return {"settings": by_setting, "overall": overall}

    def normalized(self, own: Any) -> Any:
        """Return the normalized score of each run of a method, by setting and seed, from the rounds of its runs."""
        return normalized(run_table(own).droplevel("method")["area"], self.anchors)

    @cached_property
    def references(self) -> dict[str, Any]:
        """The normalized scores of the runs of each reference, by setting and seed."""
        return {
            str(method): normalized(area.droplevel("method"), self.anchors)
            for method, area in self._references["area"].groupby(level="method")
        }

    def _in_setting(self, name: str, runs: Any, scores: Any) -> dict[str, Any]:
        base = self.anchors.means.loc[name]
        found: dict[str, Any] = {"seeds": len(runs)} | {each: interval(runs[each]) for each in SCORES}
        found |= {each: plain(base[each]) for each in ("random", "whole_pool")} | {"score": interval(scores)}
        found["differences"] = differences(runs["area"], self._references.loc[[name], "area"])
        means = [each["mean"] for each in found["differences"].values()]
        found["rank"] = None if None in means or not means else 1 + sum(mean < 0 for mean in means)
        return found | {"of": 1 + len(means)}


def differences(own: Any, theirs: Any) -> dict[str, dict[str, Any]]:
    """Return the paired differences to each reference on equal seeds, positive where the method is better.

    Args:
        own: The values of one setting's runs, by setting and seed.
        theirs: Those of the references, by setting, method and seed. References without a seed in common are left out.
    """
    found = {}
    for method, values in theirs.groupby(level="method"):
        both = own.to_frame("own").join(values.droplevel("method").rename("theirs"), how="inner")
        pairs = (both["own"] - both["theirs"]).round(DIGITS)
        if len(pairs):
            found[str(method)] = {"pairs": len(pairs), **interval(pairs)}
    return found


def aggregate(scores: Any, settings: Sequence[str]) -> dict[str, float | None]:
    """Return the interquartile mean of normalized scores over settings, with its 95 % stratified bootstrap interval.

    `iqm`, `low` and `high` are None where a run has no score. The last two are None also where a setting has one run,
    and where there are fewer than `FEWEST` runs in all.
    """
    samples = [scores.loc[name].to_numpy(np.float64) for name in settings]
    runs = sum(map(len, samples))
    whole = bool(samples) and not np.isnan(np.concatenate(samples)).any()
    fewest = 2 if runs >= FEWEST else FEWEST  # of one setting: in the second case no setting has as many
    values = stratified(samples, iqm, fewest) if whole else (np.nan,) * 3
    return dict(zip(("iqm", "low", "high"), map(plain, values), strict=True))


def interval(values: Any) -> Interval:
    """Return the mean of values and its 95 % interval (Student's t)."""
    found: Mapping[str, Any] = student(values.groupby(lambda _: 0)).iloc[0]
    return {name: plain(found[name]) for name in ("mean", "low", "high")}


def plain(value: float) -> float | None:
    """Return a number for JSON: a float with twelve decimals, or None for NaN."""
    return None if np.isnan(value) else round(float(value), DIGITS)
