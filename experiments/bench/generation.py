"""`python -m experiments bench generation`: tokens per second of agents that learn to write, beside TRL alone."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.table import Table

from agents.llm.exchange import Exchange, Stopped
from agents.llm.trained import TrainedGenerator
from agents.rollout import rollout
from experiments.config import RunConfig, make_envs
from experiments.progress import console, progress_bar

REPEATS = 3
"""Runs of each side, in turns; the medians of their times count."""

Seconds = dict[str, float]


class Alone(Exchange):
    """Prompts and rewards from lists, in place of the exchange with an environment.

    The rewards are those of the run, since with a constant one every gradient would be zero.
    """

    def __init__(self, prompts: Sequence[Sequence[str]], rewards: Sequence[NDArray[np.float64]]) -> None:
        super().__init__()
        self._batches, self._rewards = iter(prompts), iter(rewards)
        self._since = 0.0
        self.seconds: Seconds = defaultdict(float)
        self.tokens = 0

    def start(self, train: Callable[[], None], seed: int) -> None:
        """Train in this thread until the prompts are used up."""
        try:
            train()
        except Stopped:
            return

    def next_prompts(self) -> Sequence[str]:
        """Return the next prompts."""
        if self._since:
            self.seconds["update"] += time.perf_counter() - self._since
        batch = next(self._batches, None)
        if batch is None:
            raise Stopped
        self._since = time.perf_counter()
        return batch

    def rewards(self, responses: list[list[int]]) -> NDArray[np.float64]:
        """Return the next rewards."""
        self.seconds["generation"] += time.perf_counter() - self._since
        self.tokens += sum(map(len, responses))
        self._since = time.perf_counter()
        return next(self._rewards)


def main(config: RunConfig) -> dict[str, dict[str, float]]:
    """Play the run, and TRL's trainer on its prompts and rewards without an environment, and compare their seconds.

    The learning rate is nearly 0, so that both sides write the same texts.

    Returns:
        For "with" and "without" the environment, the seconds of each part and the tokens.

    Raises:
        ValueError: If the agent does not learn to write.
    """
    if not isinstance(config.agent_options, TrainedGenerator):
        raise ValueError(f"This measures agents that learn to write: --agent ppo, rloo or grpo; got {config.agent!r}.")
    agent = replace(config.agent_options, learning_rate=1e-12, lift_texts=0)
    sides: dict[str, list[Seconds]] = {"with": [], "without": []}
    with progress_bar() as progress:
        bar = progress.add_task(config.agent, total=2 * REPEATS, status="")
        for _ in range(REPEATS):
            seconds, prompts, rewards = with_environment(config, agent)
            progress.update(bar, advance=1)
            sides["with"].append(seconds)
            sides["without"].append(without_environment(config, agent, Alone(prompts, rewards)))
            progress.update(bar, advance=1)
    medians = {
        side: {name: float(np.median([run[name] for run in runs])) for name in runs[0]} for side, runs in sides.items()
    }
    report(config, agent, medians, [_total(a) / _total(b) for a, b in zip(*sides.values(), strict=True)])
    return medians


def with_environment(
    config: RunConfig, agent: TrainedGenerator
) -> tuple[Seconds, list[Sequence[str]], list[NDArray[np.float64]]]:
    """Return the seconds of a run's parts, and the prompts and the trainer's rewards of its steps."""
    envs = make_envs(config)
    seconds: Seconds = defaultdict(float)
    prompts: list[Sequence[str]] = []
    rewards: list[NDArray[np.float64]] = []
    tokens = 0

    def timed(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*args: Any) -> Any:
            begun = time.perf_counter()
            result = function(*args)
            seconds[part] += time.perf_counter() - begun
            return result

        return call

    episode = rollout(envs, agent, config.seed)
    next(episode)
    exchange = agent._exchange
    respond = timed("generation", exchange.respond)

    def keep(shown: Sequence[str]) -> list[list[int]]:
        nonlocal tokens
        prompts.append(shown)
        responses: list[list[int]] = respond(shown)
        tokens += sum(map(len, responses))
        return responses

    exchange.respond = keep  # type: ignore[method-assign, assignment]  # this run's exchange alone
    learn = timed("update", exchange.learn)

    def keep_rewards(paid: NDArray[np.float64]) -> None:
        rewards.append(paid)
        learn(paid)

    exchange.learn = keep_rewards  # type: ignore[method-assign, assignment]  # likewise
    envs.step = timed("environment", envs.step)
    begun = time.perf_counter()
    for _ in episode:
        pass
    whole = time.perf_counter() - begun
    return {**seconds, "rest": whole - sum(seconds.values()), "tokens": tokens}, prompts, rewards


def without_environment(config: RunConfig, agent: TrainedGenerator, alone: Alone) -> Seconds:
    """Return the seconds of the trainer's parts without an environment."""
    envs = make_envs(config)
    envs.reset(seed=config.seed)
    agent.reset(envs, config.seed, alone)
    agent.close()
    return {**alone.seconds, "tokens": alone.tokens}


def report(config: RunConfig, agent: TrainedGenerator, sides: dict[str, Seconds], ratios: Sequence[float]) -> None:
    """Print the table."""
    table = Table("part", "with the environment", "TRL alone", box=SIMPLE, title=f"{config.agent} on {config.env}")
    for part in ("generation", "update", "environment", "rest"):
        cells = []
        for seconds in sides.values():
            speed = f" ({seconds['tokens'] / seconds[part]:,.0f} tokens/s)" if part in ("generation", "update") else ""
            cells.append(f"{seconds[part]:.2f} s{speed}" if part in seconds else "")
        table.add_row(part, *cells)
    console.print(table)
    console.print(
        f"{sides['with']['tokens']:,.0f} tokens on {agent.generator_device}; with the environment ÷ alone, over "
        f"{len(ratios)} alternate runs: median {np.median(ratios):.3f}, from {min(ratios):.3f} to {max(ratios):.3f}"
    )


def _total(seconds: Seconds) -> float:
    return sum(value for name, value in seconds.items() if name != "tokens")
