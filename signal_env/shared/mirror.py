"""The learner of an experiment elsewhere, as agents read it: U, L and their predictions, fetched as they are read."""

from collections.abc import Sequence
from typing import Any, Never, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from signal_env.classifiers.checked import CheckedClassifier
from signal_env.config import SignalConfig, Sizes
from signal_env.learner.episode import Episode
from signal_env.learner.judge import Checked
from signal_env.learner.learner import Learner
from signal_env.learner.metrics import Metrics
from signal_env.learner.open_round import Fitted, OpenRound
from signal_env.learner.outcomes import Offer
from signal_env.learner.selection import selection_of
from signal_env.learner.state import feature_names
from signal_env.learner.view import View
from signal_env.rewards.term import TermValues
from signal_env.shared.arrays import unpacked
from signal_env.shared.verbs import Scored, State
from signal_env.tasks import Hub, Task
from signal_env.utils.prediction import Floats, Prediction


class Source(Protocol):
    """Where a mirror reads; `Client` is one."""

    @property
    def known(self) -> State:
        """The last state that was read."""

    def state(self) -> State:
        """Read the state."""
        ...

    def score(self, texts: Sequence[str], prompts: Sequence[str] = ()) -> Scored:
        """Return what texts would earn."""
        ...

    def read(self, what: str) -> dict[str, Any]:
        """Return "experiment", "round" or "offered"; see `signal_env.shared.reading`."""
        ...

    def ask(self, what: str, texts: Sequence[str] | None, index: int) -> dict[str, Any]:
        """Return the classifier's outputs for texts, None for U; see `signal_env.shared.reading.asked`."""
        ...


class MirrorLearner(Learner):
    """A learner that can be read like any other, of an experiment elsewhere. Its texts are offered there.

    Its arrays equal those of the learner there to the bit. It has no gold labels but those of L, and no evaluation
    texts. It follows the last state that was read: see `Source.known`.

    Attributes:
        seed: The seed of the experiment.

    Args:
        source: The experiment.
    """

    def __init__(self, source: Source) -> None:
        data = source.read("experiment")
        self._source, self.seed = source, int(data["seed"])
        hub = data["task"]["hub"]
        known = {"hub": None if hub is None else Hub(**{**hub, "columns": tuple(hub["columns"])})}
        self.task = Task(**{**data["task"], **known})
        self.config = SignalConfig(**data["config"], task=self.task)
        self.selection = selection_of(self.config)
        self.sizes = Sizes(**data["sizes"])
        self.feature_names = feature_names(self.task)
        self._longest_text = str(data["longest_text"])
        self._gold = dict.fromkeys(data["pool"], -1)
        self._current: MirrorRound | None = None

    @property
    def longest_text(self) -> str:
        """The longest text that the pool may hold."""
        return self._longest_text

    @property
    def episode(self) -> Episode:  # type: ignore[override]  # it is read, and not set
        """The parts of the episode's state that agents read."""
        return self._round.episode

    @property
    def opened(self) -> "MirrorRound":
        """The open round."""
        current = self._round
        current.follow(self._source.known.offered)
        return current

    @property
    def _round(self) -> "MirrorRound":
        while self._current is None or self._current.episode.round != self._source.known.round["index"]:
            data = self._source.read("round")
            if data["round"] != self._source.known.round["index"]:
                self._source.state()
            episode = cast(Episode, MirrorEpisode(data, self._gold))
            self._current = MirrorRound(self._source, self.config, self._batch_size(episode), episode, data)
        return self._current

    def _batch_size(self, episode: Episode) -> int:
        left = self.sizes.budget - len(episode.labeled)
        return self.selection.batch_size(min(self.sizes.round, left), self.sizes.offers)

    def score(self, texts: Sequence[str], prompts: Sequence[str] = ()) -> Offer:
        """Return the result of `offer` for these texts as the round's first. Nothing enters U, and nothing changes.

        Its terms have their contributions as values, with the weight 1.
        """
        scored = self._source.score(texts, prompts)
        names = dict.fromkeys(name for info in scored.infos for name in info["reward_terms"])
        terms = {name: TermValues(scored.term(name, "raw"), scored.term(name), 1.0) for name in names}
        texts, invalid, real, passed = (
            tuple(info[name] for info in scored.infos) for name in ("text", "invalid", "real", "passed")
        )
        return Offer(texts, terms, invalid, real, passed)

    def check_texts(self, texts: Sequence[str]) -> Checked:
        """Return which texts would be valid if they were offered now. Nothing enters U, and nothing changes."""
        opened = self.opened
        data = self._source.ask("check", texts, opened.episode.round)
        valid = data.pop("valid")
        view = View(opened, valid["texts"], prediction_of(valid), alone=True)
        return Checked(**{name: tuple(values) for name, values in data.items()}, valid=view)

    def state(self, offers_made: int) -> NDArray[np.float32]:
        """Return the classifier vector after so many offers of this round; see `feature_names`."""
        vector = self._source.known.classifier.copy()
        vector[0] = offers_made / self.sizes.offers
        return vector

    @property
    def offers_made(self) -> int:
        """The number of texts and passes offered in this round."""
        return self._source.known.offers_made

    @property
    def end_reason(self) -> str | None:
        """The reason why the episode is over; None if it goes on."""
        reason: str | None = self._source.known.round.get("end_reason")
        return reason

    @property
    def terminated(self) -> bool:
        """Whether the budget is spent, no text is left to submit, or the stopping criterion is met."""
        return self._source.known.terminated

    @property
    def truncated(self) -> bool:
        """Whether too many rounds in a row labeled nothing."""
        return self._source.known.truncated

    @property
    def begun(self) -> bool:
        """Whether an episode has begun."""
        return True

    def reset(self, seed: int) -> Never:
        """Refuse: the experiment began elsewhere."""
        raise self._refusal("reset")

    def offer(self, texts: Sequence[str], prompts: Sequence[str] = ()) -> Never:
        """Refuse: texts are offered to the experiment itself."""
        raise self._refusal("offer")

    def close_round(self) -> Never:
        """Refuse: rounds close elsewhere."""
        raise self._refusal("close_round")

    def state_dict(self) -> dict[str, Any]:
        """Refuse: the state is kept elsewhere."""
        raise self._refusal("state_dict")

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Refuse: the state is kept elsewhere."""
        raise self._refusal("load_state_dict")

    def _refusal(self, method: str) -> RuntimeError:
        return RuntimeError(f"{method} changes the experiment, which is elsewhere; the learner here only reads it.")


class MirrorEpisode:
    """The parts of an `Episode` that agents read.

    Args:
        data: See `signal_env.shared.reading.round_data`.
        gold: The texts of R, without their labels.
    """

    def __init__(self, data: dict[str, Any], gold: dict[str, int]) -> None:
        self.round = int(data["round"])
        self.gold, self.pool = gold, tuple(gold)
        self.unlabeled = dict.fromkeys(data["unlabeled"]["texts"])
        self.labeled = {text: int(label) for text, label in data["labeled"]}
        self.n_trained = int(data["trained"]["n"])
        self.n_synthetic = sum(text not in gold for text in self.labeled)
        self.offered = dict.fromkeys(data["earlier"])
        self.dropout_seed = 0  # that of the experiment counts
        self.reward = self

    def is_real(self, text: str) -> bool:
        """Return whether a text is one of R."""
        return text in self.gold

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the reward, which is kept elsewhere."""
        return {}


class MirrorRound(OpenRound):
    """An open round of an experiment elsewhere.

    Args:
        source: The experiment.
        config: Its options.
        batch_size: The number of texts that may be labeled at the close.
        episode: Its episode.
        data: See `signal_env.shared.reading.round_data`.
    """

    def __init__(
        self, source: Source, config: SignalConfig, batch_size: int, episode: Episode, data: dict[str, Any]
    ) -> None:
        self._source, self._followed = source, -1
        self._offered_data: dict[str, Any] = {}
        known = source.known.round
        metrics = Metrics(*(float(known[name]) for name in Metrics._fields))
        pairs = list(episode.labeled.items())[: episode.n_trained]
        labels = np.array([label for _, label in pairs], dtype=np.int64)
        fitted = Fitted(tuple(text for text, _ in pairs), labels, prediction_of(data["trained"]), metrics)
        classifier = MirrorClassifier(source, episode.round, data["unlabeled"])
        super().__init__(episode, cast(CheckedClassifier, classifier), config, fitted, batch_size)

    def follow(self, offered: int) -> None:
        """Read what has been offered in the round, if the experiment has had so many offers that some are new."""
        if offered == self._followed:
            return
        data = self._source.read("offered")
        if data["round"] == self.episode.round:
            self._followed, self._offered_data = offered, data["valid"]
            self.made, self.seen, self.n_valid = data["made"], set(data["seen"]), len(data["valid"]["texts"])

    @property
    def offered(self) -> View:
        """The valid texts offered in this round so far, in order."""
        texts = tuple(self._offered_data.get("texts", ()))
        if not texts:
            return self.nothing
        return View(self, texts, self.classifier.predict(texts), prompts=self._offered_data["prompts"], alone=True)


class MirrorClassifier:
    """The classifier of an open round elsewhere, which answers but cannot be trained.

    Args:
        source: The experiment.
        index: The last closed round.
        unlabeled: U with its prediction, which is not asked for again.
    """

    def __init__(self, source: Source, index: int, unlabeled: dict[str, Any]) -> None:
        self._source, self._index = source, index
        self._texts, self._prediction = tuple(unlabeled["texts"]), prediction_of(unlabeled)

    def predict(self, texts: Sequence[str]) -> Prediction:
        """Return the classifier's prediction."""
        if tuple(texts) == self._texts:
            return self._prediction
        return prediction_of(self._source.ask("predict", texts, self._index)) if texts else self._prediction.rows([])

    def dropout(self, texts: Sequence[str], n_samples: int, seed: int) -> Floats:
        """Return probabilities `(S, n, C)` with dropout; the experiment's own number of samples and seed count."""
        return self._values("dropout", texts)

    def pretrained(self, texts: Sequence[str]) -> Floats:
        """Return encodings `(n, e)` by the pretrained encoder."""
        return self._values("pretrained", texts)

    def predicted_loss(self, texts: Sequence[str]) -> Floats:
        """Return predicted losses `(n,)`."""
        return self._values("predicted_loss", texts)

    def _values(self, what: str, texts: Sequence[str]) -> Floats:
        """Return an output of the classifier; U, which may be large, is not sent."""
        asked = None if tuple(texts) == self._texts else texts
        return unpacked(self._source.ask(what, asked, self._index)["values"])


def prediction_of(data: dict[str, Any]) -> Prediction:
    """Return the prediction in packed data."""
    return Prediction(unpacked(data["probabilities"]), unpacked(data["embeddings"]))
