"""The console and the progress display of all commands."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

console = Console()
if not console.is_terminal:
    console = Console(width=170)  # a file or a pipe has no width of its own


def progress_bar(remaining: bool = True) -> Progress:
    """Return a progress display, off when the output is not a terminal; with its estimate of the time left or not."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        *([TimeRemainingColumn()] if remaining else []),
        TextColumn("{task.fields[status]}"),
        console=console,
        disable=not console.is_terminal,
    )
