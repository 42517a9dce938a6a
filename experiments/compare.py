"""`python -m experiments compare`: several agents play the same experiments, into one table and one figure."""

import dataclasses
from pathlib import Path

from experiments.config import EnvironmentOptions, Plugins, make_config
from experiments.metric import ACCURACY, METRICS, Metric, MetricName, with_metric
from experiments.names import POOL_BASED
from experiments.progress import console
from experiments.runs import Runs, read_runs, task_of
from experiments.study import Study
from experiments.summary import draw, show
from experiments.sweep import engine_here, sweep
from signal_env.utils.extras import require

AGENTS = (*POOL_BASED, "least_confidence", "margin", "coreset", "signal")
"""The agents of `agents.pool` that play with any classifier, each with an order of its own."""


@dataclasses.dataclass(frozen=True)
class CompareConfig:
    """Plays each agent with its own default options on the same seeds.

    A finished run with the same options is not played again; a run with other options in its folder is replaced.
    """

    env: str = "SignalEnv-reviews-v0"
    """The environment's id."""
    agents: tuple[str, ...] = AGENTS
    """The agents' names."""
    seeds: int = 3
    """Seeds per agent, from 0 on."""
    out: Path | None = None
    """The folder of the results; default: runs/ENV."""
    metric: MetricName = "accuracy"
    """What the agents are compared by."""
    workers: int | None = None
    """Runs at a time; default: one for each CPU core; 0: one, in this process."""
    plugins: Plugins = ()
    """Files and modules of your own: `--plugin FILE.py` or `--plugin package.module`."""
    options: EnvironmentOptions = dataclasses.field(default_factory=EnvironmentOptions)
    """The environment's options, the same for all agents. Options that are not given are each agent's own
    (`selection`, ...), or the environment's."""


def main(config: CompareConfig) -> Path:
    """Play the missing runs and compare all of them; return the folder."""
    options, defaults = vars(config.options), vars(make_config(config.env, "random").options)
    given = {name: value for name, value in options.items() if value != defaults[name]}
    study = Study(
        settings={task_of(config.env, options): {"env": config.env, "options": given}},
        methods={agent: {"agent": agent} for agent in config.agents},
        seeds=config.seeds,
        plugins=config.plugins,
        name="compare",
        out=config.out or Path("runs") / config.env,
    )
    compare(study, config.workers, METRICS[config.metric])
    console.print(f"Written to {study.folder}")
    return study.folder


def compare(study: Study, workers: int | None, metric: Metric = ACCURACY) -> Runs:
    """Play the runs of a study that are not finished, and compare all of them by a metric.

    A run with other options that is in a run's folder is replaced. `curves.png` and `rounds.csv` go to the study's
    folder.
    """
    require("matplotlib", "plots")  # before the runs, not after them
    longest_first = sorted(study.runs, key=lambda run: -(run.options.offers_per_round or 0))
    sweep(study, [dataclasses.replace(run, overwrite=True) for run in longest_first], engine_here(workers))
    runs = with_metric(read_runs([run.folder for run in study.runs]), metric)
    tables = draw(runs, study.folder / "curves.png", metric)
    runs.rounds.to_csv(study.folder / "rounds.csv", index=False)
    show(runs, (metric.name, "differences"), tables, metric)
    return runs
