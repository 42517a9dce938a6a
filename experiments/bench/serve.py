"""`python -m experiments bench serve`: load on a service, kills of the service, and the cost of an offer over HTTP."""

import dataclasses
import json
import multiprocessing
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from rich.table import Table

from agents.llm.language_model import frozen_language_model, seeds
from experiments.config import EnvironmentOptions, RunError
from experiments.progress import console
from experiments.run_folder import read_log
from experiments.serve import ServeConfig, serve
from signal_env.shared import LocalExperiment
from signal_env.shared.client import Client

PRELOAD = [
    *(
        "experiments.serve.app",
        "experiments.serve.served_run",
        "signal_env.classifiers.linear",
        "agents.sb3",
        "uvicorn",
    ),
    *("torch", "safetensors.torch", "transformers.models.bert.modeling_bert", "transformers.modeling_utils"),
]
"""Modules that a service finds loaded, so that it is soon back."""

Ask = Callable[[Client, str], Any]


@dataclasses.dataclass(frozen=True)
class BenchServeConfig:
    """Measures a service on loopback: requests per second, kills of the service, and the cost of an offer."""

    env_options: ClassVar[Mapping[str, Any]] = {
        **{"selection": "acquisition", "classifier": "linear", "annotator": "rule", "budget": 1_000_000},
        **{"pool_size": 300, "round_size": 32, "offers_per_round": 512, "keep_best": 32, "evaluation_size": 200},
    }
    env: str = "SignalEnv-reviews-v0"
    """The environment's id."""
    clients: tuple[int, ...] = (1, 8, 64)
    """Clients at a time, for each measurement of the load."""
    seconds: float = 5.0
    """Seconds of each measurement."""
    kills: int = 20
    """Kills of the service (SIGKILL), at random moments."""
    killed_clients: int = 64
    """Clients that offer texts meanwhile."""
    batch: int = 64
    """Texts of an offer whose cost is measured; each closes a round."""
    repeats: int = 20
    """Offers whose cost is measured; the median counts."""
    generator: str = "embedded"
    """The language model that writes a round's texts: "embedded", a folder, or a hub name."""
    options: EnvironmentOptions = dataclasses.field(default_factory=EnvironmentOptions)
    """The environment's options."""


def main(config: BenchServeConfig) -> dict[str, Any]:
    """Print the three measurements, and return them."""
    with tempfile.TemporaryDirectory() as folder:
        with service_of(config, Path(folder) / "load") as service:
            load = measure_load(config, service.url)
        console.print(_table(load))
        killed = survive_kills(config, Path(folder) / "killed")
        console.print(
            "{kills} kills beside {clients} clients: {offers:,} offers of {texts:,} texts, {rounds:,} closed rounds; "
            "{lost} lost, {doubled} doubled, {mixed} mixed up, by a replay of the log in one process; requests were "
            "repeated {repeated:,} times.".format(**killed)
        )
        with service_of(config, Path(folder) / "cost", **rounds_of(config)) as service:
            cost = measure_cost(config, service.url)
        console.print(
            "A round of {batch} texts in ms: {write:.1f} to write them ({generator}); {local:.1f} to offer them here, "
            "{served:.1f} served; {local_close:.1f} to close the round here, {served_close:.1f} served. The service "
            "adds {added:.1f}, {share:.2%} of a round.".format(batch=config.batch, generator=config.generator, **cost)
        )
    return {"load": load, "killed": killed, "cost": cost}


def _table(load: Mapping[tuple[str, int], Mapping[str, float]]) -> Table:
    table = Table("request", "clients", "requests a second", "p50 ms", "p95 ms", "p99 ms", "max ms", title="Load")
    for (name, clients), values in load.items():
        table.add_row(name, str(clients), *(f"{value:,.1f}" for value in values.values()))
    return table


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
        self._context.set_forkserver_preload(PRELOAD)
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
def service_of(config: BenchServeConfig, out: Path, **options: Any) -> Iterator[Service]:
    """Start a service; kill it at the end."""
    own = dataclasses.replace(config.options, **options)
    service = Service(ServeConfig(config.env, out=out, tensorboard=False, options=own))
    try:
        yield service
    finally:
        service.kill()


def measure_load(config: BenchServeConfig, url: str) -> dict[tuple[str, int], dict[str, float]]:
    """Return requests per second and percentiles of the latency in ms, by request and number of clients."""
    asks: dict[str, Ask] = {
        "state": lambda client, name: client.state(),
        "prompts of 8": lambda client, name: client.prompts(8),
        "offer of 1": lambda client, name: client.offer([f"a film of {name}"]),
        "offer of 8": lambda client, name: client.offer([f"a film of {name} and {i}" for i in range(8)]),
    }
    return {
        (name, clients): _latencies(url, ask, clients, config.seconds, name)
        for name, ask in asks.items()
        for clients in config.clients
    }


def _latencies(url: str, ask: Ask, clients: int, seconds: float, label: str) -> dict[str, float]:
    taken: list[float] = []

    def load(who: int, client: Client) -> None:
        i, end = 0, time.monotonic() + seconds
        while time.monotonic() < end:
            begun = time.perf_counter()
            ask(client, f"{label} {clients} {who} {i}")
            taken.append(time.perf_counter() - begun)
            i += 1

    client = Client(url)
    begun = time.perf_counter()
    _together([threading.Thread(target=load, args=(who, client)) for who in range(clients)])
    p50, p95, p99, longest = 1e3 * np.percentile(taken, [50, 95, 99, 100])
    rate = len(taken) / (time.perf_counter() - begun)
    return {"rate": rate, "p50": float(p50), "p95": float(p95), "p99": float(p99), "max": float(longest)}


def _together(threads: list[threading.Thread]) -> None:
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


def survive_kills(config: BenchServeConfig, out: Path) -> dict[str, int]:
    """Kill a service again and again while clients offer texts, and compare its answers with a replay of its log.

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

    with service_of(config, out) as service:
        threads = [threading.Thread(target=write, args=(who, service.url)) for who in range(config.killed_clients)]
        killer = threading.Thread(target=_kill, args=(service, config.kills, rng, over))
        _together([*threads, killer])
    counted = _compare(config, out, told)
    found = counted | {"kills": config.kills, "clients": config.killed_clients, "repeated": sum(sent) - len(told)}
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


def _compare(config: BenchServeConfig, out: Path, told: Mapping[str, tuple[list[str], Any]]) -> dict[str, int]:
    """Return what the log and a replay of it say of the answers that clients were told."""
    requests, _ = read_log(out / "requests.jsonl")
    keys = [request["key"] for request in requests]
    local = LocalExperiment(config.env, 0, **vars(config.options))
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


def rounds_of(config: BenchServeConfig) -> dict[str, int]:
    """Return the sizes of the rounds whose cost is measured."""
    return {"offers_per_round": config.batch + 1, "round_size": min(config.batch, 32)}


def measure_cost(config: BenchServeConfig, url: str) -> dict[str, float]:
    """Return the ms of a round's parts, here and served, what the service adds, and its fraction of a round.

    A round is written, offered in one batch, and closed by the last text, which comes alone. The experiment here has no
    logs and no checkpoints, which the service writes as a run does.
    """
    local = LocalExperiment(config.env, 0, **{**vars(config.options), **rounds_of(config)})
    model = frozen_language_model(config.generator, "cpu", "float32")
    times: dict[str, list[float]] = {}

    def timed(name: str, function: Callable[[], Any]) -> None:
        begun = time.perf_counter()
        function()
        times.setdefault(name, []).append(1e3 * (time.perf_counter() - begun))

    client, rng = Client(url), np.random.default_rng(0)
    for i in range(config.repeats):
        prompts = client.prompts(config.batch).texts
        texts = [f"a film of {i} and {j}" for j in range(config.batch)]
        timed("write", lambda prompts=prompts: _write(model, prompts, rng))  # type: ignore[misc]
        for name, batch in (("", texts), ("_close", [f"the last film of {i}"])):
            timed(f"local{name}", lambda batch=batch: local.offer(batch))  # type: ignore[misc]
            timed(f"served{name}", lambda batch=batch: client.offer(batch))  # type: ignore[misc]
    cost = {name: float(np.median(taken)) for name, taken in times.items()}
    added = cost["served"] + cost["served_close"] - cost["local"] - cost["local_close"]
    return cost | {"added": added, "share": added / (cost["write"] + cost["served"] + cost["served_close"])}


def _write(model: Any, prompts: tuple[str, ...], rng: np.random.Generator) -> None:
    sampling = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "max_new_tokens": 64}
    model.respond_all(prompts, 64, seeds(rng), **sampling)
