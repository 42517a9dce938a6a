"""`python -m experiments run`: one agent plays one episode, into a folder of its own."""

import json
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import gymnasium as gym
from filelock import FileLock, Timeout

from agents.rollout import Step, rollout, state_of
from experiments.checkpoint import load_checkpoint, save_checkpoint
from experiments.config import RunConfig, RunError, agent_of, configuration_of, parse
from experiments.cost import Meter
from experiments.logs import LOGS, Logs, whole
from experiments.progress import console, progress_bar
from experiments.results import plot_curves, read_rounds, summary_table
from signal_env.learner.experiment import experiment_sizes
from signal_env.utils.extras import require
from signal_env.utils.storage import remove, sync, write_text

__all__ = ["begun", "finished", "main", "parse", "play"]

FINISHED = "finished"
"""The file that a run leaves when all it had to do is done: how long its logs are."""

FILES = (FINISHED, *LOGS, "curve.png", "checkpoints", "adapter", "config.yaml")
"""What a run writes to its folder, in the order in which it is taken away: whenever that is cut short, what is left is
no finished run, and as long as anything is left it says which run it is of."""

LOCK = ".lock"
"""Held by the process that plays the run."""

RESCORED = "rescored.jsonl"
"""What `rescore` makes of it."""

ASIDE = ".replaced"
"""Where a run's folder keeps an earlier run until the new one has begun."""


class RunBusy(RunError):
    """A run that another process plays at this moment."""


def main(config: RunConfig) -> Path:
    """Plays the run, or the rest of it, with its curve and a table at the end; returns its folder."""
    require("matplotlib", "plots")  # before the run, not after it
    with progress_bar() as progress:
        bar = progress.add_task(f"{config.agent} on {config.env}", status="", total=None)

        def show(done: int, total: int, status: str) -> None:
            progress.update(bar, completed=done, total=total, status=status)

        try:
            play(config, show, resume=config.resume is not None)
        except KeyboardInterrupt:
            if (config.folder / "config.yaml").exists():
                console.print(f"Go on with: python -m experiments run --resume {config.folder}")
            raise
    rounds = read_rounds([config.folder])
    plot_curves(rounds, config.folder / "curve.png")
    console.print(summary_table(rounds))
    console.print(f"Written to {config.folder}")
    return config.folder


def begun(run: RunConfig) -> bool:
    """Whether the folder holds this very run, with all its options; those that it does not name have their defaults."""
    try:
        return configuration_of(run.folder).as_yaml() == run.as_yaml()
    except (ValueError, TypeError):  # there is none, or it says what this version does not know
        return False


def finished(run: RunConfig) -> bool:
    """Whether this very run has been played to its end, and its logs are as long as they were then."""
    file = run.folder / FINISHED
    return begun(run) and file.is_file() and file.read_text(encoding="utf-8") == _lengths(run.folder)


def _lengths(folder: Path) -> str:
    """The bytes of what the environment said, as `finished` holds them."""
    logs = [folder / name for name in ("rounds.jsonl", "offers.jsonl", "labels.jsonl")]
    return json.dumps({log.name: log.stat().st_size for log in logs if log.is_file()})


def play(config: RunConfig, on_round: Callable[[int, int, str], None], resume: bool | None = False) -> None:
    """Plays one episode and writes what happens to the run's folder.

    `config.yaml` is the run, `rounds.jsonl` and `offers.jsonl` what the environment says, `metrics.jsonl` what the
    agent says at each round's close; `tensorboard` has all of it for looking at. `checkpoints` holds the state after
    the last complete round: a run that was interrupted, by whatever and whenever, goes on from there to what it would
    have been.

    Args:
        config: The run.
        on_round: Called after each round with the labels spent, the budget and a short status.
        resume: Whether to go on with the run that is in the folder. None: if there is one, and it is not finished.

    Raises:
        RunError: If the folder holds a run already, and neither `overwrite` nor `resume` is set, or another run than
            the one to go on with.
        RunBusy: If another process plays the run at this moment.
    """
    with locked(config.folder):  # what is in the folder can be trusted only from here on
        if resume is None and finished(config):
            return
        resume = (config.folder / "config.yaml").exists() if resume is None else resume
        if resume and not begun(config):
            raise RunError(
                f"{config.folder} holds a run with other options: compare its config.yaml. Give --out another folder, "
                "or remove it."
            )
        _play(config, on_round, resume)


def _play(config: RunConfig, on_round: Callable[[int, int, str], None], resume: bool) -> None:
    sizes = experiment_sizes(config.options)
    num_envs, meter = config.num_envs or sizes.offers, Meter()
    envs: Any = gym.make_vec(config.env, num_envs=num_envs, **config.options.as_keywords())
    with closing(envs):
        checkpoint = last_checkpoint(config.folder) if resume else None
        if checkpoint is None:
            prepare(config.folder, config.overwrite or resume)
        under_way = resume
        try:
            with closing(_steps(config, envs, meter, checkpoint)) as steps:
                for step in steps:
                    under_way = under_way or len(step.texts) > 0
                    if step.round is None:
                        continue
                    if under_way:  # what this run replaces is no longer needed
                        shutil.rmtree(config.folder / ASIDE, ignore_errors=True)
                    on_round(step.round["labeled"], sizes.budget, f"accuracy {step.round['accuracy']:.3f}")
        finally:
            if not under_way:  # nothing is lost, and the folder is free for another try
                remove(config.folder, FILES)
                restore(config.folder)


def _steps(
    config: RunConfig, envs: Any, meter: Meter, checkpoint: dict[str, Any] | None
) -> Generator[Step, None, None]:
    """Plays the run, or the rest of it, and writes what happens; a round is on the disk when its last step is yielded.

    A power cut costs the round that is under way.
    """
    agent = agent_of(config)
    if checkpoint is None:
        write_text(config.folder / "config.yaml", config.as_yaml())
        checkpoint = {"logs": None, "episode": None}
    with closing(Logs(envs, config, meter, checkpoint["logs"])) as logs:
        for step in rollout(logs.envs, agent, config.seed, checkpoint["episode"]):
            if step.round is not None:
                index = int(step.round["index"])
                logs.round(index, step.metrics)
                state = {"logs": logs.state_dict(), "episode": state_of(envs, agent)}
                save_checkpoint(config.folder, index, state)
            yield step
        agent.save(config.folder)
    sync(config.folder)
    write_text(config.folder / FINISHED, _lengths(config.folder))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps a run's folder for this process; the lock goes with the process, however that ends.

    Raises:
        RunBusy: If another process has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RunBusy(
            f"Another process plays the run in {folder} at this moment: wait for it, or give --out another folder."
        ) from None
    try:
        yield
    finally:
        if {place.name for place in folder.iterdir()} == {LOCK}:  # nothing was begun
            # Whoever has opened the lock's file meanwhile notices that it is gone (filelock 3.20.4), and no release
            # takes away the file of this name, which may be another's by then (filelock 3.30).
            shutil.rmtree(folder)
        lock.release()


def last_checkpoint(folder: Path) -> dict[str, Any] | None:
    """The state after the last complete round, if the logs have all that was written until then.

    Where they have not, or no state can be read, there is none: the run is then played from its beginning, to the same
    end.
    """
    checkpoint = load_checkpoint(folder)
    return checkpoint if checkpoint is not None and whole(folder, checkpoint["logs"]) else None


def prepare(folder: Path, overwrite: bool) -> None:
    """Makes a run's folder; an earlier run in it is put aside until this one has begun.

    Raises:
        RunError: If the folder holds a run already and `overwrite` is not set, or a training.
    """
    if (folder / "policy").exists():
        raise RunError(f"{folder} holds a training. Give --out another folder.")
    if any((folder / name).exists() for name in FILES) and not overwrite:
        raise RunError(
            f"{folder} holds a run already. Give --resume {folder} to go on with it, --overwrite to replace it, or "
            "--out another folder."
        )
    shutil.rmtree(folder / ASIDE, ignore_errors=True)
    for name in (RESCORED, *FILES):
        if (folder / name).exists():
            (folder / ASIDE).mkdir(exist_ok=True)
            (folder / name).rename(folder / ASIDE / name)


def restore(folder: Path) -> None:
    """Brings back what was put aside."""
    aside = folder / ASIDE
    for place in aside.iterdir() if aside.is_dir() else ():
        place.rename(folder / place.name)
    shutil.rmtree(aside, ignore_errors=True)
