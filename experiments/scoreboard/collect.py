"""`python -m experiments scoreboard collect`: finished runs become references of the scoreboard."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tyro
import yaml

from agents.agent import get_agent
from experiments.config import RunError
from experiments.progress import console
from experiments.runs import Runs, read_runs
from experiments.scoreboard.about import generator_of, method_values, versions
from experiments.scoreboard.protocol import PROTOCOL, read_protocol
from experiments.scoreboard.references import ABOUT, TABLE, read_references, rounds_table, write_table
from signal_env.utils.extras import require
from signal_env.utils.storage import write_text


@dataclasses.dataclass(frozen=True)
class CollectConfig:
    """Adds finished runs to the references of the scoreboard, in place of those of the same settings and methods.

    Each run must play a setting of the protocol as it is. The versions of packages that are recorded are the present
    ones: collect runs where they were played.
    """

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of runs, or folders above them."""
    command: str
    """The command that played them."""
    commit: str
    """The commit of the code that played them."""
    methods: tuple[str, ...] = ()
    """Their methods to add; default: all."""
    protocol: str = PROTOCOL
    """The protocol."""


def main(config: CollectConfig) -> Path:
    """Write the table and its description; return the table's file."""
    runs, known = read_runs(config.runs), read_references(config.protocol) if TABLE.is_file() else None
    table = collected(runs, config)
    new = table.groupby(["setting", "method"]).size().index
    methods, made = (dict(known.methods), [*known.made]) if known else ({}, [])
    for method in new.unique("method"):
        folder = runs.rounds.loc[runs.rounds["method"] == method, "folder"].iloc[0]
        methods[method] = described(methods.get(method, {}), runs.configs[folder])
    if known is not None:
        kept = known.rounds[~known.rounds.set_index(["setting", "method"]).index.isin(new)]
        table = require("pandas", "plots").concat([kept, table])
    runs_by_setting = {setting: [m for s, m in new if s == setting] for setting in new.unique("setting")}
    record = {"command": config.command, "commit": config.commit, "versions": versions(), "runs": runs_by_setting}
    write_table(table)
    about = {"protocol": config.protocol, "methods": methods, "made": [*without(made, new), record]}
    write_text(ABOUT, yaml.safe_dump(about, sort_keys=False, width=120, default_flow_style=None))
    console.print(f"{TABLE.name}: {len(table)} rounds, {TABLE.stat().st_size / 1000:.0f} kB")
    return TABLE


def collected(runs: Runs, config: CollectConfig) -> Any:
    """Return the table of rounds of those runs that play a setting of the protocol; raise a RunError if none does."""
    protocol, rounds = read_protocol(config.protocol), runs.rounds
    rounds = rounds[rounds["setting"].isin([*protocol.settings])]
    if config.methods:
        rounds = rounds[rounds["method"].isin(config.methods)]
    if rounds.empty:
        raise RunError(f"None of these runs plays a setting of {protocol.name}: {', '.join(protocol.settings)}.")
    for setting, folder in rounds[["setting", "folder"]].drop_duplicates().itertuples(index=False):
        played = protocol.setting_of(runs.configs[folder])
        if played != setting:
            raise RunError(f"{folder} plays the setting {played}, not {setting}.")
    return rounds_table(rounds)


def without(made: Sequence[Mapping[str, Any]], new: Any) -> list[dict[str, Any]]:
    """Return what made the runs that are kept, from pairs of a setting and a method that are made anew."""
    left = []
    for each in made:
        runs = {setting: [m for m in methods if (setting, m) not in new] for setting, methods in each["runs"].items()}
        if runs := {setting: methods for setting, methods in runs.items() if methods}:
            left.append({**each, "runs": runs})
    return left


def described(known: Mapping[str, Any], run: Mapping[str, Any]) -> dict[str, Any]:
    """Return the description of a method, from one of its runs; the words that it has already stay."""
    about = (get_agent(run["agent"]).__doc__ or "").split("\n\n")[0]
    return {
        "description": known.get("description", " ".join(about.split())),
        "agent": run["agent"],
        "generator": generator_of(run),
        "values": method_values(run),
    }
