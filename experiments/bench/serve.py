"""`python -m experiments bench serve`: load on a service, kills of the service, and the cost of an offer over HTTP."""

import dataclasses
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from rich.table import Table

from agents.llm.language_model import frozen_language_model, seeds
from experiments.bench.kills import service_of, survive_kills, together
from experiments.checkpoint import save_checkpoint
from experiments.config import EnvironmentOptions, RunConfig
from experiments.cost import Meter
from experiments.progress import console
from experiments.serve import ServeConfig
from experiments.serve.logs import ServedLogs
from signal_env.shared import LocalExperiment
from signal_env.shared.client import Client

PRELOAD = [
    *("experiments.serve.app", "experiments.serve.served_run", "signal_env.classifiers.linear", "agents.sb3", "faiss"),
    *("uvicorn", "safetensors.torch", "transformers.models.bert.modeling_bert", "transformers.models.bert"),
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
    multiprocessing.get_context("forkserver").set_forkserver_preload(PRELOAD)
    with tempfile.TemporaryDirectory() as folder:
        with service_of(service_config(config, Path(folder) / "load")) as service:
            load = measure_load(config, service.url)
        console.print(_table(load))
        killed = survive_kills(service_config(config, Path(folder) / "killed"), config.killed_clients, config.kills)
        console.print(
            "{kills} kills beside {clients} clients: {offers:,} offers of {texts:,} texts, {rounds:,} closed rounds; "
            "{lost} lost, {doubled} doubled, {mixed} mixed up, by a replay of the log in one process; requests were "
            "repeated {repeated:,} times.".format(**killed)
        )
        with service_of(service_config(config, Path(folder) / "cost", rounds=True)) as service:
            cost = measure_cost(config, service.url, Path(folder) / "local")
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
    together([threading.Thread(target=load, args=(who, client)) for who in range(clients)])
    p50, p95, p99, longest = 1e3 * np.percentile(taken, [50, 95, 99, 100])
    rate = len(taken) / (time.perf_counter() - begun)
    return {"rate": rate, "p50": float(p50), "p95": float(p95), "p99": float(p99), "max": float(longest)}


def service_config(config: BenchServeConfig, out: Path, rounds: bool = False) -> ServeConfig:
    """Return the service that is measured; with `rounds`, in rounds of one batch and the text that closes them."""
    options = config.options
    if rounds:
        sizes = {"offers_per_round": config.batch + 1, "round_size": min(config.batch, 32)}
        options = dataclasses.replace(options, **sizes)  # type: ignore[arg-type]  # of fields that are numbers
    return ServeConfig(config.env, out=out, tensorboard=False, options=options)


class Local:
    """An experiment in this process that writes the logs and checkpoints of a run.

    Args:
        run: The run.
    """

    def __init__(self, run: RunConfig) -> None:
        self._folder = run.folder
        self._folder.mkdir()
        self._experiment = LocalExperiment(run.env, run.seed, **vars(run.options))
        self._logs = ServedLogs(self._experiment.learner, run, Meter())
        self._logs.round(self._experiment.state().round)
        self._experiment.observers.append(self._logs)

    def offer(self, texts: Sequence[str]) -> None:
        """Offer texts; write a checkpoint if they close a round."""
        if self._experiment.offer(texts).rounds:
            state = {"logs": self._logs.state_dict(), "experiment": self._experiment.state_dict()}
            save_checkpoint(self._folder, int(self._experiment.state().round["index"]), state)


def measure_cost(config: BenchServeConfig, url: str, out: Path) -> dict[str, float]:
    """Return the ms of a round's parts, here and served, what the service adds, and its fraction of a round.

    A round is written, offered in one batch, and closed by the last text, which comes alone.

    Args:
        config: The bench.
        url: The service, of `service_config` with `rounds`.
        out: A new folder for the logs of the experiment here.
    """
    local = Local(service_config(config, out, rounds=True).run())
    model = frozen_language_model(config.generator, "cpu", "float32")
    times: dict[str, list[float]] = {}

    def timed(name: str, function: Callable[..., Any], *values: Any) -> None:
        begun = time.perf_counter()
        function(*values)
        times.setdefault(name, []).append(1e3 * (time.perf_counter() - begun))

    client, rng = Client(url), np.random.default_rng(0)
    for i in range(config.repeats):
        timed("write", _write, model, client.prompts(config.batch).texts, rng)
        texts = [f"a film of {i} and {j}" for j in range(config.batch)]
        for name, batch in (("", texts), ("_close", [f"the last film of {i}"])):
            timed(f"local{name}", local.offer, batch)
            timed(f"served{name}", client.offer, batch)
    cost = {name: float(np.median(taken)) for name, taken in times.items()}
    added = cost["served"] + cost["served_close"] - cost["local"] - cost["local_close"]
    return cost | {"added": added, "share": added / (cost["write"] + cost["served"] + cost["served_close"])}


def _write(model: Any, prompts: tuple[str, ...], rng: np.random.Generator) -> None:
    sampling = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "max_new_tokens": 64}
    model.respond_all(prompts, 64, seeds(rng), **sampling)
