"""Whether a folder holds a run: its options, and the content of its data, models and plugins."""

import dataclasses
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.config import RunConfig, RunError, in_file, make_config, read_yaml, values_of
from experiments.content import content_changes, may_write, same_content
from experiments.places import PARTS, path_options, read, root_of, same_place, written
from experiments.plugin_record import accepted, advice, changes, is_file, recorded
from experiments.spelling import anew, spelled
from signal_env.utils.errors import SignalError
from signal_env.utils.installed import load_installed
from signal_env.utils.objects import is_description, is_known
from signal_env.utils.reading import dump_yaml
from signal_env.utils.storage import write_text

SHOWN = 5
"""The number of options that a message shows."""


def differences(run: RunConfig) -> list[str]:
    """Return what the run in a run's folder has that this run has not; nothing if it is this very run.

    All options are to be equal, and those not named have their defaults. Paths are equal where what lies there has the
    same content, see `experiments.content.same_content`. An object from Python is to have an equal content; one whose
    content cannot be read equals no other. Data, models and plugins are compared by content. Installed packages with
    plugins are compared by version; one that was not there when the run began is no difference.

    Raises:
        ValueError: If there is no run, or one with options that this version does not know.
    """
    values = values_of(run.folder)
    before, installed = recorded(values.pop("plugins", ())), values.pop("installed_plugins", {})
    found = _other_options(run, _there(run, values)) + content_changes(run)
    if not run.accept_changed_plugins:
        found += changes(before, run.plugins) + _changed_packages(installed)
    return found


def _there(run: RunConfig, values: Mapping[str, Any]) -> RunConfig:
    """Return the run in a run's folder, of which `values_of` returned the values, with this run's plugins."""
    values = {name: value for name, value in values.items() if name not in ("plugins", "installed_plugins")}
    with in_file(run.folder / "config.yaml"):
        return make_config(**values, plugins=run.plugins, out=run.folder)


def _other_options(run: RunConfig, there: RunConfig) -> list[str]:
    """Return the names and both values of the options that differ, those of paths by the content there."""
    mine, theirs = run.described(), there.described()
    pairs = {name: (mine[name], theirs[name]) for name in mine if name not in PARTS}
    for part in PARTS:
        if all(isinstance(one.get(part), dict) and not is_description(one[part]) for one in (mine, theirs)):
            names = dict.fromkeys((*theirs[part], *mine[part]))
            pairs |= {name: (mine[part].get(name), theirs[part].get(name)) for name in names}
        else:
            pairs["agent"] = (mine.get(part), theirs.get(part))
    paths = path_options(run.agent_options)
    return [
        f"{name} is {then!r:.80}, here {now!r:.80}"
        for name, (now, then) in pairs.items()
        if (not _equal(now, then) or not is_known(now)) and not (name in paths and same_content(name, run, there))
    ]


def _equal(now: Any, then: Any) -> bool:
    """Return whether two values are the same in a file, where 1, 1.0 and true are three."""
    plain = type(now) is type(then) and (not now or not isinstance(now, dict | list))
    return (plain and now == then) or dump_yaml(now) == dump_yaml(then)


def refusal(run: RunConfig, replaceable: bool = True, acceptable: bool = True) -> str:
    """Return why the run in a run's folder cannot be continued as this run, and what to do.

    Args:
        run: The run.
        replaceable: Whether the command has an option that replaces the run: `sweep` has none.
        acceptable: Whether it has one that accepts changed plugins: `compare` and `benchmark` have none.
    """
    try:
        there = _there(run, values_of(run.folder))
        others = _other_options(run, there)
    except (SignalError, ValueError, TypeError) as error:
        others = [str(error)]
    if others:
        objects = f" or with another content of {', '.join(run.objects)}" if run.objects else ""
        unread = [
            name for name in path_options(run.agent_options) if any(one.startswith(f"{name} is") for one in others)
        ]
        what = "; ".join([*others[:SHOWN], *([f"and {len(others) - SHOWN} more"] if len(others) > SHOWN else [])])
        hint = (
            f" Paths are compared by what lies there: the content of {', '.join(unread)} is another, or it cannot be "
            "read on this machine."
            if unread
            else ""
        )
        return (
            f"{run.folder} holds a run with other options{objects} ({what}): compare its config.yaml.{hint} "
            f"Give {anew(replaceable)}."
        )
    if content := content_changes(run):
        return (
            f"{run.folder} was begun with other content: {'; '.join(content)}. Its rounds would not fit together. "
            f"Restore what has changed, or play the run anew ({anew(replaceable)})."
        )
    return (
        f"{run.folder} was begun with other plugins: {'; '.join(differences(run))}. {advice(replaceable, acceptable)}"
    )


def missing_places(run: RunConfig) -> list[str]:
    """Return the options of a run that name a file or a folder which is not on this machine."""
    found = []
    for part in (run.options, run.agent_options):
        for name in path_options(part):
            value = getattr(part, name, None)
            needed = name != "annotator_model" or may_write(run)
            if needed and isinstance(value, str | Path) and Path(value).is_absolute() and not Path(value).exists():
                found.append(name)
    return list(dict.fromkeys(found))


def check_places(run: RunConfig) -> None:
    """Raise a RunError if what an option of the run in a folder names is not on this machine."""
    if missing := missing_places(run):
        options = {**vars(run.options), **getattr(run.agent_options, "__dict__", {})}
        there = ", ".join(f"{name} at {options[name]}" for name in missing)
        flags = " ".join(f"--{name.replace('_', '-')} PLACE" for name in missing)
        keywords = ", ".join(f"{name}=PLACE" for name in missing)
        give = spelled(f"run --resume {run.folder} {flags}", f"play(..., {keywords}, out={str(run.folder)!r})")
        raise RunError(
            f"The run in {run.folder} needs {there}, which is not on this machine ({platform.node()}). Give its new "
            f"place, whose content is to be the same: {give}."
        )


def record_places(run: RunConfig) -> None:
    """Write the paths of a run into the `config.yaml` of its folder, where those there are other places."""
    file, names = run.folder / "config.yaml", path_options(run.agent_options)
    plain, now = read_yaml(file), run.described()
    root = root_of(run.folder)

    def current(part: str, name: str, value: Any) -> Any:
        place = now[part].get(name) if isinstance(now[part], dict) else None
        moved = isinstance(place, str) and os.path.isabs(place) and not same_place(place, read(value, run.folder))
        return written(place, run.folder, root) if moved else value

    changed = dict(plain)
    for part in PARTS:
        if isinstance(plain.get(part), dict) and not is_description(plain[part]):
            changed[part] = {name: current(part, name, v) if name in names else v for name, v in plain[part].items()}
    sources = {record.sha256: record.source for record in run.plugins}
    for record in changed.get("plugins") or ():
        source = sources.get(record["sha256"])
        if source and is_file(source) and not same_place(source, read(record["source"], run.folder)):
            record["source"] = written(source, run.folder, root)
    if (text := dump_yaml(changed)) != dump_yaml(read_yaml(file)):
        write_text(file, text)


def accept_plugins(run: RunConfig) -> None:
    """Record the present content of a run's plugins in the `config.yaml` of its folder, beside the former one.

    Only if changes are accepted (`RunConfig.accept_changed_plugins`).
    """
    if not run.accept_changed_plugins:
        return
    file = run.folder / "config.yaml"
    values = values_of(run.folder)
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
