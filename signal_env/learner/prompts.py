"""The prompts of an episode (Algorithm 1, line 1)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from signal_env.tasks import Task


def prompt(task: Task, examples: Sequence[str]) -> str:
    """Return an instruction and p in-context examples, in the paper's form (section 4.1).

    Example:
        >>> from signal_env.tasks import get_task
        >>> print(prompt(get_task("sst2"), ["of an authentic feel", "is listless , witless"]))
        Based on the following examples of movie reviews, come up with a new example:
        Example 1: of an authentic feel
        Example 2: is listless , witless
        New Example:
    """
    lines = [f"Example {i}: {example}" for i, example in enumerate(examples, start=1)]
    return "\n".join([task.instruction, *lines, "New Example:"])


class Prompts:
    """The prompts of an episode, one after the other (Algorithm 1, line 1).

    Args:
        task: The task.
        pool: R, of which the in-context examples are drawn.
        rng: Random numbers for the draws.
        n_examples: The paper's p, examples per prompt.
        group: The number of times in a row that each prompt is shown.
        fixed: Whether every prompt is the first one.

    Example:
        >>> from signal_env.tasks import get_task
        >>> prompts = Prompts(get_task("sst2"), ("dull", "witty"), np.random.default_rng(0), 1, group=2, fixed=False)
        >>> shown = [prompts.next() for _ in range(4)]
        >>> shown[0] == shown[1], shown[2] == shown[3]
        (True, True)
    """

    def __init__(
        self, task: Task, pool: Sequence[str], rng: np.random.Generator, n_examples: int, group: int, fixed: bool
    ) -> None:
        self._task, self._pool, self._rng = task, pool, rng
        self._n_examples, self._group, self._fixed = n_examples, group, fixed
        self._shown, self._uses = "", 0

    def next(self) -> str:
        """Return a new prompt. The last one is repeated until its group is complete; a fixed one is always repeated."""
        if self._shown and self._fixed:
            return self._shown
        if self._uses == 0:
            p = min(self._n_examples, len(self._pool))
            draw = self._rng.choice(len(self._pool), size=p, replace=False)
            self._shown, self._uses = prompt(self._task, [self._pool[i] for i in draw]), self._group
        self._uses -= 1
        return self._shown

    def state_dict(self) -> dict[str, Any]:
        """Return the last prompt, the number of its uses left, and the state of the random numbers."""
        return {"shown": self._shown, "uses": self._uses, "rng": self._rng.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._shown, self._uses = state["shown"], state["uses"]
        self._rng.bit_generator.state = state["rng"]
