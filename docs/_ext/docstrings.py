"""Turn the Markdown of docstrings into reStructuredText for autodoc: code, headings, tables and lists."""

import re
from typing import Any

from sphinx.application import Sphinx


def to_rst(lines: list[str]) -> list[str]:
    """Return a docstring's lines as reStructuredText.

    Example:
        >>> to_rst(["## Rewards", "The terms:", "- `a`: |x|", "- `b`", "Done."])
        ['.. rubric:: Rewards', '', 'The terms:', '', '- `a`: \\\\|x\\\\|', '- `b`', '', 'Done.']
    """
    out: list[str] = []
    place = 0
    while place < len(lines):
        line = lines[place]
        indent = line[: len(line) - len(line.lstrip())]
        bare = line.strip()
        if bare.startswith("```"):
            end = next(i for i in range(place + 1, len(lines) + 1) if i == len(lines) or lines[i].strip() == "```")
            out += ["", f"{indent}.. code-block:: {bare[3:] or 'text'}", ""]
            out += [f"   {inside}" for inside in lines[place + 1 : end]] + [""]
            place = end + 1
            continue
        if bare.startswith("|") and bare.endswith("|") and len(bare) > 1:
            end = next(i for i in range(place, len(lines) + 1) if i == len(lines) or not lines[i].strip().startswith("|"))
            out += ["", *_table([row.strip() for row in lines[place:end]], indent), ""]
            place = end
            continue
        heading = re.fullmatch(r"#+ (.*)", bare)
        example = re.fullmatch(r"(Examples?): (.+)", bare)
        if heading:
            out += [f"{indent}.. rubric:: {heading[1]}", ""]
        elif example:
            end = next(i for i in range(place, len(lines) + 1) if i == len(lines) or lines[i].strip().startswith(">>>"))
            said = " ".join([example[2], *(each.strip() for each in lines[place + 1 : end])])
            out += [f"{indent}**{example[1]}**: {escape(said)}", ""]
            place = end
            continue
        elif bare.startswith(">>>") or bare.startswith("..."):
            out.append(line)
        else:
            starts, before = bare.startswith("- "), out[-1] if out else ""
            inside = before.lstrip().startswith("- ") or before.startswith(indent + "  ")
            follows = not starts and inside and before.startswith(indent) and not before[len(indent) :].startswith("  ")
            if (starts and before.strip() and not inside) or (bare and follows):
                out.append("")
            out.append(escape(line))
        place += 1
    return out


def escape(line: str) -> str:
    """Return a line in which, outside of code and emphasis, markup is plain characters.

    Example:
        >>> print(escape('**bold**, *is*, |x|, "sst2-*", learn_, `a|b`'))
        **bold**, *is*, \\|x\\|, "sst2-\\*", learn\\_, `a|b`
    """
    parts = re.split(r"(`[^`]*`)", line)
    for place in range(0, len(parts), 2):
        parts[place] = re.sub(
            r"(\*\*|(?<!\w)\*\w[\w ]*\*(?!\w))|(\||\*|(?<=\w)_(?!\w))",
            lambda match: match[1] or "\\" + match[2],
            parts[place],
        )
    return "".join(parts)


def _table(rows: list[str], indent: str) -> list[str]:
    """Return a Markdown table as a `list-table`."""
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]
    out = [f"{indent}.. list-table::", f"{indent}   :header-rows: 1", ""]
    for row in (cells[0], *cells[2:]):
        for place, cell in enumerate(row):
            out.append(f"{indent}   {'* -' if place == 0 else '  -'} {escape(cell)}".rstrip())
    return out


def process(app: Sphinx, what: str, name: str, of: object, options: Any, lines: list[str]) -> None:
    """Replace the lines of a docstring, before napoleon reads its sections."""
    lines[:] = to_rst(lines)


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the extension to Sphinx."""
    app.connect("autodoc-process-docstring", process, priority=100)
    return {"parallel_read_safe": True}
