"""The learner: one round of Algorithm 1 computed by hand, and the checks of a user's own parts."""

import dataclasses
import json

import numpy as np
import pytest
from scipy.special import rel_entr
from sklearn.metrics import f1_score, log_loss

from signal_env import acquisition
from signal_env.acquisition.neighbors import nearest
from signal_env.config import ConfigError, SignalConfig
from signal_env.learner import open_round
from signal_env.learner.learner import Learner
from signal_env.rewards import reward_terms
from signal_env.utils.prediction import Prediction

SMALL = SignalConfig(
    task="reviews",
    pool_size=30,
    round_size=5,
    evaluation_size=50,
    classifier="linear",
    encoder="embedded",
    annotator="rule",
    n_neighbors=3,
)


def small(**options):
    return Learner(dataclasses.replace(SMALL, **options))


class CountingClassifier:
    """A user's own classifier: the embedding is the text's length and vowels, the probabilities a function of both."""

    def __init__(self):
        self.fits = []

    def fit(self, texts, labels, seed):
        self.fits.append((tuple(texts), tuple(int(label) for label in labels), seed))

    def predict(self, texts):
        x = np.array([[len(text), sum(text.count(v) for v in "aeiou")] for text in texts], dtype=float)
        p = 1 / (1 + np.exp(-(x[:, 0] - 40 + len(self.fits)) / 10))
        return Prediction(np.stack([1 - p, p], axis=1), x)


def scores_by_hand(classifier, texts, labeled, k):
    """Compute s_x as the paper's Algorithm 1 does, lines 4 to 7."""
    unlabeled, known = classifier.predict(texts), classifier.predict(labeled)
    scores = []
    for p, x in zip(unlabeled.probabilities, unlabeled.embeddings, strict=True):
        distances = np.sqrt(((known.embeddings - x) ** 2).sum(axis=1))
        nearest = sorted(range(len(labeled)), key=lambda j: (distances[j], j))[:k]
        terms = [rel_entr(p, known.probabilities[j]).sum() / distances[j] if distances[j] else 0.0 for j in nearest]
        scores.append(sum(terms) / k)
    return scores


def test_one_round_is_algorithm_1():
    classifier = CountingClassifier()
    asked = []

    def annotator(texts):
        asked.extend(texts)
        return np.ones(len(texts), dtype=int)

    learner = small(classifier=classifier, annotator=annotator, normalize=False)
    start = learner.reset(seed=0)
    assert start.labeled == len(learner.labeled) == 5
    assert [text for text, _ in learner.labeled] == list(learner.pool[:5])
    assert len(classifier.fits) == 1

    offered = [f"{'long ' * i}text number {i}" for i in range(5)]
    offer = learner.offer(offered)
    labeled = [text for text, _ in learner.labeled]
    unlabeled = [*learner.pool[5:], *offered]
    assert learner.unlabeled.texts == learner.pool[5:]  # as the round opened
    assert learner.opened.offered.texts == tuple(offered)
    assert learner.opened.selectable().texts == tuple(unlabeled)
    scores = scores_by_hand(classifier, unlabeled, labeled, k=3)
    assert offer.rewards.tolist() == pytest.approx(scores[-5:], rel=1e-6)  # line 12, before retraining
    assert len(classifier.fits) == 1

    order = sorted(range(len(unlabeled)), key=lambda i: (-scores[i], i))[:5]
    batch = [unlabeled[i] for i in order]
    closed = learner.close_round()
    assert [text for text, _ in learner.labeled[5:]] == batch  # lines 8 and 9
    assert len(classifier.fits) == 2  # line 10, on all of L
    assert classifier.fits[1][0] == tuple(text for text, _ in learner.labeled)
    synthetic = [text for text in batch if text in offered]
    assert synthetic
    assert closed.selected_synthetic == len(synthetic)
    assert closed.selected_real == 5 - len(synthetic)
    assert closed.score_selected == pytest.approx(np.mean([scores[i] for i in order]))
    assert all(label == 1 for text, label in learner.labeled if text in synthetic)
    gold = dict(zip(*learner._corpus.train, strict=True))
    assert all(label == gold[text] for text, label in learner.labeled if text not in synthetic)
    assert set(learner.unlabeled.texts) == set(unlabeled) - set(batch)
    assert set(asked) <= set(batch)


def test_annotator_agreement_is_measured_on_the_real_texts_of_the_round():
    def zeros(texts):
        return np.zeros(len(texts), dtype=int)

    learner = small(classifier=CountingClassifier(), annotator=zeros, normalize=False)
    learner.reset(seed=0)
    learner.offer([f"{'long ' * i}text number {i}" for i in range(5)])
    closed = learner.close_round()
    gold = dict(zip(*learner._corpus.train, strict=True))
    real = [text for text, _ in learner.labeled[5:] if text in gold]
    assert closed.selected_synthetic
    assert closed.annotator_agreement == pytest.approx(np.mean([gold[text] == 0 for text in real]))


def test_synthetic_texts_that_are_not_selected_stay_for_later_rounds():
    learner = small()
    learner.reset(seed=0)
    learner.offer([f"a film about item {i}" for i in range(5)])
    closed = learner.close_round()
    left = [text for text in learner.unlabeled.texts if text.startswith("a film about item")]
    assert len(left) == 5 - closed.selected_synthetic
    assert closed.unlabeled == 30 + 5 - 10


def test_the_budget_is_never_overspent():
    learner = small(budget=13)
    learner.reset(seed=0)
    sizes = []
    while not learner.finished:
        learner.offer([f"round {len(sizes)} film {i}" for i in range(5)])
        sizes.append(learner.close_round().labeled)
    assert sizes == [10, 13]


def test_submitted_texts_over_the_batch_are_not_labeled():
    learner = small(selection="submitted", offers_per_round=8)
    learner.reset(seed=0)
    texts = learner.unlabeled.texts[:8]
    learner.offer(texts)
    learner.close_round()
    assert [text for text, _ in learner.labeled[5:]] == list(texts[:5])


@pytest.mark.parametrize("selection", ["acquisition", "submitted"])
def test_a_round_of_invalid_texts_adds_no_text(selection):
    classifier = CountingClassifier()
    learner = small(selection=selection, classifier=classifier, keep_best=None, invalid_reward=-1.0)
    before = learner.reset(seed=0)
    offer = learner.offer(["\0"] * 5)
    assert offer.invalid == ("empty",) * 5
    assert offer.rewards.tolist() == [-1.0] * 5
    closed = learner.close_round()
    assert closed.invalid_offers == closed.offers == 5
    assert closed.passes == closed.selected_synthetic == 0
    if selection == "submitted":
        assert (closed.labeled, closed.accuracy) == (before.labeled, before.accuracy)
        assert len(classifier.fits) == 1


def test_passes_are_no_offers_and_earn_nothing():
    learner = small(selection="submitted", invalid_reward=-1.0)
    learner.reset(seed=0)
    chosen = learner.unlabeled.texts[0]
    offer = learner.offer([chosen, "", "  ", chosen, ""])
    assert offer.passed == (False, True, True, False, True)
    assert offer.invalid == ("", "", "", "duplicate", "")
    assert offer.rewards.tolist() == [offer.terms["signal"].raw[0], 0.0, 0.0, -1.0, 0.0]
    closed = learner.close_round()
    assert (closed.offers, closed.invalid_offers, closed.passes) == (2, 1, 3)
    assert closed.reward_mean == pytest.approx((offer.rewards[0] - 1) / 2)
    assert (closed.selected_real, closed.idle_rounds) == (1, 0)
    assert learner.offer([""]).passed == (True,)


def test_where_the_acquisition_function_chooses_the_empty_text_is_no_pass():
    learner = small(invalid_reward=-1.0)
    learner.reset(seed=0)
    offer = learner.offer(["", "a film"])
    assert (offer.passed, offer.invalid) == ((False, False), ("empty", ""))
    assert offer.rewards[0] == -1.0


@pytest.mark.parametrize(
    ("options", "texts"),
    [
        ({"selection": "submitted"}, [""] * 5),
        ({"selection": "submitted"}, ["\0"] * 5),
        ({"keep_best": 0, "pool_size": 10, "budget": 10, "initial_labeled": 9, "round_size": 5}, ["a film"] * 5),
        ({"pool_size": 10}, ["a film"] * 5),
    ],
)
def test_every_episode_ends(options, texts):
    learner = small(max_idle_rounds=3, **options)
    closed = [learner.reset(seed=0)]
    while not learner.finished:
        learner.offer(texts)
        closed.append(learner.close_round())
        assert len(closed) < 20
    if learner.terminated:
        assert closed[-1].end_reason == "the budget is spent"
    else:
        assert [one.idle_rounds for one in closed[-3:]] == [1, 2, 3]
        assert len({one.labeled for one in closed[-3:]}) == 1
        assert closed[-1].end_reason == "3 rounds in a row labeled nothing"
    assert [one.finished for one in closed] == [False] * (len(closed) - 1) + [True]
    assert [one.end_reason for one in closed[:-1]] == [None] * (len(closed) - 1)


def test_per_training_u_is_predicted_and_searched_once(monkeypatch):
    """Count one prediction and one neighbor search of U per training, with agents, terms and the close using them."""
    searched = []

    def counted(queries, points, k):
        searched.append(len(queries))
        return nearest(queries, points, k)

    monkeypatch.setattr(open_round, "nearest", counted)
    classifier = CountingClassifier()
    predicted = []
    predict = classifier.predict

    def counted_predict(texts):
        predicted.append(tuple(texts))
        return predict(texts)

    classifier.predict = counted_predict
    reward = "signal + informativeness + relevance + entropy + diversity"
    learner = small(classifier=classifier, reward=reward, n_neighbors=3)
    learner.reset(seed=0)
    for i in range(3):
        unlabeled = set(learner.unlabeled.texts)
        assert [texts for texts in predicted if unlabeled & {*texts}] == [learner.unlabeled.texts]
        assert searched.count(len(unlabeled)) == 1
        searched.clear()
        for j in range(5):
            learner.offer([f"{'long ' * j}film {i} {j}"])
        assert searched == [1] * 5  # each new text once
        assert len(learner.unlabeled.scores) == len(learner.unlabeled.neighbors.indices) == len(unlabeled)
        assert [texts for texts in predicted if unlabeled & {*texts}] == [learner.unlabeled.texts]
        predicted.clear()
        learner.close_round()
        assert searched[5:] == [len(learner.unlabeled)]


def watched(learner_of, monkeypatch):
    """A learner of a `CountingClassifier`, the texts of its predictions, and the sizes of its neighbor searches."""
    predicted, searched, classifier = [], [], CountingClassifier()
    predict, search = classifier.predict, open_round.nearest
    classifier.predict = lambda texts: predicted.append(tuple(texts)) or predict(texts)
    monkeypatch.setattr(open_round, "nearest", lambda x, y, k: searched.append(len(x)) or search(x, y, k))
    return learner_of(classifier), predicted, searched


@pytest.mark.parametrize("options", [{"retrain": False}, {"selection": "submitted"}])
def test_as_long_as_the_classifier_stays_nothing_is_predicted_or_searched_again(options, monkeypatch):
    learner, predicted, searched = watched(lambda classifier: small(classifier=classifier, **options), monkeypatch)
    learner.reset(seed=0)
    for i in range(3):  # M stays by its option, or because every round is idle
        predicted.clear()
        searched.clear()
        texts = [f"film {i} {j}" for j in range(5)] if options == {"retrain": False} else ["\0"] * 5
        learner.offer(texts)
        learner.close_round()
        expected = [tuple(texts)] if options == {"retrain": False} else []
        assert predicted == expected
        assert searched == [5] * len(expected)
    view = learner.unlabeled
    again = learner._classifier.predict(view.texts)
    assert np.array_equal(view.embeddings, again.embeddings)
    assert view.scores.tolist() == pytest.approx(
        acquisition.signal(*again, view.labeled, n_neighbors=3).tolist(), rel=1e-9
    )


def test_of_r_and_of_earlier_offers_only_what_is_in_neither_u_nor_l_is_predicted(monkeypatch):
    reward = "proximity + novelty"
    learner, predicted, _ = watched(lambda classifier: small(classifier=classifier, reward=reward), monkeypatch)
    learner.reset(seed=0)
    learner.offer([f"{'long ' * j}film 0 {j}" for j in range(5)])
    learner.close_round()
    predicted.clear()
    learner.offer(["one more film"])
    assert predicted == [("one more film",)]
    known = learner._classifier.predict(learner.pool)
    assert np.array_equal(learner.opened.pool.embeddings, known.embeddings)


def test_scoring_starts_from_the_rounds_first_running_statistics():
    learner = small(reward="normalize(length)", offers_per_round=10)
    learner.reset(seed=0)
    probe = ["one", "one two three", "one two"]
    before = learner.score(probe).rewards.tolist()
    learner.offer(["a b c d e", "a b"])
    assert learner.score(probe).rewards.tolist() == before
    plain = small(reward="normalize(length)", offers_per_round=10)
    plain.reset(seed=0)
    plain.offer(["a b c d e", "a b"])
    assert learner.offer(probe).rewards.tolist() == plain.offer(probe).rewards.tolist()


def test_a_state_of_another_seed_is_refused():
    learner, other = small(), small()
    learner.reset(seed=0)
    other.reset(seed=1)
    with pytest.raises(ValueError, match="of the seed 0; this one has 1"):
        other.load_state_dict(learner.state_dict())


def test_before_a_reset_no_round_is_open():
    with pytest.raises(RuntimeError, match="call reset first"):
        small().offer(["a film"])


def test_a_submitted_text_of_u_is_neither_predicted_nor_searched_again(monkeypatch):
    classifier = CountingClassifier()
    learner = small(selection="submitted", classifier=classifier)
    learner.reset(seed=0)
    monkeypatch.setattr(open_round, "nearest", lambda *_: pytest.fail("searched again"))
    monkeypatch.setattr(classifier, "predict", lambda texts: pytest.fail("predicted again"))
    offer = learner.offer(learner.unlabeled.texts[3:6])
    assert offer.rewards.tolist() == learner.unlabeled.scores[3:6].tolist()


def test_without_real_texts_an_agent_that_writes_goes_on_until_a_round_labels_nothing():
    learner = small(selection="submitted", pool_size=10, budget=30)
    learner.reset(seed=0)
    learner.offer([*learner.unlabeled.texts[:4], "film 0"])
    assert not learner.close_round().finished
    learner.offer([*learner.unlabeled.texts, "", "", "", ""])  # the last real text, and passes
    assert not learner.close_round().finished
    learner.offer(["film 1", "", "", "", ""])
    closed = learner.close_round()
    assert (closed.unlabeled, closed.labeled, closed.finished) == (0, 12, False)
    learner.offer(["film 1"] * 5)
    assert learner.close_round().finished
    again = small(selection="submitted", pool_size=10, budget=30)
    again.reset(seed=0)
    again.load_state_dict(json.loads(json.dumps(learner.state_dict())))
    assert again.finished


def test_without_real_texts_an_agent_that_does_not_write_is_at_its_end():
    learner = small(selection="submitted", pool_size=10, budget=30)
    learner.reset(seed=0)
    learner.offer(learner.unlabeled.texts)
    closed = learner.close_round()
    assert (closed.labeled, closed.finished) == (10, True)


def test_evaluation_size_is_recorded_and_the_same_for_every_seed():
    learner = small(evaluation_size=7)
    assert learner.reset(seed=0).evaluation_size == 7
    texts = learner._evaluation[0]
    assert learner.reset(seed=1).evaluation_size == 7
    assert learner._evaluation[0] == texts


def test_gold_labels_real_texts_only():
    learner = small(annotator="gold", selection="submitted")
    learner.reset(seed=0)
    learner.offer(["a synthetic film", "", "", "", ""])
    with pytest.raises(ValueError, match="labels real texts only"):
        learner.close_round()


def test_accuracy_equals_a_count_over_the_evaluation_split():
    learner = small()
    closed = learner.reset(seed=3)
    texts, gold = learner._evaluation
    predicted = learner._classifier.predict(texts).probabilities.argmax(axis=1)
    assert closed.accuracy == np.mean([p == g for p, g in zip(predicted, gold, strict=True)])


def test_macro_f1_and_likelihood_are_those_of_scikit_learn():
    learner = small()
    learner.reset(seed=3)
    texts, gold = learner._evaluation
    for _ in range(2):
        closed = learner.close_round()
        probabilities = learner._classifier.predict(texts).probabilities.astype(np.float64)
        expected = f1_score(gold, probabilities.argmax(axis=1), average="macro")
        assert closed.macro_f1 == pytest.approx(expected, abs=1e-12)
        assert closed.nll == pytest.approx(log_loss(gold, probabilities), rel=1e-6)


class Broken(CountingClassifier):
    """A classifier whose predictions a function spoils."""

    def __init__(self, spoil):
        super().__init__()
        self.spoil = spoil

    def predict(self, texts):
        return self.spoil(super().predict(texts))


def one_nan(prediction):
    prediction.embeddings[1, 0] = np.nan
    return prediction


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (one_nan, "embeddings of the text .* are not finite"),
        (lambda p: Prediction(p.probabilities[:, :1], p.embeddings), "expected .*2.* and"),
        (lambda p: Prediction(p.probabilities, p.embeddings[1:]), "embeddings of the shapes"),
        (
            lambda p: Prediction(np.log(p.probabilities + 1e-9), p.embeddings),
            "probabilities of the text .* from 0 to 1",
        ),
        (lambda p: Prediction(p.probabilities / 2, p.embeddings), "probabilities of the text .* sum to 1"),
    ],
)
def test_a_classifier_that_returns_the_unusable_is_named(spoil, message):
    with pytest.raises(ValueError, match=message):
        small(classifier=Broken(spoil)).reset(seed=0)


@pytest.mark.parametrize("labels", [[2] * 5, [0.5] * 5, [0] * 4, None])
def test_an_annotator_that_returns_the_unusable_is_named(labels):
    def annotator(texts):
        return [labels[0]] * len(texts) if labels is not None and len(labels) == 5 else labels

    learner = small(annotator=annotator, selection="submitted")
    learner.reset(seed=0)
    learner.offer([f"synthetic {i}" for i in range(5)])
    with pytest.raises(ValueError, match="The annotator 'annotator' returned"):
        learner.close_round()


def test_an_object_that_is_no_classifier_is_refused():
    for wrong in (object(), CountingClassifier):  # the class in place of an object
        with pytest.raises(TypeError, match="fit and predict"):
            small(classifier=wrong)


def test_a_users_acquisition_function_and_its_checks():
    def shortest(embeddings):
        return -embeddings[:, 0]

    learner = small(classifier=CountingClassifier(), acquisition=shortest)
    learner.reset(seed=0)
    expected = sorted(learner.unlabeled.texts, key=len)[:5]
    learner.close_round()
    assert sorted(len(text) for text, _ in learner.labeled[5:]) == [len(text) for text in expected]
    learner = small(acquisition=lambda embeddings, labeled, **_: np.full(3, np.nan))
    learner.reset(seed=0)
    with pytest.raises(ValueError, match="The acquisition function"):
        learner.close_round()


def test_prompts_do_not_depend_on_how_many_are_asked_for():
    one, many = small(), small()
    one.reset(seed=2)
    many.reset(seed=2)
    assert [one.prompts(1)[0] for _ in range(6)] == many.prompts(4) + many.prompts(2)


def test_a_real_text_of_any_length_can_be_submitted():
    learner = small(selection="submitted", max_text_length=5)
    learner.reset(seed=0)
    offer = learner.offer(learner.unlabeled.texts[:5])
    assert offer.invalid == ("",) * 5
    assert learner.close_round().labeled == 10
    assert learner.offer(["a synthetic text"]).invalid == ("too long",)


def test_many_terms_add_up_to_the_same_bits_alone_and_together():
    def term(weight):
        return lambda texts: [weight / len(text) for text in texts]

    for i in range(12):
        if f"twelfth_{i}" not in reward_terms:
            reward_terms.register(f"twelfth_{i}")(term(0.1 * (i + 1)))
    texts = [f"{'very ' * i}long film" for i in range(5)]
    one, many = (small(reward={f"twelfth_{i}": 1.0 / (i + 1) for i in range(12)}) for _ in range(2))
    one.reset(seed=0)
    many.reset(seed=0)
    assert [one.offer([text]).rewards[0] for text in texts] == many.offer(texts).rewards.tolist()


def test_copies_in_another_written_form_are_duplicates(data_dir):
    learner = Learner(dataclasses.replace(SMALL, task="qnli", data_dir=data_dir, annotator="gold"))
    learner.reset(seed=0)
    forms = ["Question: who  is it? Sentence: me", "Question: who is it? Sentence:  me"]
    assert learner.offer(forms).invalid == ("", "duplicate")


TEXTS = ["a warm film", "a cold film", "a warm film", "", "an odd little film about time"]


def test_scoring_returns_the_result_of_an_offer_and_changes_nothing():
    scoring, plain = small(offers_per_round=10), small(offers_per_round=10)
    for learner in (scoring, plain):
        learner.reset(seed=0)
    known = [scoring.pool[0], scoring.pool[-1], *TEXTS]
    before = scoring.score(known)
    assert before.invalid == ("duplicate", "duplicate", "", "", "duplicate", "empty", "")
    for learner in (scoring, plain):
        offer = learner.offer(TEXTS)
    for texts, kept in ((known, before), (TEXTS, offer)):
        again = scoring.score(texts)  # the round's own offers do not make duplicates
        assert again.invalid == kept.invalid
        assert again.rewards.tolist() == kept.rewards.tolist()
    assert scoring.offers_made == plain.offers_made == 5
    assert scoring.unlabeled.texts == plain.unlabeled.texts
    ends = []
    for learner in (scoring, plain):
        learner.offer([f"another film, number {i}" for i in range(5)])
        ends.append((learner.close_round(), learner.prompts(3)))
    assert str(ends[0]) == str(ends[1])
    left = [text for text in TEXTS if text in scoring.unlabeled.texts]
    assert scoring.score(left).invalid == ("duplicate",) * len(left)  # but those of earlier rounds do


def test_without_retraining_the_reward_stays_the_same():
    learner = small(retrain=False, n_neighbors=10)
    start = learner.reset(seed=0)
    probe = ["a film that never tires", "dull beyond words"]
    expected = learner.score(probe)
    offered = iter(range(100))
    for _ in range(3):
        learner.offer([f"film number {next(offered)} is warm" for _ in range(5)])
        closed = learner.close_round()
        assert learner.score(probe).rewards.tolist() == expected.rewards.tolist()
        assert closed.accuracy == start.accuracy
    assert closed.labeled == 20 == len(learner.labeled)
    learner = small(n_neighbors=10)
    learner.reset(seed=0)
    learner.offer([f"film number {i} is warm" for i in range(5)])
    learner.close_round()
    assert learner.score(probe).rewards.tolist() != expected.rewards.tolist()


def test_a_fixed_prompt_is_the_first_one_for_good():
    fixed, drawn = small(fixed_prompt=True), small()
    fixed.reset(seed=0)
    drawn.reset(seed=0)
    shown = [learner.prompts(3) for learner in (fixed, drawn)]
    assert shown[0] == [shown[1][0]] * 3
    fixed.offer([f"a film with {i} scenes" for i in range(fixed.sizes.offers)])
    fixed.close_round()
    assert fixed.prompts(2) == shown[0][:2]
    with pytest.raises(ConfigError, match="fixed_prompt must be True or False; got 1"):
        small(fixed_prompt=1)


def test_prompts_come_in_groups_however_many_are_asked_for():
    one, many, single = small(prompt_group=5, offers_per_round=10), small(prompt_group=5, offers_per_round=10), small()
    for learner in (one, many, single):
        learner.reset(seed=2)
    prompts = [one.prompts(1)[0] for _ in range(15)]
    assert prompts == many.prompts(4) + many.prompts(11)
    assert prompts == [prompt for prompt in single.prompts(3) for _ in range(5)]


def test_keep_best_leaves_the_best_offers_in_u():
    every, best = small(offers_per_round=10), small(offers_per_round=10, keep_best=3)
    offered = [f"{'very ' * (i % 4)}odd film, number {i}" for i in range(9)] + ["odd film, number 0"]
    for learner in (every, best):
        learner.reset(seed=0)
        offer = learner.offer(offered)
        real = [text for text in learner.unlabeled.texts if text not in offered]
        learner.close_round()
    left = {text for text, _ in best.labeled} | set(best.unlabeled.texts)
    ranked = sorted(range(9), key=lambda i: (-offer.rewards[i], i))
    assert left & set(offered) == {offered[i] for i in ranked[:3]}
    assert set(real) <= left
    assert set(offered) <= {text for text, _ in every.labeled} | set(every.unlabeled.texts)
    rows = best.unlabeled
    assert np.array_equal(rows.probabilities, best._classifier.predict(rows.texts).probabilities)
    assert best.offer([offered[ranked[-1]]]).invalid == ("",)  # a discarded text may be offered again


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"retrain": False},
        {"prompt_group": 5},
        {"acquisition": "badge"},
        {"acquisition": "badge", "synthetic_share": 0.3},
        {"synthetic_share": "adaptive"},
    ],
)
def test_an_experiment_goes_on_from_its_state_to_the_bit(options):
    def play(learner, n):
        rounds = []
        for _ in range(n):
            shown = learner.prompts(5)
            offer = learner.offer([f"{text[-20:]} film {len(learner.labeled)} {j}" for j, text in enumerate(shown)])
            rounds.append((shown, offer.rewards.tolist(), str(learner.close_round()), learner.state(0).tolist()))
        return rounds

    whole, begun, later = (small(**options) for _ in range(3))
    for learner in (whole, begun, later):
        learner.reset(seed=4)
    expected = play(whole, 4)
    first = play(begun, 2)
    later.load_state_dict(json.loads(json.dumps(begun.state_dict())))
    assert first + play(later, 2) == expected
    begun.offer(["a film"])
    with pytest.raises(RuntimeError, match="1 of 5 offers are made"):
        begun.state_dict()


def test_the_annotators_labels_of_synthetic_texts_are_counted():
    learner = small(annotator=lambda texts: np.ones(len(texts), dtype=int), offers_per_round=20)
    assert learner.reset(seed=0).synthetic_label_counts.tolist() == [0, 0]
    learner.offer([f"film number {i} is {'dull' * i}" for i in range(20)])
    closed = learner.close_round()
    assert closed.selected_synthetic > 0
    assert closed.synthetic_label_counts.tolist() == [0, closed.selected_synthetic]


def rounds_of(learner, seed=0):
    """Play an episode of fixed texts; return its rounds, with the texts of each batch and of U before it."""
    closed = [(learner.reset(seed), [], None)]
    while not learner.finished:
        n = len(learner.labeled)
        learner.offer([f"a film of {n + i} {'fine' if i % 2 else 'dull'} parts" for i in range(learner.sizes.offers)])
        unlabeled = learner.opened.selectable()
        closed.append((learner.close_round(), [text for text, _ in learner.labeled[n:]], unlabeled))
    return closed


@pytest.mark.parametrize("acquisition", ["signal", "badge"])
def test_a_linear_share_goes_from_real_to_synthetic_texts(acquisition):
    learner = small(synthetic_share="linear", acquisition=acquisition, offers_per_round=10)
    rounds = [closed for closed, _, _ in rounds_of(learner)]
    targets = [closed.synthetic_target for closed in rounds]
    assert targets[0] is None  # the initial labels
    assert targets[1:] == pytest.approx([i / 11 for i in range(11)])  # 55 labels, 5 a round
    expected, left_over, real_left = [], 0.0, 25
    for target in targets[1:]:
        n = round(5 * target + left_over)
        left_over += 5 * target - n
        n = max(n, 5 - real_left)  # the last real texts are labeled before the budget is spent
        real_left -= 5 - n
        expected.append(n)
    assert [closed.selected_synthetic for closed in rounds[1:]] == expected
    assert [closed.selected_real for closed in rounds[1:]] == [5 - n for n in expected]
    assert (expected[0], expected[-1], sum(expected)) == (0, 5, 30)


def test_a_share_labels_the_best_of_each_kind_by_the_rounds_scores():
    for closed, batch, unlabeled in rounds_of(small(synthetic_share=0.4, normalize=False))[1:5]:
        scores = dict(zip(unlabeled.texts, signal_by_hand(unlabeled, k=3), strict=True))
        real = dict(zip(unlabeled.texts, unlabeled.real.tolist(), strict=True))
        for kind, n in ((True, 3), (False, 2)):
            of_kind = [text for text in unlabeled.texts if real[text] == kind]
            best = sorted(of_kind, key=lambda text: -scores[text])[:n]
            assert [text for text in batch if real[text] == kind] == best
        assert (closed.selected_real, closed.selected_synthetic, closed.synthetic_target) == (3, 2, 0.4)
        assert closed.score_selected == pytest.approx(np.mean([scores[text] for text in batch]))
        assert closed.score_unlabeled == pytest.approx(np.mean(list(scores.values())))


def signal_by_hand(unlabeled, k):
    scores = []
    for p, x in zip(unlabeled.probabilities, unlabeled.embeddings, strict=True):
        distances = np.sqrt(((unlabeled.labeled.embeddings - x).astype(float) ** 2).sum(axis=1))
        nearest = np.argsort(distances, kind="stable")[:k]
        contrasts = [rel_entr(p, unlabeled.labeled.probabilities[j]).sum() / distances[j] for j in nearest]
        scores.append(np.mean(contrasts))
    return scores


def test_an_adaptive_share_falls_with_the_annotators_noise():
    targets = {}
    for noise in (0.0, 0.3, 1.0):
        rounds = rounds_of(small(synthetic_share="adaptive", annotator_noise=noise, offers_per_round=10))
        targets[noise] = [closed.synthetic_target for closed, _, _ in rounds[1:]]
        assert targets[noise] == [closed.selected_synthetic / 5 for closed, _, _ in rounds[1:]]
    assert targets[1.0] == [0.0] * 5 + [1.0] * 6  # real texts until none is left
    means = {noise: np.mean(of_noise[:5]) for noise, of_noise in targets.items()}
    assert means[0.0] > means[0.3] >= means[1.0]


def test_an_adaptive_share_asks_about_every_real_text_that_is_labeled():
    asked = []

    def annotator(texts):
        asked.extend(texts)
        return np.zeros(len(texts), dtype=int)

    learner = small(synthetic_share="adaptive", annotator=annotator)
    for closed, _, _ in rounds_of(learner):
        gold = dict(zip(*learner._corpus.train, strict=True))
        assert (closed.annotator_agreement is None) == (closed.selected_real == 0)
    assert sorted(asked) == sorted(text for text, _ in learner.labeled)
    labels = [gold[text] for text in learner.pool]
    kappa = max(0.0, ((labels.count(0) + 1) / (30 + 2) - 0.5) / 0.5)
    assert learner.episode.labeling.reliability == pytest.approx(kappa**2)


def test_an_adaptive_share_of_a_batch_chosen_as_a_whole_is_refused():
    with pytest.raises(ValueError, match="'coreset' chooses a batch as a whole"):
        small(synthetic_share="adaptive", acquisition="coreset")
