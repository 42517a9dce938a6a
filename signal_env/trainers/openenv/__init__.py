"""A shared experiment as an OpenEnv environment: its types, its server and its client. Needs the extra `openenv`."""

from signal_env.utils.extras import require

require("openenv", "openenv")

from signal_env.trainers.openenv.client import SignalEnvClient  # noqa: E402
from signal_env.trainers.openenv.environment import Experiments, SignalEnvironment  # noqa: E402
from signal_env.trainers.openenv.models import SignalAction, SignalObservation, SignalState  # noqa: E402
from signal_env.trainers.openenv.server import make_app, serve  # noqa: E402

__all__ = [
    "Experiments",
    "SignalAction",
    "SignalEnvClient",
    "SignalEnvironment",
    "SignalObservation",
    "SignalState",
    "make_app",
    "serve",
]
