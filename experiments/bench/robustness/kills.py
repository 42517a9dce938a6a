"""SIGKILLs at random moments of a run and of a sweep, each resumed, and compared with what was never disturbed."""

import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np

from experiments.bench.robustness.check import Check

SMALL = ("--pool-size", "40", "--round-size", "4", "--evaluation-size", "40")

PPO = (
    *("run", *SMALL, "--agent", "ppo", "--seed", "2", "--offers-per-round", "16", "--num-envs", "8"),
    *("--mini-batches", "2", "--max-new-tokens", "8", "--budget", "24"),
)
"""A run of five rounds."""

STUDY = """
seeds: [0, 1]
defaults: {options: {pool_size: 40, round_size: 10, evaluation_size: 40, budget: 30}}
settings: {few: {env: SignalEnv-reviews-v0}}
methods:
  random: {agent: random}
  badge: {agent: badge}
  writes: {agent: generator, num_envs: 4, options: {offers_per_round: 20}, agent_options: {max_new_tokens: 8}}
"""
"""A sweep of six runs."""

EQUAL = ("config.yaml", "rounds.jsonl", "offers.jsonl", "labels.jsonl", "finished")
"""The files that are to be equal byte for byte."""

LATEST = 0.3
"""The largest random delay, in seconds, of a kill after the offer that it waits for."""

EARLY, LATEST_START = 0.2, 3.0
"""The fraction of kills that wait for no offer, and their largest delay in seconds after the start of the process."""

CHAIN = 2
"""Kills in a row, after which a run is played to its end and compared."""

PRELOADED = ["experiments.sweep", "agents.pool", "agents.llm.ppo", "torch.utils.tensorboard"]


def command(arguments: Sequence[str], log: Path) -> None:
    """Run a command in a process of its own, whose output goes to the end of a file."""
    import torch

    from experiments.__main__ import main

    torch.set_num_threads(1)
    with log.open("ab") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    raise SystemExit(main(arguments))


def try_kills(folder: Path, kills: int, seed: int, workers: int) -> Iterator[Check]:
    """Yield a check of a PPO run that is killed so many times, and one of a sweep.

    Args:
        folder: A folder for the runs.
        kills: SIGKILLs of each.
        seed: Seed of the moments: the number of texts offered by then, and a delay.
        workers: Processes of the sweep.
    """

    def run(place: Path) -> list[str]:
        return ["run", "--resume", str(place)] if (place / "config.yaml").is_file() else [*PPO, "--out", str(place)]

    def sweep(place: Path) -> list[str]:
        return ["sweep", str(folder / "study.yaml"), "--out", str(place), "--workers", str(workers)]

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.yaml").write_text(STUDY)
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(PRELOADED)
    tried = (("a PPO run", run), ("a sweep", sweep))
    for i, (name, begin) in enumerate(tried):
        check = Check("kills", f"SIGKILLs of {name}")
        _try(folder / name.replace(" ", "-"), begin, kills, np.random.default_rng([seed, i]), check, server.Process)
        yield check


def _try(
    folder: Path,
    begin: Callable[[Path], list[str]],
    kills: int,
    rng: np.random.Generator,
    check: Check,
    make: Callable[..., Any],
) -> None:
    """Kill and resume until there were so many kills; compare each place once it is played to its end."""

    def start(place: Path) -> BaseProcess:
        process: BaseProcess = make(target=command, args=(begin(place), folder / "output.txt"))
        process.start()
        return process

    folder.mkdir()
    whole = folder / "undisturbed"
    process = start(whole)
    process.join()
    check.expect(process.exitcode == 0, "the undisturbed one failed")
    total = offers_in(whole)
    check.counts = {"texts offered by the undisturbed one": total, "compared with it": 0} | dict.fromkeys(
        ("before any offer", "after a kill before"), 0
    )
    while check.count < kills and not check.problems:
        place, in_chain = folder / f"killed-{check.counts['compared with it']}", 0
        while (process := start(place)).exitcode is None:
            before, (share, delay, early) = offers_in(place), rng.random(3).tolist()
            moment, delay = before + int(share * max(0, total - before)), delay * LATEST
            if early < EARLY:  # while it starts, or reads what it goes on from
                moment, delay = 0, share * LATEST_START
            if in_chain < CHAIN and check.count < kills and _killed(process, place, moment, delay):
                check.count, in_chain = check.count + 1, in_chain + 1
                check.counts["before any offer"] += offers_in(place) == 0
                check.counts["after a kill before"] += in_chain > 1
                continue
            process.join()
            break
        said = (folder / "output.txt").read_text(encoding="utf-8")[-300:]
        check.expect(process.exitcode == 0, f"{place.name} could not be resumed: {said}")
        check.counts["compared with it"] += 1
        check.problems += _differences(whole, place)


def _killed(process: BaseProcess, place: Path, moment: int, delay: float) -> bool:
    """Kill a process once so many texts have been offered, after a delay; return whether it was still alive."""
    while process.is_alive() and offers_in(place) < moment:
        time.sleep(0.002)
    process.join(delay)
    alive = process.is_alive()
    process.kill()
    process.join()
    return alive


def offers_in(place: Path) -> int:
    """Return the number of texts offered in the runs in a folder."""
    while True:
        try:
            return sum(log.read_bytes().count(b"\n") for log in place.rglob("offers.jsonl"))
        except FileNotFoundError:  # a run that begins anew sets its files aside: look again
            continue


def _differences(whole: Path, other: Path) -> Iterator[str]:
    """Yield the files of the runs in a folder that are not equal to those in another one."""
    for name in EQUAL:
        places = (whole, other)
        ours, theirs = ({file.relative_to(of): file.read_bytes() for file in of.rglob(name)} for of in places)
        if ours != theirs:
            yield f"{other.name} has another {name}"
    for log in whole.rglob("metrics.jsonl"):
        if _metrics(log) != _metrics(other / log.relative_to(whole)):
            yield f"{other.name} has other metrics"


def _metrics(log: Path) -> list[dict[str, float]]:
    """Return an agent's metrics without times."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return [{name: line[name] for name in line if not name.startswith(("speed/", "trainer/"))} for line in lines]
