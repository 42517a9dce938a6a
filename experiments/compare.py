"""`python -m experiments compare`: several agents play the same experiments, into one table and one figure."""

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tyro

from agents.agent import get_agent
from experiments.config import EnvironmentOptions, Plugins, RunError, check_names, make_config
from experiments.metric import METRICS, MetricName, with_metric
from experiments.names import POOL_BASED
from experiments.player import option_names
from experiments.plugin_record import PluginRecord
from experiments.progress import console
from experiments.runs import Runs, read_runs, task_of
from experiments.study import Study
from experiments.summary import draw, draw_each, show
from experiments.sweep import engine_for, refuse_others, sweep
from signal_env.utils.extras import require

AGENTS = (*POOL_BASED, "least_confidence", "margin", "coreset", "signal")
"""The agents of `agents.pool` that play with any classifier, each with an order of its own."""


@dataclasses.dataclass(frozen=True)
class CompareConfig:
    """Plays each agent with its own default options on the same seeds.

    A finished run with the same options is not played again.
    """

    env: str = "SignalEnv-reviews-v0"
    """The environment's id."""
    agents: tuple[str, ...] = AGENTS
    """The agents' names."""
    agent_options: tuple[str, ...] = ()
    """Options of the agents, each as NAME.OPTION=VALUE: `--agent-options ppo.kl_coef=0.02 generator.top_p=0.9`."""
    seeds: int = 3
    """Seeds per agent, from 0 on."""
    out: Path | None = None
    """The folder of the results; default: runs/ENV."""
    overwrite: bool = False
    """Replace runs with other options in the folder, or with another content of a plugin."""
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
    own = read_options(config.agent_options, config.agents)
    methods = {agent: {"agent": agent, "agent_options": own.get(agent, {})} for agent in config.agents}
    study = comparison(methods, config.env, given, config.seeds, config.out, config.plugins, config.metric)
    compare(study, config.workers, config.overwrite)
    console.print(f"Written to {study.folder}")
    return study.folder


def comparison(
    methods: Mapping[str, Any],
    env: str,
    options: Mapping[str, Any],
    seeds: int | Sequence[int],
    out: Path | None,
    plugins: Sequence[PluginRecord] = (),
    metric: MetricName = "accuracy",
) -> Study:
    """Return the study in which methods play one environment; its folder is runs/ENV by default."""
    setting = task_of(env, vars(make_config(env, "random", options=options).options))
    return Study(
        settings={setting: {"env": env, "options": options}},
        methods=methods,
        seeds=seeds,
        plugins=plugins,
        metric=metric,
        name="compare",
        out=out or Path("runs") / env,
    )


def read_options(texts: Sequence[str], agents: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the options of agents from texts such as "ppo.kl_coef=0.02": for each agent, values by name.

    Raises:
        RunError: If a text is not of this form, or names no option of one of the agents.

    Example:
        >>> read_options(["generator.top_p=0.9", "generator.max_new_tokens=30"], ["random", "generator"])
        {'generator': {'top_p': 0.9, 'max_new_tokens': 30}}
    """
    args: dict[str, list[str]] = {}
    names: dict[str, list[str]] = {}
    for text in texts:
        (agent, dot, name), value = text.partition("=")[0].partition("."), text.partition("=")[2]
        if not (agent and dot and name and value):
            raise RunError(f"--agent-options are NAME.OPTION=VALUE, as in ppo.kl_coef=0.02; got {text!r}.")
        if agent not in agents:
            raise RunError(f"--agent-options {text}: {agent} does not play; these do: {', '.join(agents)}.")
        name = name.replace("-", "_")
        check_names([name], option_names(get_agent(agent)), f"The agent {agent}")
        names.setdefault(agent, []).append(name)
        args.setdefault(agent, []).extend([f"--{name.replace('_', '-')}", *shlex.split(value)])
    read = {agent: _parse(agent, given) for agent, given in args.items()}
    return {agent: {name: getattr(read[agent], name) for name in names[agent]} for agent in read}


def _parse(agent: str, args: Sequence[str]) -> Any:
    """Return an agent with options from a command line; True and False are values, not flags."""
    config = (tyro.conf.OmitArgPrefixes, tyro.conf.FlagConversionOff)
    return tyro.cli(get_agent(agent), prog=f"signal-env compare, options of {agent}", args=args, config=config)


def compare(study: Study, workers: int | None, overwrite: bool = False, shown: bool = True) -> Runs:
    """Play the runs of a study that are not finished, and compare all of them by the study's metric.

    A run with other options in a run's folder is an error, or replaced if `overwrite` is set. `curves.png` and
    `rounds.csv` go to the study's folder, and `curve.png` to the folder of each run. The tables are printed if they are
    to be `shown`.
    """
    require("matplotlib", "plots")  # before the runs, not after them
    metric = METRICS[study.metric]
    every = [dataclasses.replace(run, overwrite=overwrite) for run in study.runs]
    engine = engine_for(every, workers)
    if not overwrite:
        refuse_others(every, replaceable=True)
    sweep(study, sorted(every, key=lambda run: -(run.options.offers_per_round or 0)), engine)
    runs = with_metric(read_runs([run.folder for run in every]), metric)
    draw_each(runs)
    tables = draw(runs, study.folder / "curves.png", metric)
    runs.rounds.to_csv(study.folder / "rounds.csv", index=False)
    if shown:
        show(runs, (metric.name, "differences"), tables, metric)
    return dataclasses.replace(runs, folder=study.folder, metric=study.metric)
