"""`python -m experiments bench generation`: tokens per second of agents that learn to write, beside TRL alone."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.table import Table

from agents.llm.answers import Tokens
from agents.llm.exchange import Exchange, Stopped
from agents.llm.trained import TrainedGenerator
from agents.rollout import rollout
from experiments.bench.profile import Profile
from experiments.config import RunConfig, RunError, make_envs
from experiments.progress import console, progress_bar

REPEATS = 3
"""Runs of each side, in turns; the medians of their times count."""

Seconds = dict[str, float]


class Recorded(Exchange):
    """The exchange with an environment, which keeps the prompts, the rewards and the time of each part."""

    def __init__(self) -> None:
        super().__init__()
        self.profile, self.tokens = Profile(rest="rest"), 0
        self.prompts: list[Sequence[str]] = []
        self.given: list[NDArray[np.float64]] = []

    def respond(self, prompts: Sequence[str]) -> list[Tokens]:
        """Return the trainer's responses."""
        self.prompts.append(prompts)
        with self.profile.part("generation"):
            responses = super().respond(prompts)
        self.tokens += sum(map(len, responses))
        return responses

    def learn(self, rewards: NDArray[np.float64]) -> None:
        """Let the trainer learn from the rewards."""
        self.given.append(rewards)
        with self.profile.part("update"):
            super().learn(rewards)


class Alone(Exchange):
    """Prompts and rewards from a run, in place of the exchange with an environment.

    The rewards are those of the run, since with a constant one every gradient would be zero.
    """

    def __init__(self, run: Recorded) -> None:
        super().__init__()
        self._batches, self._given = iter(run.prompts), iter(run.given)
        self.profile, self.tokens = Profile(rest="rest"), 0

    def start(self, train: Callable[[], None], seed: int) -> None:
        """Train in this thread until the prompts are used up."""
        try:
            train()
        except Stopped:
            return

    def next_prompts(self) -> Sequence[str]:
        """Return the next prompts."""
        self.profile.switch("rest")
        batch = next(self._batches, None)
        if batch is None:
            raise Stopped
        self.profile.switch("generation")
        return batch

    def rewards(self, responses: list[Tokens]) -> NDArray[np.float64]:
        """Return the next rewards."""
        self.tokens += sum(map(len, responses))
        self.profile.switch("update")
        return next(self._given)


def main(config: RunConfig) -> dict[str, dict[str, float]]:
    """Play the run, and TRL's trainer on its prompts and rewards without an environment, and compare their seconds.

    The learning rate is nearly 0, so that both sides write the same texts. Return the seconds of each part and the
    tokens "with" and "without" the environment.
    """
    if not isinstance(config.agent_options, TrainedGenerator):
        raise RunError(f"This measures agents that learn to write: --agent ppo, rloo or grpo; got {config.agent!r}.")
    agent = replace(config.agent_options, learning_rate=1e-12, lift_texts=0)
    sides: dict[str, list[Seconds]] = {"with": [], "without": []}
    with progress_bar() as progress:
        bar = progress.add_task(config.agent, total=2 * REPEATS, status="")
        for _ in range(REPEATS):
            run, seconds = with_environment(config, agent)
            sides["with"].append(seconds)
            progress.update(bar, advance=1)
            sides["without"].append(without_environment(config, agent, Alone(run)))
            progress.update(bar, advance=1)
    medians = {
        side: {name: float(np.median([run[name] for run in runs])) for name in runs[0]} for side, runs in sides.items()
    }
    both, alone = (np.array([sum(run.values()) - run["tokens"] for run in runs]) for runs in sides.values())
    report(config, agent, medians, both / alone)
    return medians


def with_environment(config: RunConfig, agent: TrainedGenerator) -> tuple[Recorded, Seconds]:
    """Play a run; return its exchange, and the seconds of its parts with the number of tokens."""
    envs, run = make_envs(config), Recorded()
    agent = replace(agent)
    agent.reset = partial(agent.reset, exchange=run)  # type: ignore[method-assign]  # of this run's agent alone
    episode = rollout(envs, agent, config.seed)
    next(episode)
    run.profile = Profile(rest="rest")  # the models are loaded
    with run.profile.measure([("environment", envs, "step")]):
        for _ in episode:
            pass
    return run, {**run.profile.seconds, "tokens": run.tokens}


def without_environment(config: RunConfig, agent: TrainedGenerator, alone: Alone) -> Seconds:
    """Return the seconds of the trainer's parts without an environment, with the number of tokens."""
    envs = make_envs(config)
    envs.reset(seed=config.seed)
    agent.reset(envs, config.seed, alone)
    agent.close()
    return {part: alone.profile.seconds[part] for part in ("generation", "update")} | {"tokens": alone.tokens}


def report(config: RunConfig, agent: TrainedGenerator, sides: dict[str, Seconds], ratios: NDArray[np.float64]) -> None:
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
        f"{len(ratios)} alternate runs: median {np.median(ratios):.3f}, from {ratios.min():.3f} to {ratios.max():.3f}"
    )
