"""`python -m experiments benchmark`: an agent plays the scoreboard's protocol and is scored against the references."""

import dataclasses
import re
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.config import EnvironmentOptions, Plugins, RunConfig, RunError, make_config, make_envs, values_of
from experiments.preflight import preflight
from experiments.progress import console
from experiments.run import finished
from experiments.runs import read_runs
from experiments.scoreboard.about import generator_of, method_values, versions
from experiments.scoreboard.page import parts_of, show, write
from experiments.scoreboard.protocol import PROTOCOL, Protocol, read_protocol
from experiments.scoreboard.references import read_references, rounds_table
from experiments.scoreboard.replay import replay, sentence
from experiments.scoreboard.results import runs_of, scoreboard, text_of
from experiments.study import Study
from experiments.sweep import engine_here, refuse_others, sweep
from signal_env.annotators import make_annotator
from signal_env.learner.experiment import task_of
from signal_env.utils.errors import SignalError
from signal_env.utils.extras import require
from signal_env.utils.storage import write_text

RESULT = "benchmark.json"
"""The file of the result, which may join the scoreboard."""


@dataclasses.dataclass(frozen=True)
class BenchmarkConfig:
    """Plays a fixed protocol with an agent, and scores it against the reference runs that ship with the package.

    A finished run is not played again, and an interrupted one goes on. The documentation's page on the scoreboard has
    the meaning of the scores, and how a result joins it.
    """

    agent: str = "random"
    """The agent's name; `--agent NAME --help` shows its options."""
    method: str | None = None
    """The name of the result; default: the agent's."""
    description: str = ""
    """What the method does, in a sentence, for the scoreboard."""
    author: str = ""
    """Who made it, for the scoreboard."""
    quick: bool = False
    """Play the protocol's subset for a first look: reviews, seeds 0 to 4. Pool-based agents take under a minute on an
    idle machine."""
    settings: tuple[str, ...] = ()
    """Settings of the protocol; default: all for agents that choose, those with a generator for agents that write."""
    seeds: int | None = None
    """Seeds, from 0 on; default: 30, or 5 with --quick."""
    num_envs: int | None = None
    """Texts per step; default: all of a round's."""
    out: Path | None = None
    """The folder of the runs and of the result; default: runs/benchmark-METHOD."""
    overwrite: bool = False
    """Replace runs with other options in the folder, or with another content of a plugin."""
    workers: int | None = None
    """Runs at a time; default: one for each CPU core; 0: one, in this process."""
    protocol: str = PROTOCOL
    """The protocol."""
    options: EnvironmentOptions = dataclasses.field(default_factory=EnvironmentOptions)
    """The environment's options that are the method's own: its reward, its offers a round, ... The protocol fixes the
    others and refuses them."""
    agent_options: Any = None
    """The agent's options."""
    plugins: Plugins = ()
    """Files and modules of your own: `--plugin FILE.py` or `--plugin package.module`."""

    @property
    def name(self) -> str:
        """The name of the result."""
        return self.method or self.agent


def main(config: BenchmarkConfig) -> Path:
    """Play the missing runs; write `benchmark.json` and `benchmark.html` and print the scores; return the folder."""
    for module in ("itables", "jinja2", "matplotlib"):  # before the runs, not after them
        require(module, "plots")
    protocol, references = read_protocol(config.protocol), read_references(config.protocol)
    study = study_of(config, protocol)
    runs = [dataclasses.replace(run, overwrite=config.overwrite) for run in study.runs]
    if not config.overwrite:
        refuse_others(runs, replaceable=True)
    check_available(runs)
    replayed = replay(protocol, references, study, study.folder / ".replay")
    console.print(sentence(replayed), markup=False, highlight=False)
    sweep(study, runs, engine_here(config.workers))
    rounds = rounds_table(read_runs([run.folder for run in runs], unfinished=True).rounds)
    result = result_of(config, study, rounds) | {"replay": replayed}
    write_text(study.folder / RESULT, text_of(result))
    board = scoreboard(protocol.name)
    parts = parts_of(result, board)
    page = write(study.folder, result, board, parts)
    show(result, parts)
    console.print(f"Written to {page} and {RESULT} beside it", markup=False, highlight=False)
    return study.folder


def study_of(config: BenchmarkConfig, protocol: Protocol) -> Study:
    """Return the runs of a benchmark as a study."""
    if not re.fullmatch(r"[\w.+-]+", config.name):
        raise RunError(f"A method's name has letters, digits and . _ + - only; got {config.name!r}.")
    standard = make_config(RunConfig.env, config.agent).options
    given = {name: value for name, value in vars(config.options).items() if value != getattr(standard, name)}
    own = {} if config.agent_options is None else dataclasses.asdict(config.agent_options)
    values = {"agent": config.agent, "options": given, "agent_options": own, "num_envs": config.num_envs}
    writes = config.options.selection != "submitted"
    settings = config.settings or (protocol.quick.settings if config.quick else protocol.writers if writes else None)
    seeds = config.seeds if config.seeds is not None else protocol.quick.seeds if config.quick else protocol.seeds
    return protocol.study(config.name, values, settings, range(seeds), config.out, config.plugins)


def check_available(runs: Sequence[RunConfig]) -> None:
    """Raise a RunError if the data or the models of a setting are missing, before anything is played."""
    lacking = {}
    for run in {run.setting: run for run in runs if not finished(run)}.values():
        try:
            preflight(run)
            make_envs(run).close()
            annotate = annotator_of(run.options)
            annotate(["a text"])
        except (SignalError, OSError) as error:
            lacking[str(run.setting)] = str(error)
    if lacking:
        said = "".join(f"\n  {setting}: {error}" for setting, error in lacking.items())
        raise RunError(
            f"{len(lacking)} settings cannot be played here; nothing was played.{said}\n"
            "Give --settings with those that can be, or --quick, which needs no data."
        )


def annotator_of(options: EnvironmentOptions) -> Callable[[list[str]], Any]:
    """Return the annotator of a method that writes; for others, which need none, a function that does nothing."""
    if options.selection == "submitted":
        return len
    return make_annotator(options.annotator, task_of(options), options.annotator_model, device=options.device)


def result_of(config: BenchmarkConfig, study: Study, rounds: Any) -> dict[str, Any]:
    """Return the result of a benchmark as plain data, but for its `replay`."""
    run = study.runs[0]
    plain = values_of(run.folder)
    return {
        "protocol": config.protocol,
        "method": config.name,
        "description": config.description,
        "author": config.author,
        "agent": config.agent,
        "generator": generator_of(plain),
        "command": command_of(config, method_values(plain)),
        "commit": commit(),
        "versions": versions(),
        "plugins": [{"name": plugin.name, "sha256": plugin.sha256} for plugin in run.plugins],
        "values": method_values(plain),
        "runs": runs_of(rounds),
        "scores": scoreboard(config.protocol).score(rounds),
    }


def command_of(config: BenchmarkConfig, values: Mapping[str, Any]) -> str:
    """Return the command of a benchmark, from the values of its method: without places."""
    shown = ("protocol", "method", "quick", "settings", "seeds", "num_envs")
    own = {name: getattr(config, name) for name in shown if getattr(config, name) != getattr(BenchmarkConfig, name)}
    flags = own | values.get("options", {}) | values.get("agent_options", {})
    words = ["python", "-m", "experiments", "benchmark"]
    words += [word for plugin in config.plugins for word in ("--plugin", plugin.name)] + ["--agent", config.agent]
    for name, value in flags.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        elif isinstance(value, Mapping):
            words += [f"--{flag}", *(str(each) for pair in value.items() for each in pair)]
        else:
            words += [f"--{flag}", *map(str, value if isinstance(value, list | tuple) else [value])]
    return shlex.join(words)


def commit() -> str | None:
    """Return the commit of the code in the current folder; None if it is in no repository."""
    try:
        found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    except OSError:  # git is not installed
        return None
    return found.stdout.strip() or None
