"""The writer of an episode's events."""

import dataclasses
from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np

from signal_env.learner.learner import Learner
from signal_env.wrappers.tensorboard.cards import card
from signal_env.wrappers.tensorboard.event_files import EventFiles, write_curve
from signal_env.wrappers.tensorboard.hyperparameters import hyperparameters
from signal_env.wrappers.tensorboard.offered import Offered, Rewards
from signal_env.wrappers.tensorboard.projector import Snapshot, write_projector
from signal_env.wrappers.tensorboard.tags import LAYOUT, of_metric, of_round

CARDS = 5
"""Texts on a card."""


@dataclasses.dataclass
class Episode:
    """The state of an episode, without its open round.

    Attributes:
        index: 0 for the first one of a board.
        ended: Whether its end has been written.
        offers: Texts offered, without passes.
        reward_sum: The sum of their rewards.
        curve: Labeled instances and accuracy after each round.
        rewards: The rewards of the texts of L and U that were offered.
        scaled: The reward terms whose values have differed from their contributions.
    """

    index: int
    ended: bool = False
    offers: int = 0
    reward_sum: float = 0.0
    curve: list[tuple[int, float]] = dataclasses.field(default_factory=list)
    rewards: dict[str, float] = dataclasses.field(default_factory=dict)
    scaled: list[str] = dataclasses.field(default_factory=list)


class Board:
    """Writer of episodes for TensorBoard: the first into a folder, each later one into a folder of its own in it.

    Args:
        learner: The environment's learner.
        folder: The folder to write to. It is made if it does not exist.
        state: The result of `state_dict` at a round's close, from which the episode goes on.
        hparams: Values for the HParams page beside the environment's options: plain values, or mappings of them.
        references: Curves of other methods by name, pairs of labeled instances and accuracy. Each is a run of its own,
            `reference-NAME`, with the tag `charts/accuracy`, so that TensorBoard draws it over the episode's.
        every: Texts per point of `reward/...`, independent of the texts per step; default: a tenth of a round's offers.

    Raises:
        FileExistsError: If the folder holds events already and no state is given, since no event is overwritten.
        ValueError: If `every` is no positive number, or `hparams` has the name of an option of the environment.
    """

    def __init__(
        self,
        learner: Learner,
        folder: str | Path,
        state: dict[str, Any] | None = None,
        hparams: Mapping[str, Any] | None = None,
        every: int | None = None,
        references: Mapping[str, Sequence[tuple[int, float]]] | None = None,
    ) -> None:
        self.folder = Path(folder)
        self._learner, self._references = learner, references or {}
        self._hparams = hyperparameters(learner, hparams or {})
        self._every = max(1, learner.sizes.offers // 10) if every is None else every
        if self._every < 1:
            raise ValueError(f"every must be at least 1 text; got {every}.")
        self._episode = Episode(**state["episode"]) if state else Episode(-1, ended=True)
        self._files = EventFiles(self._place(), state["files"] if state else None)
        self._snapshot: Snapshot | None = None
        self._open_round()

    def state_dict(self) -> dict[str, Any]:
        """Return the state at a round's close, as plain data, and flush all events to the disk.

        Raises:
            RuntimeError: In the middle of a round.
        """
        if self._round:
            raise RuntimeError(f"The state exists only between rounds; {len(self._round)} texts of one are recorded.")
        episode = {name: copy(value) for name, value in vars(self._episode).items()}
        return {"episode": episode, "files": self._files.sizes()}

    def reset(self, info: dict[str, Any]) -> None:
        """Begin an episode, with the info of its initial round."""
        self.close()
        self._episode = Episode(self._episode.index + 1)
        if self._episode.index > 0:
            self._files = EventFiles(self._place())
        else:
            for name, curve in self._references.items():
                write_curve(self.folder / f"reference-{name}", curve)
        self._open_round()
        self._files.begin_session(self._hparams)
        self._files.layout(LAYOUT)
        self.round(info)

    def offer(self, text: str, reward: float, info: dict[str, Any]) -> None:
        """Record one offered text and its info. A pass counts only if it earns a reward at a round's close."""
        self._episode.reward_sum += reward
        if info["passed"] and not reward:
            return
        self._round.append(Offered.of(text, reward, info))
        self._episode.offers += not info["passed"]
        if len(self._round) % self._every == 0:
            self._write_offers()

    def round(self, info: dict[str, Any]) -> None:
        """Write a closed round, or the state after a reset, from its info."""
        self._write_offers()
        if self._round:
            self._write_round(int(info["index"]))
        self._episode.curve.append((int(info["labeled"]), float(info["accuracy"])))
        self._files.scalars(of_round(self._learner, info) | self._so_far(), int(info["labeled"]))
        self._files.flush()
        self._snapshot = Snapshot(self._learner.labeled, self._learner.unlabeled, self._learner.episode.is_real)
        rewards = self._episode.rewards | {one.text: one.reward for one in self._round if one.valid}
        self._episode.rewards = {text: rewards[text] for text in self._snapshot.texts if text in rewards}
        self._open_round()

    def metrics(self, metrics: Mapping[str, float]) -> None:
        """Write an agent's metrics, such as the result of its `learn`; the package's table has the tags."""
        if metrics:
            self._files.scalars({of_metric(name): value for name, value in metrics.items()}, self._episode.offers)

    def end(self, success: bool) -> None:
        """End an episode, unless it has ended, and write its projector; `success`: it was played to its end."""
        if self._episode.ended or not self._episode.curve:
            return
        self._episode.ended = True
        self._write_offers()
        self._files.end_session(success)
        self._files.flush()
        if self._snapshot is not None:
            points = self._snapshot.points(self._learner.task.class_names, self._episode.rewards)
            write_projector(self._files.folder, f"texts after {self._episode.curve[-1][0]} labels", *points)

    def close(self) -> None:
        """End the episode, if it has not ended, and close its files."""
        self.end(success=False)
        self._files.close()

    def _place(self) -> Path:
        index = self._episode.index
        return self.folder / f"episode-{index + 1:05d}" if index > 0 else self.folder

    def _so_far(self) -> dict[str, float]:
        """Return the area under the curve and the mean reward of the episode up to now."""
        labels, accuracies = np.array(self._episode.curve).T
        span = labels[-1] - labels[0]
        values = {"charts/area": float(np.trapezoid(accuracies, labels) / span if span else accuracies[-1])}
        if self._episode.offers:
            values["charts/reward"] = self._episode.reward_sum / self._episode.offers
        return values

    def _open_round(self) -> None:
        self._round: list[Offered] = []
        self._written = 0  # the number of them in `reward/...`

    def _write_offers(self) -> None:
        """Write one point of `reward/...`, from the texts offered since the last point."""
        offered = self._round[self._written :]
        if not offered:
            return
        self._written = len(self._round)
        rewards = Rewards.of(offered)
        self._episode.scaled = sorted(rewards.scaled | {*self._episode.scaled})
        values = {f"reward/{name}": float(each.mean()) for name, each in rewards.contributions.items()}
        values |= {f"reward_raw/{n}": float(raw.mean()) for n, raw in rewards.raws.items() if n in self._episode.scaled}
        self._files.scalars(values, self._episode.offers)

    def _write_round(self, index: int) -> None:
        """Write a round's rewards: means, histograms and cards."""
        contributions = Rewards.of(self._round).contributions
        if texts := sum(one.origin != "pass" for one in self._round):  # as in `Round.reward_mean`
            self._files.scalars(
                {f"reward_mean/{n}": float(each.sum()) / texts for n, each in contributions.items()}, index
            )
        for name, each in contributions.items():
            if each.min() < each.max():
                self._files.histogram(f"reward_distribution/{name}", each, index)
        ranked = sorted(self._round, key=lambda one: -one.reward)
        self._files.text("texts/best", card(ranked[:CARDS]), index)
        self._files.text("texts/worst", card(ranked[: -CARDS - 1 : -1]), index)
