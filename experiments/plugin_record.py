"""Records of plugins: what a run's `config.yaml` keeps of them, and how two lists of records differ."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from signal_env.utils.errors import PluginError

ACCEPT = "--accept-changed-plugins"

ADVICE = (
    "Restore the plugin, play the run anew (--overwrite, or --out with another folder), or go on with the plugin as it "
    f"is now: {ACCEPT}."
)
"""What to do about a run whose plugins have changed."""


@dataclasses.dataclass(frozen=True)
class PluginRecord:
    """A plugin that has been imported, as a run's `config.yaml` keeps it.

    Attributes:
        source: The absolute path of the file, or the module's name.
        sha256: The hash of the file's content.
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


def changes(before: Sequence[PluginRecord], now: Sequence[PluginRecord]) -> list[str]:
    """Return what differs between two lists of plugins, a sentence without its end for each difference.

    Example:
        >>> first, other = (PluginRecord("/a/mine.py", letter * 64) for letter in "ab")
        >>> changes([first], [first]), changes([first], [other])
        ([], ['the plugin mine.py has changed (sha256 aaaaaaaaaaaa, now bbbbbbbbbbbb)'])
        >>> changes([], [other])
        ['the plugin mine.py is new (sha256 bbbbbbbbbbbb)']
    """
    hashes = {record.sha256 for record in before}, {record.sha256 for record in now}
    old = {record.name: record for record in before if record.sha256 not in hashes[1]}
    new = {record.name: record for record in now if record.sha256 not in hashes[0]}
    said = []
    for name in dict.fromkeys((*old, *new)):
        if name in old and name in new:
            said.append(change(old[name], new[name]))
        elif name in old:
            said.append(f"the plugin {name} is not named (sha256 {old[name].sha256[:12]})")
        else:
            said.append(f"the plugin {name} is new (sha256 {new[name].sha256[:12]})")
    return said


def change(before: PluginRecord, now: PluginRecord) -> str:
    """Return how a plugin has changed, as part of a sentence."""
    return f"the plugin {before.name} has changed (sha256 {before.sha256[:12]}, now {now.sha256[:12]})"


def accepted(before: Sequence[PluginRecord], now: Sequence[PluginRecord]) -> tuple[PluginRecord, ...]:
    """Return the records of now; each keeps the hashes that a plugin of its name had before."""
    old = {record.name: record for record in before}
    kept = []
    for record in now:
        former = old.get(record.name)
        if former is not None and former.sha256 != record.sha256:
            record = dataclasses.replace(record, formerly=(*former.formerly, former.sha256))
        kept.append(record)
    return tuple(kept)
