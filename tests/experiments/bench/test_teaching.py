"""The benchmark of teaching: its gains are those of scikit-learn's head, and its figures follow from them."""

import dataclasses
import json

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from experiments.api import play
from experiments.bench import teaching
from experiments.bench.teaching import FIGURES, RARITY, TeachingConfig, _LabeledSet
from experiments.config import RunError
from signal_env.classifiers.linear import shared_encoder
from signal_env.tasks import get_task

SMALL = TeachingConfig(
    tasks=("reviews",),
    labels=(12,),
    scores=("signal", "entropy - 0.5*signal"),
    sets=2,
    candidates=14,
    batch_size=3,
    batches=9,
    held_out=60,
    encoder="embedded",
)


def inputs(texts):
    rows = shared_encoder(get_task("reviews"), "embedded", "cpu", 128)(list(texts)).astype(np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_gains_are_those_of_labeling_and_training_anew():
    one = _LabeledSet("reviews", 12, 5, SMALL, [])
    assert len(one._texts) == 12
    assert len(one._view) == 14
    assert len(one._held) == 60
    assert not {*one._held} & {*one._texts, *one._view.texts}

    def measured(chosen):
        texts = [*one._texts, *(one._view.texts[i] for i in chosen)]
        # For two classes scikit-learn has one vector of weights, and ours are two halves of it with half the penalty.
        head = LogisticRegression(C=2.0, class_weight="balanced", tol=1e-9, max_iter=5000)
        head.fit(inputs(texts), np.append(one._labels, one._given[chosen]))
        p = head.predict_proba(inputs(one._held))
        return np.array([-log_loss(one._gold, p), (p.argmax(1) == one._gold).mean()])

    for chosen in ([0], [13], [2, 5, 7]):
        np.testing.assert_allclose(one._gain(chosen), measured(chosen) - measured([]), atol=1e-6)
    figures = one.figures()
    assert list(figures) == ["signal", "entropy - 0.5*signal", RARITY]
    view, gains = one._view, np.array([one._gain([i]) for i in range(14)])
    p = view.probabilities
    scores = {"signal": view.scores, "entropy - 0.5*signal": -(p * np.log(p)).sum(1) - 0.5 * view.scores}
    scores[RARITY] = np.array([1 - np.mean(one._labels == label) for label in one._given])
    for name, values in scores.items():
        found = [figures[name][figure] for figure in ("text, nll", "text, accuracy")]
        for i in range(2):
            expected = spearmanr(values, gains[:, i]).statistic if np.ptp(gains[:, i]) and np.ptp(values) else 0.0
            assert found[i] == pytest.approx(expected, abs=1e-9)


def test_the_table_has_means_over_labeled_sets(capsys):
    rows = teaching.main(SMALL)
    assert [(row["task"], row["labels"], row["score"]) for row in rows] == [
        ("reviews", 12, score) for score in (*SMALL.scores, RARITY)
    ]
    sets = [_LabeledSet("reviews", 12, 200 + i, SMALL, []).figures() for i in range(2)]
    for row in rows:
        for figure in FIGURES:
            values = [each[row["score"]][figure] for each in sets]
            assert row[figure] == pytest.approx(np.mean(values))
            assert row[f"{figure}, half"] == pytest.approx(12.7062 * np.std(values, ddof=1) / 2**0.5, rel=1e-4)
    shown = capsys.readouterr().out
    assert "reviews, 12 labels, real texts, 2 labeled sets" in shown
    assert f"{rows[0]['top']:.1f} ± {rows[0]['top, half']:.1f}" in shown


def test_texts_that_a_run_has_written_are_candidates(tmp_path, capsys):
    sizes = {"pool_size": 30, "round_size": 5, "budget": 15, "evaluation_size": 20}
    play(
        out=tmp_path / "run", agent="generator", seed=1, num_envs=5, options=sizes, agent_options={"max_new_tokens": 12}
    )
    offers = [json.loads(line) for line in (tmp_path / "run" / "offers.jsonl").read_text().splitlines()]
    config = dataclasses.replace(SMALL, written=(tmp_path / "run",), candidates=4, annotator="rule")
    valid = {offer["text"] for offer in offers if not offer["invalid"]}
    assert set(teaching._written(config)) == valid
    last = {offer["text"] for offer in offers if offer["round"] == 2 and not offer["invalid"]}
    assert set(teaching._written(dataclasses.replace(config, last_rounds=1))) == last
    one = _LabeledSet("reviews", 12, 5, config, sorted(valid))
    assert set(one._view.texts) <= valid
    rows = teaching.main(dataclasses.replace(config, batch_size=2))
    assert all(np.isfinite(row["text, nll"]) for row in rows)
    assert f"{len(valid)} written texts" in capsys.readouterr().out


def test_written_texts_want_their_one_task(tmp_path):
    with pytest.raises(RunError, match="Give the one task of the written texts, as in --tasks sst2; got sst2, trec"):
        teaching.main(TeachingConfig(tasks=("sst2", "trec"), written=(tmp_path,)))
