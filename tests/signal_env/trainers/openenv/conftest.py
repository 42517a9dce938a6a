"""Real servers of OpenEnv, in threads of this process."""

import contextlib
import socket
import threading

import pytest


@contextlib.contextmanager
def serving(app):
    """Serve an application; yield its address."""
    import uvicorn

    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        place.listen(100)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [place]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{place.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def serve():
    """Returns a function that serves until the test ends, from the arguments of `make_app` to the address."""
    from signal_env.trainers.openenv import make_app

    with contextlib.ExitStack() as stack:
        yield lambda target, **settings: stack.enter_context(serving(make_app(target, **settings)))
