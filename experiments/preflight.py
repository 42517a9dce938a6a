"""What a run needs is looked for before its first step: data, models, packages, and space to write."""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from experiments.config import RunConfig, RunError
from experiments.content import may_write, writes
from experiments.spelling import elsewhere
from signal_env.acquisition import Strategy
from signal_env.annotators.builtin import check_model
from signal_env.classifiers import checked_options
from signal_env.classifiers.checkpoints import require_checkpoint
from signal_env.config import check
from signal_env.data import load
from signal_env.learner.experiment import evaluation_texts, experiment_sizes, task_of
from signal_env.stopping import Stopping
from signal_env.utils.errors import SignalError

PROBE = 1 << 20
"""Bytes that are written to find out whether there is space."""

WITH_ENCODER = ("linear", "finetune")
"""The classifiers that load the encoder."""


def preflight(run: RunConfig) -> None:
    """Raise an error if something that a run needs is missing. No model is loaded.

    Raises:
        SignalError: If an option is out of its range, a name is not known, or the data, the encoder, the annotator or
            what the agent needs is missing.
    """
    options, agent = run.options, run.agent_options
    check(options)
    experiment_sizes(options)  # reads the data
    evaluation_texts(load(task_of(options), options.data_dir).evaluation, options.evaluation_size)
    Strategy(options.acquisition)  # an unknown name is an error here and below, before any run begins
    if isinstance(options.classifier, str):
        checked_options(options.classifier, options.classifier_options)
    if isinstance(options.stopping, str):
        Stopping(options.stopping, options.stopping_options)
    if options.classifier in WITH_ENCODER:
        require_checkpoint(options.encoder)
    if options.annotator == "model" and may_write(run):
        check_model(task_of(options), options.annotator_model)
    if options.annotator == "gold" and writes(agent):
        raise RunError(
            f"The agent {run.agent} writes texts, and the annotator 'gold' labels real texts only: give "
            "annotator='model' (or 'rule' for the task 'reviews')."
        )
    if not isinstance(agent, Mapping) and hasattr(agent, "check_available"):  # an agent of an earlier version has none
        agent.check_available(options, run.seed)


def preflight_all(runs: Iterable[RunConfig]) -> None:
    """Look for what runs need, as `lacks` does.

    Raises:
        RunError: If something is missing, with all that is.
    """
    if said := lacks(runs, "nothing was played"):
        raise RunError(said)


def lacks(runs: Iterable[RunConfig], then: str) -> str:
    """Return what runs need and this machine lacks, a line for each error; empty if nothing is missing.

    Args:
        runs: The runs. Each method in each setting is looked at once, with its largest seed.
        then: What follows from it, for the message.
    """
    last: dict[tuple[str, str], RunConfig] = {}
    for run in runs:
        key = (run.setting or run.env, run.method or run.agent)
        if key not in last or last[key].seed < run.seed:
            last[key] = run
    lacking = defaultdict[str, list[str]](list)
    for key, run in last.items():
        try:
            preflight(run)
        except (SignalError, OSError) as error:
            lacking[str(error)].append("/".join(key))
    said = "".join(f"\n  {', '.join(names)}: {error}" for error, names in lacking.items())
    count = sum(map(len, lacking.values()))
    return f"{count} of {len(last)} methods cannot be played here; {then}.{said}" if lacking else ""


def check_space(folder: Path) -> None:
    """Raise a RunError if a folder cannot be written to, or its disk is full. Nothing stays there."""
    probe = folder / f".probe-{os.getpid()}"
    try:
        missing = [place for place in (folder, *folder.parents) if not place.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with probe.open("wb") as file:
                file.write(bytes(PROBE))
                file.flush()
                os.fsync(file.fileno())
        finally:
            probe.unlink(missing_ok=True)
            with suppress(OSError):  # another process writes there too
                for place in missing:
                    place.rmdir()
    except OSError as error:
        raise RunError(f"{folder} cannot be written to: {error}. Make space there, or give {elsewhere()}.") from error
