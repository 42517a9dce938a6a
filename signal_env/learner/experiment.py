"""The parts of an experiment before it begins: its task, sizes, pool and evaluation texts."""

import numpy as np
from numpy.typing import NDArray

from signal_env.config import ConfigError, SignalConfig, Sizes
from signal_env.data import load
from signal_env.data.corpus import Split
from signal_env.learner.selection import selection_of
from signal_env.tasks import Task, get_task


def draw_pool(available: int, size: int, seed: int) -> NDArray[np.int64]:
    """Draw the indices of the pool from a training split. A smaller pool is the beginning of a larger one.

    Example:
        >>> draw_pool(10, 3, seed=0).tolist() == draw_pool(10, 5, seed=0)[:3].tolist()
        True
    """
    return np.random.default_rng(seed).permutation(available)[:size]


def task_of(config: SignalConfig) -> Task:
    """Return the task that the options name.

    Raises:
        ConfigError: If they name none.
        ValueError: If the task is not known, or its description is invalid.
    """
    if config.task is None:
        raise ConfigError("An experiment needs a task: give task=NAME or task=FILE.yaml.")
    return get_task(config.task)


def experiment_sizes(config: SignalConfig) -> Sizes:
    """Return the numbers of the experiment that the options describe; this loads the data."""
    task = task_of(config)
    available = len(load(task, config.data_dir).train.texts)
    return Sizes.of(config, task.train_size or available, available, selection_of(config).budget_fraction)


def evaluation_texts(split: Split, size: int | None) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the texts and labels of the evaluation split, or of a fixed random part of it.

    Raises:
        ConfigError: If the part is larger than the split.
    """
    texts, labels = split
    n = len(texts) if size is None else size
    if n > len(texts):
        raise ConfigError(f"evaluation_size must be at most the split's {len(texts)} texts; got {n}.")
    chosen = np.sort(np.random.default_rng(0).choice(len(texts), size=n, replace=False))
    return tuple(texts[i] for i in chosen), labels[chosen]
