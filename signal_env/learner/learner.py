"""The learner: the paper's Algorithm 1. It does not depend on Gymnasium.

One round is `offers` times `offer` (lines 1 to 7, for the texts offered), then `close_round` (lines 8 to 10). The
environments are shells over it, so that a reward cannot depend on whether texts came one at a time or all at once.

    the state of the episode             episode.Episode
    known since the last training        open_round.OpenRound, seen through view.View
    line 1, prompts                      prompts.Prompts
    lines 3 to 7 and 12, an offer        judge.Judge
    line 8, the batch                    selection.Selection, allocation.Allocation
    line 9, its labels                   labeling.Labeling
    after line 10, whether to stop       signal_env.stopping.Stopping
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signal_env.acquisition import Strategy
from signal_env.annotators import make_annotator
from signal_env.classifiers import make_classifier
from signal_env.classifiers.checked import ABILITIES, CheckedClassifier
from signal_env.config import SignalConfig, check
from signal_env.data import load
from signal_env.learner.allocation import NOTHING, Allocated, Allocation
from signal_env.learner.episode import Episode
from signal_env.learner.experiment import draw_pool, evaluation_texts, experiment_sizes, task_of
from signal_env.learner.judge import Checked, Judge
from signal_env.learner.labeling import Labeling
from signal_env.learner.metrics import Metrics
from signal_env.learner.open_round import Fitted, OpenRound
from signal_env.learner.outcomes import Offer, Round
from signal_env.learner.prompts import Prompts
from signal_env.learner.selection import selection_of
from signal_env.learner.state import feature_names, features
from signal_env.learner.view import View
from signal_env.stopping import Before, Stopping
from signal_env.utils.copying import deep_copy


class Learner:
    """A pool R, a labeled set L, an unlabeled set U and a classifier M, with the operations of Algorithm 1.

    Attributes:
        config: The options of the experiment.
        task: The task.
        selection: The way to choose the texts to label.
        sizes: Pool, initial, round, offers and budget.
        feature_names: The names of the classifier vector's features.
        episode: The state of the episode, since the last reset.

    Args:
        config: The options of the experiment.

    Raises:
        ValueError: If the options, the task, the data or a name is invalid; the message tells how to correct it.
    """

    episode: Episode
    _opened: OpenRound | None = None
    _fitted: Fitted
    _features: NDArray[np.float32]

    def __init__(self, config: SignalConfig) -> None:
        check(config)
        self.config = config
        self.task = task_of(config)
        self.selection = selection_of(config)
        acquisition = Strategy(config.acquisition)
        self._corpus = load(self.task, config.data_dir)
        self.sizes = experiment_sizes(config)
        self._allocation = Allocation(acquisition, config.synthetic_share, self.sizes)
        self._annotate = make_annotator(
            config.annotator, self.task, config.annotator_model, config.annotator_noise, config.device
        )
        classifier = make_classifier(
            config.classifier, self.task, config.encoder, config.device, **config.classifier_options
        )
        self._classifier = CheckedClassifier(classifier, self.task.n_classes)
        for ability in acquisition.asks & ABILITIES:
            self._classifier.require(ability)
        self._stopping = Stopping(config.stopping, config.stopping_options)
        self._judge = Judge(config, self.task, self._classifier, self.selection)
        self._evaluation = evaluation_texts(self._corpus.evaluation, config.evaluation_size)
        self.feature_names = feature_names(self.task)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Learner":
        """Return a copy in the same state, which shares the data."""
        return deep_copy(self, memo, [self.config, self.task, self._evaluation, self.sizes])

    def reset(self, seed: int) -> Round:
        """Draw the pool and the initial labeled set, and train the classifier on it.

        Raises:
            ClassifierError: If the classifier returns unusable values.
        """
        rngs = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(5))
        prompt_rng, selection_rng, training_rng, dropout_rng, closing_rng = rngs
        config = self.config
        texts, labels = self._corpus.train
        gold = {texts[i]: int(labels[i]) for i in draw_pool(len(texts), self.sizes.pool, seed)}
        prompts = Prompts(
            self.task, tuple(gold), prompt_rng, config.n_examples, config.prompt_group, config.fixed_prompt
        )
        self._allocation.reset()
        self._judge.reward.reset()
        self._stopping.reset()
        self.episode = Episode(
            seed=seed,
            gold=gold,
            prompts=prompts,
            allocation=self._allocation,
            labeling=Labeling(self._annotate, self.task.n_classes, gold, self._allocation.needs_reliability),
            reward=self._judge.reward,
            stopping=self._stopping,
            selection_rng=selection_rng,
            training_rng=training_rng,
            dropout_rng=dropout_rng,
            closing_rng=closing_rng,
            unlabeled=dict.fromkeys(gold),
        )
        self._opened = None
        initial, agreement, _ = self._annotated(self.episode.pool[: self.sizes.initial])
        self._learn(initial)
        return self._report([], initial, agreement, NOTHING)

    def prompts(self, n: int) -> list[str]:
        """Return the next n prompts, each with p in-context examples drawn from R (line 1)."""
        return [self.episode.prompts.next() for _ in range(n)]

    def offer(self, texts: Sequence[str], prompts: Sequence[str] = ()) -> Offer:
        """Add texts to U and score them under the current classifier (lines 3 to 7 and 12).

        A text that is empty, too long, malformed, unparsable or a duplicate of L, of U or of an earlier offer of the
        round earns `invalid_reward` and does not enter U. With selection="submitted" two kinds of texts differ: an
        unlabeled real text, the first time it is offered in the round, is no duplicate but *is* that instance; and the
        empty text is a pass, which earns nothing.

        Args:
            texts: The texts.
            prompts: The prompts that they answer, for reward terms that read them.

        Raises:
            ClassifierError: If the classifier returns unusable values.
            RewardError: If a reward term does.
        """
        offer, valid = self._judge.judge(texts, prompts, self.opened)
        self.opened.add(offer, valid)
        return offer

    def score(self, texts: Sequence[str], prompts: Sequence[str] = ()) -> Offer:
        """Return the result of `offer` for these texts as the round's first. Nothing enters U, and nothing changes.

        It serves to compare policies under the same classifier.
        """
        return self._judge.judge(texts, prompts, self.opened, as_first=True)[0]

    def check_texts(self, texts: Sequence[str]) -> Checked:
        """Return which texts would be valid if they were offered now. Nothing enters U, and nothing changes."""
        return self._judge.check(texts, (), self.opened)

    def close_round(self) -> Round:
        """Label a batch, retrain the classifier on all of L (unless `retrain` is False) and measure it (lines 8 to 10).

        Raises:
            AnnotatorError: If the annotator cannot label a synthetic text.
            ClassifierError: If the classifier returns unusable values.
            AcquisitionError: If the acquisition function does.
        """
        episode, opened = self.episode, self.opened
        self.selection.discard(opened)
        batch, chosen = self.selection.choose(opened)  # line 8
        labels, agreement, seed = self._annotated(batch)  # line 9
        offers = opened.offers
        if offers:
            offers[-1] = offers[-1].closed(self._judge.at_close(labels, episode.labeled, seed))
            episode.offered |= dict.fromkeys(opened.offered.texts)
        self._learn(labels)  # line 10
        return self._report(offers, labels, agreement, chosen)

    def _annotated(self, batch: Sequence[str]) -> tuple[dict[str, int], float | None, int]:
        """Return a batch's labels, the annotator's agreement with the gold ones, and a seed for closing terms."""
        labels, agreement = self.episode.labeling(batch)
        return labels, agreement, int(self.episode.closing_rng.integers(2**31))

    def _learn(self, labels: Mapping[str, int]) -> None:
        """Move labeled texts from U to L, retrain if there are any, and open the next round."""
        episode = self.episode
        episode.label(labels)
        episode.round += 1
        trains = bool(labels) and (self.config.retrain or not episode.n_trained)
        before = self._predicted() if trains else None
        if labels:
            episode.dropout_seed = int(episode.dropout_rng.integers(2**31))
        if trains:
            self._train()
        self._open_round()
        self._stopping.measure(self.unlabeled if trains else None, before, len(episode.labeled))

    def _predicted(self) -> Before | None:
        """Return the predictions of the classifier that is to be retrained; None before the first training."""
        if self._opened is None:
            return None
        return Before(self.opened.selectable().probabilities, self.opened.pool.probabilities)

    def _report(
        self, offers: Sequence[Offer], labels: Mapping[str, int], agreement: float | None, chosen: Allocated
    ) -> Round:
        """Describe the round that has just been closed."""
        episode = self.episode
        passes = sum(sum(offer.passed) for offer in offers)
        n_offers = sum(len(offer.texts) for offer in offers) - passes
        reward = float(np.concatenate([offer.rewards for offer in offers]).sum()) if offers else 0.0
        synthetic = {text: label for text, label in labels.items() if not episode.is_real(text)}
        return Round(
            index=episode.round,
            pool=self.sizes.pool,
            budget=self.sizes.budget,
            **self._fitted.metrics._asdict(),
            evaluation_size=len(self._evaluation[0]),
            labeled=len(episode.labeled),
            unlabeled=len(episode.unlabeled),
            selected_real=len(labels) - len(synthetic),
            selected_synthetic=len(synthetic),
            synthetic_share=episode.n_synthetic / len(episode.labeled),
            synthetic_target=chosen.synthetic_target,
            label_counts=self._count(episode.labeled),
            synthetic_label_counts=self._count(synthetic),
            offers=n_offers,
            invalid_offers=sum(bool(reason) for offer in offers for reason in offer.invalid),
            passes=passes,
            reward_mean=reward / n_offers if n_offers else 0.0,
            score_selected=_mean(chosen.selected),
            score_unlabeled=_mean(chosen.scores),
            annotator_agreement=agreement,
            stopping=self._stopping.report(),
            idle_rounds=episode.idle_rounds,
            finished=self.finished,
            end_reason=self.end_reason,
            last_offer=offers[-1] if offers else None,
        )

    def _train(self) -> None:
        """Retrain M on all of L (line 10)."""
        episode = self.episode
        episode.n_trained = len(episode.labeled)
        episode.training_seed = int(episode.training_rng.integers(2**31))
        self._fit()

    def _fit(self) -> None:
        """Train M and measure it."""
        pairs = list(self.episode.labeled.items())[: self.episode.n_trained]
        texts, labels = tuple(text for text, _ in pairs), np.array([label for _, label in pairs], dtype=np.int64)
        self._classifier.fit(texts, labels, self.episode.training_seed)
        prediction = self._classifier.predict(texts)
        evaluation, gold = self._evaluation
        metrics = Metrics.of(self._classifier.predict_together(evaluation).probabilities, gold)
        self._fitted = Fitted(texts, labels, prediction, metrics)

    def _open_round(self) -> None:
        episode = self.episode
        self._opened = OpenRound(
            episode, self._classifier, self.config, self._fitted, self.batch_size, previous=self._opened
        )
        self._features = features(
            self.opened.unlabeled,
            labeled_share=len(episode.labeled) / self.sizes.budget,
            synthetic_share=episode.n_synthetic / len(episode.labeled),
        )

    def _count(self, labels: Mapping[str, int]) -> NDArray[np.int64]:
        return np.bincount(np.array(list(labels.values()), dtype=np.int64), minlength=self.task.n_classes)

    @property
    def batch_size(self) -> int:
        """The number of texts that may be labeled at the round's close."""
        left = self.sizes.budget - len(self.episode.labeled)
        return self.selection.batch_size(min(self.sizes.round, left), self.sizes.offers)

    @property
    def end_reason(self) -> str | None:
        """The reason why the episode is over; None if it goes on."""
        if len(self.episode.labeled) >= self.sizes.budget:
            return "the budget is spent"
        if (reason := self.selection.end_reason(self.episode)) is not None:
            return reason
        if self._stopped:
            return f"the stopping criterion {self._stopping.chosen} is met"
        return f"{self.episode.idle_rounds} rounds in a row labeled nothing" if self.truncated else None

    @property
    def terminated(self) -> bool:
        """Whether the budget is spent, no text is left to submit, or the stopping criterion is met."""
        spent = len(self.episode.labeled) >= self.sizes.budget
        return spent or self.selection.end_reason(self.episode) is not None or self._stopped

    @property
    def _stopped(self) -> bool:
        """Whether the stopping criterion is met; the initial labels alone end no episode."""
        return self.episode.round > 0 and self._stopping.met

    @property
    def truncated(self) -> bool:
        """Whether too many rounds in a row labeled nothing."""
        return not self.terminated and self.episode.idle_rounds >= self.config.max_idle_rounds

    @property
    def finished(self) -> bool:
        """Whether the episode is over."""
        return self.terminated or self.truncated

    @property
    def opened(self) -> OpenRound:
        """The open round.

        Raises:
            RuntimeError: Before the first reset.
        """
        if self._opened is None:
            raise RuntimeError("No round is open yet: call reset first.")
        return self._opened

    @property
    def begun(self) -> bool:
        """Whether an episode has begun."""
        return self._opened is not None

    @property
    def unlabeled(self) -> View:
        """U as the round opened; its labels stay hidden."""
        return self.opened.unlabeled

    @property
    def labeled(self) -> tuple[tuple[str, int], ...]:
        """The texts of L with their labels, in the order in which they were labeled."""
        return tuple(self.episode.labeled.items())

    @property
    def pool(self) -> tuple[str, ...]:
        """The texts of R."""
        return self.episode.pool

    @property
    def offers_made(self) -> int:
        """The number of texts and passes offered in this round."""
        return self.opened.made

    @property
    def labels_left(self) -> int:
        """The number of the round's labels that no valid offer has taken yet."""
        return max(0, self.batch_size - self.opened.n_valid)

    @property
    def round_is_full(self) -> bool:
        """Whether the round has all its offers and must be closed."""
        return self.opened.made == self.sizes.offers

    @property
    def longest_text(self) -> str:
        """The longest text that the pool may hold."""
        return max(self._corpus.train.texts, key=len)

    def state(self, offers_made: int) -> NDArray[np.float32]:
        """Return the classifier vector after so many offers of this round; see `feature_names`."""
        vector = self._features.copy()
        vector[0] = offers_made / self.sizes.offers
        return vector

    def state_dict(self) -> dict[str, Any]:
        """Return the state between two rounds, as plain data that survives JSON to the bit.

        Raises:
            RuntimeError: In the middle of a round.
        """
        if self.offers_made:
            raise RuntimeError(
                f"The state exists only between rounds; {self.offers_made} of {self.sizes.offers} offers are made."
            )
        return self.episode.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned, after a reset with the same seed, and train M as before.

        Raises:
            ValueError: If another version of signal_env made it.
        """
        self.episode.load_state_dict(state)
        self._fit()
        self._open_round()


def _mean(values: NDArray[Any] | None) -> float | None:
    """Return the mean; None if there are no values."""
    return float(np.mean(values)) if values is not None and len(values) else None
