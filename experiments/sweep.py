"""`python -m experiments sweep STUDY`: plays the missing runs of a study, on this machine or on a Ray cluster."""

import dataclasses
import os
import time
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from datetime import timedelta
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro
from rich.markup import escape
from rich.table import Table

from experiments.config import Plugins, RunConfig, RunError
from experiments.engines import BUSY, ERROR, Inline, Local, LostWorker, Outcome, Ray
from experiments.identity import accept_plugins, refusal
from experiments.preflight import check_space, lacks, preflight_all
from experiments.progress import console, progress_bar
from experiments.run import begun, finished
from experiments.runs import read_log
from experiments.spawning import bound_to_process
from experiments.spelling import spelled
from experiments.study import Study, read_study
from signal_env.utils.storage import write_text

TRIES = 3
"""The number of times that a run is begun again whose worker died without progress in between."""


@dataclasses.dataclass(frozen=True)
class SweepConfig:
    """Plays the runs of a study that are not finished, each from where it was; finished ones stay as they are.

    Several sweeps may share the work in one folder: a run is played by one process at a time.
    """

    study: tyro.conf.Positional[str]
    """A study's file, or the name of one that comes with the package: pool, pool-finetune, figure3, figure3-small,
    figure3-smollm2, ablations, demo."""
    out: Path | None = None
    """The folder of the runs; default: runs/STUDY."""
    workers: int | None = None
    """Runs at a time; default: one for each CPU core of this machine, or of the cluster; 0: one, in this process."""
    engine: Literal["local", "ray"] = "local"
    """Processes of this machine, or tasks of Ray."""
    address: str | None = None
    """The Ray cluster: "auto" or its address; default: a Ray on this machine."""
    cpus: float = 1
    """CPU cores that a run asks of Ray."""
    gpus: float = 0
    """GPUs, or the fraction of one, that a run asks of Ray."""
    served: bool = False
    """Serve the experiment of each run in one task of Ray and play its agent in another, on another machine where there
    is room; `cpus` and `gpus` are the agent's."""
    served_cpus: float = 1
    """CPU cores that the experiment of a run asks of Ray if it is served."""
    served_gpus: float = 0
    """GPUs, or the fraction of one, that the experiment of a run asks of Ray if it is served."""
    accept_changed_plugins: bool = False
    """Go on with runs whose plugins have changed, and record their new content."""
    call_timeout: float | None = None
    """Seconds after which a call of an agent, a classifier, an annotator or a plug-in ends its run with an error."""
    plugins: Plugins = ()
    """Files and modules of your own beside the study's: `--plugin FILE.py` or `--plugin package.module`."""
    only: tuple[str, ...] = ()
    """Patterns of SETTING/METHOD/seed-N: plays these runs alone, e.g. "sst2-*" or "*/random/*"."""


def main(config: SweepConfig) -> Path:
    """Play the missing runs; return the folder."""
    study = read_study(config.study, config.out, config.plugins)
    accept = config.accept_changed_plugins
    own: dict[str, Any] = {"accept_changed_plugins": accept, "call_timeout": config.call_timeout}
    runs = [dataclasses.replace(run, **own) for run in chosen(study, config.only)]
    refuse_others([dataclasses.replace(run, accept_changed_plugins=accept) for run in study.runs])
    sweep(study, runs, engine_of(config, study.folder))
    console.print(f"Finished. Look at it with: python -m experiments report {study.folder}")
    return study.folder


def sweep(study: Study, runs: Sequence[RunConfig], engine: Inline) -> None:
    """Play runs of a study that are not finished, and write the study; raise a RunError if runs have failed."""
    out = study.folder
    check_space(out)
    missing = [run for run in runs if not finished(run)]
    if engine.elsewhere:
        if lacking := lacks(missing, "the cluster's machines are tried"):
            console.print(lacking, style="yellow", markup=False, highlight=False)
    else:
        preflight_all(missing)
    write_text(out / "study.yaml", study.text_in(out))  # its caption, for the report
    console.print(f"{study.name}: {len(runs)} runs, {len(runs) - len(missing)} of them finished, in {out}")
    if failures := play_all(missing, out, engine):
        table = Table("run", "error")
        for failed, error in failures.items():
            table.add_row(escape(failed), escape(error))
        console.print(table)
        raise RunError(
            f"{len(failures)} of {len(runs)} runs have failed; each one's error.txt says where. The same command tries "
            "them again, and nothing else."
        )


def chosen(study: Study, only: Sequence[str] = ()) -> Sequence[RunConfig]:
    """Return the runs of a study that match one of some patterns, or all; raise a RunError if none does."""
    runs = [run for run in study.runs if not only or any(matches(run, study, pattern) for pattern in only)]
    if not runs:
        one = name_of(study.runs[0], study.folder)
        raise RunError(f"No run of {study.name} matches {' '.join(only)}; one is {one}.")
    return runs


def name_of(run: RunConfig, out: Path) -> str:
    """Return a run's name in its study: SETTING/METHOD/seed-N."""
    return run.folder.relative_to(out).as_posix()


def matches(run: RunConfig, study: Study, pattern: str) -> bool:
    """Return whether a pattern matches a run; the pattern may leave out the last parts of the name."""
    return any(fnmatchcase(name_of(run, study.folder), pattern + rest) for rest in ("", "/*", "/*/*"))


def refuse_others(runs: Sequence[RunConfig], replaceable: bool = False) -> None:
    """Raise a RunError if a folder holds another run than the one asked for; record changed plugins that are accepted.

    The message says how to replace the runs if they are `replaceable` by an option of the command, which has none then
    that accepts changed plugins.
    """
    others = [run for run in runs if (run.folder / "config.yaml").exists() and not begun(run)]
    if others:
        first = refusal(others[0], replaceable, acceptable=not replaceable)
        what = next((what for what in ("content", "plugins") if f"with other {what}" in first), "options")
        folders = "1 folder holds a run" if len(others) == 1 else f"{len(others)} folders hold runs"
        raise RunError(f"{folders} with other {what} than those asked for. The first: {first}")
    for run in runs:
        if run.accept_changed_plugins and finished(run):  # the others record it when they go on
            accept_plugins(run)


def play_all(runs: Sequence[RunConfig], out: Path, engine: Inline) -> dict[str, str]:
    """Play runs and show their progress; return the errors of those that failed, by the runs' names."""
    failures: dict[str, str] = {}
    forecast, done = Forecast(runs, engine.slots), 0
    with progress_bar(remaining=False) as progress:
        bar = progress.add_task("runs", total=len(runs), status="")
        for playing, over, error in played(runs, engine):
            if over is not None:
                done += 1
                forecast.over(over, error is None)
                if error is not None:
                    failures[name_of(over, out)] = error
                line = f"{done}/{len(runs)} {name_of(over, out)}: {error or 'finished'}, {forecast.left(playing)}"
                console.print(line, markup=False, highlight=False)
            shown = ", ".join(f"{name_of(run, out)} {share(run):.0%}" for run in playing)
            status = f"{len(failures)} failed, {forecast.left(playing)}; playing {shown}"
            progress.update(bar, completed=done, status=status)
    return failures


def played(
    runs: Sequence[RunConfig], engine: Inline
) -> Iterator[tuple[Sequence[RunConfig], RunConfig | None, str | None]]:
    """Play runs. Every second or so, yield those being played, and one that is over with its error, if there is one.

    A run whose worker died continues on another worker, until its workers have died `TRIES` times and once more
    without progress: a long run may lose many workers to machines that are taken away, and one that kills its workers
    makes no progress. A run that another process plays is tried again later.
    """
    waiting, playing = deque(runs), dict[Future[Outcome], RunConfig]()
    deaths = defaultdict[Path, list[float]](list)  # the shares of each run's budget at which its workers died
    try:
        while waiting or playing:
            while waiting and len(playing) < engine.slots:
                run = waiting.popleft()
                if finished(run):  # by another sweep
                    yield [*playing.values()], run, None
                else:
                    yield [*playing.values(), run], None, None
                    playing[engine.submit(run)] = run
            yield [*playing.values()], None, None
            for future in wait(playing, 1.0, FIRST_COMPLETED).done:
                run = playing.pop(future)
                try:
                    error = engine.outcome(future)
                except LostWorker as death:
                    error, shares = str(death), deaths[run.folder]
                    shares.append(share(run))
                    if len(shares) - shares.index(max(shares)) <= TRIES:
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


def engine_of(config: SweepConfig, out: Path) -> Inline:
    """Return the engine that the options describe, for the study in a folder."""
    if config.engine == "ray":
        _check(config.workers, least=1)
        place, share = (out / "study.yaml", config.address, config.workers), (config.cpus, config.gpus)
        if not config.served:
            return Ray(*place, *share)
        if config.call_timeout is not None:
            raise RunError("--call-timeout is not for --served: a service plays outside the main thread.")
        from experiments.serve.cluster import Pairs

        return Pairs(*place, share, (config.served_cpus, config.served_gpus))
    for name, given in (("address", config.address is not None), ("served", config.served)):
        if given:
            raise RunError(f"--{name} is for --engine ray.")
    return engine_here(config.workers)


def engine_here(workers: int | None) -> Inline:
    """Return the engine of this machine: so many processes, one for each core by default, or this process for 0."""
    _check(workers, least=0)
    return Inline() if workers == 0 else Local(workers or cores())


def engine_for(runs: Sequence[RunConfig], workers: int | None) -> Inline:
    """Return the engine of this machine for some runs: this process where no other can play them.

    Raises:
        RunError: If workers are asked for that could not play them.
    """
    bound = bound_to_process(runs) if workers != 0 else ""
    if bound and workers is not None:
        raise RunError(
            f"{bound}, and new processes do not have it: play with workers=0, in this process, or register it in a "
            "file and give the file as a plugin."
        )
    if bound:
        console.print(f"{bound}: the runs are played in this process", markup=False, highlight=False)
    return engine_here(0 if bound else workers)


def _check(workers: int | None, least: int) -> None:
    if workers is not None and workers < least:
        raise RunError(f"{spelled('--workers', 'workers')} is at least {least}; got {workers}.")


def cores() -> int:
    """Return the number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def share(run: RunConfig) -> float:
    """Return the share of its budget that a run has spent."""
    *_, last = [{"labeled": 0, "budget": 1}, *_lines(run, "rounds")]
    return float(last["labeled"] / last["budget"])


def _lines(run: RunConfig, log: str) -> list[dict[str, Any]]:
    file = run.folder / f"{log}.jsonl"
    return read_log(file)[0] if file.is_file() else []


class Forecast:
    """The time that runs will still take, `slots` at a time, from finished ones of their method and setting, or any."""

    def __init__(self, runs: Sequence[RunConfig], slots: int) -> None:
        self._left, self._slots = {run.folder: run for run in runs}, slots
        self._took = defaultdict[tuple[str | None, str | None], list[float]](list)

    def over(self, run: RunConfig, done: bool = True) -> None:
        """Record that a run is over, done or failed; the time of a failed one does not count."""
        del self._left[run.folder]
        if done and (lines := _lines(run, "cost")):
            self._took[run.setting, run.method].append(sum(line["seconds"] for line in lines))

    def left(self, playing: Sequence[RunConfig]) -> str:
        """Return the time left, in words."""
        if not self._took:
            return "time left not known yet"
        overall, shares = list(chain(*self._took.values())), {run.folder: share(run) for run in playing}
        seconds = sum(
            float(np.mean(self._took.get((run.setting, run.method), overall))) * (1 - shares.get(folder, 0.0))
            for folder, run in self._left.items()
        )
        return f"about {timedelta(seconds=round(seconds / self._slots))} left"
