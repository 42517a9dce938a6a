"""The configuration of a run, from the command line, a configuration file, or Python."""

import argparse
import dataclasses
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import gymnasium as gym
import tyro
import yaml

import signal_env  # noqa: F401  (registers the environments)
from experiments.player import RunError as RunError
from experiments.player import check_names as check_names
from experiments.player import (
    fill,
    fresh,
    given,
    plain_options,
    player_of,
    registered_name,
)
from signal_env.config import SignalConfig
from signal_env.learner.experiment import experiment_sizes
from signal_env.utils.objects import described, holds_object
from signal_env.wrappers import VectorPotentialShaping

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The YAML loader of plain data; the one in C is ten times as fast."""


PATHS = ("task", "data_dir", "encoder", "annotator_model", "generator", "policy")
"""Options of the environment and of agents that may be paths of files or folders."""

NAMES = ("embedded", "minilm", "small")
"""Values of these options that are names, not paths, whatever lies in the current folder."""


@dataclasses.dataclass(frozen=True)
class EnvironmentOptions(SignalConfig):
    """The environment's options, restricted to types that a command line or a file can hold."""

    task: str | None = None
    acquisition: str = "signal"
    reward: str | Mapping[str, float] = "signal"
    classifier: str = "finetune"
    classifier_options: Mapping[str, bool | int | float | str | None] = dataclasses.field(default_factory=dict)
    annotator: str = "model"
    stopping: str | None = None
    stopping_options: Mapping[str, int | float | str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """One agent plays one episode into a folder of its own."""

    env: str = "SignalEnv-reviews-v0"
    """The environment's id."""
    agent: str = "random"
    """The agent's name; `--agent NAME --help` shows its options."""
    seed: int = 0
    """Seed of the environment and of the agent."""
    num_envs: int | None = None
    """Texts per step; default: all of a round's."""
    out: Path | None = None
    """The run's folder; default: runs/ENV-AGENT-seedSEED."""
    tensorboard: bool = True
    """Write event files for TensorBoard into the folder `tensorboard` of the run."""
    overwrite: bool = False
    """Replace the run that is in the folder."""
    resume: Path | None = None
    """The folder of an interrupted run to continue, with the configuration that is there."""
    shaping: str | None = None
    """Potential-based reward shaping: the name of a feature of the classifier's state, or of a registered potential."""
    shaping_weight: float = 1.0
    """Factor of the shaping."""
    shaping_gamma: float = 1.0
    """Discount factor of the shaping; the agent's own leaves the optimal policy unchanged."""
    setting: str | None = None
    """The experiment's name in tables and reports; default: the environment's id."""
    method: str | None = None
    """The method's name in tables and reports; default: the agent's."""
    config: Path | None = None
    """A YAML file with values; those on the command line replace them."""
    options: EnvironmentOptions = dataclasses.field(default_factory=EnvironmentOptions)
    """The environment's options."""
    agent_options: Any = None
    """The agent's options."""

    def __reduce__(self) -> Any:
        """Pickle the run as plain values: classes of agents need no name in a module."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        agent, agent_options = given(self.agent, self.agent_options)
        parts = {"agent": agent, "options": dict(vars(self.options)), "agent_options": agent_options}
        return partial(make_config, **values | parts), ()

    @property
    def objects(self) -> tuple[str, ...]:
        """The names of the values that are objects from Python, or the descriptions of such: options, and "agent"."""
        plain = self.plain()
        names = [name for name, value in plain["options"].items() if holds_object(value)]
        return (*names, *(["agent"] if holds_object(plain["agent_options"]) else []))

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.out or Path("runs") / f"{self.env}-{self.agent}-seed{self.seed}"

    def absolute(self) -> "RunConfig":
        """Return the same run with absolute paths, to be played from any folder."""
        agent, options = self.agent_options, _absolute(self.options)
        if registered_name(type(agent)) == self.agent:  # not an object from Python
            agent = _absolute(agent)
        return dataclasses.replace(self, out=self.folder.resolve(), options=options, agent_options=agent)

    def as_yaml(self) -> str:
        """Return the configuration as a YAML file that `--config` reads, from any folder."""
        plain = self.absolute().plain()
        for name in ("config", "overwrite", "out", "resume"):
            plain.pop(name)
        return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)

    def plain(self) -> dict[str, Any]:
        """Return the run as plain data; an object becomes its description, see `signal_env.utils.objects`."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        options, agent_options = described(vars(self.options)), plain_options(self.agent, self.agent_options)
        plain: dict[str, Any] = described(values | {"options": options, "agent_options": agent_options})
        return plain


def _absolute(options: Any) -> Any:
    """Make the paths of options absolute where they exist; other values are names and stay."""
    paths = {}
    for name in PATHS:
        value = getattr(options, name, None)
        if not isinstance(value, str) or value in NAMES:
            continue
        path = Path(value).expanduser()
        if path.is_file() and path.suffix in (".yaml", ".yml") if name == "task" else path.is_dir():
            paths[name] = str(path.resolve())
    return dataclasses.replace(options, **paths) if paths else options


def make_config(env: str, agent: Any, **values: Any) -> RunConfig:
    """Return a run's configuration: the defaults of its environment and its agent, and the given values.

    Args:
        env: The environment's id.
        agent: The agent: a registered name, a class, or an object; see `experiments.player.player_of`.
        values: Fields of `RunConfig`; `options` and `agent_options` are mappings.

    Raises:
        RunError: If the environment, or a value's name, is not known.
        UnknownName: If the agent is not known.

    Example:
        >>> make_config("SignalEnv-reviews-v0", "random", options={"pool_size": 100}).options.selection
        'submitted'
    """
    module, _, plain_id = env.rpartition(":")
    if module:
        import_module(module)
    if plain_id not in gym.registry:
        known = sorted(name for name in gym.registry if name.startswith("SignalEnv"))
        raise RunError(f"No environment {env!r} is registered. Known: {', '.join(known)}.")
    name, player = player_of(agent, values.pop("agent_options", {}))
    own = {**gym.spec(env).kwargs, **getattr(player, "env_options", {})}
    options = fill(EnvironmentOptions, {**own, **values.pop("options", {})})
    parts = {"env": env, "agent": name, "options": options, "agent_options": player}
    run: RunConfig = fill(RunConfig, values | parts)
    return run


def parse(args: Sequence[str], form: type[Any] = RunConfig, command: str = "run") -> Any:
    """Read a command line.

    The defaults are those of the environment that the command plays, of its agent, and of the file of `--config`.

    Args:
        args: The command's arguments.
        form: A dataclass, whose fields are the options. Its `env_options` are defaults of the environment.
        command: The command's name.
    """
    names = {field.name for field in dataclasses.fields(form)}
    default = _default(args, form, names) if "env" in names else None
    description = None
    if isinstance(default, RunConfig):
        if default.resume:
            return default
        description = f"{form.__doc__} The defaults shown are those of {default.env} and {default.agent}."
    return tyro.cli(
        form,
        prog=f"signal-env {command}",
        description=description,
        args=list(args),
        default=default,
        config=(tyro.conf.OmitArgPrefixes,),
    )


def _default(args: Sequence[str], form: type[Any], names: Collection[str]) -> Any:
    """Return the configuration from which a command line differs."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name in ("config", "env", "agent", "resume"):
        if name in names:
            first.add_argument(f"--{name}", default=argparse.SUPPRESS)
    known, others = first.parse_known_args(args)
    typed = vars(known)
    if "resume" in typed:
        if others or len(typed) > 1:
            raise RunError("--resume continues a run as it is; give it without other options.")
        folder = Path(typed["resume"])
        return dataclasses.replace(configuration_of(folder), resume=folder)
    values: dict[str, Any] = {
        "env": RunConfig.env,
        "agent": RunConfig.agent,
        "options": getattr(form, "env_options", {}),
    }
    if "config" in typed:
        values |= read_yaml(Path(typed.pop("config")))
    run = make_config(**values | typed)
    return run if form is RunConfig else form(env=run.env, options=run.options)


def configuration_of(folder: Path) -> RunConfig:
    """Return the configuration of the run in a folder; raise a RunError if there is none."""
    if not (folder / "config.yaml").is_file():
        raise RunError(f"{folder} holds no run: it has no config.yaml.")
    values = read_yaml(folder / "config.yaml")
    if "agent" not in values:
        raise RunError(f"{folder} holds no run: its config.yaml names no agent. Is it the folder of a training?")
    return make_config(**values, out=folder)


def read_yaml(file: Path) -> dict[str, Any]:
    """Return the mapping in a configuration file, or raise a RunError."""
    try:
        values = yaml.load(file.read_text(encoding="utf-8"), LOADER)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RunError(f"The configuration file {file} cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise RunError(f"The configuration file {file} is not a mapping of a run's values; got {values!r:.80}.")
    return values


def make_envs(run: RunConfig, **options: Any) -> Any:
    """Return the vector environment of a run, with these options in place of its own."""
    num_envs = run.num_envs or experiment_sizes(run.options).offers
    values = vars(run.options) | options
    envs: Any = gym.make_vec(run.env, num_envs=num_envs, **{name: fresh(name, value) for name, value in values.items()})
    if run.shaping is None:
        return envs
    try:
        return VectorPotentialShaping(envs, run.shaping, gamma=run.shaping_gamma, weight=run.shaping_weight)
    except ValueError:
        envs.close()
        raise
