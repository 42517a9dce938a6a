"""Rendering of an experiment's state as text."""

from io import StringIO

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from signal_env.learner.learner import Learner
from signal_env.learner.outcomes import Offer, Round


def view(learner: Learner, last_round: Round, offer: Offer | None) -> RenderableType:
    """Return a panel with the round, the class balance of the labeled set, and the last offer's texts and rewards."""
    counts = zip(learner.task.class_names, last_round.label_counts, strict=True)
    summary = (
        f"round {last_round.index} · accuracy {last_round.accuracy:.3f} · labeled {last_round.labeled} of "
        f"{learner.sizes.budget} · synthetic {last_round.synthetic_share:.0%} · "
        f"unlabeled {len(learner.unlabeled)} · offers {learner.offers_made} of {learner.sizes.offers}\n"
        + " · ".join(f"{name} {count}" for name, count in counts)
    )
    parts: list[RenderableType] = [Text(summary)]
    if offer is not None:
        table = Table("reward", "text", box=None, expand=True)
        for reward, text, reason in zip(offer.rewards, offer.texts, offer.invalid, strict=True):
            shown = text[:200] if text.isprintable() else ascii(text[:200])[1:-1]
            table.add_row(Text(f"{reward:.3f}"), Text(f"{shown} ({reason})" if reason else shown))
        parts.append(table)
    return Panel(Group(*parts), title=f"signal_env · {learner.task.name}", width=100)


def as_text(renderable: RenderableType) -> str:
    """Return what `rich` prints for a renderable at a width of 100 characters, without colors.

    Example:
        >>> as_text("a text")
        'a text\\n'
    """
    console = Console(file=StringIO(), width=100, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()
