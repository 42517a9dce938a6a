"""`python -m experiments demo`: plays the study `demo`, and shows its table, its figure, and two texts of PPO."""

import dataclasses
from pathlib import Path
from statistics import median_low

from experiments.compare import compare
from experiments.config import Plugins
from experiments.progress import console
from experiments.run import clear
from experiments.runs import read_log
from experiments.study import Study, read_study


@dataclasses.dataclass(frozen=True)
class DemoConfig:
    """Plays SignalEnv-reviews-v0 with each agent over some seeds: no network and no files needed.

    Pool-based agents and a frozen generator play until the budget is spent. PPO plays ten rounds with a fixed
    classifier, so that the lift of its texts over the frozen generator's shows what it has learned.
    """

    agents: tuple[str, ...] = ("random", "entropy", "bertkm", "badge", "cal", "generator", "ppo")
    """The agents' names."""
    seeds: int = 3
    """Seeds per agent, from 0 on; every agent has the same."""
    out: Path = Path("runs/demo")
    """The folder of the results; earlier runs in it are played anew."""
    workers: int | None = None
    """Runs at a time; default: one for each CPU core; 0: one, in this process."""
    plugins: Plugins = ()
    """Files and modules of your own: `--plugin FILE.py` or `--plugin package.module`."""


def main(config: DemoConfig) -> Path:
    """Play the demo; return its folder."""
    study = demo(config)
    for run in study.runs:
        clear(run.folder)
    compare(study, config.workers, overwrite=True)
    for run in study.runs:
        if run.agent == "ppo" and run.seed == 0:
            show_texts(run.folder)
    console.print(
        f"Learning curves: {config.out / 'curves.png'}; every text and its reward: {config.out}/*/*/*/offers.jsonl\n"
        f"Look at it all with: tensorboard --logdir {config.out}"
    )
    return config.out


def demo(config: DemoConfig) -> Study:
    """Return the study `demo` with these agents, which play the settings that the study has for them."""
    parts = read_study("demo").parts()
    known = {values["agent"]: name for name, values in parts["methods"].items()}
    names = {known.get(agent, agent): agent for agent in config.agents}
    parts["methods"] = {name: parts["methods"].get(name, {"agent": agent}) for name, agent in names.items()}
    fixed, reviews = (parts["settings"][name] for name in ("fixed-classifier", "reviews"))
    fixed["methods"] = [name for name in names if name in fixed["methods"]]
    reviews["methods"] = [name for name in names if name not in fixed["methods"]]
    parts["settings"] = {name: values for name, values in parts["settings"].items() if values["methods"]}
    return Study(**parts | {"seeds": range(config.seeds), "plugins": config.plugins}, name="demo", out=config.out)


def show_texts(folder: Path) -> None:
    """Print the text of median reward of a run's first round, and of its last one."""
    offers = [line for line in read_log(folder / "offers.jsonl")[0] if not line["invalid"]]
    for index in sorted({offers[0]["round"], offers[-1]["round"]}):
        of_round = [line for line in offers if line["round"] == index]
        middle = median_low(line["reward"] for line in of_round)
        text = next(line["text"] for line in of_round if line["reward"] == middle)
        shown = f"PPO, round {index}, the text of median reward, {middle:.2f}: {text}"
        console.print(shown, markup=False, highlight=False)
