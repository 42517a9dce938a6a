"""Turn the Markdown of docstrings into reStructuredText for autodoc: code, headings, tables and lists."""

import re
from collections.abc import Callable
from typing import Any

from sphinx.application import Sphinx


def to_rst(lines: list[str]) -> list[str]:
    """Return a docstring's lines as reStructuredText.

    Example:
        >>> print("\\n".join(to_rst(["## Rewards", "The terms:", "- `a`: 1 to 2", "- `b`", "Done."])))
        .. rubric:: Rewards
        <BLANKLINE>
        The terms:
        <BLANKLINE>
        - `a`: 1 to 2
        - `b`
        <BLANKLINE>
        Done.
    """
    out: list[str] = []
    place = 0
    while place < len(lines):
        line, bare = lines[place], lines[place].strip()
        indent = line[: len(line) - len(line.lstrip())]
        heading, example = re.fullmatch(r"#+ (.*)", bare), re.fullmatch(r"(Examples?): (.+)", bare)
        end = place + 1
        if bare.startswith("```"):
            end = _find(lines, place + 1, lambda other: other == "```") + 1
            code = [f"   {inside}".rstrip() for inside in lines[place + 1 : end - 1]]
            out += ["", f"{indent}.. code-block:: {bare[3:] or 'text'}", "", *code, ""]
        elif re.fullmatch(r"\|.*\|", bare):
            end = _find(lines, place, lambda other: not other.startswith("|"))
            out += ["", *_table([row.strip() for row in lines[place:end]], indent), ""]
        elif heading:
            out += [f"{indent}.. rubric:: {heading[1]}", ""]
        elif example:
            end = _find(lines, place, lambda other: other.startswith(">>>"))
            text = " ".join([example[2], *(other.strip() for other in lines[place + 1 : end])])
            out += [f"{indent}**{example[1]}**: {escape(text)}", ""]
        elif bare.startswith((">>>", "...")):
            out.append(line)
        else:
            if _changes(out[-1] if out else "", bare, indent):
                out.append("")
            out.append(escape(line))
        place = end
    return out


def _find(lines: list[str], start: int, found: Callable[[str], bool]) -> int:
    """Return the index of the first line that is found, without its white space; the number of lines if none is."""
    return next((i for i in range(start, len(lines)) if found(lines[i].strip())), len(lines))


def _changes(before: str, bare: str, indent: str) -> bool:
    """Return whether a list begins or ends between a line and the next one, which needs an empty line there."""
    if not before.strip() or not bare:
        return False
    in_list = before.startswith(indent) and before[len(indent) :].startswith(("- ", "  "))
    if bare.startswith("- "):
        return not in_list
    return before[len(indent) :].startswith("- ") and before.startswith(indent)


def escape(line: str) -> str:
    r"""Return a line in which, outside of code and emphasis, markup is plain characters.

    Example:
        >>> print(escape('**bold**, *is*, |x|, "sst2-*", learn_, `a|b`'))
        **bold**, *is*, \|x\|, "sst2-\*", learn\_, `a|b`
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


def skip(app: Sphinx, what: str, name: str, of: object, skipped: bool, options: Any) -> bool | None:
    """Skip the fields of named tuples, which the section "Attributes" describes."""
    return True if str(getattr(of, "__doc__", "")).startswith("Alias for field number") else None


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the extension to Sphinx."""
    app.connect("autodoc-process-docstring", process, priority=100)
    app.connect("autodoc-skip-member", skip)
    return {"parallel_read_safe": True}
