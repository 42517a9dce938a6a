"""The configuration of a run, from the command line, a configuration file, or Python."""

import argparse
import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import gymnasium as gym
import tyro
import yaml

import signal_env  # noqa: F401  (registers the environments)
from agents.agent import Agent, get_agent
from signal_env.config import SignalConfig
from signal_env.learner.experiment import experiment_sizes

Form = TypeVar("Form")

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The YAML loader of plain data; the one in C is ten times as fast."""


PATHS = ("task", "data_dir", "encoder", "annotator_model", "generator", "policy")
"""Options of the environment and of agents that may be paths of files or folders."""

NAMES = ("embedded", "minilm", "small")
"""Values of these options that are names, not paths, whatever lies in the current folder."""


class RunError(ValueError):
    """A run that cannot be played as described; the message says why and what to do."""


@dataclasses.dataclass(frozen=True)
class EnvironmentOptions(SignalConfig):
    """The environment's options, restricted to types that a command line or a file can hold."""

    task: str | None = None
    acquisition: str = "signal"
    reward: str | Mapping[str, float] = "signal"
    classifier: str = "finetune"
    classifier_options: Mapping[str, int | float | str] = dataclasses.field(default_factory=dict)
    annotator: str = "model"

    def as_keywords(self) -> dict[str, Any]:
        """Return the options as keywords of `gym.make`."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}


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

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.out or Path("runs") / f"{self.env}-{self.agent}-seed{self.seed}"

    def absolute(self) -> "RunConfig":
        """Return the same run with absolute paths, to be played from any folder."""
        options, agent_options = _absolute(self.options), _absolute(self.agent_options)
        return dataclasses.replace(self, out=self.folder.resolve(), options=options, agent_options=agent_options)

    def as_yaml(self) -> str:
        """Return the configuration as a YAML file that `--config` reads, from any folder."""
        plain = dataclasses.asdict(self.absolute())
        for name in ("config", "overwrite", "out", "resume"):
            plain.pop(name)
        return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)


def _absolute(options: Any) -> Any:
    """Make the paths of options absolute where they exist; other values are names and stay."""
    values = {name: getattr(options, name, None) for name in PATHS}
    paths = {
        name: str(Path(value).expanduser().resolve())
        for name, value in values.items()
        if value is not None and value not in NAMES and _is_path(name, Path(value).expanduser())
    }
    return dataclasses.replace(options, **paths) if paths else options


def _is_path(name: str, path: Path) -> bool:
    return path.is_file() and path.suffix in (".yaml", ".yml") if name == "task" else path.is_dir()


def make_config(env: str, agent: str, **values: Any) -> RunConfig:
    """Return a run's configuration: the defaults of its environment and its agent, and the given values.

    Args:
        env: The environment's id.
        agent: The agent's name.
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
    agent_class = get_agent(agent)
    own = {**gym.spec(env).kwargs, **agent_class.env_options}
    options = _fill(EnvironmentOptions, {**own, **values.pop("options", {})})
    agent_options = _fill(agent_class, values.pop("agent_options", {}))
    run: RunConfig = _fill(
        RunConfig, {**values, "env": env, "agent": agent, "options": options, "agent_options": agent_options}
    )
    return run


def parse(args: Sequence[str]) -> RunConfig:
    """Read a run's configuration from the command line, and from the file of `--config`."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--config", type=Path)
    first.add_argument("--env")
    first.add_argument("--agent")
    first.add_argument("--resume", type=Path)
    typed, others = first.parse_known_args(args)
    if typed.resume:
        return _resumed(typed.resume, alone=not (others or typed.config or typed.env or typed.agent))
    values = _read(typed.config) if typed.config else {}
    env = typed.env or values.pop("env", RunConfig.env)
    agent = typed.agent or values.pop("agent", RunConfig.agent)
    default = make_config(env, agent, **{k: v for k, v in values.items() if k not in ("env", "agent")})
    with_types = dataclasses.make_dataclass(
        "run", [("agent_options", get_agent(agent), dataclasses.field())], bases=(RunConfig,), frozen=True, kw_only=True
    )
    with_types.__doc__ = f"{RunConfig.__doc__} The defaults shown are those of {env} and {agent}."
    fields = {field.name: getattr(default, field.name) for field in dataclasses.fields(default)}
    parsed = tyro.cli(
        with_types,
        prog="signal-env run",
        args=list(args),
        default=with_types(**fields),
        config=(tyro.conf.OmitArgPrefixes,),
    )
    return RunConfig(**{name: getattr(parsed, name) for name in fields})


def parse_for_env(
    form: Callable[..., Form], command: str, args: Sequence[str], options: Mapping[str, Any] | None = None
) -> Form:
    """Read the command line of a command that plays an environment, whose own options are the defaults.

    Args:
        form: A dataclass with the fields `env` and `options`.
        command: The command's name.
        args: The command's arguments.
        options: Defaults that differ from the environment's own.
    """
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--env", default=vars(form)["env"])
    env = first.parse_known_args(args)[0].env
    default = form(env=env, options=make_config(env, "random", options=dict(options or {})).options)
    return tyro.cli(
        type(default),
        prog=f"signal-env {command}",
        args=list(args),
        default=default,
        config=(tyro.conf.OmitArgPrefixes,),
    )


def _resumed(folder: Path, alone: bool) -> RunConfig:
    """Return the configuration of a run to be continued."""
    if not alone:
        raise RunError("--resume continues a run as it is; give it without other options.")
    return dataclasses.replace(configuration_of(folder), resume=folder)


def configuration_of(folder: Path) -> RunConfig:
    """Return the configuration of the run in a folder.

    Raises:
        RunError: If there is none.
    """
    if not (folder / "config.yaml").is_file():
        raise RunError(f"{folder} holds no run: it has no config.yaml.")
    values = _read(folder / "config.yaml")
    if "agent" not in values:
        raise RunError(f"{folder} holds no run: its config.yaml names no agent. Is it the folder of a training?")
    return make_config(**values, out=folder)


def _read(file: Path) -> dict[str, Any]:
    try:
        values = yaml.load(file.read_text(encoding="utf-8"), LOADER)
    except (OSError, yaml.YAMLError) as error:
        raise RunError(f"The configuration file {file} cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise RunError(f"The configuration file {file} is not a mapping of a run's values; got {values!r:.80}.")
    return values


def _fill(of: type[Any], values: Mapping[str, Any]) -> Any:
    """Make a dataclass from values.

    Raises:
        RunError: If a name is none of its fields.
    """
    if not dataclasses.is_dataclass(of):
        raise RunError(
            f"{of.__name__} should be a dataclass, whose fields are its options: decorate it with @dataclass."
        )
    check_names(values, [field.name for field in dataclasses.fields(of)], of.__name__)
    return of(**values)


def check_names(names: Iterable[str], known: Collection[str], owner: str) -> None:
    """Raise a RunError with the known names if a name is none of them."""
    for name in names:
        if name not in known:
            close = get_close_matches(str(name), known, n=1)
            guess = f" Did you mean {close[0]!r}?" if close else ""
            raise RunError(f"{owner} has no {name}.{guess} Known: {', '.join(known)}.")


def make_envs(run: RunConfig, **options: Any) -> Any:
    """Return the vector environment of a run.

    Args:
        run: The run.
        options: Options of the environment in place of the run's.
    """
    num_envs = run.num_envs or experiment_sizes(run.options).offers
    envs: Any = gym.make_vec(run.env, num_envs=num_envs, **{**run.options.as_keywords(), **options})
    if run.shaping is None:
        return envs
    from signal_env.wrappers import VectorPotentialShaping

    try:
        return VectorPotentialShaping(envs, run.shaping, gamma=run.shaping_gamma, weight=run.shaping_weight)
    except ValueError:
        envs.close()
        raise


def agent_of(config: RunConfig) -> Agent:
    """Return the agent that the configuration describes."""
    agent: Agent = config.agent_options
    return agent
