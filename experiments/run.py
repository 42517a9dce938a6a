"""`python -m experiments run`: one agent plays one episode, into a folder of its own."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym

from agents.rollout import rollout
from experiments.config import RunConfig, RunError, agent_of, parse
from experiments.progress import console, progress_bar
from experiments.results import plot_curves, read_rounds, summary_table
from signal_env.experiment import experiment_sizes
from signal_env.extras import require
from signal_env.storage import write_text
from signal_env.wrappers import VectorRecord

__all__ = ["main", "parse", "play"]

FILES = ("config.yaml", "rounds.jsonl", "offers.jsonl", "curve.png")
"""What a run writes to its folder."""


def main(config: RunConfig) -> Path:
    """Plays the run, with its curve and a table at the end; returns its folder."""
    require("matplotlib", "plots")  # before the run, not after it
    with progress_bar() as progress:
        bar = progress.add_task(f"{config.agent} on {config.env}", status="", total=None)
        play(config, lambda done, total, status: progress.update(bar, completed=done, total=total, status=status))
    rounds = read_rounds([config.folder])
    plot_curves(rounds, config.folder / "curve.png")
    console.print(summary_table(rounds))
    console.print(f"Written to {config.folder}")
    return config.folder


def play(config: RunConfig, on_round: Callable[[int, int, str], None]) -> None:
    """Plays one episode and writes `config.yaml`, `rounds.jsonl` and `offers.jsonl` to the run's folder.

    Args:
        config: The run.
        on_round: Called after each round with the labels spent, the budget and a short status.

    Raises:
        RunError: If the folder holds a run already and `overwrite` is not set.
    """
    options = {field.name: getattr(config.options, field.name) for field in dataclasses.fields(config.options)}
    sizes = experiment_sizes(config.options)
    envs: Any = gym.make_vec(config.env, num_envs=config.num_envs or sizes.offers, **options)
    prepare(config.folder, config.overwrite)
    write_text(config.folder / "config.yaml", config.as_yaml())
    envs = VectorRecord(envs, config.folder)
    begun = False
    try:
        for step in rollout(envs, agent_of(config), config.seed):
            begun = begun or len(step.texts) > 0
            if step.round is not None:
                on_round(step.round["labeled"], sizes.budget, f"accuracy {step.round['accuracy']:.3f}")
    finally:
        envs.close()
        if not begun:  # nothing is lost, and the folder is free for another try
            for name in FILES:
                (config.folder / name).unlink(missing_ok=True)


def prepare(folder: Path, overwrite: bool) -> None:
    """Makes a run's folder, empty of earlier runs.

    Raises:
        RunError: If the folder holds a run already and `overwrite` is not set.
    """
    earlier = [folder / name for name in FILES if (folder / name).exists()]
    if earlier and not overwrite:
        raise RunError(f"{folder} holds a run already. Give --overwrite to replace it, or --out another folder.")
    for file in earlier:
        file.unlink()
    folder.mkdir(parents=True, exist_ok=True)
