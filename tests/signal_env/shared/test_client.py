"""The client where there is no service, or another one; `tests/experiments/serve` plays it on a real service."""

import pickle
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from signal_env.shared import client
from signal_env.shared.client import Client, ServiceError
from signal_env.utils.errors import ActionError


@pytest.fixture
def elsewhere():
    """The address of another server, which answers each request with the next of the test's answers."""
    answers = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = answers.pop(0)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Retry-After", "0.01")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", answers
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_address_that_is_none_is_refused():
    for url in ("127.0.0.1:8000", "ftp://127.0.0.1", "http://"):
        with pytest.raises(ServiceError, match="Expected the address of a service"):
            Client(url)


def test_no_service_is_an_error_after_the_timeout(unused_port):
    with pytest.raises(ServiceError, match=r"no answer to GET /state within 0.1 seconds \(ConnectionRefusedError"):
        Client(f"http://127.0.0.1:{unused_port}", timeout=0.1).state()


def test_a_long_wait_is_told_once(unused_port, monkeypatch, caplog):
    monkeypatch.setattr(client, "SILENCE", 0.1)
    with pytest.raises(ServiceError):
        Client(f"http://127.0.0.1:{unused_port}", timeout=1).state()
    (record,) = caplog.records
    assert f"No answer from http://127.0.0.1:{unused_port} yet (ConnectionRefusedError" in record.message


@pytest.fixture
def unused_port():
    import socket

    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return place.getsockname()[1]


def test_it_comes_again_while_the_service_is_busy(elsewhere):
    url, answers = elsewhere
    answers += [(503, b"busy"), (502, b"<html>"), (503, b'{"error": "retraining"}'), (200, b'{"status": "ready"}')]
    assert Client(url).health() == {"status": "ready"}
    assert answers == []


def test_another_service_is_an_error(elsewhere):
    url, answers = elsewhere
    answers += [(200, b"<html>"), (404, b'{"detail": "Not Found"}')]
    with pytest.raises(ServiceError, match="no served experiment: its answer is not JSON"):
        Client(url).health()
    with pytest.raises(ServiceError, match=r"refused the request \(status 404\)"):
        Client(url).health()


def test_a_client_survives_pickling_without_its_connection():
    client = pickle.loads(pickle.dumps(Client("http://127.0.0.1:1/base/", token="secret", timeout=3.0)))
    assert (client.url, client.token, client.timeout) == ("http://127.0.0.1:1/base", "secret", 3.0)


def test_the_token_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("SIGNAL_ENV_TOKEN", "of the environment")
    assert Client("http://127.0.0.1:1").token == "of the environment"
    assert Client("http://127.0.0.1:1", token="given").token == "given"


def test_texts_are_checked_before_they_are_sent():
    client = Client("http://127.0.0.1:1", timeout=0)
    with pytest.raises(ActionError, match="must be a text"):
        client.offer(["a", 3])
    with pytest.raises(ActionError, match="Expected lists of texts"):
        client.score("a film")
