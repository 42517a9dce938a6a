"""Services in this process, over real sockets."""

import contextlib
import threading

import pytest

from experiments.serve import ServeConfig, listening, server_of
from experiments.serve.request import Bounds
from experiments.serve.served_run import ServedRun
from experiments.serve.worker import Worker
from signal_env.shared.client import Client

SMALL = {"pool_size": 30, "round_size": 6, "evaluation_size": 20, "classifier": "linear", "annotator": "rule"}
"""The options of an experiment of four rounds with submitted texts, and nine with the acquisition function."""


@pytest.fixture
def config(tmp_path):
    """Returns a function from the environment's options to the run of a service in the test's folder."""

    def make(tensorboard=False, seed=0, name="served", **options):
        from experiments.config import EnvironmentOptions

        own = EnvironmentOptions(task="reviews", **{"encoder": "embedded", **SMALL, **options})
        return ServeConfig(seed=seed, out=tmp_path / name, tensorboard=tensorboard, options=own).run()

    return make


@contextlib.contextmanager
def serving(run, token=None, bounds=None, timeout=30.0, max_clients=100):
    """Serve a run in a thread; yield its client and its worker."""
    pytest.importorskip("fastapi", reason="needs FastAPI: pip install 'signal-env[serve]'")
    from experiments.serve.app import make_app

    bounds = bounds or Bounds()
    played = ServedRun(run)
    worker = Worker(played, bounds.waiting)
    with listening("127.0.0.1", 0) as place:
        server = server_of(make_app(worker, token, bounds), max_clients)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [place]})
        thread.start()
        client = Client(f"http://127.0.0.1:{place.getsockname()[1]}", token, timeout)
        try:
            yield client, worker
        finally:
            server.should_exit = True
            thread.join(60)
            worker.stop()
            played.close()
            assert not thread.is_alive()


@pytest.fixture
def serve(config):
    """Returns a context manager that serves an experiment of these options; see `serving`."""

    @contextlib.contextmanager
    def begin(token=None, bounds=None, timeout=30.0, **options):
        with serving(config(**options), token, bounds, timeout) as (client, _):
            yield client

    return begin
