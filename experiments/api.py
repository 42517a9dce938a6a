"""The Python API: what `run`, `compare`, `sweep` and `report` do on the command line, with objects of one's own."""

import dataclasses
import inspect
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym

from experiments.compare import compare as play_comparison
from experiments.compare import comparison
from experiments.config import EnvironmentOptions, RunConfig, RunError, check_names, make_config
from experiments.metric import METRICS, MetricName
from experiments.player import agent_class, is_agent, name_of_agent, option_names
from experiments.plugins import Source, load_plugins
from experiments.report import ReportConfig
from experiments.report import main as write_report
from experiments.run import play_visibly
from experiments.runs import Runs, read_runs
from experiments.spelling import python_spelling
from experiments.study import Study, read_study
from experiments.sweep import chosen, engine_for, refuse_others
from experiments.sweep import sweep as play_missing

REVIEWS = "SignalEnv-reviews-v0"

OF_COMPARISON = (
    "agents",
    "env",
    "seeds",
    "out",
    "workers",
    "metric",
    "overwrite",
    "plugins",
    "num_envs",
    "tensorboard",
)
"""The arguments of `compare` beside the environment's options."""


def play(
    env: str = REVIEWS, agent: Any = "random", seed: int = 0, *, out: str | Path | None = None, **options: Any
) -> Runs:
    """Play one episode into a folder, as `signal-env run` does, and return its tables.

    An interrupted run goes on, and a finished one is only read. The agent and the options may be objects: a run plays a
    copy of each, so an object is not changed, and `config.yaml` has its name and a hash of its content.

    Args:
        env: The environment's id.
        agent: The agent: a registered name, a class, or an object of a class that extends `agents.agent.Agent`.
        seed: Seed of the environment and of the agent.
        out: The run's folder; default: runs/ENV-AGENT-seedSEED.
        options: Options of the environment, of the agent and of the run (`num_envs`, `overwrite`, `plugins`, ...), each
            by its name. The environment's may be what `gym.make` takes: `reward` a function, `classifier` an object.

    Raises:
        RunError: If an option is not known, or the folder holds another run. `overwrite=True` replaces it.
        UnknownName: If the agent is not known.

    Example:
        >>> import tempfile
        >>> def brevity(texts):
        ...     return [1 / (1 + len(text)) for text in texts]
        >>> small = {"pool_size": 40, "round_size": 20, "tensorboard": False}
        >>> run = play("SignalEnv-reviews-v0", "entropy", seed=0, out=tempfile.mkdtemp(), reward=brevity, **small)
        >>> run.rounds["labeled"].tolist()
        [20, 40]
        >>> len(run.labels), run.offers["reward"].between(0, 1).all().item()
        (40, True)
    """
    options["plugins"] = load_plugins(options.get("plugins"))
    _check_order(env, [agent], f"play takes the environment first, then the agent: play({REVIEWS!r}, 'entropy')")
    owners: dict[str, Sequence[str]] = {
        "options": option_names(EnvironmentOptions),
        "agent_options": option_names(agent_class(agent)) if isinstance(agent, str | type) else (),
        "run": option_names(RunConfig),
    }
    part_of = {name: part for part, names in owners.items() for name in names}
    parts = {name: dict(options.pop(name, {})) for name in owners}
    _refuse_options_of_object(agent, [name for name in options if name not in part_of])
    check_names(options, part_of, f"A run of {name_of_agent(agent)}")
    for name, value in options.items():
        parts[part_of[name]][name] = value
    place = None if out is None else Path(out)
    config = make_config(env, agent, **parts.pop("run"), out=place, seed=seed, **parts)
    with python_spelling():
        play_visibly(config, resume=False if config.overwrite else None)
    return read_runs([config.folder], unfinished=True)


def compare(
    agents: Any,
    env: str = REVIEWS,
    seeds: int | Sequence[int] = 3,
    *,
    out: str | Path | None = None,
    workers: int | None = None,
    metric: MetricName = "accuracy",
    overwrite: bool = False,
    plugins: Sequence[Source] = (),
    **options: Any,
) -> Runs:
    """Play several agents on the same seeds, as `signal-env compare` does, and return the tables of all runs.

    Interrupted runs go on, and finished ones are only read. `Runs.tables` has the means and the paired differences with
    their intervals.

    Args:
        agents: A list of agents, or a mapping from the methods' names to agents. An agent is what `play` takes, or a
            pair of that and its options. Each seed plays a fresh copy of an object.
        env: The environment's id.
        seeds: The seeds, or their number.
        out: The folder of the results; default: runs/ENV.
        workers: Runs at a time; default: one for each CPU core. 0 plays in this process, as objects always do.
        metric: What the methods are compared by: "accuracy", "macro_f1" or "nll".
        overwrite: Whether to replace runs with other options in the folder.
        plugins: Files and modules of your own, imported first, here and in new processes.
        options: Options of the environment, the same for all agents; `num_envs` and `tensorboard`.

    Raises:
        RunError: If runs have failed, an option is not known, the folder holds runs with other options, or new
            processes cannot play the runs.

    Example:
        >>> import tempfile
        >>> small = {"pool_size": 40, "round_size": 20, "tensorboard": False}
        >>> methods = {"chance": "random", "unsure": "entropy"}
        >>> runs = compare(methods, seeds=2, out=tempfile.mkdtemp(), workers=0, **small)  # doctest: +ELLIPSIS
        compare: 4 runs, 0 of them finished, in ...
        >>> list(runs.tables()["accuracy"]["method"])
        ['chance', 'unsure']
    """
    known = [*option_names(EnvironmentOptions), *OF_COMPARISON]
    defaults: dict[str, Any] = {name: options.pop(name) for name in ("num_envs", "tensorboard") if name in options}
    options = dict(options.pop("options", {})) | options
    check_names(options, known, "A comparison")
    if metric not in METRICS:
        raise RunError(f"Expected a metric among {', '.join(METRICS)}; got {metric!r}.")
    records = load_plugins(plugins)
    methods = _methods(agents)
    order = f"compare takes the agents first, then the environment: compare(['random', 'entropy'], {REVIEWS!r})"
    _check_order(env, [values["agent"] for values in methods.values()], order)
    study = comparison(methods, env, options, seeds, None if out is None else Path(out), records, metric)
    study = dataclasses.replace(study, defaults=defaults, text="")
    with python_spelling():
        return play_comparison(study, workers, overwrite, shown=False)


def sweep(
    study: Study | str | Path, workers: int | None = None, out: str | Path | None = None, only: Iterable[str] = ()
) -> Runs:
    """Play the missing runs of a study, as `signal-env sweep` does, and return the tables of its runs.

    Args:
        study: A study, its file, or the name of one that comes with the package.
        workers: Runs at a time; default: one for each CPU core. 0 plays in this process, as objects always do.
        out: The folder of the runs; default: the study's own.
        only: Patterns of SETTING/METHOD/seed-N: plays these runs alone.

    Raises:
        RunError: If runs have failed, a folder holds another run, or new processes cannot play the runs.

    Example:
        >>> import tempfile
        >>> small = {"tensorboard": False, "options": {"pool_size": 40, "round_size": 20}}
        >>> settings = {"reviews": {"env": "SignalEnv-reviews-v0"}}
        >>> study = Study(settings, {"random": {"agent": "random"}}, seeds=1, defaults=small, out=tempfile.mkdtemp())
        >>> sweep(study, workers=0).rounds["labeled"].tolist()  # doctest: +ELLIPSIS
        study: 1 runs, 0 of them finished, in ...
        [20, 40]
    """
    folder = None if out is None else Path(out)
    if not isinstance(study, Study):
        study = read_study(str(study), folder)
    elif folder is not None:
        study = dataclasses.replace(study, out=folder)
    runs = chosen(study, tuple(only))
    with python_spelling():
        engine = engine_for(runs, workers)
        refuse_others(study.runs)
        play_missing(study, runs, engine)
    return dataclasses.replace(read_runs([run.folder for run in runs]), folder=study.folder, metric=study.metric)


def report(
    folders: Runs | str | Path | Iterable[str | Path],
    out: str | Path | None = None,
    *,
    metric: MetricName | None = None,
    caption: str = "",
) -> Path:
    """Write the report on finished runs, as `signal-env report` does, and return its page.

    Args:
        folders: Folders of runs, or folders that have such folders anywhere below them; or one of them; or what `play`,
            `compare`, `sweep` or `read_runs` returned.
        out: The folder of the report; default: the folder `report` in the first of them, or in that of all the runs.
        metric: What methods are compared by; default: the study's metric, or accuracy.
        caption: First paragraph of the page; default: the study's caption.
    """
    runs = folders if isinstance(folders, Runs) else None
    found = folders.folder if isinstance(folders, Runs) else folders
    places = tuple(map(Path, [found] if isinstance(found, str | Path) else found))
    config = ReportConfig(places, None if out is None else Path(out), metric, caption)
    return write_report(config, runs) / "index.html"


def _methods(agents: Any) -> dict[str, dict[str, Any]]:
    """Return the methods of a study, by name."""
    if isinstance(agents, str | type) or not isinstance(agents, Mapping | Iterable):
        agents = [agents]
    if not isinstance(agents, Mapping):
        pairs = [(name_of_agent(agent[0] if isinstance(agent, tuple) else agent), agent) for agent in agents]
        twice = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
        if twice:
            raise RunError(f"Several agents have the name {twice[0]}: give a mapping from different names to them.")
        agents = dict(pairs)
    methods = {}
    for name, given in agents.items():
        agent, own = given if isinstance(given, tuple) else (given, {})
        methods[name] = {"agent": agent, "agent_options": own}
    return methods


def _check_order(env: Any, agents: Iterable[Any], order: str) -> None:
    """Raise a RunError that says the order of the arguments if an agent is given as the environment, or the reverse."""
    ids = [agent for agent in agents if isinstance(agent, str) and agent.rpartition(":")[2] in gym.registry]
    if ids:
        raise RunError(f"{ids[0]!r} is an environment, and is given as an agent: {order}.")
    if not isinstance(env, str):
        raise RunError(f"Expected an environment's id as a string; got {env!r:.80}: {order}.")
    if env not in gym.registry and is_agent(env):
        raise RunError(f"{env!r} is an agent, and is given as the environment: {order}.")


def _refuse_options_of_object(agent: Any, names: Sequence[str]) -> None:
    """Raise a RunError if one of some unknown options is the class's, and the agent is an object."""
    if isinstance(agent, str | type) or not hasattr(agent, "act"):
        return
    own = {*getattr(agent, "__dict__", ()), *inspect.signature(type(agent)).parameters}
    if given := [name for name in names if name in own]:
        raise RunError(f"The agent is an object: set {', '.join(given)} when you make it.")
