"""The configuration of a run, from the command line, a configuration file, or Python."""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import gymnasium as gym
import tyro
from gymnasium.envs.registration import load_env_creator

import signal_env  # noqa: F401  (registers the environments)
from experiments.config_file import in_file as in_file
from experiments.config_file import read_yaml as read_yaml
from experiments.config_file import values_in
from experiments.places import PATHS, existing, path_options, read, root_of, settled, with_places, written
from experiments.player import RunError as RunError
from experiments.player import check_names as check_names
from experiments.player import fill, fresh, given, plain_options, player_of, suggestion
from experiments.plugin_record import PluginRecord, recorded
from experiments.plugins import as_now, load_plugins
from signal_env.config import SignalConfig
from signal_env.learner.experiment import experiment_sizes
from signal_env.utils.installed import load_installed
from signal_env.utils.objects import described, holds_object
from signal_env.utils.reading import dump_yaml
from signal_env.utils.typed import typed
from signal_env.vector_env import SignalVectorEnv
from signal_env.wrappers import VectorPotentialShaping

Plugins = Annotated[tuple[PluginRecord, ...], tyro.conf.Fixed, tyro.conf.Suppress]
"""The plugins of a command, which are no option of its own parser: `experiments.__main__` imports them before."""


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
    references: tuple[str, ...] = ()
    """Reference methods of the scoreboard whose accuracies TensorBoard draws over the run's, in settings of its own."""
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
    call_timeout: float | None = None
    """Seconds after which a call of the agent, the classifier, the annotator, a term or another function of your own
    ends the run with an error that says where it was. No part of the run: give it again with `--resume`."""
    config: Path | None = None
    """A YAML file with values; those on the command line replace them."""
    plugins: Plugins = ()
    """Files and modules of your own, imported before names are looked up: `--plugin FILE.py` or
    `--plugin package.module`, as often as needed; in a configuration a list."""
    accept_changed_plugins: bool = False
    """Go on with a run whose plugins have changed, and record their new content."""
    options: EnvironmentOptions = dataclasses.field(default_factory=EnvironmentOptions)
    """The environment's options."""
    agent_options: Any = None
    """The agent's options."""

    def __reduce__(self) -> Any:
        """Pickle the run as plain values: another process imports the plugins before it looks up names."""
        return partial(make_config, **self.plain()), ()

    def plain(self) -> dict[str, Any]:
        """Return the run as plain values and objects from Python, the arguments of `make_config`."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        agent, agent_options = given(self.agent, self.agent_options)
        values |= {"agent": agent, "agent_options": dict(agent_options), "options": dict(vars(self.options))}
        return values | {"plugins": [dataclasses.asdict(record) for record in self.plugins]}

    def data(self) -> dict[str, Any]:
        """Return the run as plain data, with descriptions of objects: see `signal_env.utils.objects`."""
        agent_options = plain_options(self.agent_options)
        data: dict[str, Any] = described(self.plain() | {"agent": self.agent, "agent_options": agent_options})
        return data

    @property
    def objects(self) -> tuple[str, ...]:
        """The names of the values that are objects from Python, or the descriptions of such: options, and "agent"."""
        names = [name for name, value in vars(self.options).items() if holds_object(value)]
        return (*names, *(["agent"] if holds_object(plain_options(self.agent_options)) else []))

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.out or Path("runs") / f"{self.env}-{self.agent}-seed{self.seed}"

    def absolute(self) -> "RunConfig":
        """Return the same run with absolute paths, to be played from any folder."""
        options, agent_options = self._absolute(self.options), self.agent_options
        if "agent" not in self.objects:
            agent_options = self._absolute(agent_options)
        return dataclasses.replace(self, out=self.folder.resolve(), options=options, agent_options=agent_options)

    def _absolute(self, options: Any) -> Any:
        """Make the paths of options absolute where they exist; other values are names and stay."""
        root, paths = root_of(self.folder), {}
        for name in path_options(options):
            if (path := existing(name, getattr(options, name, None))) is not None:
                paths[name] = str(settled(path, root)) if name in PATHS else settled(path, root)
        return dataclasses.replace(options, **paths) if paths else options

    def described(self) -> dict[str, Any]:
        """Return the run as plain data with absolute paths, without what changes nothing that is played."""
        plain = self.absolute().data()
        for name in ("config", "overwrite", "out", "resume", "accept_changed_plugins", "call_timeout"):
            plain.pop(name)
        return plain

    def as_yaml(self) -> str:
        """Return the configuration as the `config.yaml` of the run's folder, which `--config` reads too.

        Paths are as `experiments.places` says. It has the versions of installed packages with plugins too, where there
        are any.
        """
        root = root_of(self.folder)
        names = path_options(self.agent_options)
        plain = with_places(self.described(), names, lambda path: written(path, self.folder, root))
        if installed := load_installed():
            plain["installed_plugins"] = installed
        return dump_yaml(plain)


def make_config(env: str, agent: Any, **values: Any) -> RunConfig:
    """Return a run's configuration: the defaults of its environment and its agent, and the given values.

    Args:
        env: The environment's id.
        agent: The agent: a registered name, a class, or an object; see `experiments.player.player_of`.
        values: Fields of `RunConfig`; `options` and `agent_options` are mappings. `plugins` are paths of files, names
            of modules, or records, which say what content the plugin must have; all are imported first.

    Raises:
        PluginError: If a plugin cannot be imported, or has another content than its record.
        RunError: If the environment, or a value's name, is not known.
        UnknownName: If the agent is not known.

    Example:
        >>> make_config("SignalEnv-reviews-v0", "random", options={"pool_size": 100}).options.selection
        'submitted'
    """
    plugins = load_plugins(values.pop("plugins", None))
    env = typed(env, str, "env", RunError)
    own_options, agent_options = (
        typed(values.pop(name, {}), Mapping[str, Any], name, RunError) for name in ("options", "agent_options")
    )
    module, _, plain_id = env.rpartition(":")
    if module:
        load_plugins([module])
    if plain_id not in gym.registry:
        known = sorted(name for name in gym.registry if name.startswith("SignalEnv"))
        raise RunError(f"No environment {env!r} is registered.{suggestion(plain_id, known)}")
    _refuse_foreign(env)
    name, player = player_of(agent, agent_options)
    own = {**gym.spec(env).kwargs, **getattr(player, "env_options", {})}
    options = fill(EnvironmentOptions, {**own, **own_options}, "The environment", SignalConfig)
    parts = {"env": env, "agent": name, "options": options, "agent_options": player, "plugins": plugins}
    run: RunConfig = fill(RunConfig, values | parts, "A run")
    return run


def _refuse_foreign(env: str) -> None:
    """Raise a RunError if an environment's id is registered for another class than `SignalVectorEnv` or its heirs."""
    point = gym.spec(env).vector_entry_point
    creator = load_env_creator(point) if isinstance(point, str) else point
    if creator is None or (isinstance(creator, type) and not issubclass(creator, SignalVectorEnv)):
        raise RunError(
            f"{env!r} is no environment of signal_env: register it with "
            "vector_entry_point='signal_env.vector_env:SignalVectorEnv'."
        )


def check_seed(seed: int) -> None:
    """Raise a RunError if a seed is negative."""
    if seed < 0:
        raise RunError(f"seed must be a whole number of at least 0; got {seed}.")


def configuration_of(
    folder: Path,
    plugins: Sequence[PluginRecord] = (),
    accept_changed: bool = False,
    places: Mapping[str, Any] = MappingProxyType({}),
) -> RunConfig:
    """Return the configuration of the run in a folder, with its plugins as they are now.

    Args:
        folder: The run's folder.
        plugins: Plugins imported already, see `experiments.plugins.as_now`.
        accept_changed: Whether to import a plugin whose file has changed and that is not among `plugins`.
        places: New places of what the run's options name, by the option's name.

    Raises:
        RunError: If there is no run, or its configuration is not valid.
        PluginError: If a plugin of the run is missing, has changed or cannot be imported.
    """
    now = plugins_of(folder, plugins, accept_changed)  # first: they may register the agent
    values = values_of(folder)
    for name in ("plugins", "installed_plugins"):
        values.pop(name, None)
    fields = {field.name for field in dataclasses.fields(EnvironmentOptions)}
    for name, place in places.items():
        part = "options" if name in fields else "agent_options"
        values[part] = {**(values.get(part) or {}), name: place}
    with in_file(folder / "config.yaml"):
        return make_config(**values, plugins=now, out=folder)


def plugins_of(folder: Path, plugins: Sequence[PluginRecord], accept_changed: bool) -> tuple[PluginRecord, ...]:
    """Import the plugins of the run in a folder as they are now; the arguments are those of `configuration_of`."""
    values = with_places(values_in(folder), (), lambda path: read(path, folder))
    return as_now(recorded(values.get("plugins", ())), plugins, accept_changed)


def values_of(folder: Path) -> dict[str, Any]:
    """Return the values in the `config.yaml` of the run in a folder, with absolute paths.

    The paths among the options of an agent of one's own are known only after its plugin was imported.

    Raises:
        RunError: If there is no run.
    """
    values = values_in(folder)
    return with_places(values, path_options(values["agent"]), lambda path: read(path, folder))


def make_envs(run: RunConfig, **options: Any) -> Any:
    """Return the vector environment of a run, with these options in place of its own."""
    check_seed(run.seed)
    load_installed()  # their stopping criteria are measured in every part of a run
    num_envs = experiment_sizes(run.options).offers if run.num_envs is None else run.num_envs
    values = vars(run.options) | options
    envs: Any = gym.make_vec(run.env, num_envs=num_envs, **{name: fresh(name, value) for name, value in values.items()})
    if run.shaping is None:
        return envs
    try:
        return VectorPotentialShaping(envs, run.shaping, gamma=run.shaping_gamma, weight=run.shaping_weight)
    except ValueError:
        envs.close()
        raise
