"""Hostile texts played through both environments on every task, and read back from everything that is written."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import gymnasium as gym
import numpy as np

from experiments.bench.robustness.check import Check
from experiments.bench.robustness.hostile import KINDS, Shown, hostile
from experiments.bench.robustness.reading import Played, read_back
from signal_env.data import DataError
from signal_env.learner.learner import Learner
from signal_env.utils.extras import MissingExtra
from signal_env.vector_env import closed_round, offer_of
from signal_env.wrappers import Record, TensorBoard, VectorRecord, VectorTensorBoard

TASKS = ("reviews", "sst2", "agnews", "qnli", "trec", "banking77")

LABELS = 10
"""Texts labeled in a round."""

REWARD = "signal + 0.1*entropy"

REMEMBERED = "+ 0.1*novelty + 0.1*repetition"
"""Terms on `reviews` beside these, which compare each text with all earlier ones and take long."""

LONG = ("reviews", "qnli")
"""Tasks on which lines of 100 kB are valid; on the others they are too long."""


class Hashing:
    """An annotator whose labels are hashes of the texts, so that every task has one without a model."""

    def __init__(self, n_classes: int) -> None:
        self.n_classes = n_classes

    def __call__(self, texts: Sequence[str]) -> list[int]:
        """Return a label for each text."""
        return [crc32(text.encode("utf-8", "surrogatepass")) % self.n_classes for text in texts]


class Step(NamedTuple):
    """A step of one or more actions, the same from both environments."""

    observation: dict[str, Any]
    rewards: list[float]
    infos: list[dict[str, Any]]
    round: dict[str, Any] | None
    ended: bool


class Single:
    """The single environment with its logs. `Vector` has the same methods."""

    width = 1

    def __init__(self, env_id: str, folder: Path, options: dict[str, Any]) -> None:
        self.folder = folder
        self.env: Any = TensorBoard(Record(gym.make(env_id, **options), folder), folder / "tensorboard")

    @property
    def learner(self) -> Learner:
        """The learner."""
        learner: Learner = self.env.unwrapped.learner
        return learner

    def reset(self, seed: int) -> list[str]:
        """Begin the episode; return the prompts."""
        return [self.env.reset(seed=seed)[0]["prompt"]]

    def step(self, texts: Sequence[str]) -> Step:
        """Offer the texts."""
        observation, reward, terminated, truncated, info = self.env.step(texts[0])
        shown = {"prompt": [observation["prompt"]], "classifier": observation["classifier"][None]}
        return Step(shown, [float(reward)], [info], info.get("round"), terminated or truncated)


class Vector(Single):
    """The vector environment with its logs."""

    width = 50

    def __init__(self, env_id: str, folder: Path, options: dict[str, Any], width: int) -> None:
        self.folder, self.width = folder, width
        envs = gym.make_vec(env_id, num_envs=width, **options)
        self.env = VectorTensorBoard(VectorRecord(envs, folder), folder / "tensorboard")

    def reset(self, seed: int) -> list[str]:
        """Begin the episode; return the prompts."""
        return list(self.env.reset(seed=seed)[0]["prompt"])

    def step(self, texts: Sequence[str]) -> Step:
        """Offer the texts."""
        observations, rewards, terminated, truncated, infos = self.env.step(texts)
        rows = [offer_of(infos, i) for i in range(len(texts))]
        return Step(observations, rewards.tolist(), rows, closed_round(infos), bool((terminated | truncated).any()))


def try_actions(folder: Path, actions: int, seed: int, offers: int, tasks: Sequence[str] = TASKS) -> Iterator[Check]:
    """Yield a check for each task: hostile actions, in equal parts over the tasks, each in both environments.

    Args:
        folder: A folder for the logs.
        actions: The number of actions in all; each is played twice.
        seed: Seed of the actions and of the experiments.
        offers: Texts offered per round, a multiple of 50 or under it.
        tasks: The tasks.
    """
    rounds = max(2, -(-actions // (len(tasks) * offers)))
    for task in tasks:
        check = Check("actions", f"hostile actions on {task}, single and vector")
        try:
            _play_task(task, folder / task, rounds, offers, seed, check)
        except (DataError, MissingExtra) as error:
            check.left_out = str(error)
        yield check


def _play_task(task: str, folder: Path, rounds: int, offers: int, seed: int, check: Check) -> None:
    from signal_env.tasks import get_task

    options: dict[str, Any] = {
        **{"pool_size": 200, "initial_labeled": 20, "round_size": LABELS, "offers_per_round": offers},
        **{"budget": 20 + LABELS * rounds, "evaluation_size": 50, "classifier": "linear", "encoder": "embedded"},
        **{"annotator": Hashing(get_task(task).n_classes), "reward": REWARD},
        **{"invalid_reward": -0.25, "max_text_length": 200_000 if task in LONG else 2_000},
    }
    if task == "reviews":
        options["reward"] = f"{REWARD} {REMEMBERED}"
    env_id, width = f"SignalEnv-{task}-v0", min(50, offers)
    single = _play(Single(env_id, folder / "single", options), seed, check)
    vector = _play(Vector(env_id, folder / "vector", options, width), seed, check)
    check.count = len(single.texts)
    check.counts = {f"offered as {kind}": single.kinds.count(kind) for kind in KINDS}
    reasons = [info["invalid"] or "valid" for info in single.infos]
    check.counts |= {reason: reasons.count(reason) for reason in sorted(set(reasons))}
    check.expect(single.texts == vector.texts, "the two environments were offered other texts")
    check.expect(single.rewards == vector.rewards, "the two environments gave other rewards")
    for played in (single, vector):
        for problem in read_back(played):
            check.problems.append(f"{played.folder.name}: {problem}")


def _play(env: Single, seed: int, check: Check) -> Played:
    """Play an episode of hostile actions; note what is not finite or not as the spaces say."""
    prompts = env.reset(seed)
    real = env.learner.pool
    played = Played(env.folder, env.learner.task)
    played.known = {*real, *(text for text, _ in env.learner.labeled)}
    for start in itertools.count(0, env.width):
        texts = []
        for i, prompt in enumerate(prompts):
            kind, text = hostile(seed, start + i, Shown(prompt, real, played.texts))
            played.kinds.append(kind)
            played.texts.append(text)
            texts.append(text)
        step = env.step(texts)
        played.rewards += step.rewards
        played.infos += step.infos
        prompts = list(step.observation["prompt"])
        terms = [term for info in step.infos for term in info["reward_terms"].values()]
        numbers = [*step.rewards, *(number for term in terms for number in term.values())]
        check.expect(bool(np.isfinite(numbers).all()), f"a number of the actions from {start} on is not finite")
        vector = step.observation["classifier"]
        check.expect(bool(((vector >= 0) & (vector <= 1)).all()), f"the observation after {start} is out of its space")
        if step.round is not None:
            played.rounds.append(len(played.texts))
        if step.ended:
            break
    env.env.close()
    return played
