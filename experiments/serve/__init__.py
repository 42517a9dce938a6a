"""`python -m experiments serve`: one experiment over HTTP, for writers in other processes and on other machines."""

import dataclasses
import ipaddress
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

import tyro

from experiments.config import EnvironmentOptions, Plugins, RunConfig, RunError, make_config
from experiments.progress import console
from experiments.serve.journal import REQUESTS
from experiments.serve.request import Bounds
from signal_env.utils.extras import require

GRACE = 5
"""Seconds for which a service that ends waits for clients."""

TOKEN = "SIGNAL_ENV_TOKEN"
"""The environment variable with the token."""


@dataclasses.dataclass(frozen=True)
class ServeConfig:
    """Serves one experiment; its folder is that of a run.

    The same command goes on with the experiment in the folder, also after the service was killed. It serves until it is
    interrupted; an experiment that is over still answers what has been asked before.
    """

    env_options: ClassVar[Mapping[str, Any]] = {"selection": "acquisition"}
    env: str = "SignalEnv-reviews-v0"
    """The environment's id."""
    seed: int = 0
    """Seed of the experiment."""
    out: Path | None = None
    """The run's folder; default: runs/ENV-served-seedSEED."""
    host: str = "127.0.0.1"
    """The address to listen on. Any but loopback needs a token."""
    port: int = 8000
    """The port to listen on; 0: a free one, which is printed."""
    token: str | None = None
    """The token that clients must give; default: the environment variable SIGNAL_ENV_TOKEN, which other users of the
    machine cannot see. Without either, none is needed."""
    tensorboard: bool = True
    """Write event files for TensorBoard into the folder `tensorboard` of the run."""
    references: tuple[str, ...] = ()
    """Reference methods of the scoreboard whose accuracies TensorBoard draws over the run's, in settings of its own."""
    overwrite: bool = False
    """Replace a run with other options that is in the folder."""
    setting: str | None = None
    """The experiment's name in tables and reports; default: the environment's id."""
    method: str | None = None
    """The name of the writers' method in tables and reports; default: served."""
    max_body: int = Bounds.body
    """Bytes of a request, at most."""
    max_batch: int = Bounds.batch
    """Texts, or prompts, of a request, at most."""
    max_text: int = Bounds.text
    """Characters of a text or a prompt, at most; the environment has a bound of its own, `max_text_length`."""
    max_waiting: int = Bounds.waiting
    """Requests that wait at a time, at most; further ones get 503."""
    max_clients: int = 1000
    """Connections at a time, at most."""
    wait: float = Bounds.wait
    """Seconds that a request waits for its answer before it gets 503; one without a key waits on."""
    plugins: Plugins = ()
    """Files and modules of your own: `--plugin FILE.py` or `--plugin package.module`."""
    accept_changed_plugins: bool = False
    """Go on with an experiment whose plugins have changed, and record their new content."""
    options: Annotated[EnvironmentOptions, tyro.conf.OmitArgPrefixes] = dataclasses.field(
        default_factory=EnvironmentOptions
    )
    """The environment's options."""

    def run(self) -> RunConfig:
        """Return the configuration of the run that the service writes."""
        names = ("seed", "out", "tensorboard", "references", "overwrite", "setting", "method", "accept_changed_plugins")
        values = {name: getattr(self, name) for name in names}
        own = dict(vars(self.options))
        return make_config(self.env, "served", plugins=self.plugins, options=own, **values)

    def bounds(self) -> Bounds:
        """Return the bounds of requests; raise a RunError for one that is not positive."""
        bounds = Bounds(self.max_body, self.max_batch, self.max_text, self.max_waiting, self.wait)
        for name, value in (*vars(bounds).items(), ("clients", self.max_clients)):
            if value <= 0:
                raise RunError(f"--{'wait' if name == 'wait' else f'max-{name}'} must be above 0; got {value}.")
        return bounds


def main(config: ServeConfig) -> Path:
    """Serve the experiment until the process is interrupted; return its folder."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # it ends as by Ctrl-C
    if (config.run().folder / REQUESTS).exists():
        console.print(f"Restoring the experiment in {config.run().folder}", soft_wrap=True)
    try:
        serve(config, lambda url: console.print(f"Serving {config.env}, seed {config.seed}, at {url}", soft_wrap=True))
    finally:
        signal.signal(signal.SIGTERM, before)
    return config.run().folder


def serve(config: ServeConfig, on_ready: Callable[[str], None]) -> None:
    """Serve as `main` does; call `on_ready` with the address once requests are answered.

    Raises:
        RunError: If a token is missing or too short, or a bound is not positive.
        MissingExtra: If FastAPI or uvicorn is not installed.
    """
    door = Door(config.host, config.port, token_of(config), config.bounds(), config.max_clients)
    serve_run(config.run(), door, lambda url, _: on_ready(url))


@dataclasses.dataclass(frozen=True)
class Door:
    """Where and for whom an experiment is served; see `ServeConfig`."""

    host: str
    port: int
    token: str | None
    bounds: Bounds = Bounds()
    max_clients: int = 1000


def serve_run(
    run: RunConfig, door: Door, on_ready: Callable[[str, Callable[[], None]], None], one_writer: bool = False
) -> None:
    """Serve the experiment of a run until the process is interrupted, or the service is told to end.

    Args:
        run: The run.
        door: Where and for whom.
        on_ready: Called with the address and a function that ends the service, once requests are answered.
        one_writer: See `experiments.serve.served_run.ServedRun`.
    """
    require("uvicorn", "serve")
    require("fastapi", "serve")
    from experiments.serve.app import make_app
    from experiments.serve.served_run import served
    from experiments.serve.worker import Worker

    host, bounds = door.host, door.bounds
    with listening(host, door.port, door.max_clients) as place, served(run, one_writer) as played:
        worker = Worker(played, bounds.waiting, lambda: setattr(server, "should_exit", True))
        server = server_of(make_app(worker, door.token, bounds), door.max_clients)
        address = f"http://{f'[{host}]' if ':' in host else host}:{place.getsockname()[1]}"
        on_ready(address, lambda: setattr(server, "should_exit", True))
        try:
            server.run(sockets=[place])
        finally:
            worker.stop()
        if worker.failure is not None:
            raise worker.failure


def server_of(app: Any, max_clients: int) -> Any:
    """Return uvicorn's server of an application; `run(sockets=[...])` serves until `should_exit` is set."""
    import uvicorn

    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            limit_concurrency=max_clients + 1,  # uvicorn refuses the connection that reaches it
            timeout_keep_alive=75,
            timeout_graceful_shutdown=GRACE,
        )
    )


def listening(host: str, port: int, waiting: int = 100) -> socket.socket:
    """Return a socket that listens on an address.

    Args:
        host: The address.
        port: The port; 0: a free one.
        waiting: The number of connections that may wait to be accepted.

    Raises:
        OSError: If it cannot listen there, for instance because another process does.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    place = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio sends at once if it sees TCP named
    try:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place.bind((host, port))
        place.listen(waiting)  # it shares an address with others that are bound, but not with one that listens
    except OSError as error:
        place.close()
        raise OSError(error.errno, f"{error.strerror} (listening on {host}, port {port})") from error
    return place


def token_of(config: ServeConfig) -> str | None:
    """Return the token of a service; raise a RunError if it needs one and has none."""
    token = config.token or os.environ.get(TOKEN) or None
    if token is not None and (len(token) < 16 or not token.isascii() or not token.isprintable() or " " in token):
        raise RunError("The token must have 16 or more ASCII characters, without spaces: openssl rand -hex 32.")
    if token is None and not is_loopback(config.host):
        raise RunError(
            f"A service on {config.host} can be reached from other machines: give a token, as in "
            f"{TOKEN}=$(openssl rand -hex 32), to it and to its clients, or listen on 127.0.0.1."
        )
    return token


def is_loopback(host: str) -> bool:
    """Return whether an address can be reached from this machine only.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost"), is_loopback("0.0.0.0")
        (True, True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
