"""`python -m experiments compare`: several agents play the same experiments, into one table and figure."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from rich.progress import TaskID

from experiments.config import EnvironmentOptions, RunConfig, make_config, parse_for_env
from experiments.names import POOL_BASED
from experiments.progress import console, progress_bar
from experiments.results import plot_curves, read_rounds, summary_table
from experiments.run import begun, finished, play
from signal_env.utils.extras import require

__all__ = ["compare", "main", "parse"]

AGENTS = (*POOL_BASED, "least_confidence", "margin", "coreset", "signal")
"""The agents of `agents.pool` that play with any classifier, each with an order of its own."""


@dataclasses.dataclass(frozen=True)
class CompareConfig:
    """Plays each agent with its own default options on the same seeds. Runs that are finished are not played again."""

    env: str = "SignalEnv-reviews-v0"
    """The environment's id."""
    agents: tuple[str, ...] = AGENTS
    """The agents' names."""
    seeds: int = 3
    """Seeds per agent, from 0 on."""
    out: Path | None = None
    """The folder of the results; default: runs/ENV."""
    options: EnvironmentOptions = dataclasses.field(default_factory=EnvironmentOptions)
    """The environment's options, the same for all agents. Those that are not given are each agent's own
    (`selection`, ...), or the environment's."""


def parse(args: Sequence[str]) -> CompareConfig:
    """Reads the command line; the defaults are those of the environment."""
    return parse_for_env(CompareConfig, "compare", args)


def main(config: CompareConfig) -> Path:
    """Plays what is missing, and prints the table; returns the folder."""
    out = config.out or Path("runs") / config.env
    defaults = dataclasses.asdict(make_config(config.env, "random").options)
    given = {name: value for name, value in dataclasses.asdict(config.options).items() if value != defaults[name]}
    runs = [
        make_config(config.env, agent, seed=seed, out=out / f"{agent}-seed{seed}", overwrite=True, options=given)
        for agent in config.agents
        for seed in range(config.seeds)
    ]
    compare(runs, out)
    console.print(f"Written to {out}")
    return out


def compare(runs: Sequence[RunConfig], out: Path, again: bool = False) -> None:
    """Plays the runs that are not finished, each from where it was, and compares all of them.

    Args:
        runs: The runs, each with a folder of its own.
        out: Where `curves.png` and `rounds.csv` go.
        again: Whether finished runs are played anew.
    """
    require("matplotlib", "plots")  # before the runs, not after them
    with progress_bar() as progress:
        for run in runs:
            if finished(run) and not again:
                continue
            bar = progress.add_task(f"{run.agent}, seed {run.seed}", status="", total=None)

            def show(done: int, total: int, status: str, bar: TaskID = bar) -> None:
                progress.update(bar, completed=done, total=total, status=status)

            play(run, show, resume=begun(run) and not again)
    rounds = read_rounds([run.folder for run in runs])
    plot_curves(rounds, out / "curves.png")
    rounds.to_csv(out / "rounds.csv", index=False)
    console.print(summary_table(rounds))
