"""`python -m experiments bench run`: plays a run and measures the time of its parts."""

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

from rich.table import Table

from experiments.config import RunConfig
from experiments.progress import console
from experiments.run import play
from signal_env.acquisition import Strategy
from signal_env.classifiers.linear import LinearClassifier
from signal_env.classifiers.pretrained import TextModel
from signal_env.learner import Learner
from signal_env.learner.open_round import OpenRound
from signal_env.wrappers.recording import RunLog
from signal_env.wrappers.tensorboard import Board

MODELS = ("loading", "agent", "encoder and annotator")
"""The parts of a run that are the models' own work; the others are the environment's."""

BOARD = ("reset", "offer", "round", "metrics", "end", "close", "state_dict")
"""The methods of a `Board`."""


class Profile:
    """Seconds by part of a program. The time of a part stops while another part runs inside it."""

    def __init__(self, rest: str) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._running = [rest]
        self._since = time.perf_counter()

    @contextmanager
    def measure(self, part: str, owner: Any, name: str) -> Iterator[None]:
        """Count the calls of the function `owner.name` for `part` while the context is open."""
        function: Callable[..., Any] = getattr(owner, name)

        @wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._switch(lambda: self._running.append(part))
            try:
                return function(*args, **kwargs)
            finally:
                self._switch(lambda: self._running.pop())

        setattr(owner, name, timed)
        try:
            yield
        finally:
            setattr(owner, name, function)

    def stop(self) -> None:
        """Count the time up to now."""
        self._switch(lambda: None)

    def _switch(self, change: Callable[[], object]) -> None:
        now = time.perf_counter()
        self.seconds[self._running[-1]] += now - self._since
        self._since = now
        change()


def main(config: RunConfig) -> dict[str, float]:
    """Play the run in a temporary folder, print the seconds of its parts, and return them."""
    agent = type(config.agent_options)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        profile = Profile(rest="environment: the rest")
        for part, owner, name in (
            ("loading", Learner, "__init__"),
            ("loading", agent, "reset"),
            ("agent", agent, "act"),
            ("encoder and annotator", TextModel, "run"),
            ("environment: tokenizing", TextModel, "encode"),
            ("environment: training the head", LinearClassifier, "fit"),
            ("environment: neighbors", OpenRound, "find_neighbors"),
            ("environment: acquisition", Strategy, "__call__"),
            ("environment: logs", RunLog, "offer"),
            *(("environment: TensorBoard", Board, name) for name in BOARD),
        ):
            stack.enter_context(profile.measure(part, owner, name))
        play(replace(config, out=Path(folder) / "run"), lambda *_: None)
        profile.stop()
    seconds, total = dict(profile.seconds), sum(profile.seconds.values())
    table = Table("part", "seconds", "share", title=f"{config.agent} on {config.env}")
    for part in sorted(seconds, key=lambda part: (part not in MODELS, -seconds[part])):
        table.add_row(part, f"{seconds[part]:.2f}", f"{seconds[part] / total:.1%}")
    console.print(table)
    outside = sum(value for part, value in seconds.items() if part not in MODELS)
    console.print(f"{total:.1f} s in all; {outside:.1f} s ({outside / total:.1%}) outside the models' own work")
    return seconds
