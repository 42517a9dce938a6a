"""What an experiment is made of before it begins: its task, its sizes and its pool."""

import numpy as np
from numpy.typing import NDArray

from signal_env.config import ConfigError, SignalConfig, Sizes
from signal_env.data import load
from signal_env.tasks import Task, get_task


def draw_pool(available: int, size: int, seed: int) -> NDArray[np.int64]:
    """The indices of the pool that a seed draws from a training split; a smaller pool is the beginning of a larger.

    Example:
        >>> draw_pool(10, 3, seed=0).tolist() == draw_pool(10, 5, seed=0)[:3].tolist()
        True
    """
    return np.random.default_rng(seed).permutation(available)[:size]


def task_of(config: SignalConfig) -> Task:
    """The task that the options name.

    Raises:
        ConfigError: If they name none.
        ValueError: If it is not known or not well described.
    """
    if config.task is None:
        raise ConfigError("Which task? Give task=NAME or task=FILE.yaml.")
    return get_task(config.task)


def experiment_sizes(config: SignalConfig) -> Sizes:
    """The numbers of the experiment that the options describe, for which the data are loaded."""
    task = task_of(config)
    available = len(load(task, config.data_dir).train.texts)
    return Sizes.of(config, task.train_size or available, available)
