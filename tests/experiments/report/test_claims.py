"""The claims table: runs made so that the verdicts are known by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import nct, t, ttest_rel

from experiments.metric import METRICS
from experiments.names import POOL_BASED, SIGNAL
from experiments.progress import console
from experiments.report.claim import claims_frame, claims_table, effects_frame, judge
from experiments.report.claims import (
    SETTINGS,
    above_pool_based,
    annotator_noise,
    claims,
    gains_compared,
    label_balance,
)
from experiments.report.effects import Effect
from experiments.report.statistics import Measures
from experiments.runs import Runs

NOISE = np.array([0.0, 0.002, -0.002, 0.001, -0.001])  # of the seeds, the same for all methods


def line(early, late, after=None):
    """Accuracies at each tenth of the pool: `early` up to 30 %, `late` from 40 % on, `after` beyond 100 %."""
    return [early] * 3 + [late] * 7 + ([] if after is None else [after] * 10)


def table(curves, counts=None):
    """Rounds like those of `Runs`: for each setting, method and seed the accuracies at each tenth of a pool of 100."""
    rows = []
    for (setting, method, seed), accuracies in curves.items():
        for index, accuracy in enumerate(accuracies):
            rows.append(
                {
                    "setting": setting,
                    "method": method,
                    "seed": seed,
                    "folder": f"{setting}/{method}/{seed}",
                    "index": index,
                    "accuracy": accuracy,
                    "share": (index + 1) / 10,
                    "synthetic_label_counts": [0, 0] if counts is None or not index else counts(setting, seed, index),
                }
            )
    return pd.DataFrame(rows)


def study(signal, pool=None, seeds=3, only=SETTINGS, jitter=0.0):
    """All settings and methods of the paper; `signal(setting)` and `pool[method]` are curves, `jitter` sets apart."""
    pool = pool or {}
    rng = np.random.default_rng(0)
    curves = {}
    for setting in only:
        for method in (*POOL_BASED, SIGNAL):
            curve = signal(setting) if method == SIGNAL else pool.get(method, line(0.6, 0.8))
            for seed in range(seeds):
                curves[setting, method, seed] = np.array(curve) + NOISE[seed] + jitter * rng.normal()
    return curves


def runs_of(curves, metrics=(), configs=None, counts=None):
    return Runs(table(curves, counts), pd.DataFrame(metrics), pd.DataFrame(), configs or plain(curves), [])


def plain(curves):
    return {f"{s}/{m}/{i}": {"setting": s, "method": m, "seed": i, "agent": m, "options": {}} for s, m, i in curves}


def find(found, *words):
    (claim,) = [each for each in found if all(word in each.claim for word in words)]
    return claim


def test_signal_above_all_by_two_points_at_its_end_and_by_none_at_equal_labels():
    found = above_pool_based(Measures(table(study(lambda _: line(0.6, 0.8, 0.82), jitter=0.0003))))
    assert find(found, "Consistently", "SIGnAL at 200 %").verdict == "supported"
    assert find(found, "On qnli-1%", "SIGnAL at 200 %").verdict == "supported"
    equal = find(found, "Consistently", "equal labels")
    assert equal.verdict == "practically equal"
    assert "equal within ±0.5 points: sst2-0.1%: SIGnAL − random" in equal.evidence
    assert find(found, "On sst2-1%", "equal labels").verdict == "practically equal"
    assert find(found, "mean accuracy up to 100 %").verdict == "practically equal"


def test_one_setting_below_refutes_that_signal_is_above_consistently():
    curves = study(lambda setting: line(0.6, 0.8, 0.77 if setting == "agnews-1%" else 0.82), jitter=0.001)
    found = above_pool_based(Measures(table(curves)))
    consistently = find(found, "Consistently", "SIGnAL at 200 %")
    assert consistently.verdict == "not supported"
    assert "the opposite holds: agnews-1%: SIGnAL − random" in consistently.evidence
    assert "sst2" not in consistently.evidence.split("the opposite holds")[1]
    assert find(found, "On agnews-1%", "SIGnAL at 200 %").verdict == "not supported"
    assert find(found, "On sst2-1%", "SIGnAL at 200 %").verdict == "supported"


def test_an_undecided_claim_says_its_numbers_and_the_seeds_that_would_decide_it():
    curves = study(lambda _: line(0.6, 0.8, 0.82))
    for seed, signal in enumerate((0.86, 0.80, 0.81)):
        curves["sst2-1%", SIGNAL, seed] = np.array(line(0.6, 0.8, signal))
    claim = find(above_pool_based(Measures(table(curves))), "On sst2-1%", "SIGnAL at 200 %")
    differences = np.array([0.86, 0.80, 0.81]) - (0.8 + NOISE[:3])
    low, high = ttest_rel(0.8 + NOISE[:3], [0.86, 0.80, 0.81]).confidence_interval(0.95)
    assert claim.verdict == "undecided"
    assert f"{100 * differences.mean():+.1f} ± {50 * (high - low):.1f} (n = 3)" in claim.evidence
    n, size = 4, differences.mean() / differences.std(ddof=1)
    while nct.sf(t.ppf(0.975, n - 1), n - 1, size * n**0.5) < 0.8:
        n += 1
    assert (claim.seeds, claim.seeds_needed, claim.needed) == (3, n, str(n))


def test_methods_with_the_same_numbers_are_one_comparison():
    curves = study(lambda _: line(0.6, 0.8, 0.82))
    for seed in range(3):
        curves["sst2-1%", "cal", seed] = np.array(line(0.6, 0.79)) + NOISE[seed]
    found = above_pool_based(Measures(table(curves)))
    names = [effect.name for effect in find(found, "On sst2-1%", "SIGnAL at 200 %").effects]
    assert names == ["SIGnAL − random, entropy, bertkm, badge", "SIGnAL − cal"]
    names = [effect.name for effect in find(found, "On sst2-0.1%", "SIGnAL at 200 %").effects]
    assert names == ["SIGnAL − all pool-based"]


def test_only_seeds_that_both_have_are_compared():
    curves = study(lambda _: line(0.6, 0.8, 0.82), seeds=4, jitter=0.001)
    del curves["sst2-1%", SIGNAL, 0], curves["sst2-1%", "cal", 3]
    curves["sst2-1%", SIGNAL, 4] = np.array(line(0.0, 0.0, 0.0))
    claim = find(above_pool_based(Measures(table(curves))), "On sst2-1%", "SIGnAL at 200 %")
    assert claim.verdict == "supported"
    assert {effect.name: effect.n for effect in claim.effects}["SIGnAL − cal"] == claim.seeds == 2
    assert {effect.name: effect.n for effect in claim.effects}["SIGnAL − badge"] == 3
    assert "(n = 2 to 3)" in claim.evidence


def test_what_is_missing_is_said_and_the_claim_is_not_measured():
    curves = study(lambda _: line(0.6, 0.8, 0.82), only=[s for s in SETTINGS if s != "qnli-1%"], jitter=0.001)
    curves = {key: curve for key, curve in curves.items() if key[:2] != ("sst2-1%", "cal")}
    found = claims(runs_of(curves))
    consistently = find(found, "Consistently", "SIGnAL at 200 %")
    assert consistently.verdict == "not measured"
    assert "missing: SIGnAL at 200 %, random at 100 %" in consistently.evidence
    assert "cal at 100 % on sst2-1%, qnli-1%" in consistently.evidence
    assert find(found, "On agnews-1%", "SIGnAL at 200 %").verdict == "supported"
    assert find(found, "BERTKM is the best").verdict == "not measured"
    assert "cal area to 100 % on sst2-1%, qnli-1%" in find(found, "BERTKM is the best").evidence
    for words in ("SIGnAL-linear", "early"), ("Active learning",), ("raises the reward",), ("Noise",), ("gaal",):
        claim = find(found, *words)
        assert (claim.verdict, claim.seeds, claim.needed) == ("not measured", 0, "")
        assert "missing" in claim.evidence


def test_a_run_that_ends_at_100_percent_has_no_accuracy_at_200_percent():
    found = above_pool_based(Measures(table(study(lambda _: line(0.6, 0.82)))))
    assert find(found, "On sst2-1%", "SIGnAL at 200 %").verdict == "not measured"
    assert "missing: SIGnAL at 200 % on sst2-1%" in find(found, "On sst2-1%", "SIGnAL at 200 %").evidence
    assert find(found, "On sst2-1%", "equal labels").verdict == "supported"


def test_where_signal_gains_most():
    gains = dict(zip(SETTINGS, (0.04, 0.03, 0.03, 0.01, 0.0, 0.01), strict=True))
    measured = Measures(table(study(lambda setting: line(0.58, 0.8, 0.8 + gains[setting]), jitter=0.0005)))
    found = gains_compared(measured)
    largest = find(found, "gain is largest")
    assert largest.verdict == "supported"
    assert largest.effects[0].mean == pytest.approx(0.1 / 3 - 0.02 / 3, abs=0.001)
    assert find(found, "more on SST-2 and on AG News than on QNLI").verdict == "supported"
    assert find(found, "Early").verdict == "supported"  # by two points in each
    assert find(found, "The smaller the data").verdict == "supported"
    assert find(found, "The smaller the data").effects[0].mean == pytest.approx((0.01 + 0.02 - 0.01) / 3, abs=0.001)
    assert find(found, "On AG News").verdict == "supported"
    assert find(found, "On QNLI SIGnAL gains more at 1%").verdict == "supported"


def test_opposite_gains_are_not_supported():
    gains = dict(zip(SETTINGS, (0.0, 0.01, 0.01, 0.04, 0.04, 0.03), strict=True))
    measured = Measures(table(study(lambda setting: line(0.62, 0.8, 0.8 + gains[setting]), jitter=0.0005)))
    verdicts = {claim.verdict for claim in gains_compared(measured)}
    assert verdicts == {"not supported"}


def balance(first, last):
    """Of ten synthetic texts a round, so many are labeled entailment in the first and in the last half."""

    def counts(setting, seed, index):
        entailment = first[seed] if index < 10 else last[seed]
        return [entailment, 10 - entailment]

    return counts


def test_qnli_turns_from_entailment_to_both_classes():
    curves = study(lambda _: line(0.6, 0.8, 0.8), only=("qnli-0.1%", "qnli-1%"))
    found = label_balance(table(curves, balance([10, 10, 10], [6, 5, 6])))
    assert found.verdict == "supported"
    assert "qnli-1%: share of entailment 100% at first, 57% at last" in found.evidence
    assert label_balance(table(curves, balance([10, 10, 10], [10, 10, 10]))).verdict == "not supported"
    assert label_balance(table(curves, balance([6, 6, 6], [5, 5, 5]))).verdict == "not supported"  # never so one-sided
    assert label_balance(table(curves, balance([10, 10, 10], [10, 5, 0]))).verdict == "undecided"
    none_written = label_balance(table(curves))
    assert none_written.verdict == "not measured"
    one = {key: curve for key, curve in curves.items() if key[0] == "qnli-1%"}
    found = label_balance(table(one, balance([10, 10, 10], [6, 5, 6])))
    assert (found.verdict, "missing: SIGnAL on qnli-0.1%" in found.evidence) == ("not measured", True)


def test_the_pool_based_methods_compared():
    pool = {m: line(0.6, 0.8 + gain) for m, gain in zip(POOL_BASED, (0, 0.02, 0.03, 0.01, 0.01), strict=True)}
    as_the_paper = claims(runs_of(study(lambda _: line(0.6, 0.8, 0.82), pool, jitter=0.0003)))
    texts = ("above random", "BERTKM is the best", "Entropy is among", "BADGE and CAL")
    assert [find(as_the_paper, text).verdict for text in texts] == ["supported"] * 4
    assert "first in settings: random 0, entropy 0, bertkm 6" in find(as_the_paper, "BERTKM is the best").evidence
    pool = {m: line(0.6, 0.8 + gain) for m, gain in zip(POOL_BASED, (0.02, 0.0, 0.0, 0.03, 0.04), strict=True)}
    otherwise = claims(runs_of(study(lambda _: line(0.6, 0.8, 0.82), pool, jitter=0.0003)))
    assert [find(otherwise, text).verdict for text in texts] == ["not supported"] * 4
    alone = claims(runs_of(study(lambda _: line(0.6, 0.8, 0.82), seeds=1)))
    assert {find(alone, text).verdict for text in texts} == {"undecided"}


def test_a_claim_about_several_methods_rests_on_the_seeds_that_all_of_them_have():
    pool = {m: line(0.6, 0.8 + gain) for m, gain in zip(POOL_BASED, (0, 0.02, 0.03, 0.01, 0.01), strict=True)}
    curves = study(lambda _: line(0.6, 0.8, 0.82), pool, seeds=5, jitter=0.0003)
    kept = {"cal": (0, 2, 3), "bertkm": (0, 1, 3, 4), SIGNAL: (3, 4)}
    curves = {key: curve for key, curve in curves.items() if key[2] in kept.get(key[1], range(5))}
    found = claims(runs_of(curves))
    assert {e.name: e.n for e in find(found, "above random").effects} == {
        **{"entropy − random": 5, "bertkm − random": 4, "badge − random": 5, "cal − random": 3}
    }
    assert find(found, "BERTKM is the best").seeds == 2  # 0 and 3
    assert "(n = 2)" in find(found, "Entropy is among").evidence
    assert find(found, "The smaller the data").seeds == 1  # 3 alone
    above = find(found, "On sst2-1%", "SIGnAL at 200 %")
    assert {effect.name: effect.n for effect in above.effects} == {
        **{"SIGnAL − random": 2, "SIGnAL − entropy": 2, "SIGnAL − bertkm": 2, "SIGnAL − badge": 2, "SIGnAL − cal": 1}
    }


def test_equal_pool_based_methods_are_found_to_be_equal():
    curves = study(lambda _: line(0.6, 0.8, 0.82), seeds=5, jitter=0.0005)
    found = claims(runs_of(curves))
    for text in ("above random", "BERTKM is the best", "Entropy is among", "BADGE and CAL"):
        assert find(found, text).verdict == "practically equal"


def test_other_settings_and_methods_have_questions_of_their_own():
    pool = {m: line(0.6, 0.8 + gain) for m, gain in zip(POOL_BASED, (0, 0.02, 0.03, 0.01, 0.01), strict=True)}
    curves = study(lambda _: line(0.6, 0.8, 0.82), pool, jitter=0.0003)
    assert "2 settings" not in " ".join(claim.claim for claim in claims(runs_of(curves)))
    worse = pool | {"bertkm": line(0.6, 0.79)}
    curves |= study(lambda _: line(0.6, 0.8, 0.82), worse, only=("trec", "banking77"), jitter=0.0003)
    for setting, name, seed in list(curves):
        if name == "random":
            curves[setting, "coreset", seed] = np.array(line(0.6, 0.81)) + NOISE[seed]
            curves[setting, "margin", seed] = np.array(line(0.6, 0.77)) + NOISE[seed]
    runs = runs_of(curves)
    runs.configs |= {folder: config | {"agent": "ppo"} for folder, config in runs.configs.items() if SIGNAL in folder}
    found = claims(runs)
    of_paper = find([claim for claim in found if claim.origin == "paper"], "Every pool-based method is above random")
    assert of_paper.verdict == "supported"
    assert find(found, "BERTKM is the best", "8 settings: sst2-0.1%").verdict == "supported"  # in six of eight
    assert find(found, "Entropy is among", "banking77, trec").verdict == "supported"
    everywhere = find(found, "above random (areas", "8 settings")
    assert {effect.name: round(effect.mean, 3) for effect in everywhere.effects}["bertkm − random"] == pytest.approx(
        (6 * 0.03 - 2 * 0.01) * 0.65 / 0.9 / 8,
        abs=0.002,  # the late part is 6.5 of 9 steps
    )
    assert (everywhere.origin, everywhere.verdict) == ("project", "supported")
    assert find(found, "coreset is above random up to 100 %").verdict == "supported"
    margin = find(found, "margin is above random up to 100 %")
    assert (margin.verdict, margin.origin, "mean of 8 settings" in margin.evidence) == (
        "not supported",
        "project",
        True,
    )


@settings(max_examples=3, deadline=None)
@given(st.integers(0, 2**16))
def test_by_the_likelihood_the_claims_are_those_of_its_negative(seed):
    rng = np.random.default_rng(seed)
    curves = study(lambda _: line(0.6, 0.8, 0.81), only=SETTINGS[:2])
    curves = {key: np.round(curve + rng.normal(0, 0.004, len(curve)), 3) for key, curve in curves.items()}
    runs = runs_of(curves)
    runs.rounds["nll"] = 2 - runs.rounds["accuracy"]
    by_accuracy, by_nll = claims(runs), claims(runs, METRICS["nll"])
    shown = [[(c.verdict, c.seeds, c.seeds_needed) for c in found] for found in (by_accuracy, by_nll)]
    assert shown[0] == shown[1]
    assert find(by_nll, "Consistently", "SIGnAL's mean negative log-likelihood up to 100 % is above")
    with console.capture() as capture:
        console.print(claims_table(by_nll, METRICS["nll"]))
    assert "nats of negative log-likelihood" in " ".join(capture.get().split())


def test_a_difference_of_likelihoods_is_shown_in_nats():
    runs = runs_of(study(lambda _: line(0.6, 0.8, 0.82), jitter=0.0003))
    runs.rounds["nll"] = 2 - runs.rounds["accuracy"]
    claim = find(claims(runs, METRICS["nll"]), "On sst2-1%", "SIGnAL at 200 %")
    assert "SIGnAL − random +0.020 ± 0.001" in claim.evidence
    equal = find(claims(runs, METRICS["nll"]), "On sst2-1%", "equal labels")
    assert "equal within ±0.005: " in equal.evidence


def test_the_project_s_questions():
    curves, metrics = study(lambda _: line(0.6, 0.8, 0.82), jitter=0.0005), []
    others = {
        "frozen": line(0.6, 0.8, 0.80),
        "no-AL": line(0.6, 0.8, 0.80),
        "SIGnAL-linear": line(0.62, 0.8, 0.80),
        "gaal": line(0.6, 0.8, 0.79),
    }
    for setting, method, seed in list(curves):
        if method != SIGNAL:
            continue
        metrics += [
            {"setting": setting, "method": method, "seed": seed, "round": r, "lift/mean": lift + 0.01 * seed}
            for r, lift in enumerate((-9.0, -9.0, 0.1, 0.1), start=1)
        ]
        for name, curve in others.items():
            curves[setting, name, seed] = np.array(curve) + NOISE[seed]
    found = claims(runs_of(curves, metrics))
    assert find(found, "Reinforcement learning helps").verdict == "supported"
    lift = find(found, "raises the reward")
    assert lift.verdict == "supported"
    assert "sst2-1%: reward, rounds of the second half +0.110 ± 0.025" in lift.evidence  # 4.303 · 0.01 / sqrt(3)
    assert find(found, "Active learning helps").verdict == "practically equal"
    assert find(found, "SIGnAL-linear", "early").verdict == "supported"
    assert find(found, "SIGnAL-linear", "at 200 %").verdict == "not supported"  # by two points
    assert find(found, "gaal").verdict == "supported"
    assert {claim.origin for claim in found[-8:]} == {"project"}


def test_an_ablation_that_has_played_has_a_row():
    curves = study(lambda _: line(0.6, 0.8, 0.82), only=SETTINGS[:2], jitter=0.0003)
    without = {"KL-only": line(0.6, 0.8, 0.80), "offers-128": line(0.6, 0.8, 0.83), "SIGnAL-half": line(0.6, 0.8)}
    for (setting, name, seed), curve in curves.copy().items():
        if name == SIGNAL:
            curves |= {(setting, other, seed): np.array(of) + NOISE[seed] for other, of in without.items()}
            assert len(curve) == 20
    found = claims(runs_of(curves))
    below = {claim.claim.split()[0]: claim.verdict for claim in found if "is below SIGnAL up to 200 %" in claim.claim}
    assert below == {"KL-only": "supported", "SIGnAL-half": "not measured", "offers-128": "not supported"}
    assert "mean of 2 settings" in find(found, "KL-only").evidence


def test_noise_is_compared_among_runs_that_are_alike_in_all_else():
    curves, configs = {}, {}
    for name, noise, offers, accuracy in (
        ("clean", 0.0, 64, 0.80),
        ("noisy", 0.1, 64, 0.77),
        ("noisier", 0.2, 64, 0.80),
        ("other", 0.2, 128, 0.1),
    ):
        for seed in range(3):
            curves["sst2-1%", name, seed] = np.array(line(0.6, accuracy)) + NOISE[seed]
            configs[f"sst2-1%/{name}/{seed}"] = {
                **{"env": "SignalEnv-sst2-v0", "agent": "ppo", "method": name, "seed": seed},
                "options": {"annotator_noise": noise, "offers_per_round": offers},
            }
    runs = runs_of(curves, configs=configs)
    ten, twenty = annotator_noise(runs, Measures(runs.rounds))
    assert ("10%" in ten.claim, ten.verdict, ten.seeds) == (True, "supported", 3)
    assert ("20%" in twenty.claim, twenty.verdict) == (True, "practically equal")
    assert "sst2-1% clean: without − with +3.0 ± 0.0" in ten.evidence
    assert runs.configs["sst2-1%/noisy/0"]["options"]["annotator_noise"] == 0.1


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**16), st.integers(-40, 40))
def test_a_constant_added_to_all_accuracies_changes_no_verdict(seed, thousandths):
    rng = np.random.default_rng(seed)
    curves = study(lambda _: line(0.6, 0.8, 0.81), only=SETTINGS[:2])
    curves = {key: np.round(curve + rng.normal(0, 0.004, len(curve)), 3) for key, curve in curves.items()}
    moved = {key: curve + thousandths / 1000 for key, curve in curves.items()}
    before, after = (Measures(table(each)) for each in (curves, moved))
    for of in (above_pool_based, gains_compared):
        shown = [[(c.verdict, c.seeds, c.seeds_needed) for c in of(measured)] for measured in (before, after)]
        assert shown[0] == shown[1]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**16))
def test_signal_mirrored_at_the_pool_based_methods_mirrors_the_verdict(seed):
    rng = np.random.default_rng(seed)
    pool = dict.fromkeys(POOL_BASED, line(0.6, 0.8))
    gain = np.round(rng.normal(0, 0.02, 3), 3)
    verdicts = []
    for side in (1, -1):
        curves = study(lambda _: line(0.6, 0.8, 0.8), pool, only=("sst2-1%",))
        for i in range(3):
            curves["sst2-1%", SIGNAL, i] = np.array(line(0.6, 0.8, 0.8 + side * gain[i])) + NOISE[i]
        verdicts.append(find(above_pool_based(Measures(table(curves))), "On sst2-1%", "SIGnAL at 200 %").verdict)
    assert tuple(verdicts) in {
        ("supported", "not supported"),
        ("not supported", "supported"),
        ("undecided", "undecided"),
        ("practically equal", "practically equal"),
        ("supported", "practically equal"),  # by less than the margin
        ("practically equal", "supported"),
    }
    if "practically equal" in verdicts:
        assert abs(gain.mean()) < 0.005


def test_the_tables_say_what_the_claims_say():
    found = [
        judge("Up is up", [Effect("a − b", (0.02, 0.03, 0.04))]),
        judge("Up is down", [Effect("b − a", (-0.02, -0.03, -0.04))]),
        judge("Who knows", [Effect("c − d", (1.0, -0.99), margin=0.0)], origin="project"),
    ]
    with console.capture() as capture:
        console.print(claims_table(found))
    shown = " ".join(capture.get().split())
    for words in ("Up is up", "not supported", ">1000", "Questions of this project"):
        assert words in shown
    frame = claims_frame(found)
    assert frame["verdict"].tolist() == ["supported", "not supported", "undecided"]
    assert frame["seeds_needed"].tolist() == ["", "", ">1000"]
    assert frame.index.tolist() == [1, 2, 3]
    effects = effects_frame(found)
    assert effects["number"].tolist() == [1, 2, 3]
    low, high = (0.03 + side * t.ppf(0.975, 2) * 0.01 / 3**0.5 for side in (-1, 1))
    assert effects.loc[0, ["low", "high"]].tolist() == pytest.approx([low, high])
