"""The server: an application of OpenEnv whose sessions play experiments."""

import re
from functools import partial
from typing import Any

from openenv.core.env_server.http_server import create_app

from signal_env.config import ConfigError
from signal_env.trainers.openenv.environment import Experiments, SignalEnvironment
from signal_env.trainers.openenv.models import SignalAction, SignalObservation, SignalState
from signal_env.utils.extras import require

SESSIONS = 256
"""Sessions at a time. OpenEnv's own default is 1, with which a group of generations fails."""

SILENCE = 600.0
"""Seconds of silence after which a session counts as lost. A client may be busy with its own training."""


def make_app(target: str, *, sessions: int = SESSIONS, **settings: Any) -> Any:
    """Return an application of OpenEnv, for one process of a server such as uvicorn.

    A shared experiment in this process is trained before the application is returned.

    Args:
        target: A registered id, or the URL of a served experiment.
        sessions: The number of sessions at a time, at least 1; further ones are refused.
        settings: Arguments of `Experiments`, and options of the experiments.

    Raises:
        ConfigError: If the settings do not fit together.

    Example:
        >>> import signal_env
        >>> app = make_app("SignalEnv-reviews-v0", sessions=8, pool_size=20, round_size=2)
        >>> {"/reset", "/step", "/state", "/schema"} <= set(app.openapi()["paths"])
        True
    """
    if sessions < 1:
        raise ConfigError(f"A server has 1 session or more; got sessions={sessions}.")
    experiments = Experiments(target, **settings)
    return create_app(
        partial(SignalEnvironment, experiments),
        SignalAction,
        SignalObservation,
        env_name=re.sub(r"\W+", "_", target),
        max_concurrent_envs=sessions,
        state_cls=SignalState,
    )


def serve(app: Any, host: str = "127.0.0.1", port: int = 8000) -> None:
    """Serve an application until the process is interrupted.

    OpenEnv asks for no token: listen on another address than loopback only where strangers cannot reach it.
    """
    require("uvicorn", "openenv").run(app, host=host, port=port, ws_ping_timeout=SILENCE)
