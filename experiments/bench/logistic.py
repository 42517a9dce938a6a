"""`python -m experiments bench logistic`: the linear head's solver on random problems, beside scikit-learn's."""

import dataclasses
import time
import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.table import Table

from experiments.progress import console, progress_bar
from signal_env.classifiers import ClassifierError
from signal_env.classifiers.logistic import balanced, fit_logistic
from signal_env.utils.extras import require
from signal_env.utils.threads import on_one_thread

TYPICAL = ((67, 2), (673, 2), (54, 6), (545, 6), (100, 77), (1000, 77))
"""Texts and classes of the problems that are timed, with 384 dimensions and C = 1."""


@dataclasses.dataclass(frozen=True)
class LogisticBenchConfig:
    """Solves random problems of every difficult kind, some of them by scikit-learn too, and times typical ones.

    The problems have 2 to 150 classes, evenly distributed, or with one that has most labels, or with many that have
    none; more or fewer texts than dimensions; duplicated rows; overlapping or separable classes; C from 1e-3 to 1e6.
    """

    problems: int = 10_000
    """Random problems."""
    compare_every: int = 21
    """Every so many problems, one is solved by scikit-learn too. An odd number reaches all four kinds."""
    repeats: int = 5
    """Alternate runs of each side on the typical problems; the median counts."""


class Problem(NamedTuple):
    """A problem of multinomial logistic regression: the arguments of `fit_logistic`."""

    x: NDArray[np.float64]
    labels: NDArray[np.int64]
    n_classes: int
    c: float
    share: NDArray[np.float64]


def main(config: LogisticBenchConfig) -> dict[str, float]:
    """Print how many problems are solved, the distance to scikit-learn's optimum, and times; return the figures."""
    unsolved, gradients, excesses, seconds = 0, [0.0], [0.0], [0.0]
    with progress_bar() as progress:
        bar = progress.add_task("bench logistic", status="", total=config.problems)
        for seed in range(config.problems):
            problem = random_problem(seed)
            begun = time.perf_counter()
            try:
                weights, bias = on_one_thread(fit_logistic, *problem)
            except ClassifierError as error:
                unsolved += 1
                console.print(f"Problem {seed}: {error}", markup=False)
                continue
            seconds.append(time.perf_counter() - begun)
            value, gradient = objective(problem, weights, bias)
            gradients.append(gradient)
            if seed % config.compare_every == 0 and len(np.unique(problem.labels)) > 1:
                excesses.append(value / objective(problem, *scikit_learn(problem))[0] - 1)
            progress.advance(bar)
    figures = {"unsolved": unsolved, "gradient": max(gradients), "excess": max(excesses)}
    console.print(
        f"{config.problems - unsolved:,} of {config.problems:,} problems solved; largest coordinate of the gradient "
        f"{max(gradients):.1e}; objective at most {max(excesses):.1e} above scikit-learn's, relatively, in "
        f"{len(excesses) - 1}; seconds: median {np.median(seconds):.4f}, 99 % below {np.quantile(seconds, 0.99):.2f}, "
        f"largest {max(seconds):.1f}."
    )
    table = Table("texts", "classes", "ours, ms", "scikit-learn, ms", "ratio", box=SIMPLE)
    for n, n_classes in TYPICAL:
        ours, theirs = _times(typical_problem(n, n_classes), config.repeats)
        figures |= {f"seconds/{n}/{n_classes}": ours, f"seconds/{n}/{n_classes}/scikit-learn": theirs}
        table.add_row(f"{n:,}", str(n_classes), f"{1e3 * ours:.1f}", f"{1e3 * theirs:.1f}", f"{theirs / ours:.1f}x")
    console.print(table)
    return figures


def random_problem(seed: int) -> Problem:
    """Return a difficult problem; the kinds take turns."""
    rng = np.random.default_rng(seed)
    n_classes = int(rng.choice([2, 3, 6, 20, 77, 150]) if rng.random() < 0.5 else rng.integers(2, 151))
    n, d = int(rng.integers(1, 300)), int(rng.integers(2, 100))
    labels = (
        rng.integers(n_classes, size=n),
        np.where(rng.random(n) < rng.uniform(0.6, 1.0), rng.integers(n_classes), rng.integers(n_classes, size=n)),
        rng.choice(rng.permutation(n_classes)[: max(1, n_classes // 3)], size=n),
        np.minimum(rng.geometric(0.2, size=n) - 1, n_classes - 1),
    )[seed % 4]
    means = rng.normal(size=(n_classes, d)) / np.sqrt(d)
    x = rng.normal(size=(n, d)) + rng.choice([0, 2]) * rng.normal(size=d) + rng.choice([0, 1, 3, 10]) * means[labels]
    if rng.random() < 0.4:  # duplicated rows
        rows = rng.integers(max(1, n // 2), size=n)
        x, labels = x[rows], labels[rows]
    if rng.random() < 0.7:
        x /= np.linalg.norm(x, axis=1, keepdims=True)
    share = balanced(labels) if rng.random() < 0.5 else np.ones(n)
    return Problem(x, labels.astype(np.int64), n_classes, float(10 ** rng.uniform(-3, 6)), share)


def typical_problem(n: int, n_classes: int) -> Problem:
    """Return a problem like those of the linear head: rows of length 1 around one mean, C = 1."""
    rng = np.random.default_rng(0)
    labels = np.concatenate([np.arange(n_classes), rng.integers(n_classes, size=n)])[:n]
    x = rng.normal(size=(n, 384)) + 2 * rng.normal(size=384)
    x += 6 * rng.normal(size=(n_classes, 384))[labels] / np.sqrt(384)
    return Problem(x / np.linalg.norm(x, axis=1, keepdims=True), labels, n_classes, 1.0, balanced(labels))


def objective(problem: Problem, weights: Any, bias: Any) -> tuple[float, float]:
    """Return the objective divided by C, and the largest coordinate of its gradient, over the classes with labels."""
    log_softmax = require("scipy.special", "peers").log_softmax
    present, classes = np.unique(problem.labels, return_inverse=True)
    weights, bias = weights[present], bias[present]
    log_p = log_softmax(problem.x @ weights.T + bias, axis=1)
    error = (np.exp(log_p) - np.eye(len(present))[classes]) * problem.share[:, None]
    value = (weights**2).sum() / (2 * problem.c) - problem.share @ log_p[np.arange(len(classes)), classes]
    gradient = np.hstack([error.T @ problem.x + weights / problem.c, error.sum(axis=0)[:, None]])
    return float(value), float(np.abs(gradient).max())


def scikit_learn(problem: Problem) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return scikit-learn's weights `(C, d)` and biases `(C,)`, of zero for classes without labels.

    For two classes it has one weight vector, the difference of ours, which halves the penalty.
    """
    LogisticRegression = require("sklearn.linear_model", "peers").LogisticRegression
    present = np.unique(problem.labels)
    two = len(present) == 2
    peer = LogisticRegression(C=2 * problem.c if two else problem.c, tol=1e-8, max_iter=1000)
    with warnings.catch_warnings(action="ignore"):  # It does not converge for every C.
        peer.fit(problem.x, problem.labels, problem.share)
    weights, bias = np.zeros((problem.n_classes, problem.x.shape[1])), np.zeros(problem.n_classes)
    weights[present] = np.vstack([-peer.coef_, peer.coef_]) / 2 if two else peer.coef_
    bias[present] = np.r_[-peer.intercept_, peer.intercept_] / 2 if two else peer.intercept_
    return weights, bias


def _times(problem: Problem, repeats: int) -> tuple[float, float]:
    """Return the median seconds of our solver and of scikit-learn's, in alternate runs on one thread."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for times, solve in zip(seconds, (lambda: fit_logistic(*problem), lambda: scikit_learn(problem)), strict=True):
            begun = time.perf_counter()
            on_one_thread(solve)
            times.append(time.perf_counter() - begun)
    return float(np.median(seconds[0])), float(np.median(seconds[1]))
