"""`python -m experiments bench steps`: steps per second of `CandidateSelection`, and the time of its parts."""

import dataclasses
import time
from collections.abc import Mapping
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np

from experiments.bench.profile import Profile, parts_table
from experiments.config import EnvironmentOptions
from experiments.progress import console
from signal_env.classifiers.checked import CheckedClassifier
from signal_env.classifiers.pretrained import TextModel
from signal_env.learner import learner
from signal_env.learner.open_round import OpenRound
from signal_env.wrappers import CandidateSelection
from signal_env.wrappers import candidate_draw as candidates


@dataclasses.dataclass(frozen=True)
class StepsConfig:
    """Plays whole episodes of random choices on one core, with all texts encoded before."""

    env_options: ClassVar[Mapping[str, Any]] = {"round_size": 15}
    env: str = "SignalEnv-reviews-v0"
    """The environment's id."""
    episodes: int = 10
    """Episodes, with seeds from 0 on; the time of their resets counts."""
    repeats: int = 5
    """Repetitions, after a first one that encodes the texts; the median counts."""
    n_candidates: int = 16
    """Texts to choose from at each step."""
    embedding_size: int = 4
    """Random directions onto which the candidates' encodings are projected."""
    options: EnvironmentOptions = dataclasses.field(default_factory=EnvironmentOptions)
    """The environment's options; `round_size` is 15 unless given."""


def main(config: StepsConfig) -> dict[str, float]:
    """Print the steps per second and the seconds of their parts; return the latter."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return bench(config)
    finally:
        torch.set_num_threads(threads)


def bench(config: StepsConfig) -> dict[str, float]:
    """Measure as `main` does, on as many threads as torch has."""
    env = CandidateSelection(gym.make(config.env, **vars(config.options)), config.n_candidates, config.embedding_size)
    play(env, config.episodes)
    speeds = []
    for _ in range(config.repeats):
        start = time.perf_counter()
        steps = play(env, config.episodes)
        speeds.append(steps / (time.perf_counter() - start))
    parts = [
        ("encoder", TextModel, "run"),
        ("fit", CheckedClassifier, "fit"),
        ("predict", CheckedClassifier, "predict"),
        ("neighbors", OpenRound, "find_neighbors"),
        ("features of the state", learner, "features"),
        ("features of the candidates", candidates, "describe"),
        ("prompts", learner.Learner, "prompts"),
        ("offer", learner.Learner, "offer"),
        ("draw", candidates.CandidateDraw, "draw"),
    ]
    profile = Profile(rest="rest")
    with profile.measure(parts):
        steps = play(env, config.episodes)
    seconds = dict(sorted(profile.seconds.items(), key=lambda item: -item[1]))
    title = f"CandidateSelection on {config.env}, K = {config.n_candidates}"
    console.print(parts_table(title, seconds, "µs a step", lambda value: f"{1e6 * value / steps:.0f}"))
    console.print(
        f"{np.median(speeds):,.0f} steps a second ({min(speeds):,.0f} to {max(speeds):,.0f}; {len(speeds)} times "
        f"{steps:,} steps in {config.episodes} episodes, encodings cached); "
        f"{steps / sum(seconds.values()):,.0f} while it is profiled"
    )
    return seconds


def play(env: CandidateSelection, episodes: int) -> int:
    """Play episodes of random choices among the candidates; return the number of steps."""
    rng, steps = np.random.default_rng(0), 0
    for seed in range(episodes):
        env.reset(seed=seed)
        ended = False
        while not ended:
            places = np.flatnonzero(env.action_masks())
            _, _, terminated, truncated, _ = env.step(places[rng.integers(len(places))])
            ended = terminated or truncated
            steps += 1
    return steps
