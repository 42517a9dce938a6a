"""One HTML page that holds a report: tables, figures and a browser of texts, in a file that needs nothing else."""

import base64
import hashlib
import os
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from experiments.report.cells import columns
from experiments.report.texts import Sample
from signal_env.utils.extras import require
from signal_env.utils.storage import write_text

ROWS = 500
"""Rows of a table that are shown; its CSV has them all."""

HEADS = {name: name for name in ("setting", "method", "seed", "round", "text", "label", "origin")}
HEADS |= {"invalid": "validity", "reward": "reward"}
"""Columns of the browser of texts, beside the reward terms, and their heads."""

NUMBERS = ("seed", "round", "reward")
"""Those of them that are numbers."""

RESERVED = ("texts", "filters", "offers", "data", "problems")
"""Anchors that the page has itself."""


class Part(NamedTuple):
    """A table or a figure of the page: `content` is a pandas table, or the path of a figure as SVG.

    `name` is its anchor on the page, and the name of its file beside the page: `tables/NAME.csv` or `figures/NAME.svg`.
    """

    name: str
    title: str
    content: Any
    caption: str


def write_page(
    file: Path,
    title: str,
    caption: str,
    parts: Sequence[Part],
    sample: Sample | None = None,
    problems: Sequence[tuple[str, str]] = (),
) -> None:
    """Write the page.

    It loads nothing, and its content security policy forbids it to: styles, scripts, figures and texts are in it, and
    only its own scripts may run. Texts, tables and names are shown as they are. A click on a column's head sorts a
    table; cells that begin with a number, such as "0.81 ± 0.02", sort by it. The tables are DataTables, from itables.

    Args:
        file: The page to write.
        title: Its title.
        caption: The paragraphs below the title, between empty lines.
        parts: Tables and figures, in their order. A column `verdict` is colored by how its cells begin.
        sample: The texts to browse, if any.
        problems: Folders that were left out, or parts of them, and why: they stand first.

    Raises:
        ValueError: If two parts have one name, or a name is not made of letters, digits, `-`, `_` and `.`.
    """
    names = [part.name for part in parts]
    bad = [name for name in names if not re.fullmatch(r"[\w.-]+", name) or name in RESERVED or names.count(name) > 1]
    if bad:
        raise ValueError(f"Parts of a page have names of their own, as files do, and not {bad[0]!r}.")
    jinja2 = require("jinja2", "plots")
    environment = jinja2.Environment(
        autoescape=True,
        finalize=lambda value: value.replace("\0", "␀") if isinstance(value, str) else value,  # HTML cannot write NUL
        loader=jinja2.FunctionLoader(_source),
        lstrip_blocks=True,
        trim_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    style, scripts = _source("page.css"), [library(), _source("page.js")]
    page = environment.get_template("page.html").render(
        policy=(
            f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {' '.join(map(_hash, scripts))}; "
            "base-uri 'none'; form-action 'none'"
        ),
        title=title,
        style=style,
        scripts=scripts,
        caption=caption,
        parts=[_figure(part, file.parent) if isinstance(part.content, Path) else _table(part) for part in parts],
        texts=_texts(sample) if sample else None,
        problems=[*problems, *(sample.problems if sample else ())],
    )
    write_text(file, page)


def _source(name: str) -> str:
    return files("experiments.report").joinpath(name).read_text(encoding="utf-8")


def library() -> str:
    """Return the source of DataTables as a script that leaves `DataTable` to the scripts after it."""
    require("itables", "plots")
    source = files("itables").joinpath("html/dt_bundle.js").read_text(encoding="utf-8")
    *_, exported = re.finditer(r"(\w+) as default\b", source)
    return source.replace("<!--", r"\x3c!--") + f"\nglobalThis.DataTable = {exported[1]};\n"


def _hash(source: str) -> str:
    """Return the name of an inline script or style in a content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


def _figure(part: Part, folder: Path) -> dict[str, Any]:
    image = base64.b64encode(part.content.read_bytes()).decode()
    return part._asdict() | {"image": image, "file": os.path.relpath(part.content, folder)}


def _table(part: Part) -> dict[str, Any]:
    shown = columns(part.content.head(ROWS))
    left = f" The first {ROWS:,} of {len(part.content):,} rows." if len(part.content) > ROWS else ""
    about = {"caption": part.caption + left, "file": f"tables/{part.name}.csv"}
    return part._asdict() | about | {"columns": shown, "rows": list(zip(*shown.values(), strict=True))}


def _texts(sample: Sample) -> dict[str, Any]:
    """Return the columns and the rows of the browser of texts."""
    terms = list(dict.fromkeys(term for text in sample.texts for term in text["terms"]))
    of_terms = [(term, kind) for term in terms for kind in ("raw", "contribution")]
    heads: list[dict[str, Any]] = [
        {"id": name, "title": title, "number": name in NUMBERS, "whole": name in ("seed", "round")}
        for name, title in HEADS.items()
    ]
    for term, kind in of_terms:
        heads.append({"id": f"{kind} {term}", "title": f"{term}, {kind}", "number": True, "term": True})
    rows = [
        [*(text[name] for name in HEADS), *(text["terms"].get(term, {}).get(kind) for term, kind in of_terms)]
        for text in sample.texts
    ]
    return {"sample": sample, "heads": HEADS, "terms": terms, "data": {"columns": heads, "rows": rows}}
