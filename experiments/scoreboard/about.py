"""What a method is: its values without places of files, its generator, and the versions of packages."""

import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from agents.agent import get_agent
from agents.llm.options import PAPER, GeneratorOptions
from experiments.places import NAMES, PATHS
from experiments.scoreboard.protocol import FIXED, read_protocol

PACKAGES = ("signal-env", "numpy", "scipy", "torch", "transformers", "trl", "stable-baselines3")
"""The packages whose versions are recorded."""

PLACES = ("data_dir", "annotator_model", "device", "generator_device")
"""Options that say where a run is played, and with what copy of the data and of the annotator."""


def method_values(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a method in a study, from the content of one of its runs' `config.yaml`.

    These are what the run sets beyond its protocol and the defaults of its agent. Of the path of a folder the last two
    parts are kept.
    """
    agent = get_agent(run["agent"])
    standard = vars(read_protocol().run("reviews").options) | {"selection": "acquisition"} | dict(agent.env_options)
    own = vars(agent())
    options = {name: v for name, v in run["options"].items() if name not in FIXED and v != standard[name]}
    agent_options = {name: v for name, v in run["agent_options"].items() if v != own[name]}
    if issubclass(agent, GeneratorOptions):
        agent_options["generator"] = generator_of(run)
    parts = {"options": _placed(options), "agent_options": _placed(agent_options), "num_envs": run.get("num_envs")}
    return {"agent": run["agent"]} | {name: value for name, value in parts.items() if value}


def generator_of(run: Mapping[str, Any]) -> str | None:
    """Return the language model that writes a run's texts; None if no model does."""
    name = run["agent_options"].get("generator")
    if name is None and issubclass(get_agent(run["agent"]), GeneratorOptions):
        return "embedded" if run["options"]["task"] == "reviews" else PAPER
    return None if name is None else str(_short(name))


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that runs depend on, where they are installed."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _placed(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options without `PLACES`, and with short paths."""
    return {name: _short(v) if name in PATHS else v for name, v in options.items() if name not in PLACES}


def _short(path: Any) -> Any:
    """Return the last two parts of an absolute path; a name, or another value, stays."""
    if not isinstance(path, str) or path in NAMES or not Path(path).is_absolute():
        return path
    return "/".join(Path(path).parts[-2:])
