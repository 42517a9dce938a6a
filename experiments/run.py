"""`python -m experiments run`: one agent plays one episode, into a folder of its own."""

import json
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from agents.agent import keeps_state
from agents.rollout import Step, rollout, state_of
from experiments.checkpoint import load_checkpoint, save_checkpoint
from experiments.config import RunConfig, RunError, make_envs
from experiments.content import FILE as CONTENT
from experiments.content import record_content
from experiments.cost import Meter
from experiments.identity import accept_plugins, check_places, differences, is_mixed, record_places, refusal
from experiments.logs import LOGS, Logs, complete
from experiments.player import fresh, refuse_descriptions
from experiments.preflight import check_space, preflight
from experiments.progress import console, progress_bar
from experiments.replay import Replay
from experiments.runs import Runs, read_runs
from experiments.spelling import elsewhere, spelled
from signal_env.learner.experiment import experiment_sizes
from signal_env.utils.errors import SignalError
from signal_env.utils.extras import require
from signal_env.utils.storage import remove, sync, write_text
from signal_env.utils.time_limit import call_limit

FINISHED = "finished"
"""The file that a finished run leaves. It holds the lengths of the logs."""

RESCORED = "rescored.jsonl"
"""The file that `rescore` writes."""

WRITER = "writer"
"""The folder in a run's folder with the checkpoints of the agent that plays a served experiment in a sweep."""

SERVED = ("requests.jsonl", "answers.jsonl", WRITER)
"""The files that `serve` and sweeps with `--served` write beside those of a run."""

FILES = (FINISHED, *LOGS, *SERVED, "curve.png", "checkpoints", "adapter", CONTENT, "config.yaml")
"""The files of a run, in the order of their removal. A removal that is cut short leaves no finished run, and as long as
any file is left `config.yaml` identifies the run."""

LOCK = ".lock"
"""The file that is locked by the process that plays the run."""

ASIDE = ".replaced"
"""The folder in a run's folder that keeps an earlier run until the new one has begun."""


class RunBusy(RunError):
    """A run that another process plays at this moment."""


def main(config: RunConfig) -> Path:
    """Play the run, or the rest of it, draw its curve and print a table; return its folder."""
    require("matplotlib", "plots")  # before the run, not after it
    from experiments.summary import draw, show  # it needs the extra `plots`, unlike `play`

    try:
        play_visibly(config, resume=config.resume is not None)
    except KeyboardInterrupt:
        if (config.folder / "config.yaml").exists():
            console.print(f"Go on with: python -m experiments run --resume {config.folder}")
        raise
    runs = read_runs([config.folder], unfinished=True)
    show(runs, "accuracy", draw(runs, config.folder / "curve.png"))
    if said := invalid_offers(runs):
        console.print(said, style="yellow", markup=False, highlight=False)
    console.print(f"Written to {config.folder}")
    return config.folder


def invalid_offers(runs: Runs) -> str:
    """Return how many offers were not valid, and the most frequent reason, if that is most of them; otherwise ""."""
    made, wrong = (int(runs.rounds[name].sum()) for name in ("offers", "invalid_offers"))
    if 2 * wrong <= made:
        return ""
    reasons = runs.offers["invalid"].value_counts().drop("", errors="ignore")
    reason, count = str(reasons.index[0]), int(reasons.iloc[0])
    hint = ""
    if reason == "duplicate":
        hint = (
            " Texts submitted earlier in the round are still in `unlabeled`: an agent that chooses from it remembers "
            "them if num_envs is less than offers_per_round."
        )
    return f"{wrong} of {made} offers were invalid, {count} of them for the reason {reason!r}.{hint}"


def play_visibly(config: RunConfig, resume: bool | None) -> None:
    """Play a run as `play` does, with a progress bar."""
    begins_anew = resume is not False and begun(config) and not finished(config)
    if begins_anew and not keeps_state(config.agent_options):
        console.print(f"The agent {config.agent} has no state_dict: its run is played anew from its beginning.")
    with progress_bar() as progress:
        bar = progress.add_task(f"{config.agent} on {config.env}", status="", total=None)

        def update(done: int, total: int, status: str) -> None:
            progress.update(bar, completed=done, total=total, status=status)

        play(config, update, resume)


def begun(run: RunConfig) -> bool:
    """Return whether the folder holds this very run: all options are equal, and the content of its plugins."""
    try:
        return not differences(run)
    except (SignalError, ValueError, TypeError):  # there is no run, or one with options that this version does not know
        return False


def finished(run: RunConfig) -> bool:
    """Return whether this very run has been played to its end and its logs have the lengths that they had then."""
    file = run.folder / FINISHED
    return begun(run) and file.is_file() and file.read_text(encoding="utf-8") == lengths(run.folder)


def clear(folder: Path) -> None:
    """Remove the run in a folder; raise `RunBusy` if another process plays it at this moment."""
    with locked(folder):
        remove(folder, (RESCORED, *FILES))


def lengths(folder: Path) -> str:
    """Return the lengths of the environment's logs in bytes, as the file `finished` holds them."""
    logs = [folder / name for name in ("rounds.jsonl", "offers.jsonl", "labels.jsonl")]
    return json.dumps({log.name: log.stat().st_size for log in logs if log.is_file()})


def play(
    config: RunConfig, on_round: Callable[[int, int, str], None] = lambda *_: None, resume: bool | None = False
) -> None:
    """Play one episode and write the run's folder.

    `config.yaml` is the run; `rounds.jsonl`, `offers.jsonl` and `labels.jsonl` hold the environment's records,
    `metrics.jsonl` the agent's metrics of each round; `tensorboard` shows all of them. `checkpoints` holds the state
    after the last complete round: an interrupted run continues from there and ends with the same logs. The run of an
    agent whose state is not known (`agents.agent.keeps_state`) is played anew from its beginning, and repeats its logs.

    Args:
        config: The run.
        on_round: Called after each round with the labels spent, the budget and a short status.
        resume: Whether to continue the run in the folder. None: continue it if there is one that is not finished, and
            leave a finished one as it is; a run with other options is replaced if `overwrite` is set.

    Raises:
        RunError: If the folder holds a run already and neither `overwrite` nor `resume` is set, a run with other
            options is to be resumed, or a served one, or a run that is played anew does not repeat its logs, which stay
            as they were.
        AgentError: If the agent has one state method without the other.
        CallTimeout: If a call takes longer than `call_timeout`.
        RunBusy: If another process plays the run at this moment.
    """
    refuse_descriptions(str(config.folder), vars(config.options) | {"agent": config.agent_options})
    keeps_state(config.agent_options)
    with call_limit(config.call_timeout), locked(config.folder):  # the folder's content is certain only from here on
        if resume is None:
            if finished(config):
                return
            resume = (config.folder / "config.yaml").exists() and (begun(config) or not config.overwrite)
        if resume and not (config.folder / FINISHED).is_file():
            check_places(config)
        if resume and not begun(config):
            raise RunError(refusal(config))
        if resume and finished(config):
            accept_plugins(config)
            record_places(config)
            return
        _play(config, on_round, resume)


def _play(config: RunConfig, on_round: Callable[[int, int, str], None], resume: bool) -> None:
    check_space(config.folder)
    preflight(config)
    budget, meter = experiment_sizes(config.options).budget, Meter()
    if resume and any((config.folder / name).exists() for name in SERVED):
        raise RunError(
            f"The experiment in {config.folder} is served: go on with it by the command that began it, `serve` or "
            "`sweep --engine ray --served`."
        )
    with closing(make_envs(config)) as envs:
        known = keeps_state(config.agent_options)
        checkpoint = load_checkpoint(config.folder) if resume and known else None
        replay = Replay(config.folder if resume and not known and not is_mixed(config) else None)
        if checkpoint is None or not complete(config.folder, checkpoint["logs"]):  # play it from its beginning
            checkpoint = None
            set_aside(config.folder, config.overwrite or resume)
        under_way = resume and known
        try:
            with closing(_steps(config, envs, meter, checkpoint)) as steps:
                for step in steps:
                    replay.compare(step)
                    under_way = under_way or (len(step.texts) > 0 and replay.over)
                    if step.round is None:
                        continue
                    if under_way:  # the run that is replaced is no longer needed
                        shutil.rmtree(config.folder / ASIDE, ignore_errors=True)
                    on_round(step.round["labeled"], budget, f"accuracy {step.round['accuracy']:.3f}")
        finally:
            if not under_way:  # leave the folder as it was
                remove(config.folder, FILES)
                aside = config.folder / ASIDE
                for place in aside.iterdir() if aside.is_dir() else ():
                    place.rename(config.folder / place.name)
                shutil.rmtree(aside, ignore_errors=True)


def _steps(
    config: RunConfig, envs: Any, meter: Meter, checkpoint: dict[str, Any] | None
) -> Generator[Step, None, None]:
    """Play the run, or the rest of it, and write its logs.

    A round is on the disk when its last step is yielded, so a power cut costs only the round that is under way.
    """
    if checkpoint is None:
        write_text(config.folder / "config.yaml", config.as_yaml())  # first: it says whose folder this is
        record_content(config)
        checkpoint = {"logs": None, "episode": None}
    else:
        record_places(config)
    agent = fresh("agent", config.agent_options)
    with closing(Logs(envs, config, meter, checkpoint["logs"])) as logs:
        for step in rollout(logs.envs, agent, config.seed, checkpoint["episode"]):
            if step.round is not None:
                accept_plugins(config)  # not before: an error of theirs leaves the run as it was
                index = int(step.round["index"])
                logs.round(index, step.metrics)
                written = logs.state_dict()
                if keeps_state(agent):
                    save_checkpoint(config.folder, index, {"logs": written, "episode": state_of(envs, agent)})
            yield step
        agent.save(config.folder)
    accept_plugins(config)
    sync(config.folder)
    write_text(config.folder / FINISHED, lengths(config.folder))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a run's folder, until the process ends at the latest; raise `RunBusy` if another process has the lock."""
    lock = FileLock(folder / LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except (PermissionError, FileNotFoundError, NotADirectoryError) as error:
        raise RunError(f"{folder} cannot be written to: {error}. Give {elsewhere()}.") from error
    except Timeout:
        raise RunBusy(
            f"Another process plays the run in {folder} at this moment: wait for it, or give {elsewhere()}."
        ) from None
    try:
        yield
    finally:
        if {place.name for place in folder.iterdir()} == {LOCK}:  # nothing was begun
            # A process that has opened the lock's file meanwhile notices that it is gone (filelock 3.20.4), and no
            # release removes a file of this name, which may be another process's by then (filelock 3.30).
            shutil.rmtree(folder)
        lock.release()


def set_aside(folder: Path, overwrite: bool) -> None:
    """Set an earlier run in a folder aside, which needs `overwrite`; raise a RunError if it holds a training."""
    if (folder / "policy").exists():
        raise RunError(f"{folder} holds a training. Give {elsewhere()}.")
    if any((folder / name).exists() for name in FILES) and not overwrite:
        shell = f"--resume {folder} to go on with it, --overwrite to replace it"
        what = spelled(shell, "overwrite=True to replace it")
        raise RunError(f"{folder} holds a run already. Give {what}, or {elsewhere()}.")
    shutil.rmtree(folder / ASIDE, ignore_errors=True)
    for name in (RESCORED, *FILES):
        if (folder / name).exists():
            (folder / ASIDE).mkdir(exist_ok=True)
            (folder / name).rename(folder / ASIDE / name)
