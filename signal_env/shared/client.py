"""The client of a served experiment: the verbs of `SharedExperiment`, over HTTP."""

import http.client
import json
import logging
import os
import ssl
import threading
import time
import uuid
from collections.abc import Sequence
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from signal_env.env import require_text
from signal_env.shared.mirror import MirrorLearner
from signal_env.shared.reading import RoundOver
from signal_env.shared.verbs import ExperimentEnded, Offered, Prompts, Scored, State
from signal_env.utils.errors import ActionError, SignalError

LOG = logging.getLogger(__name__)

TOKEN = "SIGNAL_ENV_TOKEN"
"""The environment variable with the token of a service."""

PAUSE = 0.25
"""Seconds before a request is repeated whose connection has failed."""

SILENCE = 5.0
"""Seconds without an answer after which a warning is logged."""

AGAIN = (502, 503, 504)
"""The statuses of a service, or of a proxy before it, after which a request is repeated."""

PATIENCE = 90.0
"""Seconds that one answer may take; the service itself answers a request that waits within a third of that."""


class ServiceError(SignalError, RuntimeError):
    """A service that cannot be reached, or that refused a request; the message says which and why."""


class Client:
    """A served experiment; see `signal_env.shared.verbs.SharedExperiment` and `python -m experiments serve --help`.

    While the service retrains the classifier, or starts again after a crash, the client waits and repeats its request
    with the same key, so that a text is never offered twice. Threads may share a client. It can be pickled.

    Args:
        url: The service's address, such as "http://127.0.0.1:8000".
        token: The service's token; default: the environment variable SIGNAL_ENV_TOKEN, if it is set.
        timeout: Seconds after which a request that is not answered becomes a `ServiceError`.

    Raises:
        ServiceError: If the address is not one of HTTP.

    Example:
        >>> client = Client("http://127.0.0.1:8000")
        >>> client
        Client('http://127.0.0.1:8000')
    """

    def __init__(self, url: str, token: str | None = None, timeout: float = 600.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ServiceError(f"Expected the address of a service, such as 'http://127.0.0.1:8000'; got {url!r}.")
        self.url, self.token, self.timeout = url.rstrip("/"), token or os.environ.get(TOKEN), timeout
        self._parts, self._local = parts, threading.local()
        self._known: State | None = None

    def __reduce__(self) -> Any:
        """Pickle the address, not the connection."""
        return type(self), (self.url, self.token, self.timeout)

    def __repr__(self) -> str:
        """Return the address."""
        return f"Client({self.url!r})"

    def prompts(self, n: int, key: str | None = None) -> Prompts:
        """Draw the next n prompts; see `SharedExperiment.prompts`."""
        return Prompts.from_dict(self._post("/prompts", {"n": n, "key": key or uuid.uuid4().hex}))

    def offer(self, texts: Sequence[str], prompts: Sequence[str] = (), key: str | None = None) -> Offered:
        """Offer texts; see `SharedExperiment.offer`.

        Raises:
            ExperimentEnded: If the experiment is over.
            ActionError: If a text is no `str`.
            ServiceError: If the service cannot be reached, or refuses the request.
        """
        body = _texts(texts, prompts) | {"key": key or uuid.uuid4().hex}
        return Offered.from_dict(self._post("/offer", body))

    def score(self, texts: Sequence[str], prompts: Sequence[str] = ()) -> Scored:
        """Return what texts would earn as the round's first ones; see `SharedExperiment.score`."""
        return Scored.from_dict(self._post("/score", _texts(texts, prompts)))

    def state(self) -> State:
        """Return the state; see `SharedExperiment.state`."""
        self._known = State.from_dict(self._request("GET", "/state"))
        return self._known

    def health(self) -> dict[str, Any]:
        """Return the service's "status": "ready", "retraining", "ended" or "failed"."""
        return self._request("GET", "/health")

    @property
    def known(self) -> State:
        """The last state that was read."""
        return self._known or self.state()

    @property
    def seed(self) -> int:
        """The seed of the experiment."""
        return self.learner.seed

    @cached_property
    def learner(self) -> MirrorLearner:
        """The experiment's learner, for agents that read the unlabeled set. One thread may use it."""
        return MirrorLearner(self)

    def read(self, what: str) -> dict[str, Any]:
        """Return "experiment", "round" or "offered"; see `signal_env.shared.reading`."""
        return self._request("GET", f"/{what}")

    def ask(self, what: str, texts: Sequence[str] | None, index: int) -> dict[str, Any]:
        """Return the classifier's outputs for texts, None for U; see `signal_env.shared.reading.asked`."""
        return self._post("/ask", {"what": what, "texts": None if texts is None else list(texts), "round": index})

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._request("POST", path, json.dumps(body).encode("ascii"))

    def _request(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        """Return an answer; repeat the request while the service is down or retrains."""
        begin = time.monotonic()
        end, warned = begin + self.timeout, False
        while True:
            pause, problem = PAUSE, ""
            try:
                status, again, data = self._send(method, path, body)
            except (OSError, http.client.HTTPException) as error:
                problem = f"{type(error).__name__}: {error}"
            else:
                if status not in AGAIN:
                    return self._read(status, data)
                pause, problem = again, data.decode(errors="replace")[:200]
            if time.monotonic() + pause > end:
                raise ServiceError(
                    f"The service at {self.url} gave no answer to {method} {path} within {self.timeout:g} seconds "
                    f"({problem}). Is it running? Give a longer timeout if its classifier takes longer to train."
                )
            if not warned and time.monotonic() - begin >= SILENCE:
                LOG.warning("No answer from %s yet (%s): waiting up to %g seconds.", self.url, problem, self.timeout)
                warned = True
            time.sleep(pause)

    def _send(self, method: str, path: str, body: bytes | None) -> tuple[int, float, Any]:
        """Send a request once; return its status, the seconds until it may be repeated, and the answer."""
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connection()
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            connection.request(method, self._parts.path.rstrip("/") + path, body, headers)
            response = connection.getresponse()
            data = response.read()
            told = response.getheader("Retry-After", "")
            again = float(told) if told.replace(".", "", 1).isdecimal() else PAUSE
            return response.status, again, data if response.status in AGAIN else json.loads(data)
        except (OSError, http.client.HTTPException, ValueError) as error:
            connection.close()
            self._local.connection = None
            if isinstance(error, ValueError):
                raise ServiceError(f"{self.url} is no served experiment: its answer is not JSON.") from error
            raise

    def _connection(self) -> http.client.HTTPConnection:
        host, port = str(self._parts.hostname), self._parts.port
        if self._parts.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=PATIENCE, context=ssl.create_default_context())
        return http.client.HTTPConnection(host, port, timeout=PATIENCE)

    def _read(self, status: int, data: Any) -> dict[str, Any]:
        """Return the answer; raise the error that it describes."""
        if status == 200 and isinstance(data, dict):
            return data
        told = data if isinstance(data, dict) else {}
        reason = str(told.get("reason", data))
        errors: dict[Any, type[SignalError]] = {"ended": ExperimentEnded, "round over": RoundOver}
        if (kind := errors.get(told.get("error"))) is not None:
            raise kind(reason)
        raise ServiceError(f"The service at {self.url} refused the request (status {status}): {reason}")


def _texts(texts: Sequence[str], prompts: Sequence[str]) -> dict[str, Any]:
    """Return the fields of texts and their prompts, checked before they are sent."""
    for text in [texts] if isinstance(texts, str) else [*texts, *prompts]:
        require_text(text)
    if isinstance(texts, str) or isinstance(prompts, str):
        raise ActionError(f"Expected lists of texts and prompts; got {texts!r:.80}, {prompts!r:.80}.")
    return {"texts": list(texts), "prompts": list(prompts)}
