"""`python -m experiments demo`: the agents that exist play the embedded corpus, and a table and a figure compare
them."""

import dataclasses
from pathlib import Path

from rich.progress import TaskID

from experiments.config import make_config
from experiments.progress import console, progress_bar
from experiments.results import plot_curves, read_rounds, summary_table
from experiments.run import play


@dataclasses.dataclass(frozen=True)
class DemoConfig:
    """Plays SignalEnv-reviews-v0 with each agent over some seeds: no network and no files needed."""

    agents: tuple[str, ...] = ("random", "generator")
    """The agents' names."""
    seeds: int = 3
    """Seeds per agent, from 0 on; every agent gets the same."""
    out: Path = Path("runs/demo")
    """The folder of the results; an earlier demo in it is replaced."""


def main(config: DemoConfig) -> Path:
    """Plays the demo; returns its folder."""
    folders = []
    with progress_bar() as progress:
        for agent in config.agents:
            for seed in range(config.seeds):
                folder = config.out / f"{agent}-seed{seed}"
                run = make_config("SignalEnv-reviews-v0", agent, seed=seed, out=folder, overwrite=True)
                bar = progress.add_task(f"{agent}, seed {seed}", status="", total=None)

                def show(done: int, total: int, status: str, bar: TaskID = bar) -> None:
                    progress.update(bar, completed=done, total=total, status=status)

                play(run, show)
                folders.append(folder)
    rounds = read_rounds(folders)
    plot_curves(rounds, config.out / "curves.png")
    rounds.to_csv(config.out / "rounds.csv", index=False)
    console.print(summary_table(rounds))
    console.print(
        f"Learning curves: {config.out / 'curves.png'}; every text and its reward: {config.out}/*/offers.jsonl"
    )
    return config.out
