"""Tables of the scoreboard, made from its protocol, the reference runs and the results that have joined.

- `standings()`: table of normalized scores of all methods;
- `paired()`: what the standings leave to the paired differences;
- `methods()`: rows of what each method does, with its generator;
- `settings()`: table of the protocol's settings, with what scores are relative to;
- `fixed()`: the options that the protocol fixes;
- `made()`: table of what made the reference runs;
- `protocol()`: the protocol's name.
"""

from collections.abc import Iterable, Sequence
from typing import Any


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    from pages import table

    return table(head, [[str(cell) for cell in row] for row in rows])


def protocol() -> str:
    """Return the protocol's name."""
    from experiments.scoreboard.protocol import PROTOCOL

    return f"`{PROTOCOL}`"


def standings() -> str:
    """Return the table of all methods, the best first."""
    from experiments.scoreboard.page import standings as table_of
    from experiments.scoreboard.results import read_results, rounds_of, scoreboard

    board = scoreboard()
    own = {name: board.normalized(rounds_of(name, result["runs"])) for name, result in read_results().items()}
    found = table_of(board, own, [*board.protocol.settings]).rename(columns={"method": ""})
    rows = [
        [f"`{name}`", *(cell.replace("-", "−") for cell in cells)] for name, *cells in found.itertuples(index=False)
    ]
    return _table([*found], rows)


def paired() -> str:
    """Return what the seeds of the standings mean, and what they leave to the paired differences."""
    from experiments.scoreboard.page import PAIRED

    return PAIRED


def methods() -> str:
    """Return a row for each reference and each result that has joined: what it does, its agent and its generator."""
    from experiments.scoreboard.references import read_references
    from experiments.scoreboard.results import read_results

    about = dict(read_references().methods)
    about |= {
        name: result | {"description": f"{result['description']} By {result['author']}: `{result['command']}`"}
        for name, result in read_results().items()
    }
    rows = [
        (f"`{name}`", each["description"], f"`{each['agent']}`", each["generator"] or "")
        for name, each in about.items()
    ]
    return "\n".join(_table(("", "", "", ""), rows).splitlines()[2:])


def settings() -> str:
    """Return the table of the protocol's settings."""
    from experiments.scoreboard.results import scoreboard

    board = scoreboard()
    rows = []
    for name, values in board.protocol.settings.items():
        base, options = board.anchors.means.loc[name], values.get("options", {})
        sizes = board.first.loc[name]
        shown = ", ".join(f"`{key}={value!r}`" for key, value in options.items())
        writers = "yes" if name in board.protocol.writers else ""
        means = (f"{base[each]:.3f}" for each in ("random", "whole_pool"))
        rows.append((f"`{name}`", f"`{values['env']}`", shown, f"{sizes['pool']:,}", writers, *means))
    heads = (
        "setting",
        "environment",
        "options",
        "pool",
        "writers",
        "area of `random` (score 0)",
        "all labels (score 100)",
    )
    return _table(heads, rows)


def fixed() -> str:
    """Return the names of the options that the protocol fixes."""
    from experiments.scoreboard.protocol import FIXED

    return ", ".join(f"`{name}`" for name in FIXED)


def made() -> str:
    """Return the table of what made the reference runs."""
    from experiments.scoreboard.references import read_references

    references = read_references()
    seeds = references.rounds.groupby(["setting", "method"])["seed"].nunique()
    rows = []
    for each in references.made:
        runs = {}
        for setting, names in each["runs"].items():
            for name in names:
                runs.setdefault((setting, seeds[setting, name]), []).append(name)
        said = "; ".join(f"{setting}, {n} seeds: {', '.join(names)}" for (setting, n), names in runs.items())
        versions = ", ".join(f"{name} {version}" for name, version in each["versions"].items())
        rows.append((f"`{each['command']}`", f"`{each['commit']}`", said, versions))
    return _table(("command", "commit", "runs", "versions"), rows)


FUNCTIONS = {function.__name__: function for function in (protocol, standings, paired, methods, settings, fixed, made)}
"""The functions that pages may call."""
