"""The judgment of an offer: the validity and the reward of each of its texts."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from signal_env.classifiers.checked import ABILITIES, CheckedClassifier
from signal_env.config import SignalConfig
from signal_env.learner.open_round import OpenRound
from signal_env.learner.outcomes import Offer
from signal_env.learner.selection import Selection
from signal_env.learner.view import View
from signal_env.rewards import Closing, Reward, RewardError
from signal_env.rewards.term import TermValues
from signal_env.spaces import has_visible_characters, is_utf8, paired
from signal_env.tasks import Task


class Checked(NamedTuple):
    """Texts before they are offered.

    Attributes:
        texts: `n` texts in canonical form.
        real: For each text whether it is an unlabeled text of the real pool.
        passed: For each text whether it is a pass.
        invalid: For each text the reason why it is not valid, or "".
        valid: The valid texts, without passes, under the current classifier.
    """

    texts: tuple[str, ...]
    real: tuple[bool, ...]
    passed: tuple[bool, ...]
    invalid: tuple[str, ...]
    valid: View


class Judge:
    """The judge of offers under the current classifier.

    Attributes:
        reward: The reward composition.

    Args:
        config: The options of the experiment.
        task: The task.
        classifier: The classifier.
        selection: The way to choose the texts to label.

    Raises:
        RewardError: If the reward is invalid.
        ClassifierError: If it needs an ability that the classifier lacks.
        UnknownName: If it names a term that is not known.
    """

    def __init__(self, config: SignalConfig, task: Task, classifier: CheckedClassifier, selection: Selection) -> None:
        self.reward = Reward(config.reward)
        if self.reward.closing_terms and not config.retrain:
            raise RewardError(
                f"The reward {self.reward.closing_terms[0]!r} measures what a round's labels teach; with retrain=False "
                "they teach nothing: give retrain=True or another reward."
            )
        for ability in self.reward.asks & ABILITIES:
            classifier.require(ability)
        self._config, self._task, self._classifier, self._selection = config, task, classifier, selection

    def judge(
        self, texts: Sequence[str], prompts: Sequence[str], opened: OpenRound, as_first: bool = False
    ) -> tuple[Offer, View]:
        """Score texts under the current classifier (lines 4 to 7 and 12); return the valid ones too.

        Args:
            texts: The texts offered.
            prompts: The prompts that they answer, or none.
            opened: The open round.
            as_first: Whether they are judged as the round's first offer, without any effect on later ones.
        """
        checked = self.check(texts, prompts, opened, as_first)
        invalid = np.array([bool(reason) for reason in checked.invalid], dtype=bool)
        valid = ~(invalid | np.array(checked.passed, dtype=bool))
        found = self.reward.of_texts(checked.valid, opened.reward_state if as_first else None)
        terms = {name: values.spread(valid) for name, values in found.items()}
        ones = invalid.astype(np.float64)
        terms["invalid"] = TermValues(ones, ones, self._config.invalid_reward)
        return Offer(checked.texts, terms, checked.invalid, checked.real, checked.passed), checked.valid

    def check(self, texts: Sequence[str], prompts: Sequence[str], opened: OpenRound, as_first: bool = False) -> Checked:
        """Find out which texts are valid, and predict their classes.

        Args:
            texts, prompts, opened, as_first: See `judge`.

        Raises:
            ValueError: If there are prompts, but not one for each text.
        """
        if isinstance(prompts, str) or len(prompts) not in (0, len(texts)):
            raise ValueError(f"Expected one prompt for each of {len(texts)} texts, or none; got {prompts!r:.80}.")
        texts = [self._canonical(text) for text in texts]
        prompts = list(prompts) or [""] * len(texts)
        episode, seen = opened.episode, set() if as_first else set(opened.seen)
        real = tuple(opened.opened_with(text) and episode.is_real(text) for text in texts)
        passed = tuple(self._selection.empty_passes and not text for text in texts)
        invalid = []
        for text, is_real, is_pass in zip(texts, real, passed, strict=True):
            if is_pass:
                invalid.append("")
            elif is_real and self._selection.submits_real:
                invalid.append("duplicate" if text in seen else "")
            else:
                known = text in seen or text in episode.labeled or opened.opened_with(text)
                invalid.append(self._why_invalid(text) or ("duplicate" if known else ""))
            seen.add(text)
        rows = [i for i, reason in enumerate(invalid) if not reason and not passed[i]]
        valid = opened.candidates([texts[i] for i in rows], [prompts[i] for i in rows], as_first)
        return Checked(tuple(texts), real, passed, tuple(invalid), valid)

    def at_close(self, batch: Mapping[str, int], labeled: Mapping[str, int], seed: int) -> dict[str, TermValues]:
        """Compute the closing terms for a batch that is not in L yet.

        They may train the classifier, which the learner has to retrain afterwards.
        """

        def accuracy(training: tuple[Any, Any], held_out: tuple[Any, Any]) -> float:
            self._classifier.fit(training[0], np.array(training[1]), seed)
            predicted = self._classifier.predict(held_out[0]).probabilities.argmax(axis=1)
            return float((predicted == held_out[1]).mean())

        return self.reward.of_closing(Closing.of(batch, labeled, accuracy, seed))

    def _canonical(self, text: str) -> str:
        """Return the canonical form of a text, so that copies are recognized."""
        text = paired(text)
        fields = self._task.fields(text)
        return " ".join(text.split()) if fields is None else self._task.write(*fields)

    def _why_invalid(self, text: str) -> str:
        """Return the reason why a text can never be valid, or ""."""
        if not has_visible_characters(text):
            return "empty"
        if len(text) > self._config.max_text_length:
            return "too long"
        if not is_utf8(text):
            return "malformed"
        return "unparsable" if self._task.fields(text) is None else ""
