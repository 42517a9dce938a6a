"""The HTTP interface of a served experiment."""

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from experiments.serve.openrlhf import queried, rewarded
from experiments.serve.request import BadRequest, Bounds, decoded, drawn, offered, queried_texts, texts_of
from experiments.serve.request import Request as Change
from experiments.serve.served_run import ServedRun
from experiments.serve.worker import Busy, Stopped, Worker
from signal_env import __version__
from signal_env.classifiers import ClassifierError
from signal_env.shared import ExperimentEnded
from signal_env.shared.reading import ABILITIES, RoundOver, asked, experiment_data, offered_data, round_data
from signal_env.utils.answers import Answer
from signal_env.utils.errors import SignalError

RETRY = 1
"""Seconds after which a request that was answered with 503 may be repeated."""

MOST_ROUNDS = 2**53
"""The number of rounds that a request may name is below it: further whole numbers are not exact in JSON."""

LARGE = 2**18
"""Bytes from which on a request is decoded in a thread of its own."""

ABOUT = """One active-learning experiment, shared by all clients.

- `POST /prompts` {"n": 8, "key": "a"} draws prompts.
- `POST /offer` {"texts": [...], "prompts": [...], "key": "b"} offers texts and returns their rewards.
- `POST /score` {"texts": [...]} returns the rewards without offering.
- `GET /state` and `GET /health` answer at once.

Bodies are JSON. A request repeated with its key is answered as the first one was. 503 with `Retry-After` means that the
classifier is being retrained, or that too many requests wait: repeat the request. An offer or a draw without a key
waits until it is answered; repeated after a lost connection, it is another one. The service's errors
are {"error": KIND, "reason": TEXT}.
"""


def make_app(worker: Worker, token: str | None = None, bounds: Bounds | None = None) -> FastAPI:
    """Return the application over a worker.

    Args:
        worker: The worker, which plays one experiment.
        token: The bearer token that every request needs, except for the service's health; None: no token.
        bounds: The bounds of requests.
    """
    app = FastAPI(title="signal_env", version=__version__, description=ABOUT, openapi_url="/openapi.json")
    service = Service(worker, bounds or Bounds())
    if token is not None:
        app.add_middleware(Guard, token=token)

    @app.exception_handler(HTTPException)
    async def known(request: Request, error: HTTPException) -> Response:
        return problem(error.status_code, "not found" if error.status_code == 404 else "request", str(error.detail))

    for kind, (status, name) in ERRORS.items():
        app.add_exception_handler(kind, _handler(status, name))

    app.get("/health", summary="Whether the service is ready")(service.health)
    app.get("/state", summary="The state of the experiment")(service.state)
    app.post("/prompts", summary="Draw prompts")(service.prompts)
    app.post("/offer", summary="Offer texts")(service.offer)
    app.post("/score", summary="Score texts without offering them")(service.score)
    app.post("/get_reward", summary="Offer texts as OpenRLHF does")(service.get_reward)
    app.get("/experiment", summary="Options, task, sizes and the real pool")(service.experiment)
    app.get("/round", summary="The open round: unlabeled and labeled texts under the classifier")(service.round)
    app.get("/offered", summary="What has been offered in the open round")(service.offered)
    app.post("/ask", summary="The classifier's outputs for texts")(service.ask)
    return app


class Guard:
    """A layer that refuses requests without the token, but for the service's health.

    Args:
        app: The application below.
        token: The token.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] == "http" and scope["path"] != "/health" and not self._has_token(dict(scope["headers"])):
            refused = problem(401, "token", "This service needs its token: Authorization: Bearer TOKEN.")
            await refused(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _has_token(self, headers: Mapping[bytes, bytes]) -> bool:
        """Return whether the token is there, in a time that does not depend on how much of it is right."""
        scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(given.strip(), self._token)


class Service:
    """The handlers of an application.

    Args:
        worker: The worker.
        bounds: The bounds of requests.
    """

    def __init__(self, worker: Worker, bounds: Bounds) -> None:
        self._worker, self._bounds = worker, bounds
        self._pending: dict[
            str, tuple[Change, asyncio.Future[Any]]
        ] = {}  # requests with a key that are not answered yet

    async def health(self) -> Response:
        """Return the status: "ready", "retraining", "ended" or "failed"; the last one with the status 500.

        It needs no token, so the reason of a failure is the answer to other requests only.
        """
        worker, run = self._worker, self._worker.run
        if worker.failure is not None:
            return answered({"status": "failed"}, 500)
        ended = run.experiment.state().ended
        return answered({"status": "retraining" if run.closing else "ended" if ended else "ready"})

    async def state(self) -> Response:
        """Return the state: while a round closes, that of before."""
        return answered(self._worker.run.experiment.state().to_dict())

    async def prompts(self, request: Request) -> Response:
        """Draw prompts: {"n", "key"}; return {"first", "texts"}."""
        return await self._change(drawn(await self._body(request), self._bounds))

    async def offer(self, request: Request) -> Response:
        """Offer texts: {"texts", "prompts", "key"}; return {"rewards", "infos", "first", "offered", "ended"}."""
        return await self._change(offered(await self._body(request), self._bounds))

    async def get_reward(self, request: Request) -> Response:
        """Offer texts as OpenRLHF does: {"query", "prompts", "labels"}; return {"rewards", "scores", "extra_logs"}.

        It waits for a retraining, as OpenRLHF gives up after five attempts. `?end=TOKEN` names the end of a response.
        """
        state, ends = self._worker.run.experiment.state(), request.query_params.getlist("end")
        rule = Answer(fields=state.field_names)
        answer = await self._submit(queried(await self._body(request), ends, rule, self._bounds))
        if "rewards" not in answer:
            raise ExperimentEnded(answer["ended"])
        return answered(rewarded(answer, state.weights))

    async def score(self, request: Request) -> Response:
        """Score texts without offering them: {"texts", "prompts"}; return {"rewards", "infos"}."""
        texts, prompts = texts_of(await self._body(request, ("texts", "prompts")), self._bounds)
        return await self._read(lambda run: run.experiment.score(texts, prompts).to_dict(), only_reads=False)

    async def experiment(self) -> Response:
        """Return what stays the same: options, task, sizes, pool."""
        config = self._worker.run.config
        return await self._read(lambda run: experiment_data(run.experiment.learner, config.env, config.seed))

    async def round(self) -> Response:
        """Return the open round."""
        return await self._read(lambda run: round_data(run.experiment.learner))

    async def offered(self) -> Response:
        """Return what has been offered in the open round."""
        return await self._read(lambda run: offered_data(run.experiment.learner))

    async def ask(self, request: Request) -> Response:
        """Return the classifier's outputs for texts: {"what", "texts", "round"}; without "texts", for U."""
        body = await self._body(request, ("what", "texts", "round"))
        what, index = body.get("what"), body.get("round")
        if what not in ABILITIES or type(index) is not int or not 0 <= index < MOST_ROUNDS:
            raise BadRequest(f"The request needs 'what', one of {', '.join(ABILITIES)}, and 'round', a whole number.")
        texts = queried_texts(body, what, self._bounds)
        return await self._read(lambda run: _asked(run, what, texts, index))

    async def _body(self, request: Request, names: tuple[str, ...] | None = None) -> Mapping[str, Any]:
        """Return the JSON object in a request's body."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise BadRequest("The request's Content-Type must be application/json.", 415)
        data = bytearray()
        try:
            async for chunk in request.stream():
                data += chunk
                if len(data) > self._bounds.body:
                    raise BadRequest(f"A request has at most {self._bounds.body} bytes: send it in parts.", 413)
        except ClientDisconnect as error:
            raise BadRequest("The connection was lost before the request was complete.", 400) from error
        body = await asyncio.to_thread(decoded, data) if len(data) > LARGE else decoded(data)
        if not isinstance(body, dict):
            raise BadRequest(f"The request must be a JSON object; got {type(body).__name__}.")
        if names is not None and (others := [name for name in body if name not in names]):
            raise BadRequest(f"The request has no field {others[0]!r:.80}; it has {', '.join(map(repr, names))}.")
        return body

    async def _change(self, change: Change) -> Response:
        """Have a request that changes the experiment played, once for each key."""
        key = change.key or ""
        known, future = self._pending.get(key, (None, None))
        if future is None:
            future = self._submit(change)
            if key:
                self._pending[key] = change, future
                future.add_done_callback(lambda _: self._pending.pop(key))
        elif known != change:
            raise BadRequest(f"The key {key!r} belongs to another request: give each request its own key.")
        answer = await (self._result(future) if key else future)  # without a key it cannot be repeated
        if "rewards" not in answer and "ended" in answer:
            raise ExperimentEnded(answer["ended"])
        return answered(answer)

    async def _read(self, read: Callable[[ServedRun], dict[str, Any]], only_reads: bool = True) -> Response:
        """Have a request played that reads the experiment; its answer is encoded where it blocks no other one."""
        data: bytes = await self._result(self._submit(lambda run: encoded(read(run)), only_reads))
        return Response(data, media_type="application/json")

    def _submit(self, job: Any, only_reads: bool = False) -> "asyncio.Future[Any]":
        future = asyncio.wrap_future(self._worker.submit(job, only_reads))
        future.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may wait for it any more
        return future

    async def _result(self, future: "asyncio.Future[Any]") -> Any:
        """Wait for a result, up to the bound."""
        done, _ = await asyncio.wait([future], timeout=self._bounds.wait)
        if done:
            return future.result()
        if self._worker.run.closing:
            raise Busy("The classifier is being retrained: repeat the request with the same key.", "retraining")
        raise Busy("Other requests are at work: repeat the request with the same key.")


def _asked(run: ServedRun, what: str, texts: tuple[str, ...] | None, index: int) -> dict[str, Any]:
    try:
        return asked(run.experiment.learner, what, texts, index)
    except ClassifierError as error:  # the classifier lacks the ability
        raise BadRequest(str(error)) from error


ERRORS: dict[type[Exception], tuple[int | None, str]] = {
    BadRequest: (None, "request"),
    ExperimentEnded: (409, "ended"),
    RoundOver: (409, "round over"),
    Busy: (503, "busy"),
    Stopped: (503, "stopped"),
    Exception: (500, "failed"),
}
"""The status of each error, None for its own, and its kind."""


def _handler(status: int | None, kind: str) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def handle(request: Request, error: Exception) -> Response:
        if isinstance(error, BadRequest):
            return problem(error.status, kind, str(error))
        if isinstance(error, Stopped) and error.failed:
            return problem(500, "failed", str(error))
        reason = str(error) if isinstance(error, SignalError) else f"{type(error).__name__}: {error}"
        return problem(status or 500, getattr(error, "kind", kind), reason)

    return handle


def answered(data: Mapping[str, Any], status: int = 200) -> Response:
    """Return plain data as an answer."""
    return Response(encoded(data), status, media_type="application/json")


def encoded(data: Mapping[str, Any]) -> bytes:
    """Return plain data as JSON in ASCII, which holds lone surrogates too."""
    return json.dumps(data).encode("ascii")


def problem(status: int, kind: str, reason: str) -> Response:
    """Return the answer of an error."""
    response = answered({"error": kind, "reason": reason}, status)
    if status == 503:
        response.headers["Retry-After"] = str(RETRY)
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response
