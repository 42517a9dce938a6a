"""`python -m experiments demo`: agents play the embedded corpus, and a table and a figure compare them."""

import dataclasses
from pathlib import Path

from experiments.compare import compare
from experiments.config import make_config
from experiments.progress import console


@dataclasses.dataclass(frozen=True)
class DemoConfig:
    """Plays SignalEnv-reviews-v0 with each agent over some seeds: no network and no files needed."""

    agents: tuple[str, ...] = ("random", "entropy", "bertkm", "badge", "cal", "generator")
    """The agents' names."""
    seeds: int = 3
    """Seeds per agent, from 0 on; every agent gets the same."""
    out: Path = Path("runs/demo")
    """The folder of the results; earlier runs in it are played anew."""


def main(config: DemoConfig) -> Path:
    """Plays the demo; returns its folder."""
    runs = [
        make_config("SignalEnv-reviews-v0", agent, seed=seed, out=config.out / f"{agent}-seed{seed}", overwrite=True)
        for agent in config.agents
        for seed in range(config.seeds)
    ]
    compare(runs, config.out, again=True)
    console.print(
        f"Learning curves: {config.out / 'curves.png'}; every text and its reward: {config.out}/*/offers.jsonl\n"
        f"Look at it all with: tensorboard --logdir {config.out}"
    )
    return config.out
