"""The reference runs that ship with the package: a compressed table of their rounds, and what made them."""

import dataclasses
import gzip
import io
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from experiments.runs import KEYS
from experiments.scoreboard.protocol import FOLDER, PROTOCOL
from signal_env.utils.extras import require
from signal_env.utils.reading import read_yaml

MEASURED = ("accuracy", "macro_f1", "nll")
"""The columns of floats; they have six significant digits."""

COLUMNS = (*KEYS, "pool", "labeled", "synthetic", *MEASURED)
"""The columns of the table: a row for each round; `synthetic` counts the synthetic texts labeled in the round."""

TABLE, ABOUT = FOLDER / "references.csv.gz", FOLDER / "references.yaml"


@dataclasses.dataclass(frozen=True)
class References:
    """The reference runs of a protocol.

    Attributes:
        rounds: A pandas table with the columns `COLUMNS` and `share`, labeled instances over |R|.
        methods: What each method is: `description`, `agent`, `generator` (None for agents that write nothing), and the
            `values` of its runs.
        made: What made the runs: `command`, `commit`, `versions` of packages, and `runs`, the methods by setting.
    """

    rounds: Any
    methods: Mapping[str, Mapping[str, Any]]
    made: Sequence[Mapping[str, Any]]


@cache
def read_references(protocol: str = PROTOCOL) -> References:
    """Return the reference runs of a protocol.

    Example:
        >>> rounds = read_references().rounds
        >>> one = rounds[(rounds["setting"] == "reviews") & (rounds["method"] == "random") & (rounds["seed"] == 0)]
        >>> one["labeled"].tolist()
        [50, 100, 150, 200, 250, 300, 350, 400, 450, 500]
    """
    about = read_yaml(ABOUT, f"The description {ABOUT}")
    if about["protocol"] != protocol:
        raise ValueError(f"The reference runs are those of {about['protocol']}, not of {protocol}.")
    table = require("pandas", "plots").read_csv(TABLE)
    return References(with_share(table), about["methods"], about["made"])


def rounds_table(runs: Any) -> Any:
    """Return the table `COLUMNS` of rounds, from `Runs.rounds`; floats have six significant digits, as in the file."""
    table = runs.rename(columns={"selected_synthetic": "synthetic"})[list(COLUMNS)]
    return with_share(table.assign(**{name: table[name].map(rounded) for name in MEASURED}))


def rounded(value: float) -> float:
    """Return a number with six significant digits.

    Example:
        >>> rounded(0.123456789)
        0.123457
    """
    return float(f"{value:.6g}")


def with_share(table: Any) -> Any:
    """Return a table of rounds, sorted, with the column `share`."""
    table = table.sort_values([*KEYS, "labeled"], kind="stable", ignore_index=True)
    return table.assign(share=table["labeled"] / table["pool"])


def write_table(rounds: Any, file: Path = TABLE) -> None:
    """Write a table of rounds; equal tables have equal files."""
    csv = with_share(rounds)[list(COLUMNS)].to_csv(index=False, float_format="%.6g", lineterminator="\n")
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, compresslevel=9, mtime=0) as stream:
        stream.write(csv.encode())
    file.write_bytes(packed.getvalue())
