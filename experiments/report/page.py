"""One HTML page that holds a report: tables, figures and a browser of texts, in a file that needs nothing else."""

import base64
import hashlib
import json
import os
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any, NamedTuple
from urllib.parse import quote

from experiments.report.markup import plain, table
from experiments.report.texts import Sample
from signal_env.utils.storage import write_text

ROWS = 500
"""Rows of a table that are shown; its CSV has them all."""

COLUMNS = ("setting", "method", "seed", "round", "text", "label", "origin", "invalid", "reward")
"""What the browser of texts shows of each, beside its reward terms."""

RESERVED = ("texts", "filters", "count", "offers", "previous", "place", "next", "data", "problems")
"""Anchors that the page has itself."""


class Part(NamedTuple):
    """A table or a figure of the page.

    Attributes:
        name: Its anchor on the page and of its file beside the page: `tables/NAME.csv` or `figures/NAME.svg`.
        title: Its heading.
        content: A pandas table, or the path of a figure as SVG.
        caption: What there is to see.
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
    """Writes the page.

    It asks for nothing from elsewhere, and its policy forbids it to: styles, script, figures and texts are in it, and
    only its own script may run. Whatever is in a text, a table or a name is shown as it is. A click on a column's head
    sorts a table; cells that begin with a number, such as "0.81 ± 0.02", sort by it.

    Args:
        file: The page to write.
        title: Its title.
        caption: What stands below the title; an empty line begins a paragraph.
        parts: Tables and figures, in their order. A column `verdict` is coloured by what it begins with.
        sample: The texts to browse; None: the page has none.
        problems: Folders that were left out, or parts of them, and why: they stand first.

    Raises:
        ValueError: If two parts have one name, or a name is not made of letters, digits, `-`, `_` and `.`.
    """
    names = [part.name for part in parts]
    bad = [name for name in names if not re.fullmatch(r"[\w.-]+", name) or name in RESERVED or names.count(name) > 1]
    if bad:
        raise ValueError(f"Parts of a page have names of their own, as files do, and not {bad[0]!r}.")
    problems = [*problems, *(sample.problems if sample else ())]
    sections = [_problems(problems)] if problems else []
    sections += [_figure(part, file.parent) if isinstance(part.content, Path) else _table(part) for part in parts]
    contents = [(part.name, part.title) for part in parts]
    if sample is not None:
        sections.append(_browser(sample))
        contents.append(("texts", "Generated texts"))
    style, script = _source("page.css"), _source("page.js")
    policy = f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; "
    page = Template(_source("page.html")).substitute(
        policy=policy + "base-uri 'none'; form-action 'none'",
        title=plain(title),
        style=style,
        script=script,
        contents="\n".join(f'<li><a href="#{name}">{plain(title)}</a></li>' for name, title in contents),
        caption="\n".join(f"<p>{plain(paragraph)}</p>" for paragraph in caption.split("\n\n")),
        sections="\n".join(sections),
    )
    write_text(file, page)


def _source(name: str) -> str:
    return files("experiments.report").joinpath(name).read_text(encoding="utf-8")


def _hash(source: str) -> str:
    """What a content security policy calls an inline script or style that it allows."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


def _problems(problems: Sequence[tuple[str, str]]) -> str:
    items = "\n".join(f"<li><code>{plain(folder)}</code>: {plain(what)}</li>" for folder, what in problems)
    heading = f"{len(problems)} problem{'s' * (len(problems) > 1)} with the runs"
    return f'<section id="problems" class="problems">\n<h2>{heading}</h2>\n<ul>\n{items}\n</ul>\n</section>'


def _figure(part: Part, folder: Path) -> str:
    drawn = base64.b64encode(part.content.read_bytes()).decode()
    link = _file(os.path.relpath(part.content, folder))
    image = f'<img alt="{plain(part.title)}" src="data:image/svg+xml;base64,{drawn}">'
    caption = f"<figcaption>{plain(part.caption)} {link}</figcaption>"
    return _section(part, f"<figure>\n{_scroll(part.title, image)}\n{caption}\n</figure>")


def _section(part: Part, content: str) -> str:
    return f'<section id="{part.name}">\n<h2>{plain(part.title)}</h2>\n{content}\n</section>'


def _scroll(title: str, content: str) -> str:
    """What may be wider than the screen."""
    return f'<div class="scroll" role="region" aria-label="{plain(title)}" tabindex="0">\n{content}\n</div>'


def _file(place: str) -> str:
    """A link to a file by its place beside the page."""
    return f'<a class="file" href="{plain(quote(place))}">{plain(Path(place).name)}</a>'


def _table(part: Part) -> str:
    shown = part.content.head(ROWS)
    left = f"The first {ROWS:,} of {len(part.content):,} rows. " if len(shown) < len(part.content) else ""
    caption = f'<p class="caption">{plain(part.caption)} {left}{_file(f"tables/{part.name}.csv")}</p>'
    return _section(part, f"{caption}\n{_scroll(part.title, table(shown))}")


def _browser(sample: Sample) -> str:
    """The browser of texts, with the texts as JSON that no HTML parser takes for anything else."""
    terms = list(dict.fromkeys(name for text in sample.texts for name in text["terms"]))
    rows = []
    for text in sample.texts:
        row = [text[name] for name in COLUMNS]
        for name in terms:
            term = text["terms"].get(name, {"raw": None, "contribution": None})
            row += [term["raw"], term["contribution"]]
        rows.append(row)
    data = json.dumps({"columns": COLUMNS, "terms": terms, "rows": rows}, separators=(",", ":"), allow_nan=False)
    for sign in "<>&":
        data = data.replace(sign, f"\\u{ord(sign):04x}")
    caption = (
        f"A sample: {len(sample.texts):,} of the {sample.offered:,} texts that these runs offered, in equal parts from "
        "each run and spread over its rounds, with the best and the worst of those looked at. Where some runs wrote "
        "texts, nine in ten are from those. A reward term has its own value (raw) and its share of the reward."
    )
    if not sample.with_real:
        caption += " Texts of the data sets are left out."
    return Template(_source("texts.html")).substitute(caption=plain(caption), data=data)
