"""`python -m experiments bench teaching`: whether a high score teaches, by labeling texts and training anew."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.table import Table

from experiments.config import RunError
from experiments.progress import console, progress_bar
from experiments.run_folder import read_run_log
from signal_env.acquisition import class_balanced, top
from signal_env.annotators import make_annotator
from signal_env.classifiers import make_classifier
from signal_env.config import SignalConfig
from signal_env.data import load
from signal_env.learner import Learner
from signal_env.learner.metrics import Metrics
from signal_env.rewards import Reward
from signal_env.tasks import get_task
from signal_env.utils.extras import require

Values = NDArray[np.float64]

RARITY = "rarity of the label"
"""The name of the one score that knows the labels: 1 minus the label's fraction of L."""


@dataclasses.dataclass(frozen=True)
class TeachingConfig:
    """Scores candidates by reward terms, labels them, and measures what that brings a classifier trained anew.

    The gain is measured on training texts outside the experiment, so that choices may follow from it. Of each score:

    - `text, nll`, `text, accuracy`: Spearman's correlation of a candidate's score with the fall of the negative
      log-likelihood, and with the rise of the accuracy, if it alone is labeled;
    - `batch, nll`, `batch, accuracy`: the same of random batches, by their mean score;
    - `top`: points of accuracy by which labeling the batch of highest scores is better than a random batch;
    - `evened`: the same of the batch that `class_balanced` chooses by the scores.

    Figures are means over the labeled sets, with half their 95 % interval.
    """

    tasks: tuple[str, ...] = ("sst2", "agnews", "trec")
    """Registered tasks, or paths of tasks' .yaml files."""
    labels: tuple[int, ...] = (28, 67)
    """Sizes of the labeled set, drawn from the training split."""
    scores: tuple[str, ...] = (
        *("signal", "informativeness", "relevance", "entropy", "margin", "gradient"),
        *("expected_error_reduction", "typicality", "class_balance"),
    )
    """Reward terms, or expressions of them."""
    written: tuple[Path, ...] = ()
    """Runs of one task, whose offered texts are the candidates, labeled by the annotator. Default: real texts, with
    their own labels."""
    last_rounds: int | None = None
    """Of `written`, only the texts of each run's last rounds."""
    sets: int = 8
    """Labeled sets of each size."""
    candidates: int = 150
    """Candidates of each labeled set."""
    batch_size: int = 10
    """Texts of a batch."""
    batches: int = 200
    """Random batches."""
    held_out: int = 1000
    """Training texts on which gains are measured."""
    encoder: str = "minilm"
    """The encoder of the linear head."""
    annotator: str = "model"
    """The annotator of `written` texts."""
    annotator_model: str | None = None
    """Its model, see `SignalConfig`."""
    seed: int = 200
    """Seed of the first labeled set; the others follow."""


FIGURES = {"text, nll": 2, "text, accuracy": 2, "batch, nll": 2, "batch, accuracy": 2, "top": 1, "evened": 1}
"""The figures of a score, with the digits that the table shows; see `TeachingConfig`."""


def main(config: TeachingConfig) -> list[dict[str, Any]]:
    """Measure, print a table for each task and number of labels, and return its rows."""
    if config.written and len(config.tasks) != 1:
        raise RunError(f"Give the one task of the written texts, as in --tasks sst2; got {', '.join(config.tasks)}.")
    statistics = require("experiments.report.statistics", "plots")
    texts = list(dict.fromkeys(_written(config)))
    rows: list[dict[str, Any]] = []
    with progress_bar() as progress:
        bar = progress.add_task("bench teaching", status="", total=len(config.tasks) * len(config.labels) * config.sets)
        for task, n in product(config.tasks, config.labels):
            found = []
            for i in range(config.sets):
                progress.update(bar, status=f"{task}, {n} labels")
                found.append(_LabeledSet(task, n, config.seed + i, config, texts).figures())
                progress.advance(bar)
            for score in found[0]:
                row: dict[str, Any] = {"task": task, "labels": n, "score": score}
                for figure in FIGURES:
                    values = np.array([each[score][figure] for each in found])
                    row[figure] = float(values.mean())
                    row[f"{figure}, half"] = float(statistics.half_width(values.std(ddof=1), len(values)))
                rows.append(row)
    what = f"{len(texts)} written texts" if texts else "real texts"
    for task, n in product(config.tasks, config.labels):
        table = Table("score", *FIGURES, title=f"{task}, {n} labels, {what}, {config.sets} labeled sets", box=SIMPLE)
        for row in rows:
            if (row["task"], row["labels"]) == (task, n):
                table.add_row(
                    row["score"],
                    *(f"{row[name]:.{d}f} ± {row[f'{name}, half']:.{d}f}" for name, d in FIGURES.items()),
                )
        console.print(table)
    return rows


def _written(config: TeachingConfig) -> Iterator[str]:
    """Yield the valid synthetic texts that the runs of `config.written` offered."""
    for run in config.written:
        lines, _ = read_run_log(run, "offers.jsonl")
        last = max((line["round"] for line in lines), default=0)
        first = 1 if config.last_rounds is None else last - config.last_rounds + 1
        valid = (line for line in lines if not (line["real"] or line["invalid"] or line["passed"]))
        yield from (line["text"] for line in valid if line["round"] >= first)


class _LabeledSet:
    """A labeled set, its classifier, candidates with their labels, and held-out texts.

    Args:
        task: The task.
        n: The number of labels.
        seed: Seed of all draws.
        config: The benchmark's.
        written: Texts to draw the candidates from. If there are none, they are real.
    """

    def __init__(self, task: str, n: int, seed: int, config: TeachingConfig, written: Sequence[str]) -> None:
        self._config, self._rng = config, np.random.default_rng(seed)
        options: dict[str, Any] = {"classifier": "linear", "encoder": config.encoder, "evaluation_size": 2}
        options |= {"pool_size": n + config.candidates, "initial_labeled": n, "round_size": config.batch_size}
        learner = Learner(SignalConfig(task=task, annotator="gold", **options))
        learner.reset(seed)
        train, pool = load(get_task(task)).train, set(learner.pool)
        order = self._rng.permutation(len(train.texts)).tolist()
        held = [i for i in order if train.texts[i] not in pool][: config.held_out]
        self._held, self._gold = tuple(train.texts[i] for i in held), train.labels[held]
        labeled = dict(learner.labeled)
        self._texts, self._labels = tuple(labeled), np.array(list(labeled.values()))
        self._classifier = make_classifier("linear", learner.task, config.encoder)
        if written:
            new = [text for text in written if text not in pool]
            chosen = self._rng.permutation(len(new))[: config.candidates]
            texts = tuple(new[i] for i in chosen)
            annotate = make_annotator(config.annotator, learner.task, config.annotator_model, 0.0, "cpu")
            self._view = learner.opened.candidates(texts, ("",) * len(texts))
            self._given = np.asarray(annotate(texts), dtype=np.int64)
        else:
            self._view = learner.unlabeled
            self._given = np.array([learner.episode.gold[text] for text in self._view.texts])
        self._before = self._measured([])

    def figures(self) -> dict[str, dict[str, float]]:
        """Return the figures of each score, by its name."""
        n, size = len(self._view), self._config.batch_size
        alone = np.array([self._gain([i]) for i in range(n)])
        batches = [self._rng.permutation(n)[:size] for _ in range(self._config.batches)]
        together = np.array([self._gain(batch) for batch in batches])
        return {name: self._of_score(values, alone, batches, together) for name, values in self._scored().items()}

    def _of_score(self, values: Values, alone: Values, batches: Sequence[Any], together: Values) -> dict[str, float]:
        size, means = self._config.batch_size, np.array([values[batch].mean() for batch in batches])
        chosen = top(values, size), class_balanced(values, self._view.probabilities, self._labels, size)
        better = [100 * (self._gain(batch)[1] - together[:, 1].mean()) for batch in chosen]
        correlations = (
            *(_spearman(values, alone[:, i]) for i in range(2)),
            *(_spearman(means, together[:, i]) for i in range(2)),
        )
        return dict(zip(FIGURES, (*correlations, *better), strict=True))

    def _scored(self) -> Mapping[str, Values]:
        """Return the scores of the candidates by name, and the rarity of their labels."""
        values = {}
        for score in self._config.scores:
            terms = Reward(score).of_texts(self._view)
            values[score] = np.sum([term.contribution for term in terms.values()], axis=0)
        return values | {RARITY: 1 - (self._labels[None] == self._given[:, None]).mean(axis=1)}

    def _gain(self, chosen: Sequence[int] | NDArray[np.int64]) -> tuple[float, float]:
        """Return the fall of the negative log-likelihood and the rise of the accuracy by labeling some candidates."""
        after = self._measured(chosen)
        return self._before.nll - after.nll, after.accuracy - self._before.accuracy

    def _measured(self, chosen: Sequence[int] | NDArray[np.int64]) -> Metrics:
        """Train on L and some candidates, and measure on the held-out texts."""
        texts = [*self._texts, *(self._view.texts[i] for i in chosen)]
        labels = np.concatenate([self._labels, self._given[np.asarray(chosen, dtype=np.int64)]])
        self._classifier.fit(texts, labels, 0)
        return Metrics.of(self._classifier.predict(self._held).probabilities, self._gold)


def _spearman(x: Values, y: Values) -> float:
    """Return Spearman's correlation; 0 where one side is constant."""
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    return float(require("scipy.stats", "plots").spearmanr(x, y).statistic)
