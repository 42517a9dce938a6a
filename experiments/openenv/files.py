"""The files of an OpenEnv environment's folder."""

import json
from collections.abc import Mapping
from string import Template
from typing import Any

import yaml

from signal_env import __version__

APP = '''"""The server of $name: `python -m server.app`, or `uvicorn server.app:app`. It runs in one process."""

import argparse

import signal_env  # noqa: F401  (registers the environments)
from signal_env.trainers.openenv import make_app, serve

app = make_app(
$arguments
)


def main() -> None:
    """Serve until interrupted. OpenEnv asks for no token: mind who reaches the address."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    args = parser.parse_args()
    serve(app, args.host, args.port)


if __name__ == "__main__":
    main()
'''

PACKAGE = '''"""The environment $name of OpenEnv."""

from signal_env.trainers.openenv import SignalAction, SignalEnvClient, SignalObservation, SignalState

__all__ = ["SignalAction", "SignalEnvClient", "SignalObservation", "SignalState"]
'''

CLIENT = '''"""The client of $name."""

from signal_env.trainers.openenv import SignalEnvClient

__all__ = ["SignalEnvClient"]
'''

MODELS = '''"""The action, the observation and the state of $name."""

from signal_env.trainers.openenv import SignalAction, SignalObservation, SignalState

__all__ = ["SignalAction", "SignalObservation", "SignalState"]
'''

PYPROJECT = """[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "openenv-$dashed"
version = "0.1.0"
description = "Generative active learning: the action is a text, the reward is how much it would teach a classifier."
requires-python = ">=3.11"
dependencies = ["openenv>=0.10,<0.11", $requirement]

[project.scripts]
server = "$name.server.app:main"

[tool.setuptools]
packages = ["$name", "$name.server"]
package-dir = { "$name" = ".", "$name.server" = "server" }
"""

DOCKERFILE = """ARG BASE_IMAGE=python:3.12-slim
FROM $${BASE_IMAGE}
WORKDIR /app/env
COPY . /app/env
RUN pip install --no-cache-dir .
ENV PYTHONPATH=/app/env
HEALTHCHECK --interval=30s --timeout=3s --start-period=120s \\
    CMD python -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health')"
EXPOSE 8000
CMD ["python", "-m", "server.app", "--host", "0.0.0.0", "--port", "8000"]
"""

README = """---
title: $name
sdk: docker
pinned: false
app_port: 8000
tags:
  - openenv
---

# $name

Generative active learning ($target) as an OpenEnv environment. The action is a text. The reward is how much it would
teach a text classifier. $episode

```shell
pip install .
python -m server.app --port 8000
```

```python
from signal_env.trainers.openenv import SignalAction, SignalEnvClient

with SignalEnvClient("http://127.0.0.1:8000").sync() as env:
    print(env.reset(seed=0).observation.prompt)
    result = env.step(SignalAction(text="a warm film"))
    print(result.reward, result.observation.metadata["reward_terms"])
```
"""

SHARED = "All sessions train one classifier, and an episode is one prompt and one text."
OWN = "Each episode is an experiment with a classifier of its own."

PLAN = {
    "plan_schema_version": "1",
    "reset": {"episode_id": "validation", "seed": 0},
    "actions": [{"text": "a warm film with a fine cast"}, {"text": ""}],
}
"""What `openenv validate` plays."""


def files(config: Any, name: str, chosen: Mapping[str, Any]) -> dict[str, str]:
    """Return the contents of the files by their paths in the folder.

    Args:
        config: The command's configuration, `experiments.openenv.OpenEnvConfig`.
        name: The environment's name.
        chosen: The options of the experiment.
    """
    target = config.url or config.env
    values = {
        "name": name,
        "dashed": name.replace("_", "-"),
        "target": target,
        "arguments": "\n".join(f"    {line}," for line in arguments(config, target, chosen)),
        "requirement": json.dumps(config.requirement or requirement(config)),
        "episode": SHARED if config.shared else OWN,
    }
    templates = {
        "__init__.py": PACKAGE,
        "client.py": CLIENT,
        "models.py": MODELS,
        "server/__init__.py": '"""The server of $name."""\n',
        "server/app.py": APP,
        "server/Dockerfile": DOCKERFILE,
        "pyproject.toml": PYPROJECT,
        "README.md": README,
        ".dockerignore": ".venv\n__pycache__\nbuild\n*.egg-info\n",
    }
    written = {path: Template(template).substitute(values) for path, template in templates.items()}
    written["openenv.yaml"] = yaml.safe_dump(manifest(config, name), sort_keys=False)
    return written | ({"validation/runtime.json": json.dumps(PLAN, indent=2) + "\n"} if config.execution else {})


def arguments(config: Any, target: str, chosen: Mapping[str, Any]) -> list[str]:
    """Return the arguments of `make_app` as Python."""
    settings = {"sessions": config.sessions, "texts": config.texts}
    if config.url is None:
        settings |= {"seed": config.seed, "shared": config.shared}
    given = {name: value for name, value in settings.items() if value is not None} | dict(chosen)
    return [json.dumps(target), *(f"{name}={value!r}" for name, value in given.items())]


def requirement(config: Any) -> str:
    """Return what pip installs as signal_env: its version here, with the extras that the experiment needs."""
    extras = ["openenv"]
    if config.url is None and config.options.encoder == "minilm":
        extras.append("minilm")
    if config.url is None and config.options.task != "reviews":
        extras.append("data")
    return f"signal-env[{','.join(extras)}]=={__version__}"


def manifest(config: Any, name: str) -> dict[str, Any]:
    """Return what `openenv.yaml` declares."""
    validation: dict[str, Any] = {
        "reward": {"range": list(config.reward_range), "oracle_tolerance": 0.0, "floor_margin": 0.1},
        "resources": {"cpu": 1.0, "memory_mb": 4096, "disk_mb": 8192, "episode_timeout_s": 3600.0},
        "capabilities": {"verifier": {"kind": "reward_channel"}},
        "types": {"tags": ["text-generation", "active-learning"]},
    }
    if config.execution:
        validation["execution"] = {
            "kind": "openenv_ws",
            "probe_path": "validation/runtime.json",
            "dockerfile": "server/Dockerfile",
            "context": ".",
        }
    head = {"spec_version": 1, "name": name, "version": "0.1.0", "type": "space", "runtime": "fastapi"}
    return head | {"app": "server.app:app", "port": 8000, "validation": validation}
