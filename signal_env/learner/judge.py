"""What an offer is worth: which of its texts are valid, and what each is paid."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from signal_env.acquisition import find_neighbors
from signal_env.classifiers.checked import CheckedClassifier
from signal_env.config import SignalConfig
from signal_env.learner.open_round import OpenRound
from signal_env.learner.outcomes import Offer, TermValues
from signal_env.rewards import Candidates, Closing, Reward, RewardError
from signal_env.spaces import has_visible_characters, is_utf8
from signal_env.tasks import Task


class Looked(NamedTuple):
    """What is known of texts before they are offered.

    Attributes:
        texts: `n` texts in their one written form.
        real: For each whether it is an unlabeled text of the real pool.
        invalid: For each why it is not valid, or "".
        candidates: The valid ones under the current classifier.
    """

    texts: tuple[str, ...]
    real: tuple[bool, ...]
    invalid: tuple[str, ...]
    candidates: Candidates


class Judge:
    """Judges offers under the current classifier, and keeps the running statistics of its reward.

    Args:
        config: The options of the experiment.
        task: The task.
        classifier: The classifier.
        features: The names of the classifier vector's features, for potentials.

    Raises:
        RewardError: If the reward is not well described.
        ClassifierError: If it asks for dropout, and the classifier has none.
        UnknownName: If it names a term or a potential that is not known.
    """

    def __init__(
        self, config: SignalConfig, task: Task, classifier: CheckedClassifier, features: Sequence[str]
    ) -> None:
        self.reward = Reward(config.reward)
        self.reward.require_features(features)
        if self.reward.paid_at_close and not config.retrain:
            raise RewardError(
                f"The reward {self.reward.paid_at_close[0]!r} pays for what a round's labels teach; with retrain=False "
                "they teach nothing."
            )
        if "answer_variance" in self.reward.names:
            classifier.require("dropout")
        self._config, self._task, self._classifier = config, task, classifier

    def judge(
        self,
        texts: Sequence[str],
        prompts: Sequence[str],
        labeled: Mapping[str, int],
        unlabeled: Mapping[str, bool],
        opened: OpenRound,
        states: Sequence[Mapping[str, float]] | None = None,
    ) -> tuple[Offer, Candidates]:
        """Scores texts under the current classifier, and returns the valid ones too.

        Args:
            texts: The texts offered.
            prompts: The prompts that they answer, or none.
            labeled: L.
            unlabeled: U: each text, and whether it is real.
            opened: The open round.
            states: The classifier's states before, between and after the texts, as far as the round is open. None: the
                texts are judged as if they were the round's first, and nothing is kept.
        """
        as_first = states is None
        looked = self.look(texts, prompts, labeled, unlabeled, opened, as_first)
        valid = np.array([not reason for reason in looked.invalid], dtype=bool)
        paid_by_state = self.reward.of_steps(states or (), len(texts))
        values = self.reward.of_texts(looked.candidates, keep=not as_first)
        terms = {name: value.spread(valid) for name, value in values.items()} | paid_by_state
        unpaid = np.where(valid, 0.0, 1.0)
        terms["invalid"] = TermValues(unpaid, unpaid, self._config.invalid_reward)
        return Offer.of(looked.texts, terms, looked.invalid, looked.real), looked.candidates

    def look(
        self,
        texts: Sequence[str],
        prompts: Sequence[str],
        labeled: Mapping[str, int],
        unlabeled: Mapping[str, bool],
        opened: OpenRound,
        as_first: bool = False,
    ) -> Looked:
        """Says which texts are valid, and what the classifier says of those.

        Args:
            texts, prompts, labeled, unlabeled, opened: See `judge`.
            as_first: Whether the round is taken for one in which nothing has been offered yet.

        Raises:
            ValueError: If there are prompts, but not one for each text.
        """
        if isinstance(prompts, str) or len(prompts) not in (0, len(texts)):
            raise ValueError(f"Expected a prompt for each of {len(texts)} texts, or none; got {prompts!r:.80}.")
        texts = [self._canonical(text) for text in texts]
        prompts = list(prompts) or [""] * len(texts)
        seen = set() if as_first else set(opened.seen)
        real = tuple(unlabeled.get(text, False) for text in texts)
        invalid = []
        for text in texts:
            repeated = text in seen or text in labeled or (text in unlabeled and text not in opened.entered)
            invalid.append(self._why_invalid(text, unlabeled.get(text, False), text in seen, repeated))
            seen.add(text)
        rows = [i for i, reason in enumerate(invalid) if not reason]
        candidates = self._candidates([texts[i] for i in rows], [prompts[i] for i in rows], opened, as_first)
        return Looked(tuple(texts), real, tuple(invalid), candidates)

    def at_close(self, batch: Mapping[str, int], labeled: Mapping[str, int], seed: int) -> dict[str, TermValues]:
        """What the close of a round pays for its batch, which is not in L yet.

        It may train the classifier, which wants a training of its own after it.
        """

        def accuracy(training: tuple[Any, Any], held_out: tuple[Any, Any]) -> float:
            self._classifier.fit(training[0], np.array(training[1]), seed)
            predicted = self._classifier.predict(held_out[0]).probabilities.argmax(axis=1)
            return float((predicted == held_out[1]).mean())

        return self.reward.of_closing(
            Closing(tuple(batch), _labels(batch), tuple(labeled), _labels(labeled), accuracy, seed)
        )

    def _candidates(
        self, texts: Sequence[str], prompts: Sequence[str], opened: OpenRound, as_first: bool
    ) -> Candidates:
        """What reward terms see of valid texts (lines 4 and 5)."""
        known = opened.known(texts)
        if known is None:
            prediction = self._classifier.predict(texts)
            neighbors = find_neighbors(
                prediction.embeddings,
                opened.labeled.prediction.embeddings,
                self._config.n_neighbors,
                self._config.normalize,
            )
            known = prediction, neighbors
        return Candidates(tuple(texts), *known, tuple(prompts), opened.view(as_first))

    def _canonical(self, text: str) -> str:
        """The one written form of a text, so that no copy passes for another text."""
        fields = self._task.fields(text)
        return " ".join(text.split()) if fields is None else self._task.write(*fields)

    def _why_invalid(self, text: str, real: bool, offered: bool, repeated: bool) -> str:
        if self._config.selection == "submitted" and real:
            return "duplicate" if offered else ""
        if not has_visible_characters(text):
            return "empty"
        if len(text) > self._config.max_text_length:
            return "too long"
        if not is_utf8(text):
            return "malformed"
        if self._task.fields(text) is None:
            return "unparsable"
        return "duplicate" if repeated else ""


def _labels(labeled: Mapping[str, int]) -> NDArray[np.int64]:
    labels = np.array(list(labeled.values()), dtype=np.int64)
    labels.flags.writeable = False
    return labels
