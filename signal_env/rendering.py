"""Rendering of an experiment's state as text."""

from io import StringIO

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from signal_env.learner.learner import Learner
from signal_env.learner.outcomes import Offer, Round
from signal_env.tasks import MOST_CLASSES, Task


def view(learner: Learner, last_round: Round, offer: Offer | None) -> RenderableType:
    """Return a panel with the round, the class balance of the labeled set, and the last offer's texts and rewards."""
    summary = (
        f"round {last_round.index} · accuracy {last_round.accuracy:.3f} · labeled {last_round.labeled} of "
        f"{learner.sizes.budget} · synthetic {last_round.synthetic_share:.0%} · "
        f"unlabeled {len(learner.unlabeled)} · offers {learner.offers_made} of {learner.sizes.offers}\n"
        + label_counts(learner.task, last_round.label_counts)
    )
    parts: list[RenderableType] = [Text(summary)]
    if offer is not None:
        table = Table("reward", "text", box=None, expand=True)
        for reward, text, reason in zip(offer.rewards, offer.texts, offer.invalid, strict=True):
            shown = text[:200] if text.isprintable() else ascii(text[:200])[1:-1]
            table.add_row(Text(f"{reward:.3f}"), Text(f"{shown} ({reason})" if reason else shown))
        parts.append(table)
    return Panel(Group(*parts), title=f"signal_env · {learner.task.name}", width=100)


def label_counts(task: Task, counts: NDArray[np.int64]) -> str:
    """Return the labels of each class; of more than `MOST_CLASSES` classes, of those with the most labels.

    Example:
        >>> from signal_env.tasks import get_task
        >>> label_counts(get_task("sst2"), np.array([3, 5]))
        'negative 3 · positive 5'
        >>> label_counts(get_task("banking77"), np.arange(77) // 70)[-58:]
        'age_limit 0 · 67 other classes · 70 classes without labels'
    """
    order = np.argsort(-counts, kind="stable") if task.n_classes > MOST_CLASSES else np.arange(task.n_classes)
    shown = [f"{task.class_names[i]} {counts[i]}" for i in order[:MOST_CLASSES]]
    if others := len(order[MOST_CLASSES:]):
        shown += [f"{others} other classes", f"{np.count_nonzero(counts == 0)} classes without labels"]
    return " · ".join(shown)


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
