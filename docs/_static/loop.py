"""Draw the environment's loop as `loop.svg`: `python docs/_static/loop.py`."""

from pathlib import Path

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams |= {"svg.hashsalt": "loop", "font.size": 11, "font.family": "DejaVu Sans"}

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

INK, AGENT, STEP, CLOSE = "#24292f", "#fff3d6", "#e2efff", "#e3f6e5"


def box(axes: Axes, x: float, y: float, width: float, height: float, color: str, title: str, text: str = "") -> None:
    """Draw a box with a title and a text, its center at (x, y)."""
    style = {"boxstyle": "round,pad=0.02,rounding_size=0.12", "facecolor": color, "edgecolor": INK, "linewidth": 1.2}
    axes.add_patch(matplotlib.patches.FancyBboxPatch((x - width / 2, y - height / 2), width, height, **style))
    lift = 0.2 + 0.1 * text.count("\n") if text else 0.0
    axes.text(x, y + lift, title, ha="center", va="center", weight="bold", color=INK)
    axes.text(x, y - 0.18, text, ha="center", va="center", color=INK, size=9.5, linespacing=1.35)


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], bend: float = 0.0) -> None:
    """Draw an arrow from one point to another."""
    style = {"arrowstyle": "-|>,head_width=0.25,head_length=0.5", "color": INK, "linewidth": 1.4}
    axes.annotate(
        "", end, start, arrowprops={**style, "connectionstyle": f"arc3,rad={bend}", "shrinkA": 0, "shrinkB": 0}
    )


def label(axes: Axes, x: float, y: float, text: str, align: str = "center") -> None:
    """Write a label beside an arrow."""
    axes.text(x, y, text, ha=align, va="center", size=9.5, color=INK, style="italic", linespacing=1.35)


def draw(file: Path) -> None:
    """Draw the loop to a file."""
    figure, axes = plt.subplots(figsize=(9.6, 4.3))
    axes.set_xlim(0, 12)
    axes.set_ylim(0, 5.4)
    axes.axis("off")
    box(axes, 1.7, 3.9, 2.8, 1.5, AGENT, "Agent", "writes a text,\nor chooses a real one")
    box(axes, 6.6, 3.9, 2.6, 1.5, STEP, "Unlabeled set U", "real pool and\nthe texts offered")
    box(axes, 10.4, 3.9, 2.6, 1.5, STEP, "Classifier M", "probabilities,\nembeddings")
    box(axes, 6.6, 0.95, 2.6, 1.3, CLOSE, "Annotator", "labels the batch")
    box(axes, 10.4, 0.95, 2.6, 1.3, CLOSE, "Labeled set L", "M is retrained\nand measured")
    arrow(axes, (3.15, 4.1), (5.25, 4.1))
    label(axes, 4.2, 4.36, "action: a text")
    arrow(axes, (7.95, 3.9), (9.05, 3.9))
    arrow(axes, (10.2, 4.68), (1.9, 4.68), bend=0.12)
    label(axes, 6.0, 5.3, "observation: prompt, state of M      reward: how much the text would teach M")
    arrow(axes, (6.6, 3.1), (6.6, 1.65))
    label(axes, 6.45, 2.38, "after a round of texts:\nselect a batch", "right")
    arrow(axes, (7.95, 0.95), (9.05, 0.95))
    arrow(axes, (10.4, 1.65), (10.4, 3.1))
    label(axes, 10.25, 2.38, "the next round,\nuntil the budget is spent", "right")
    label(axes, 0.25, 1.35, "Blue: every step.\nGreen: at a round's close.", "left")
    figure.savefig(file, metadata={"Date": None}, bbox_inches="tight", facecolor="white")
    plt.close(figure)


if __name__ == "__main__":
    draw(Path(__file__).with_name("loop.svg"))
