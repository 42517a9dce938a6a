"""`python -m experiments sweep STUDY`: plays what is missing of a study, on this machine or on a Ray cluster."""

import dataclasses
import os
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from datetime import timedelta
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro
from rich.markup import escape
from rich.table import Table

from experiments.config import RunConfig, RunError
from experiments.engines import BUSY, ERROR, Engine, Local, LostWorker, Ray
from experiments.progress import console, progress_bar
from experiments.results import complete_lines, read_lines
from experiments.run import begun, finished
from experiments.study import read_study
from signal_env.utils.storage import write_text

TRIES = 3
"""How often a run is begun again whose worker died, without having come any further in between."""


@dataclasses.dataclass(frozen=True)
class SweepConfig:
    """Plays the runs of a study that are not finished, each from where it was; finished ones stay as they are.

    Several sweeps may share the work in one folder: a run is played by one process at a time.
    """

    study: tyro.conf.Positional[str]
    """A study's file, or the name of one that comes with the package: figure3, figure3-small, ablations, demo."""
    out: Path | None = None
    """The folder of the runs; default: runs/STUDY."""
    workers: int | None = None
    """Runs at a time; default: one for each CPU core of this machine, or of the cluster."""
    engine: Literal["local", "ray"] = "local"
    """Processes of this machine, or tasks of Ray."""
    address: str | None = None
    """The Ray cluster: "auto" or its address; default: a Ray on this machine."""
    cpus: float = 1
    """CPU cores that a run asks of Ray."""
    gpus: float = 0
    """GPUs, or the share of one, that a run asks of Ray."""
    only: tuple[str, ...] = ()
    """Patterns of SETTING/METHOD/seed-N: plays these runs alone, e.g. "sst2-*" or "*/random/*"."""


def main(config: SweepConfig) -> Path:
    """Plays what is missing; returns the folder.

    Raises:
        RunError: If there is no such study, its folder holds runs of other options, or runs have failed.
    """
    out = config.out or Path("runs") / Path(config.study).stem
    study = read_study(config.study, out)
    runs = [run for run in study.runs if not config.only or any(matches(run, out, p) for p in config.only)]
    if not runs:
        raise RunError(f"No run of {study.name} matches {' '.join(config.only)}; one is {name(study.runs[0], out)}.")
    refuse_others(study.runs)
    write_text(out / "study.yaml", study.text)  # its caption, for the report
    missing = [run for run in runs if not finished(run)]
    console.print(f"{study.name}: {len(runs)} runs, {len(runs) - len(missing)} of them finished, in {out}")
    failures = sweep(missing, out, engine_of(config, out)) if missing else {}
    if failures:
        table = Table("run", "error")
        for failed, error in failures.items():
            table.add_row(escape(failed), escape(error))
        console.print(table)
        raise RunError(
            f"{len(failures)} of {len(runs)} runs have failed; each one's error.txt says where. The same command tries "
            "them again, and nothing else."
        )
    console.print(f"Finished. Look at it with: python -m experiments report {out}")
    return out


def name(run: RunConfig, out: Path) -> str:
    """A run's name in its study: SETTING/METHOD/seed-N."""
    return run.folder.relative_to(out).as_posix()


def matches(run: RunConfig, out: Path, pattern: str) -> bool:
    """Whether a pattern means this run; it may leave out the last parts of the name."""
    return any(fnmatchcase(name(run, out), pattern + rest) for rest in ("", "/*", "/*/*"))


def refuse_others(runs: Sequence[RunConfig]) -> None:
    """Sees that no folder holds another run than the study's: nothing is ever written over.

    Raises:
        RunError: If one does.
    """
    others = [run.folder for run in runs if (run.folder / "config.yaml").exists() and not begun(run)]
    if others:
        raise RunError(
            f"{len(others)} folders hold runs with other options than the study's, the first is {others[0]}: compare "
            "its config.yaml. Give --out another folder, or remove them."
        )


def sweep(runs: Sequence[RunConfig], out: Path, engine: Engine) -> dict[str, str]:
    """Plays runs, and shows how far they are; returns the names of those that failed, and their errors."""
    failures: dict[str, str] = {}
    forecast, done = Forecast(runs, engine.slots), 0
    with progress_bar(remaining=False) as progress:
        bar = progress.add_task("runs", total=len(runs), status="")
        for playing, over, error in played(runs, engine):
            if over is not None:
                done += 1
                forecast.over(over, error is None)
                if error is not None:
                    failures[name(over, out)] = error
                said = f"{done}/{len(runs)} {name(over, out)}: {error or 'finished'}, {forecast.left(playing)}"
                console.print(said, markup=False, highlight=False)
            shown = ", ".join(f"{name(run, out)} {share(run):.0%}" for run in playing)
            status = f"{len(failures)} failed, {forecast.left(playing)}; playing {shown}"
            progress.update(bar, completed=done, status=status)
    return failures


def played(
    runs: Sequence[RunConfig], engine: Engine
) -> Iterator[tuple[Sequence[RunConfig], RunConfig | None, str | None]]:
    """Plays runs; yields, every second or so, those that are played, and one that is over with its error, if one is.

    A run whose worker died goes on with another one, as long as it comes further, and some times if it does not; one
    that another process plays is looked at again.
    """
    waiting, playing, deaths = deque(runs), dict[Any, RunConfig](), Deaths()
    try:
        while waiting or playing:
            while waiting and len(playing) < engine.slots:
                run = waiting.popleft()
                if finished(run):  # another sweep did it
                    yield [*playing.values()], run, None
                else:
                    playing[engine.submit(run)] = run
            yield [*playing.values()], None, None
            for ticket in engine.wait(playing, 1.0) if playing else ():
                run = playing.pop(ticket)
                try:
                    error = engine.outcome(ticket)
                except LostWorker as death:
                    error = str(death)
                    if deaths.note(run) <= TRIES:
                        waiting.appendleft(run)
                        continue
                    write_text(run.folder / ERROR, f"{error}\n")
                if error == BUSY:
                    waiting.append(run)
                    time.sleep(1)
                else:
                    yield [*playing.values()], run, error
    finally:
        engine.close()


def engine_of(config: SweepConfig, out: Path) -> Engine:
    """The engine that the options describe, for the study in a folder.

    Raises:
        RunError: If they do not fit.
    """
    if config.workers is not None and config.workers < 1:
        raise RunError(f"--workers is at least 1; got {config.workers}.")
    if config.engine == "ray":
        return Ray(out / "study.yaml", config.address, config.workers, config.cpus, config.gpus)
    if config.address is not None:
        raise RunError("--address is for --engine ray.")
    return Local(config.workers or cores())


def cores() -> int:
    """The CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def share(run: RunConfig) -> float:
    """How much of its budget a run has spent."""
    file = run.folder / "rounds.jsonl"
    rounds, _ = complete_lines(file) if file.is_file() else ([], False)
    return float(rounds[-1]["labeled"] / rounds[-1]["budget"]) if rounds else 0.0


class Deaths:
    """Counts how often a run's workers have died since it last came further.

    A long run may lose many, to machines that are taken away; one that kills its workers comes no further.
    """

    def __init__(self) -> None:
        self._shares, self._counts = dict[Path, float](), Counter[Path]()

    def note(self, run: RunConfig) -> int:
        """Takes note of a death; returns how many there have been since the run last came further."""
        now, before = share(run), self._shares.get(run.folder, 0.0)
        self._counts[run.folder] = 1 if now > before else self._counts[run.folder] + 1
        self._shares[run.folder] = max(now, before)
        return self._counts[run.folder]


class Forecast:
    """When a sweep will be done, from what finished runs took: of the same method and setting, or of any.

    Args:
        runs: The runs to play.
        slots: How many are played at a time.
    """

    def __init__(self, runs: Sequence[RunConfig], slots: int) -> None:
        self._left = {run.folder: run for run in runs}
        self._slots = slots
        self._took: dict[tuple[str | None, str | None], list[float]] = {}

    def over(self, run: RunConfig, done: bool = True) -> None:
        """Notes that a run is over, done or failed; what failed says nothing of the time that it takes."""
        del self._left[run.folder]
        if not done:
            return
        seconds = [line["seconds"] for line in read_lines(run.folder / "cost.jsonl")]
        if seconds:
            self._took.setdefault((run.setting, run.method), []).append(sum(seconds))

    def left(self, playing: Sequence[RunConfig]) -> str:
        """The time left, in words."""
        if not self._took:
            return "time left not known yet"
        overall = float(np.mean(list(chain(*self._took.values()))))
        shares = {run.folder: share(run) for run in playing}
        seconds = sum(
            float(np.mean(self._took.get((run.setting, run.method), [overall]))) * (1 - shares.get(folder, 0.0))
            for folder, run in self._left.items()
        )
        return f"about {timedelta(seconds=round(seconds / self._slots))} left"
