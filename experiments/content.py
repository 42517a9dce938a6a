"""What a run depends on beside its options: data, models and the version, known by content and not by place."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agents.llm.options import GeneratorOptions
from experiments.config import RunConfig
from signal_env import __version__
from signal_env.classifiers.pretrained import ModelError, model_path
from signal_env.data import DataError, fingerprint
from signal_env.tasks import get_task
from signal_env.utils.extras import MissingExtra
from signal_env.utils.fingerprint import digest_of_folder
from signal_env.utils.storage import cache_dir, write_text

FILE = "content.json"
"""The file in a run's folder that holds the content when the run began."""


def content_of(run: RunConfig) -> dict[str, str]:
    """Return the fingerprints of what a run depends on, by name; what is not on this machine is left out.

    They are the version of signal_env and, as SHA-256, the training and the evaluation texts with their labels, and the
    folders of the encoder, of the generator, of the policy, and of the annotator if an agent may write. A model of the
    hub is known by its name, which is an option.

    Example:
        >>> from experiments.config import make_config
        >>> sorted(content_of(make_config("SignalEnv-reviews-v0", "random")))
        ['encoder', 'evaluation texts', 'signal_env', 'training texts']
    """
    content = {"signal_env": __version__}
    task = get_task(run.options.task or "")
    try:
        texts = fingerprint(task, run.options.data_dir)
        content |= {"training texts": texts["train"], "evaluation texts": texts["evaluation"]}
    except (DataError, MissingExtra):  # a finished run is finished on a machine without its data too
        pass
    for name, folder in _models(run, task.name).items():
        if folder is not None and folder.is_dir():
            content[name] = digest_of_folder(folder, trust_times=True)
    return content


def _models(run: RunConfig, task: str) -> dict[str, Path | None]:
    """Return the folders of the models that a run uses; None for a model of the hub or an object."""
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
    file = run.folder / FILE
    if not file.is_file():
        return []
    before: Mapping[str, str] = json.loads(file.read_text(encoding="utf-8"))
    now = content_of(run)
    return [f"{name} ({was[:12]}, now {now[name][:12]})" for name, was in before.items() if now.get(name, was) != was]
