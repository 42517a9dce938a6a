"""Services in processes of their own, and what becomes of their clients when they are killed."""

import dataclasses
import json
import multiprocessing
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from experiments.config import RunError
from experiments.run_folder import read_log
from experiments.serve import ServeConfig, serve
from signal_env.shared import LocalExperiment
from signal_env.shared.client import Client


class Service:
    """A service in a process of its own, which can be killed and started again.

    Args:
        config: The service.
    """

    def __init__(self, config: ServeConfig) -> None:
        with socket.socket() as place:
            place.bind(("127.0.0.1", 0))
            port = place.getsockname()[1]
        self._config = dataclasses.replace(config, port=port)
        self._context = multiprocessing.get_context("forkserver")
        self.url = f"http://127.0.0.1:{port}"
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = self._context.Process(target=serve, args=(self._config, _quiet), daemon=True)
        self._process.start()
        client = Client(self.url, timeout=0.0)
        while not self._process.exitcode and not _answers(client):
            time.sleep(0.02)
        if self._process.exitcode:
            raise RunError(f"The service ended with the exit code {self._process.exitcode}.")

    def kill(self) -> None:
        """Kill it (SIGKILL)."""
        self._process.kill()
        self._process.join()


def _quiet(url: str) -> None:
    """Announce nothing."""


def _answers(client: Client) -> bool:
    try:
        return bool(client.health()["status"] != "failed")
    except RuntimeError:  # it is not there yet
        return False


@contextmanager
def service_of(config: ServeConfig) -> Iterator[Service]:
    """Start a service; kill it at the end."""
    service = Service(config)
    try:
        yield service
    finally:
        service.kill()


def together(threads: list[threading.Thread]) -> None:
    """Run threads, and wait for all of them."""
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class CountingClient(Client):
    """A client that counts the requests that it sends.

    Attributes:
        sent: Their number.
    """

    sent = 0

    def _send(self, method: str, path: str, body: bytes | None) -> tuple[int, float, Any]:
        self.sent += 1
        return super()._send(method, path, body)


def survive_kills(config: ServeConfig, clients: int, kills: int) -> dict[str, int]:
    """Kill a service again and again while clients offer texts, and compare its answers with a replay of its log.

    Args:
        config: The service, in a new folder.
        clients: The number of clients.
        kills: The number of kills (SIGKILL), at random moments.

    Raises:
        RunError: If an offer was lost, doubled or mixed up.
    """
    told: dict[str, tuple[list[str], dict[str, Any]]] = {}
    over, rng, sent = threading.Event(), np.random.default_rng(0), []

    def write(who: int, url: str) -> None:
        client, i = CountingClient(url), 0
        while not over.is_set():
            texts = [f"a film by {who} of {i} and {j}" for j in range(1 + (who + i) % 5)]
            key = f"{who}/{i}"
            told[key] = texts, client.offer(texts, key=key).to_dict()
            i += 1
        sent.append(client.sent)

    with service_of(config) as service:
        threads = [threading.Thread(target=write, args=(who, service.url)) for who in range(clients)]
        killer = threading.Thread(target=_kill, args=(service, kills, rng, over))
        together([*threads, killer])
    counted = _compare(config, told)
    found = counted | {"kills": kills, "clients": clients, "repeated": sum(sent) - len(told)}
    if found["lost"] or found["doubled"] or found["mixed"]:
        raise RunError(f"The service is not exact: {found}.")
    return found


def _kill(service: Service, kills: int, rng: np.random.Generator, over: threading.Event) -> None:
    try:
        for _ in range(kills):
            time.sleep(float(rng.uniform(0.05, 1.0)))
            service.kill()
            service.start()
        time.sleep(0.2)
    finally:
        over.set()


def _compare(config: ServeConfig, told: Mapping[str, tuple[list[str], Any]]) -> dict[str, int]:
    """Return what the log and a replay of it say of the answers that clients were told."""
    out = config.run().folder
    requests, _ = read_log(out / "requests.jsonl")
    keys = [request["key"] for request in requests]
    local = LocalExperiment(config.env, config.seed, **vars(config.options))
    mixed, texts = 0, []
    for request in requests:
        answer = json.loads(json.dumps(local.offer(request["texts"]).to_dict()))
        mixed += request["key"] in told and told[request["key"]] != (request["texts"], answer)
        texts += request["texts"]
    logged = [line["text"] for line in read_log(out / "offers.jsonl")[0]]
    mixed += logged != texts[: len(logged)]
    return {
        "offers": len(requests),
        "texts": len(texts),
        "rounds": int(local.state().round["index"]),
        "lost": len(told.keys() - set(keys)),
        "doubled": len(keys) - len(set(keys)),
        "mixed": mixed,
    }
