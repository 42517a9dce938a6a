"""Records of plugins: what a run's `config.yaml` keeps of them, and how two lists of records differ."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.spelling import anew, spelled
from signal_env.utils.errors import PluginError

ACCEPT = "--accept-changed-plugins"


@dataclasses.dataclass(frozen=True)
class PluginRecord:
    """A plugin that has been imported, as a run's `config.yaml` keeps it.

    Attributes:
        source: The absolute path of the file, or the module's name.
        sha256: The hash of the content, see `experiments.plugin_content`.
        distribution: The name and the version of the installed package that holds the module, or None.
        formerly: Hashes of the contents with which earlier parts of a run were played, before a change was accepted.
    """

    source: str
    sha256: str
    distribution: str | None = None
    formerly: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The file's name, or the module's."""
        return Path(self.source).name if is_file(self.source) else self.source


def is_file(source: str) -> bool:
    """Return whether a plugin is named by the path of a file."""
    separators = {"/", os.sep}
    return source.endswith(".py") or bool(separators & set(source))


def recorded(records: Any) -> tuple[PluginRecord, ...]:
    """Read the records in a configuration.

    Raises:
        PluginError: If they are none.
    """
    known = {field.name for field in dataclasses.fields(PluginRecord)}
    made = []
    for record in records if isinstance(records, list | tuple) else [records]:
        if isinstance(record, PluginRecord):
            made.append(record)
        elif isinstance(record, Mapping) and {"source", "sha256"} <= record.keys() <= known:
            made.append(PluginRecord(**{**record, "formerly": tuple(record.get("formerly") or ())}))
        else:
            raise PluginError(f"A plugin is recorded by its source and sha256; got {record!r:.80}.")
        source = made[-1].source
        if not isinstance(source, str) or (is_file(source) and not Path(source).is_absolute()):
            raise PluginError(f"A plugin is recorded by an absolute path or a module's name; got {source!r:.80}.")
    return tuple(made)


def pairs(
    before: Sequence[PluginRecord], now: Sequence[PluginRecord]
) -> list[tuple[PluginRecord | None, PluginRecord | None]]:
    """Return each former record with that of the same plugin now, or None; then the new ones, with None before them.

    The same plugin is that of the same content, wherever it lies. Among those whose content no former record has, it is
    the one at the same place, or else the one of the same name.

    Example:
        >>> one, other = PluginRecord("/a/mine.py", "a" * 64), PluginRecord("/b/mine.py", "b" * 64)
        >>> changed = PluginRecord("/b/mine.py", "c" * 64)
        >>> pairs([one, other], [changed, one]) == [(one, one), (other, changed)]
        True
    """
    contents = {new.sha256: new for new in now}
    found = {i: contents[old.sha256] for i, old in enumerate(before) if old.sha256 in contents}
    left = [new for new in now if new.sha256 not in {old.sha256 for old in before}]
    for key in ("source", "name"):
        for i, old in enumerate(before):
            same = [new for new in left if getattr(new, key) == getattr(old, key)]
            if same and i not in found:
                found[i] = same[0]
                left.remove(same[0])
    return [*((old, found.get(i)) for i, old in enumerate(before)), *((None, new) for new in left)]


def changes(before: Sequence[PluginRecord], now: Sequence[PluginRecord]) -> list[str]:
    """Return what differs between two lists of plugins, a sentence without its end for each difference.

    Example:
        >>> first, other = (PluginRecord("/a/mine.py", letter * 64) for letter in "ab")
        >>> changes([first], [first]), changes([first], [other])
        ([], ['the plugin mine.py has changed (sha256 aaaaaaaaaaaa, now bbbbbbbbbbbb)'])
        >>> changes([], [other])
        ['the plugin mine.py is new (sha256 bbbbbbbbbbbb)']
    """
    said = []
    for old, new in pairs(before, now):
        record = old or new
        assert record is not None
        name = called(record, before, now)
        if old is None:
            said.append(f"the plugin {name} is new (sha256 {record.sha256[:12]})")
        elif new is None:
            said.append(f"the plugin {name} is not named (sha256 {record.sha256[:12]})")
        elif old.sha256 != new.sha256:
            said.append(change(old, new, name))
    return said


def called(record: PluginRecord, *lists: Sequence[PluginRecord]) -> str:
    """Return a plugin's name, or its place if two plugins of a list have this name."""
    repeated = any(sum(one.name == record.name for one in records) > 1 for records in lists)
    return record.source if repeated else record.name


def change(before: PluginRecord, now: PluginRecord, name: str | None = None) -> str:
    """Return how a plugin has changed, as part of a sentence."""
    return f"the plugin {name or before.name} has changed (sha256 {before.sha256[:12]}, now {now.sha256[:12]})"


def accepted(before: Sequence[PluginRecord], now: Sequence[PluginRecord]) -> tuple[PluginRecord, ...]:
    """Return the records of now; each keeps the hashes that the plugin had before."""
    kept = []
    for old, new in pairs(before, now):
        if old and new:
            formerly = (*old.formerly, *((old.sha256,) if old.sha256 != new.sha256 else ()))
            kept.append(dataclasses.replace(new, formerly=formerly))
        elif new:
            kept.append(new)
    return tuple(kept)


def advice(replaceable: bool = True, acceptable: bool = True) -> str:
    """Return what to do about a run whose plugins have changed.

    Args:
        replaceable: Whether the command has an option that replaces the run: `sweep` has none.
        acceptable: Whether it has one that accepts the change: `compare` and `benchmark` have none.
    """
    accept = spelled(ACCEPT, "accept_changed_plugins=True" if replaceable else "") if acceptable else ""
    go_on = f", or go on with the plugin as it is now: {accept}" if accept else ""
    then = " The run of an agent whose state is not kept is then played anew." if accept else ""
    return f"Restore the plugin, or play the run anew ({anew(replaceable)}){go_on}.{then}"
