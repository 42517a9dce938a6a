"""The parser of a command's options, whose defaults depend on the environment, the agent and a configuration file."""

import argparse
import dataclasses
import inspect
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import tyro

from experiments.config import (
    RunConfig,
    RunError,
    configuration_of,
    in_file,
    make_config,
    plugins_of,
    read_yaml,
    values_of,
)
from experiments.places import PATHS, existing, on_each_path, path_options
from experiments.plugin_record import ACCEPT, PluginRecord
from experiments.plugins import PLUGIN_HELP, listed, load_plugins
from signal_env.classifiers import classifiers
from signal_env.classifiers.options import list_options


def parse(
    args: Sequence[str], form: type[Any] = RunConfig, command: str = "run", plugins: Sequence[PluginRecord] = ()
) -> Any:
    """Read a command line.

    The defaults are those of the environment that the command plays, of its agent, and of the file of `--config`.

    Args:
        args: The command's arguments.
        form: A dataclass, whose fields are the options. Its `env_options` are defaults of the environment.
        command: The command's name.
        plugins: The plugins that the command line names, imported already.
    """
    names = {field.name for field in dataclasses.fields(form)}
    default = _default(args, form, names, plugins) if names & {"env", "agent"} else None
    description = inspect.getdoc(form)
    if isinstance(default, RunConfig):
        if default.resume:
            return default
        description = f"{form.__doc__} The defaults shown are those of {default.env} and {default.agent}."
        if {"-h", "--help"} & set(args):
            description += f"\n\n{classifier_options_help()}"
    config = tyro.cli(
        form,
        prog=f"signal-env {command}",
        description=f"{description}\n\n{PLUGIN_HELP}",
        args=list(args),
        default=default,
        config=(tyro.conf.OmitArgPrefixes,),
    )
    return dataclasses.replace(config, plugins=tuple(plugins)) if "plugins" in names and default is None else config


def classifier_options_help() -> str:
    """Return the options of all registered classifiers, for `--help`."""
    listed = list_options({name: classifiers[name] for name in classifiers})
    return f"--classifier-options takes names and values, as in `--classifier-options max_length 64`.\n\n{listed}"


def _default(args: Sequence[str], form: type[Any], names: Collection[str], plugins: Sequence[PluginRecord]) -> Any:
    """Return the configuration from which a command line differs."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name in ("config", "env", "agent", "resume"):
        if name in names:
            first.add_argument(f"--{name}", default=argparse.SUPPRESS)
    if "resume" in names:
        first.add_argument("--call-timeout", type=float)
    known, others = first.parse_known_args(args)
    typed = vars(known)
    call_timeout = typed.pop("call_timeout", None)
    if "resume" in typed:
        run = _resumed(Path(typed.pop("resume")), [*_spelled(typed), *others], plugins)
        return dataclasses.replace(run, call_timeout=call_timeout)
    values: dict[str, Any] = {
        "env": RunConfig.env,
        "agent": RunConfig.agent,
        "options": getattr(form, "env_options", {}),
    }
    if "config" not in typed:
        run = make_config(**values | typed, plugins=plugins)
    else:
        file = Path(typed.pop("config"))
        values |= _values_in(file, typed.get("agent"))
        values["plugins"] = (*values["plugins"], *plugins)
        with in_file(file):
            run = make_config(**values | typed)
    if form is RunConfig:
        return run
    parts = ("env", "options", "plugins", *(("agent", "agent_options") if "agent" in names else ()))
    return form(**{name: getattr(run, name) for name in parts if name in names})


def _values_in(file: Path, agent: str | None) -> dict[str, Any]:
    """Return the values in a configuration file, and its plugins' records.

    A relative path starts from the file's folder, or from the current one. Plugins are imported first, since they may
    register the agent, whose options may be paths too.

    Args:
        file: The file.
        agent: The agent of the command line; default: the file's.

    Raises:
        RunError: If it has a value of the command line alone.
    """
    values = read_yaml(file)
    values.pop("installed_plugins", None)
    for name in ("config", "resume"):
        if name in values:
            raise RunError(f"{file}: {name} is an option of the command line, not of a file; leave it out.")
    named = listed(values.get("plugins"))
    sources = [one["source"] if isinstance(one, Mapping) and "source" in one else one for one in named]
    values["plugins"] = load_plugins(sources, file.parent)

    def place(name: str, value: Any) -> Any:
        return str(existing(name, value, (file.parent, Path())) or value) if isinstance(value, str) else value

    return on_each_path(values, path_options(agent or values.get("agent", RunConfig.agent)), place)


def _spelled(typed: Mapping[str, str]) -> list[str]:
    """Return options as a command line has them."""
    return [word for name, value in typed.items() for word in (f"--{name}", value)]


def _resumed(folder: Path, args: Sequence[str], plugins: Sequence[PluginRecord]) -> RunConfig:
    """Return the run in a folder, from the arguments beside `--resume`: new places, and whether plugins may change."""
    accept, left, places = ACCEPT in args, [one for one in args if one != ACCEPT], {}
    allowed: tuple[str, ...] = PATHS
    if (folder / "config.yaml").is_file():
        plugins_of(folder, plugins, accept)
        allowed = path_options(values_of(folder)["agent"])
    while left:
        flag, mark, value = left.pop(0).partition("=")
        name = flag.removeprefix("--").replace("-", "_")
        if name not in allowed or not flag.startswith("--") or not (mark or left):
            raise RunError(
                f"--resume continues a run as it is; give it without other options than --plugin, {ACCEPT}, "
                "--call-timeout, and the new places of what it needs: "
                f"{', '.join('--' + one.replace('_', '-') for one in allowed)}."
            )
        given = value if mark else left.pop(0)
        if (path := existing(name, given)) is None:
            raise RunError(f"{flag} {given}: there is no such {'.yaml file' if name == 'task' else 'folder'} here.")
        places[name] = str(path)
    run = configuration_of(folder, plugins, accept, places)
    return dataclasses.replace(run, resume=folder, accept_changed_plugins=accept)
