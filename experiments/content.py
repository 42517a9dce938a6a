"""What a run depends on beside its options: data, models and the version, known by content and not by place."""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

from agents.llm.options import GeneratorOptions
from experiments.config import RunConfig, RunError
from experiments.places import PATHS, path_options
from signal_env import __version__
from signal_env.classifiers.pretrained import ModelError, model_path
from signal_env.data import DataError, fingerprint
from signal_env.tasks import get_task
from signal_env.utils.errors import SignalError
from signal_env.utils.extras import MissingExtra
from signal_env.utils.fingerprint import digest_of, digest_of_folder, digest_while_untouched
from signal_env.utils.reading import read_json
from signal_env.utils.storage import cache_dir, write_text

FILE = "content.json"
"""The file in a run's folder that holds the content when the run began."""

OF_OPTION = {
    "task": ("task", "training texts", "evaluation texts"),
    "data_dir": ("training texts", "evaluation texts"),
    "annotator_model": ("annotator",),
}
"""The parts of the content that the path in an option stands for; other options have the part of their own name."""


def content_of(run: RunConfig) -> dict[str, str]:
    """Return the fingerprints of what a run depends on, by name; what is not on this machine is left out.

    They are the version of signal_env and, as SHA-256, the description of a task in a file, the training and the
    evaluation texts with their labels, and the folders or files of the encoder, of the generator, of the policy, of the
    annotator if an agent may write, and of what other paths are options of the agent. A model of the hub is known by
    its name, which is an option.

    Example:
        >>> from experiments.config import make_config
        >>> sorted(content_of(make_config("SignalEnv-reviews-v0", "random")))
        ['encoder', 'evaluation texts', 'signal_env', 'training texts']
    """
    content = {"signal_env": __version__}
    task = get_task(run.options.task or "")
    if isinstance(run.options.task, str) and run.options.task != task.name:  # it is a file
        about = {name: value for name, value in dataclasses.asdict(task).items() if name != "directory"}
        content["task"] = digest_of([json.dumps(about, sort_keys=True)])
    try:
        texts = fingerprint(task, run.options.data_dir)
        content |= {"training texts": texts["train"], "evaluation texts": texts["evaluation"]}
    except (DataError, MissingExtra):  # a finished run is finished on a machine without its data too
        pass
    for name, place in _models(run, task.name).items():
        if place is not None and place.exists():
            content[name] = _digest(place)
    for name in path_options(run.agent_options):
        path = getattr(run.agent_options, name, None)
        if name not in PATHS and path is not None and (there := Path(os.path.expanduser(path))).exists():
            content[name] = _digest(there)
    return content


def _digest(path: Path) -> str:
    """Return the fingerprint of a folder or a file."""
    return digest_of_folder(path, trust_times=True) if path.is_dir() else digest_while_untouched(path)


def _models(run: RunConfig, task: str) -> dict[str, Path | None]:
    """Return the folders and files of the models that a run uses; None for a model of the hub or an object."""
    options, agent = run.options, run.agent_options
    generator, policy = (getattr(agent, name, None) for name in ("generator", "policy"))
    if generator is None and isinstance(agent, GeneratorOptions) and task == "reviews":
        generator = "embedded"
    small = cache_dir("generators", task) if generator == "small" else _place(generator, "generator")
    models = {"encoder": _place(options.encoder), "generator": small}
    models["policy"] = Path(os.path.expanduser(policy)) if isinstance(policy, str) else None
    if options.annotator == "model" and may_write(run):
        own = options.annotator_model
        models["annotator"] = cache_dir("annotators", task) if own is None else _place(own)
    return models


def may_write(run: RunConfig) -> bool:
    """Return whether a run's agent may offer texts of its own, which the annotator labels."""
    agent = run.agent_options
    return run.options.selection != "submitted" or writes(agent)


def writes(agent: Any) -> bool:
    """Return whether an agent offers texts that a language model writes."""
    if isinstance(agent, GeneratorOptions):
        return agent.offers_written
    return getattr(agent, "generator", None) is not None


def _place(name: Any, role: str = "encoder") -> Path | None:
    try:
        return Path(model_path(name, role)) if isinstance(name, str) else None
    except (ModelError, MissingExtra):  # it is not on this machine
        return None


def record_content(run: RunConfig) -> None:
    """Write the present content to a run's folder."""
    write_text(run.folder / FILE, json.dumps(content_of(run), indent=2) + "\n")


def content_changes(run: RunConfig) -> list[str]:
    """Return what has changed since the run in a run's folder began; nothing if that run did not record it.

    A model that a run began without, or that is not on this machine, has not changed.
    """
    before = recorded_content(run.folder)
    if not before:
        return []
    now = content_of(run)
    return [f"{name} ({was[:12]}, now {now[name][:12]})" for name, was in before.items() if now.get(name, was) != was]


def recorded_content(folder: Path) -> dict[str, str]:
    """Return the content that the run in a folder began with; nothing if it did not record it."""
    file = folder / FILE
    if not file.is_file():
        return {}
    content = read_json(file, f"The record {file}", RunError)
    if not isinstance(content, dict) or not all(isinstance(each, str) for each in content.values()):
        raise RunError(f"The record {file} is not a mapping of names to fingerprints; got {content!r:.80}.")
    return content


def same_content(name: str, run: RunConfig, there: RunConfig) -> bool:
    """Return whether what an option names has the same content for a run as for the run in its folder.

    It is the content that the run in the folder recorded, or else what lies at its place now. What cannot be read is
    the same as nothing.

    Args:
        name: The option.
        run: The run.
        there: The run in its folder, as its `config.yaml` has it.
    """
    if name == "annotator_model" and not may_write(run):  # no annotator is asked
        return True
    parts, now, before = OF_OPTION.get(name, (name,)), _readable(run), recorded_content(run.folder)
    if any(part not in before for part in parts):
        before = _readable(there) | before
    known = [part for part in parts if part != "task" or part in now or part in before]
    return all(part in now and now[part] == before.get(part) for part in known)


def _readable(run: RunConfig) -> dict[str, str]:
    """Return the content of a run; nothing if the file of its task cannot be read."""
    try:
        return content_of(run)
    except SignalError:
        return {}
