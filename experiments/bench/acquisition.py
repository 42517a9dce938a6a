"""`python -m experiments bench acquisition`: time and memory of the strategies, beside other libraries'."""

import contextlib
import ctypes
import dataclasses
import json
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.table import Table

from experiments.bench.peers import PEERS, Arrays, peers_of
from experiments.config import RunError
from experiments.progress import console, progress_bar
from signal_env.acquisition import Strategy, select
from signal_env.acquisition.batches import kmeans
from signal_env.utils.prediction import Floats

K = 10
"""The number of labeled neighbors for cal, signal and the bare search."""


@dataclasses.dataclass(frozen=True)
class AcquisitionBenchConfig:
    """Times every strategy on the same arrays, alternately with its peers' counterparts, in one process.

    Set OMP_WAIT_POLICY=PASSIVE, and run nothing beside it. OMP_NUM_THREADS sets the threads of every side.
    """

    sizes: tuple[int, ...] = (5_000, 20_000, 67_000)
    """Numbers of unlabeled texts."""
    dims: tuple[int, ...] = (384, 768)
    """Dimensions of the embeddings."""
    classes: tuple[int, ...] = (2, 4)
    """Numbers of classes."""
    strategies: tuple[str, ...] = ("entropy", "margin", "bald", "cal", "signal", "badge", "coreset", "bertkm")
    """The strategies."""
    labeled: int = 500
    """Labeled texts."""
    batch_size: int = 100
    """Texts chosen."""
    repeats: int = 5
    """Runs of each side; the median counts."""
    patience: float = 10.0
    """Seconds after which a side is not run again, however many repeats are left."""
    limit: float = 120.0
    """The largest time of a peer in seconds, as expected from its time on fewer texts; a slower one is left out."""
    memory_mapped: bool = False
    """Whether the arrays are files mapped into memory; our side only."""
    out: Path | None = None
    """A .jsonl file to append the figures to."""


def main(config: AcquisitionBenchConfig) -> list[dict[str, Any]]:
    """Print a table with a row for each strategy, size, dimension and number of classes; return its rows."""
    if config.labeled in config.sizes:  # peers tell the two sets apart by their sizes
        raise RunError(f"labeled is none of the sizes; got {config.labeled} and {config.sizes}.")
    rows: list[dict[str, Any]] = []
    grid = [*product(config.dims, config.classes, sorted(config.sizes))]
    fewer: dict[tuple[int, int, str], dict[str, Any]] = {}  # each strategy's row on fewer texts
    with progress_bar() as progress, warnings.catch_warnings(action="ignore"):  # the peers' are for their users
        bar = progress.add_task("bench acquisition", status="", total=len(grid) * len(config.strategies))
        for d, c, n in grid:
            with tempfile.TemporaryDirectory() as folder:
                arrays = make_arrays(n, d, c, config, Path(folder) if config.memory_mapped else None)
                for strategy in config.strategies:
                    progress.update(bar, status=f"{strategy}, {n:,} x {d}, {c} classes")
                    row = fewer[d, c, strategy] = compare(strategy, arrays, config, fewer.get((d, c, strategy)))
                    rows.append(row)
                    progress.advance(bar)
                    if config.out is not None:
                        with open(config.out, "a", encoding="utf-8") as file:
                            file.write(json.dumps(row) + "\n")
    console.print(as_table(rows))
    return rows


def make_arrays(n: int, d: int, c: int, config: AcquisitionBenchConfig, folder: Path | None) -> Arrays:
    """Return arrays like those of a fine-tuned encoder, in files of a folder if one is given.

    There are 300 topics in d dimensions, some wide and most narrow; probabilities follow the embeddings.
    """
    rng = np.random.default_rng(0)
    scale = (1.0 + np.arange(d)) ** -0.25
    topics = rng.normal(size=(300, d)) * scale**2 * 3
    head = rng.normal(size=(d, c))
    head *= 2 / (topics @ head).std(axis=0)  # neither uncertain nor saturated: both would tie
    total = n + config.labeled

    def new(name: str, shape: tuple[int, int]) -> Floats:
        if folder is None:
            return np.empty(shape, dtype=np.float32)
        return np.memmap(folder / name, dtype=np.float32, mode="w+", shape=shape)

    embeddings, probabilities = new("embeddings", (total, d)), new("probabilities", (total, c))
    for start in range(0, total, 10_000):
        block = slice(start, min(start + 10_000, total))
        topic = topics[rng.integers(len(topics), size=block.stop - block.start)]
        x = topic + rng.normal(size=topic.shape) * scale
        odds = np.exp(x @ head - (x @ head).max(axis=1, keepdims=True))
        embeddings[block] = x
        probabilities[block] = odds / odds.sum(axis=1, keepdims=True)
    return Arrays(probabilities, embeddings, n, config.batch_size)


def compare(
    strategy: str, arrays: Arrays, config: AcquisitionBenchConfig, fewer: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return the figures of a strategy and its peers on these arrays, without peers that were too slow on `fewer`."""
    n, d = arrays.n, arrays.embeddings.shape[1]
    sides = {"signal_env": _ours(strategy, arrays, n), **_others(strategy, arrays, config, fewer)}
    _ours(strategy, arrays, min(n, 1000))()  # libraries set themselves up at their first use
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    batches: dict[str, Any] = {}
    memory = 0.0
    for _ in range(config.repeats):
        for side, choose in sides.items():
            if sum(seconds[side]) > config.patience:
                continue
            with _memory() as used:
                begun = time.perf_counter()
                batches[side] = choose()
                seconds[side].append(time.perf_counter() - begun)
            if side == "signal_env":
                memory = max(memory, used[0])
    row = {"strategy": strategy, "n": n, "d": d, "classes": arrays.probabilities.shape[1], "labeled": config.labeled}
    row |= {"batch_size": config.batch_size, "memory_mapped": config.memory_mapped}
    row |= {"memory_mb": memory / 1e6, "memory_of_embeddings": memory / (4 * n * d)}
    row |= {f"seconds/{side}": float(np.median(times)) for side, times in seconds.items()}
    for peer in PEERS:
        if peer in sides:
            row[f"overlap/{peer}"] = len(np.intersect1d(batches[peer], batches["signal_env"]))
            row[f"version/{peer}"] = version(peer)
    if strategy == "bertkm" and "scikit-activeml" in sides:  # which depends on scikit-learn
        row["inertia"] = _inertia_ratio(arrays)
    return row


def _others(
    strategy: str, arrays: Arrays, config: AcquisitionBenchConfig, fewer: dict[str, Any] | None
) -> dict[str, Callable[[], Any]]:
    """Return the other sides: the peers' counterparts, and FAISS's bare search of neighbors."""
    if config.memory_mapped:
        return {}
    sides = {peer: choices[strategy] for peer, choices in peers_of(arrays).items() if strategy in choices}
    if fewer is not None:
        expected = {peer: fewer.get(f"seconds/{peer}", np.inf) * arrays.n / fewer["n"] for peer in sides}
        sides = {peer: choose for peer, choose in sides.items() if expected[peer] <= config.limit}
    return sides | ({"faiss": _bare_search(arrays)} if strategy in ("cal", "signal") else {})


def _ours(strategy: str, arrays: Arrays, n: int) -> Callable[[], NDArray[np.int64]]:
    """Return our choice among the first n texts."""
    known: dict[str, Any] = {"probabilities": arrays.probabilities[:n], "embeddings": arrays.embeddings[:n]}
    labeled = (arrays.probabilities[arrays.n :], arrays.embeddings[arrays.n :])
    asks = Strategy(strategy).asks
    if "texts" in asks:
        known["texts"] = [f"text {i}" for i in range(n)]
    if "predicted_loss" in asks:
        known["predicted_loss"] = np.random.default_rng(0).random(n)
    if "dropout" in asks:
        noise = np.random.default_rng(0).dirichlet(np.ones(arrays.probabilities.shape[1]), size=(20, n))
        known["dropout"] = (0.9 * known["probabilities"] + 0.1 * noise).astype(np.float32)
    return lambda: select(strategy, **known, labeled=labeled, batch_size=arrays.batch_size, n_neighbors=K, rng=0)


def _bare_search(arrays: Arrays) -> Callable[[], Any]:
    """Return FAISS's exact search of the labeled neighbors, on normalized arrays."""
    import faiss

    return partial(faiss.knn, arrays.normalized[: arrays.n], arrays.normalized[arrays.n :], K)


def _inertia_ratio(arrays: Arrays) -> float:
    """Return the summed squared distance to our nearest k-means centers over that to scikit-learn's."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import pairwise_distances_argmin_min

    texts = arrays.normalized[: arrays.n]
    theirs = KMeans(arrays.batch_size, n_init=1, random_state=0).fit(texts).cluster_centers_
    ours = kmeans(arrays.embeddings[: arrays.n], arrays.batch_size, np.random.default_rng(0))
    inertia = [float(np.square(pairwise_distances_argmin_min(texts, c)[1]).sum()) for c in (ours, theirs)]
    return inertia[0] / inertia[1]


@contextlib.contextmanager
def _memory() -> Iterator[list[float]]:
    """Yield a list of one number: the peak of the process's own additional memory in bytes, on Linux.

    Pages of mapped files do not count: the system may drop them.
    """
    statm, used, done = Path("/proc/self/statm"), [0.0], threading.Event()

    def own() -> int:
        resident, shared = statm.read_text().split()[1:3] if statm.exists() else ("0", "0")
        return (int(resident) - int(shared)) * 4096  # pages

    def watch(before: int) -> None:
        while not done.wait(0.002):
            used[0] = max(used[0], float(own() - before))

    with contextlib.suppress(OSError, AttributeError):  # return freed memory to the system
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    watcher = threading.Thread(target=watch, args=[own()])
    watcher.start()
    try:
        yield used
    finally:
        done.set()
        watcher.join()


def as_table(rows: list[dict[str, Any]]) -> Table:
    """Return the rows as a table, with the ratios of the peers' seconds to ours."""
    titles = ("strategy", "texts", "d", "C", "seconds", "MB", "of emb.")
    table = Table(*titles, *PEERS, "ratio to the faster", "notes", box=SIMPLE)
    for row in rows:
        ours = row["seconds/signal_env"]
        seconds = {name: row[f"seconds/{name}"] for name in PEERS if f"seconds/{name}" in row}
        common = {name: f"{row[f'overlap/{name}']}/{row['batch_size']} in common" for name in seconds}
        notes = [f"{ours / row['seconds/faiss']:.2f}x FAISS's bare search"] if "seconds/faiss" in row else []
        notes += [f"inertia {row['inertia']:.3f} of scikit-learn's"] if "inertia" in row else []
        table.add_row(
            *(row["strategy"], f"{row['n']:,}", str(row["d"]), str(row["classes"])),
            *(f"{ours:.4f}", f"{row['memory_mb']:.0f}", f"{row['memory_of_embeddings']:.2f}"),
            *(f"{seconds[name]:.3f} s, {common[name]}" if name in seconds else "" for name in PEERS),
            f"{min(seconds.values()) / ours:.1f}x" if seconds else "",
            "; ".join(notes),
        )
    return table
