"""Whether a folder holds a run: its options, and the content of its data, models and plugins."""

import dataclasses
from collections.abc import Mapping

from experiments.config import RunConfig, make_config, read_yaml, values_of
from experiments.content import content_changes
from experiments.plugin_record import accepted, advice, changes, recorded
from experiments.spelling import anew
from signal_env.utils.errors import SignalError
from signal_env.utils.installed import load_installed
from signal_env.utils.objects import is_known
from signal_env.utils.storage import write_text

OPTIONS = "its options are others"


def differences(run: RunConfig) -> list[str]:
    """Return what the run in a run's folder has that this run has not; nothing if it is this very run.

    All options are to be equal, and those not named have their defaults. An object from Python is to have an equal
    content; one whose content cannot be read equals no other. Data, models and plugins are compared by content.
    Installed packages with plugins are compared by version; one that was not there when the run began is no difference.

    Raises:
        ValueError: If there is no run, or one with options that this version does not know.
    """
    values = values_of(run.folder)
    before, installed = recorded(values.pop("plugins", ())), values.pop("installed_plugins", {})
    there = make_config(**values, plugins=run.plugins, out=run.folder)
    found = [] if there.as_yaml() == run.as_yaml() and is_known(run.data()) else [OPTIONS]
    found += content_changes(run)
    if not run.accept_changed_plugins:
        found += changes(before, run.plugins) + _changed_packages(installed)
    return found


def refusal(run: RunConfig, replaceable: bool = True) -> str:
    """Return why the run in a run's folder cannot be continued as this run, and what to do.

    Args:
        run: The run.
        replaceable: Whether the command has an option that replaces the run: `sweep` has none.
    """
    try:
        found = differences(run)
    except (SignalError, ValueError, TypeError):
        found = [OPTIONS]
    if OPTIONS in found:
        objects = f" or with another content of {', '.join(run.objects)}" if run.objects else ""
        return (
            f"{run.folder} holds a run with other options{objects}: compare its config.yaml. Give {anew(replaceable)}."
        )
    if content := content_changes(run):
        return (
            f"{run.folder} was begun with other content: {'; '.join(content)}. Its rounds would not fit together. "
            f"Restore what has changed, or play the run anew ({anew(replaceable)})."
        )
    return f"{run.folder} was begun with other plugins: {'; '.join(found)}. {advice(replaceable)}"


def accept_plugins(run: RunConfig) -> None:
    """Record the present content of a run's plugins in the `config.yaml` of its folder, beside the former one.

    Only if changes are accepted (`RunConfig.accept_changed_plugins`).
    """
    if not run.accept_changed_plugins:
        return
    file = run.folder / "config.yaml"
    values = read_yaml(file)
    before = recorded(values.get("plugins", ()))
    if changes(before, run.plugins) or _changed_packages(values.get("installed_plugins", {})):
        write_text(file, dataclasses.replace(run, plugins=accepted(before, run.plugins)).as_yaml())


def is_mixed(run: RunConfig) -> bool:
    """Return whether a part of the run in a run's folder was played with another content of a plugin than now."""
    values = values_of(run.folder)
    before = recorded(values.get("plugins", ()))
    changed = changes(before, run.plugins) or _changed_packages(values.get("installed_plugins", {}))
    return bool(changed) or any(record.formerly for record in before)


def _changed_packages(installed: Mapping[str, str]) -> list[str]:
    """Return which packages with plugins have other versions than a run recorded."""
    now = load_installed() if installed else {}
    return [
        f"the installed package {name} has changed (version {version}, now {now.get(name, 'not installed')})"
        for name, version in installed.items()
        if now.get(name) != version
    ]
