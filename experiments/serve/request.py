"""The requests that change a served experiment, and the bounds of all requests."""

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from signal_env.spaces import is_utf8
from signal_env.utils.errors import SignalError

LONGEST_KEY = 200
"""The most characters of a key."""

MOST_PARTS = 1000
"""The most lists and objects in a request."""

STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
"""A string in JSON."""


class BadRequest(SignalError, ValueError):
    """A request that is not valid; nothing has changed.

    Attributes:
        status: The HTTP status of the answer, 400 to 499.
    """

    def __init__(self, message: str, status: int = 422) -> None:
        super().__init__(message)
        self.status = status


@dataclasses.dataclass(frozen=True)
class Bounds:
    """The bounds of requests, at least 1 each.

    Attributes:
        body: Bytes of a request.
        batch: Texts, or prompts, of a request.
        text: Characters of a text or a prompt.
        waiting: Requests that wait at a time.
        wait: Seconds that a request waits for its answer before it gets 503.
    """

    body: int = 16 * 1024**2
    batch: int = 4096
    text: int = 100_000
    waiting: int = 256
    wait: float = 20.0


@dataclasses.dataclass(frozen=True)
class Request:
    """A request that changes the experiment: a draw of prompts, or an offer.

    Attributes:
        verb: "prompts" or "offer".
        key: The request's own key; a repeated one is answered as before. None: it is not repeated.
        n: The number of prompts to draw.
        texts: The texts to offer.
        prompts: The prompts that they answer, or none.
    """

    verb: str
    key: str | None
    n: int = 0
    texts: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the request as plain data."""
        own = {"n": self.n} if self.verb == "prompts" else {"texts": list(self.texts), "prompts": list(self.prompts)}
        return {"verb": self.verb, "key": self.key, **own}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Request":
        """Restore what `to_dict` returned."""
        texts, prompts = (tuple(data.get(name, ())) for name in ("texts", "prompts"))
        return cls(data["verb"], data["key"], data.get("n", 0), texts, prompts)


def decoded(data: bytearray) -> Any:
    """Return the value that a request has as JSON.

    Millions of lists take seconds to make, in which no other thread runs, so they are counted first.

    Raises:
        BadRequest: If it is not JSON, or has more lists and objects than any request.
    """
    if _brackets(data) > MOST_PARTS and _brackets(STRING.sub(b"", data)) > MOST_PARTS:
        raise BadRequest(f"The request has more than {MOST_PARTS} lists and objects.", 400)
    try:
        return json.loads(data.decode())  # strictly: JSON would join halves of a character that came apart
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"The request is not JSON: {error}.", 400) from error


def _brackets(data: bytes | bytearray) -> int:
    return data.count(b"[") + data.count(b"{")


def drawn(body: Mapping[str, Any], bounds: Bounds) -> Request:
    """Return the draw of prompts that a request's body describes.

    Raises:
        BadRequest: If the body is not valid.
    """
    _only(body, ("n", "key"))
    n = body.get("n")
    if isinstance(n, bool) or not isinstance(n, int) or not 0 <= n <= bounds.batch:
        raise BadRequest(f"'n' must be a whole number from 0 to {bounds.batch}, the number of prompts; got {n!r:.80}.")
    return Request("prompts", _key(body), n=n)


def offered(body: Mapping[str, Any], bounds: Bounds) -> Request:
    """Return the offer that a request's body describes; see `drawn` for errors."""
    _only(body, ("texts", "prompts", "key"))
    return Request("offer", _key(body), 0, *texts_of(body, bounds))


def texts_of(body: Mapping[str, Any], bounds: Bounds) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the texts of a request's body, and their prompts or none; see `drawn` for errors."""
    texts, prompts = (_strings(body.get(name), name, bounds) for name in ("texts", "prompts"))
    if not texts and "texts" not in body:
        raise BadRequest("The request needs 'texts', a list of strings.")
    if len(prompts) not in (0, len(texts)):
        raise BadRequest(f"'prompts' must be one for each of the {len(texts)} texts, or none; got {len(prompts)}.")
    return texts, prompts


def queried_texts(body: Mapping[str, Any], what: str, bounds: Bounds) -> tuple[str, ...] | None:
    """Return the texts of a question about the classifier, in any number; None for U. See `drawn` for errors.

    Only a "check" may have texts that are not valid Unicode: it finds such texts.
    """
    if body.get("texts") is None:
        return None
    texts, _ = texts_of(body, dataclasses.replace(bounds, batch=bounds.body))
    for i, text in enumerate(texts if what != "check" else ()):
        if not is_utf8(text):
            raise BadRequest(f"texts[{i}] holds a lone surrogate, half of a character: {text!a:.80}.")
    return texts


def _strings(values: Any, name: str, bounds: Bounds) -> tuple[str, ...]:
    if values is None:
        return ()
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise BadRequest(f"{name!r} must be a list of strings; got {type(values).__name__}: {values!r:.80}.")
    if len(values) > bounds.batch:
        raise BadRequest(f"{name!r} holds {len(values)} strings, at most {bounds.batch}: send them in parts.", 413)
    for i, value in enumerate(values):
        if not isinstance(value, str):
            raise BadRequest(f"{name}[{i}] must be a string; got {type(value).__name__}: {value!r:.80}.")
        if len(value) > bounds.text:
            raise BadRequest(f"{name}[{i}] has {len(value)} characters; at most {bounds.text} are read.", 413)
    return tuple(values)


def _key(body: Mapping[str, Any]) -> str | None:
    key = body.get("key")
    if key is not None and (not isinstance(key, str) or not 0 < len(key) <= LONGEST_KEY):
        raise BadRequest(f"'key' must be a string of 1 to {LONGEST_KEY} characters; got {key!r:.80}.")
    return key


def _only(body: Mapping[str, Any], names: Sequence[str]) -> None:
    if others := [name for name in body if name not in names]:
        raise BadRequest(f"The request has no field {others[0]!r:.80}; it has {', '.join(map(repr, names))}.")
