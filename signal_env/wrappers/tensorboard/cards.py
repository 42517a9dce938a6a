"""Texts and their rewards as Markdown tables."""

import re
import textwrap
from collections.abc import Sequence

from signal_env.wrappers.tensorboard.offered import Offered

LONGEST = 400
"""The most characters of a text that a card shows."""
LINE = 80
"""The most characters of a line. With longer lines the page makes the other columns too narrow for numbers."""


def card(offered: Sequence[Offered]) -> str:
    """Return a Markdown table of texts with their rewards and the contributions that are not 0 for all of them.

    Example:
        >>> print(card([Offered("a *fine* film", 0.25, "synthetic", {"signal": {"weight": 1, "contribution": 0.25}})]))
        | reward | signal | origin | text |
        | --- | --- | --- | --- |
        | 0.250 | 0.250 | synthetic | a &#42;fine&#42; film |
    """
    terms = list(dict.fromkeys(name for one in offered for name, term in one.terms.items() if term["contribution"]))
    lines = [["reward", *map(literal, terms), "origin", "text"], ["---"] * (len(terms) + 3)]
    for one in offered:
        cells = [f"{one.terms[name]['contribution']:.3f}" if name in one.terms else "" for name in terms]
        lines.append([f"{one.reward:.3f}", *cells, one.origin, literal(one.text)])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def literal(text: str) -> str:
    """Return a text as literal Markdown, with entities for characters that Markdown or HTML could interpret.

    Invisible characters become Python's escapes, and texts longer than `LONGEST` are cut.

    Example:
        >>> literal("<b>2*3</b>")
        '&#60;b&#62;2&#42;3&#60;&#47;b&#62;'
        >>> literal("a lone \\ud800")
        'a lone &#92;ud800'
    """
    shown = text if len(text) <= LONGEST else text[:LONGEST] + "…"
    visible = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in shown)
    lines = textwrap.wrap(visible, LINE, break_on_hyphens=False)
    return "<br>".join(re.sub(r"[!-/:-@\[-`{-~]", lambda match: f"&#{ord(match[0])};", line) for line in lines)
