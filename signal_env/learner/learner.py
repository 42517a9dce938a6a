"""The learner: the state of the paper's Algorithm 1 and its verbs. It knows nothing of Gymnasium.

One round is `offers` times `offer` (lines 1 to 7, for the texts offered), then `close_round` (lines 8 to 10). The
environments are shells over it, so a reward can never depend on whether texts came one at a time or all at once.

What is here is the state of an episode, which every verb reads, and the order of the algorithm's lines. What stands on
its own has a module: prompts (`observation`), what an offer is worth (`judge`, `rewards`), what is known since the last
training (`open_round`), which texts are labeled (`allocation`) and with what labels (`labeling`).
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signal_env.acquisition import Strategy, find_neighbors
from signal_env.annotators import make_annotator
from signal_env.classifiers import make_classifier
from signal_env.classifiers.checked import CheckedClassifier
from signal_env.config import SignalConfig, check
from signal_env.data import load
from signal_env.learner.allocation import NOTHING, Allocated, Allocation
from signal_env.learner.experiment import draw_pool, evaluation_texts, experiment_sizes, task_of
from signal_env.learner.judge import Judge, Looked
from signal_env.learner.labeling import Labeling
from signal_env.learner.observation import Prompts, feature_names, features
from signal_env.learner.open_round import Known, OpenRound
from signal_env.learner.outcomes import Offer, Round
from signal_env.learner.unlabeled import Unlabeled
from signal_env.utils.prediction import Floats, Prediction


class Learner:
    """A pool R, a labeled set L, an unlabeled set U and a classifier M, and what Algorithm 1 does with them.

    Attributes:
        task: The task.
        sizes: Pool, initial, round, offers and budget.
        feature_names: The names of the classifier vector's features.
        pool: The texts of R, since the last reset.
        last_offer: The last offer; once its round is closed, with what the close paid. Empty before the first one.

    Args:
        config: The options of the experiment.

    Raises:
        ValueError: If the options, the task, the data or a name is wrong; the message says what would be right.
    """

    def __init__(self, config: SignalConfig) -> None:
        check(config)
        self.config = config
        self.task = task_of(config)
        self._acquisition = Strategy(config.acquisition)
        self._corpus = load(self.task, config.data_dir)
        self.sizes = experiment_sizes(config)
        self._allocation = Allocation(self._acquisition, config.synthetic_share, self.sizes)
        self._annotate = make_annotator(
            config.annotator, self.task, config.annotator_model, config.annotator_noise, config.device
        )
        classifier = make_classifier(
            config.classifier, self.task, config.encoder, config.device, **config.classifier_options
        )
        self._classifier = CheckedClassifier(classifier, self.task.n_classes)
        for ability in self._acquisition.asks & {"pretrained", "dropout"}:
            self._classifier.require(ability)
        self.feature_names = feature_names(self.task)
        self._judge = Judge(config, self.task, self._classifier, self.feature_names)
        self._evaluation = evaluation_texts(self._corpus.evaluation, config.evaluation_size)
        self.opened: OpenRound
        self._view: Unlabeled | None

    def reset(self, seed: int) -> Round:
        """Draws the pool and the initial labeled set, and trains the classifier on it.

        Raises:
            ClassifierError: If the classifier returns something unusable.
        """
        self._rngs = tuple(map(np.random.default_rng, np.random.SeedSequence(seed).spawn(5)))
        prompt_rng, self._selection_rng, self._training_rng, self._dropout_rng, self._closing_rng = self._rngs
        texts, labels = self._corpus.train
        drawn = draw_pool(len(texts), self.sizes.pool, seed)
        self.pool = tuple(texts[i] for i in drawn)  # R
        gold = {texts[i]: int(labels[i]) for i in drawn}  # hidden, but for those of L
        adaptive = self.config.synthetic_share == "adaptive"
        self._labeling = Labeling(self._annotate, self.task.n_classes, gold, always=adaptive)
        self._allocation.left_over = 0.0
        self._unlabeled = dict.fromkeys(self.pool, True)  # U: each text, and whether it is real
        self._labeled: dict[str, int] = {}  # L: each text and its label
        self._trained: dict[str, int] = {}  # what M was trained on: L, or the initial part of it if M is not retrained
        self._offered: tuple[str, ...] = ()  # the valid texts offered in the episode's earlier rounds
        self._n_synthetic = 0
        self._idle = False  # whether the last round labeled nothing
        self._round = -1
        how = (self.config.n_examples, self.config.prompt_group, self.config.fixed_prompt)
        self._prompts = Prompts(self.task, self.pool, prompt_rng, *how)
        self._judge.reward.reset()
        self.last_offer = Offer.of((), {}, (), ())
        return self._finish_round(list(self.pool[: self.sizes.initial]))

    @property
    def unlabeled(self) -> Unlabeled:
        """U under the current classifier; its labels stay hidden."""
        if self._view is None:
            opened = self.opened.unlabeled
            rows = [Prediction(opened.probabilities, opened.embeddings), *self.opened.entered.values()]
            self._view = self._viewed(Prediction(*(np.concatenate(arrays) for arrays in zip(*rows, strict=True))))
        return self._view

    @property
    def offers_made(self) -> int:
        """The number of texts offered in this round."""
        return self.opened.made

    @property
    def labeled(self) -> tuple[tuple[str, int], ...]:
        """The texts of L with their labels, in the order in which they were labeled."""
        return tuple(self._labeled.items())

    @property
    def finished(self) -> bool:
        """Whether the budget is spent, or nobody has anything left to submit.

        An agent that submits has nothing left when all real texts are labeled, unless it writes: it then goes on until
        a round labels nothing.
        """
        if len(self._labeled) >= self.sizes.budget:
            return True
        no_real = self.config.selection == "submitted" and not any(self._unlabeled.values())
        return no_real and (self._n_synthetic == 0 or self._idle)

    def state(self, offers_made: int) -> NDArray[np.float32]:
        """The classifier vector as it stands after so many offers of this round; see `feature_names`."""
        vector = self._features.copy()
        vector[0] = offers_made / self.sizes.offers
        return vector

    @property
    def longest_text(self) -> str:
        """The longest text that the pool may hold."""
        return max(self._corpus.train.texts, key=len)

    def prompts(self, n: int) -> list[str]:
        """The next n prompts, each with p in-context examples drawn from R (line 1)."""
        return [self._prompts.next() for _ in range(n)]

    def offer(self, texts: Sequence[str], prompts: Sequence[str] = ()) -> Offer:
        """Adds texts to U and scores them under the current classifier (lines 3 to 7 and 12).

        A text that is empty, too long, malformed, unparsable or a duplicate of L, of U or of an earlier offer of the
        round is paid `invalid_reward` and enters nothing. With `selection="submitted"` an unlabeled real text is no
        duplicate: it *is* that instance, the first time it is offered in the round.

        Args:
            texts: The texts.
            prompts: The prompts that they answer, for reward terms that look at them.

        Raises:
            ClassifierError: If the classifier returns something unusable.
            RewardError: If a reward term does.
        """
        states = []
        if self._judge.reward.shaped:  # the state after the round's last text is not known before the close
            last = min(self.offers_made + len(texts), self.sizes.offers - 1)
            states = [self._named_state(i) for i in range(self.offers_made, last + 1)]
        offer, candidates = self._judge.judge(texts, prompts, self._labeled, self._unlabeled, self.opened, states)
        for i, text in enumerate(candidates.texts):
            if text not in self._unlabeled:
                self._unlabeled[text] = False
                self.opened.entered[text] = candidates.prediction.rows([i])
                self._view = None
        self.opened.add(offer, Known(candidates.texts, candidates.prediction))
        self.last_offer = offer
        return offer

    def score(self, texts: Sequence[str], prompts: Sequence[str] = ()) -> Offer:
        """What `offer` would have said of these texts as the round's first; nothing enters U, and nothing changes.

        With it a policy is compared to another one under the same classifier. Potentials pay nothing: nobody steps.
        """
        return self._judge.judge(texts, prompts, self._labeled, self._unlabeled, self.opened)[0]

    def look(self, texts: Sequence[str]) -> Looked:
        """Which texts would be valid if they were offered now, and what the classifier says of those.

        Nothing enters U, and nothing changes.
        """
        return self._judge.look(texts, (), self._labeled, self._unlabeled, self.opened)

    def close_round(self) -> Round:
        """Labels a batch, retrains the classifier on all of L unless it is to stay, and measures it (lines 8 to 10).

        Raises:
            AnnotatorError: If the annotator cannot label a synthetic text.
            ClassifierError: If the classifier returns something unusable.
            ValueError: If the acquisition function does.
        """
        if self.config.selection == "submitted":
            return self._finish_round(list(self.opened.offered.texts[: self.batch_size]))
        self._discard()
        reliability = self._labeling.reliability
        chosen = self._allocation(self.unlabeled, len(self._labeled), reliability, self._selection_rng)
        return self._finish_round([self.unlabeled.texts[i] for i in chosen.indices], chosen)

    def state_dict(self) -> dict[str, Any]:
        """The experiment between two rounds, as plain data that JSON keeps to the bit.

        Raises:
            RuntimeError: In the middle of a round.
        """
        if self.offers_made:
            raise RuntimeError(
                f"The state can be kept between rounds; {self.offers_made} of {self.sizes.offers} offers are made."
            )
        return {
            "round": self._round,
            "labeled": list(self._labeled.items()),
            "trained": list(self._trained.items()),
            "unlabeled": list(self._unlabeled.items()),
            "synthetic": self._n_synthetic,
            "left_over": self._allocation.left_over,
            "labeling": self._labeling.state_dict(),
            "idle": self._idle,
            "offered": list(self._offered),
            "reward": self._judge.reward.state_dict(),
            "prompt": self._prompts.state_dict(),
            "seeds": [self._training_seed, self._dropout_seed],
            "random": [rng.bit_generator.state for rng in self._rngs],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from what `state_dict` returned, after a reset with the same seed: M is trained as it was.

        Raises:
            ValueError: If another version of signal_env kept it.
        """
        if state.keys() != self.state_dict().keys():
            raise ValueError("The state was kept by another version of signal_env; play the episode anew.")
        self._round, self._n_synthetic = state["round"], state["synthetic"]
        self._labeled, self._trained, self._unlabeled = (
            dict(state[name]) for name in ("labeled", "trained", "unlabeled")
        )
        self._allocation.left_over = state["left_over"]
        self._labeling.load_state_dict(state["labeling"])
        self._offered, self._idle = tuple(state["offered"]), state["idle"]
        self._judge.reward.load_state_dict(state["reward"])
        self._prompts.load_state_dict(state["prompt"])
        self._training_seed, self._dropout_seed = state["seeds"]
        for rng, kept in zip(self._rngs, state["random"], strict=True):
            rng.bit_generator.state = kept
        self._fit()
        self._begin_round()

    @property
    def batch_size(self) -> int:
        """How many texts may be labeled at the round's close."""
        n = min(self.sizes.round, self.sizes.budget - len(self._labeled))
        return min(n, self.sizes.offers) if self.config.selection == "submitted" else n

    def _finish_round(self, batch: list[str], chosen: Allocated = NOTHING) -> Round:
        """Lines 9 and 10: moves the batch from U to L, retrains and evaluates; pays what only the close can."""
        labels, agreement = self._labeling(batch)
        synthetic = {text: label for text, label in labels.items() if not self._unlabeled[text]}
        offers = self.opened.offers if self._round >= 0 else []
        seed = int(self._closing_rng.integers(2**31))
        at_close = self._judge.at_close(labels, self._labeled, seed) if offers else {}
        before = self._named_state(self.offers_made - 1) if offers else {}
        self._n_synthetic += len(synthetic)
        self._idle = not batch
        self._labeled |= labels
        for text in batch:
            del self._unlabeled[text]
        if batch:
            self._train()
        self._round += 1
        if offers:
            self._offered = tuple(dict.fromkeys(self._offered + self.opened.offered.texts))
        self._begin_round()
        if offers:
            after = {} if self.finished else self._named_state(0)
            steps = self._judge.reward.of_steps([before, after], 1)
            self.last_offer = offers[-1] = offers[-1].closed(steps, at_close)
        rewards = np.concatenate([np.zeros(0), *(offer.rewards for offer in offers)])
        return Round(
            index=self._round,
            pool=self.sizes.pool,
            budget=self.sizes.budget,
            accuracy=self._accuracy,
            evaluation_size=len(self._evaluation[0]),
            labeled=len(self._labeled),
            unlabeled=len(self._unlabeled),
            selected_real=len(labels) - len(synthetic),
            selected_synthetic=len(synthetic),
            synthetic_share=self._n_synthetic / len(self._labeled),
            synthetic_target=chosen.synthetic_target,
            label_counts=self._count(self._labeled),
            synthetic_label_counts=self._count(synthetic),
            offers=len(rewards),
            invalid_offers=sum(bool(reason) for offer in offers for reason in offer.invalid),
            reward_mean=_mean(rewards),
            score_selected=_mean(chosen.selected),
            score_unlabeled=_mean(chosen.scores),
            annotator_agreement=agreement,
            finished=self.finished,
        )

    def _count(self, labels: dict[str, int]) -> NDArray[np.int64]:
        return np.bincount(np.array(list(labels.values()), dtype=np.int64), minlength=self.task.n_classes)

    def _train(self) -> None:
        """Retrains M on all of L (line 10), unless it is to stay as the initial labels made it."""
        self._dropout_seed = int(self._dropout_rng.integers(2**31))
        if self.config.retrain or not self._trained:
            self._trained = dict(self._labeled)
            self._training_seed = int(self._training_rng.integers(2**31))
            self._fit()

    def _fit(self) -> None:
        """Trains M and measures it."""
        self._labels = np.array(list(self._trained.values()), dtype=np.int64)
        trained = tuple(self._trained)
        self._classifier.fit(trained, self._labels, self._training_seed)
        self._labeled_prediction = self._classifier.predict(trained)
        texts, gold = self._evaluation
        self._accuracy = float((self._classifier.predict(texts).probabilities.argmax(axis=1) == gold).mean())

    def _begin_round(self) -> None:
        """Predicts U under M, and opens a round."""
        unlabeled = self._classifier.predict(tuple(self._unlabeled))
        neighbors = None
        if self._unlabeled:
            neighbors = find_neighbors(
                unlabeled.embeddings,
                self._labeled_prediction.embeddings,
                self.config.n_neighbors,
                self.config.normalize,
            )
        self._features = features(
            self._labeled_prediction,
            self._labels,
            unlabeled,
            neighbors,
            labeled_share=len(self._labeled) / self.sizes.budget,
            synthetic_share=self._n_synthetic / len(self._labeled),
        )
        self._view = view = self._viewed(unlabeled)
        self.opened = OpenRound(
            Known(tuple(self._trained), self._labeled_prediction),
            self._labels,
            view,
            neighbors,
            self.pool,
            self._offered,
            self._classifier.predict,
            self._dropout,
        )

    def _viewed(self, unlabeled: Prediction) -> Unlabeled:
        """U as others may see it."""
        return Unlabeled(
            tuple(self._unlabeled),
            np.array(list(self._unlabeled.values()), dtype=bool),
            unlabeled,
            self._labeled_prediction,
            self.batch_size,
            self.config.n_neighbors,
            self.config.normalize,
            self._classifier.pretrained,
            self._dropout,
        )

    @property
    def _dropout(self) -> Callable[[tuple[str, ...]], Floats]:
        return partial(self._classifier.dropout, n_samples=self.config.dropout_samples, seed=self._dropout_seed)

    def _named_state(self, offers_made: int) -> dict[str, float]:
        return dict(zip(self.feature_names, self.state(offers_made).tolist(), strict=True))

    def _discard(self) -> None:
        """Leaves only the `keep_best` best of the round's synthetic offers in U; what potentials pay does not count."""
        if self.config.keep_best is None:
            return
        rewards: dict[str, float] = {}
        for offer in self.opened.offers:
            merits = offer.rewards_without(self._judge.reward.potentials)
            for text, reward in zip(offer.texts, merits, strict=True):
                if text in self.opened.entered:
                    rewards.setdefault(text, reward)  # its copies were not paid for
        for text in sorted(rewards, key=lambda text: -rewards[text])[self.config.keep_best :]:
            del self._unlabeled[text], self.opened.entered[text]
            self._view = None


def _mean(values: NDArray[Any] | None) -> float:
    """The mean, 0 if there are no values."""
    return float(np.mean(values)) if values is not None and len(values) else 0.0
