"""Both classifiers: accuracy, reproducibility, and predictions that do not depend on the other texts."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from signal_env.classifiers import Classifier, ClassifierError, Prediction, classifiers, make_classifier
from signal_env.classifiers.checked import CheckedClassifier
from signal_env.data import load
from signal_env.tasks import Task, get_task

REVIEWS = get_task("reviews")
FAST = {"linear": {}, "finetune": {"epochs": 3, "min_steps": 0, "learning_rate": 1e-3}}


@pytest.fixture(scope="module")
def corpus():
    return load(REVIEWS)


def fitted(name, corpus, n=60, seed=0, **options):
    classifier = make_classifier(name, REVIEWS, "embedded", **(FAST[name] | options))
    classifier.fit(corpus.train.texts[:n], corpus.train.labels[:n], seed)
    return classifier


@pytest.mark.parametrize("name", sorted(FAST))
class TestEveryClassifier:
    def test_predictions_have_the_stated_form(self, name, corpus):
        classifier = fitted(name, corpus)
        assert isinstance(classifier, Classifier)
        probabilities, embeddings = classifier.predict(corpus.evaluation.texts[:7])
        assert probabilities.shape == (7, 2)
        assert embeddings.shape == (7, 128)
        assert np.allclose(probabilities.sum(axis=1), 1)

    def test_fitting_again_gives_the_same_classifier(self, name, corpus):
        texts = corpus.evaluation.texts[:20]
        classifier = fitted(name, corpus)
        first = classifier.predict(texts)
        classifier.fit(
            corpus.train.texts[60:70], corpus.train.labels[60:70], seed=5
        )  # Starts from the pretrained weights again.
        assert not np.array_equal(classifier.predict(texts).probabilities, first.probabilities)
        classifier.fit(corpus.train.texts[:60], corpus.train.labels[:60], seed=0)
        again, other = classifier.predict(texts), fitted(name, corpus).predict(texts)
        for prediction in (again, other):
            assert np.array_equal(prediction.probabilities, first.probabilities)
            assert np.array_equal(prediction.embeddings, first.embeddings)

    def test_a_prediction_does_not_depend_on_the_other_texts(self, name, corpus):
        texts = list(corpus.evaluation.texts[20:40])
        together = fitted(name, corpus).predict(texts)
        classifier = fitted(name, corpus)
        for i, text in reversed(list(enumerate(texts))):
            alone = classifier.predict([text])
            assert np.array_equal(alone.probabilities[0], together.probabilities[i])
            assert np.array_equal(alone.embeddings[0], together.embeddings[i])

    def test_torchs_global_random_state_and_threads_are_left_alone(self, name, corpus):
        torch.manual_seed(3)
        before, threads = torch.get_rng_state(), torch.get_num_threads()
        fitted(name, corpus).predict(corpus.evaluation.texts[:5])
        assert torch.equal(torch.get_rng_state(), before)
        assert torch.get_num_threads() == threads

    def test_one_class_and_one_text_are_enough(self, name, corpus):
        classifier = make_classifier(name, REVIEWS, "embedded", **FAST[name])
        classifier.fit(corpus.train.texts[:1], np.array([1]), seed=0)
        probabilities = classifier.predict(["a film", "🙂", "x" * 5000]).probabilities
        assert np.isfinite(probabilities).all()
        assert (probabilities[:, 1] > 0.5).all()

    def test_more_classes(self, name, corpus):
        task = Task(name="three", instruction="Write:", class_names=("a", "b", "c"))
        classifier = make_classifier(name, task, "embedded", **FAST[name])
        classifier.fit(["red", "green", "blue"] * 4, np.array([0, 1, 2] * 4), seed=0)
        assert classifier.predict(["red", "green"]).probabilities.shape == (2, 3)

    def test_an_unknown_option_is_an_error(self, name, corpus):
        with pytest.raises(
            ClassifierError, match=r"no option 'class_wieght'. Did you mean 'class_weight'\?.*max_length"
        ):
            make_classifier(name, REVIEWS, "embedded", class_wieght=None)


@pytest.mark.parametrize("class_weight", ["balanced", None])
def test_the_linear_head_is_scikit_learns_logistic_regression(corpus, class_weight):
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import normalize

    negative, positive = (np.flatnonzero(corpus.train.labels == label) for label in (0, 1))
    uneven = np.concatenate([negative[:150], positive[:30]])
    texts, labels = [corpus.train.texts[i] for i in uneven], corpus.train.labels[uneven]
    classifier = make_classifier("linear", REVIEWS, "embedded", class_weight=class_weight)
    classifier.fit(texts, labels, seed=0)
    x = normalize(classifier.predict(texts).embeddings.astype(np.float64))
    # For two classes scikit-learn has one weight vector, the difference of ours, which halves the penalty.
    peer = LogisticRegression(C=2.0, tol=1e-10, max_iter=10_000, class_weight=class_weight).fit(x, labels)
    new = corpus.evaluation.texts[:100]
    expected = peer.predict_proba(normalize(classifier.predict(new).embeddings.astype(np.float64)))
    assert np.allclose(classifier.predict(new).probabilities, expected, atol=1e-4)


def test_a_class_weight_is_balanced_or_none():
    with pytest.raises(ValueError, match=r"class_weight .*'balanced' or None; got 'even'"):
        make_classifier("linear", REVIEWS, "embedded", class_weight="even")


def test_labels_teach_the_linear_classifier(corpus):
    texts, gold = corpus.evaluation.texts[:1000], corpus.evaluation.labels[:1000]
    few, many = (fitted("linear", corpus, n=n).predict(texts) for n in (20, 500))
    accuracy = [(p.probabilities.argmax(axis=1) == gold).mean() for p in (few, many)]
    assert accuracy[1] > accuracy[0] + 0.05
    assert accuracy[1] > 0.65


def test_a_registered_name_of_a_user():
    @classifiers.register("always_zero")
    def make(task, encoder, device, **options):
        class Zero:
            def fit(self, texts, labels, seed):
                pass

            def predict(self, texts):
                raise NotImplementedError

        return Zero()

    assert isinstance(make_classifier("always_zero", REVIEWS, "embedded"), Classifier)


def test_fields_are_encoded_as_a_pair():
    from signal_env.classifiers.linear import shared_encoder

    task = get_task("qnli")
    text_model = shared_encoder(task, "embedded", "cpu", 128).text_model
    (encoded,) = text_model.encode(["Question: is it good Sentence: it is dull"])
    tokens = text_model.tokenizer.convert_ids_to_tokens(encoded["input_ids"])
    assert tokens.count("[SEP]") == 2
    assert max(encoded["token_type_ids"]) == 1


def test_the_encoder_drops_the_oldest_texts_and_computes_them_again(monkeypatch):
    from signal_env.classifiers import linear

    monkeypatch.setattr(linear, "CACHE_LIMIT", 20)
    encoder = linear.FrozenEncoder(REVIEWS, "embedded", "cpu", 128)
    texts = [f"film number {i}" for i in range(50)]
    first = encoder(texts[:30])  # All of them, although the cache holds fewer.
    run = []
    monkeypatch.setattr(
        encoder.text_model, "run", lambda new, of, f=encoder.text_model.run: run.extend(new) or f(new, of)
    )
    assert np.array_equal(encoder(texts[12:30]), first[12:30])
    assert not run  # The newest texts were cached.
    assert np.array_equal(encoder(texts[:5] + texts[20:25]), np.concatenate([first[:5], first[20:25]]))
    assert run == texts[:5]


def test_cached_texts_are_predicted_by_the_current_head(corpus):
    texts = corpus.evaluation.texts[:100]
    classifier = fitted("linear", corpus)
    first = classifier.predict(texts)
    classifier.fit(corpus.train.texts[100:150], corpus.train.labels[100:150], 0)
    again = classifier.predict(texts)
    assert np.array_equal(again.embeddings, first.embeddings)
    assert not np.array_equal(again.probabilities, first.probabilities)
    assert np.array_equal(again.probabilities, classifier.predict(list(texts)).probabilities)
    assert np.array_equal(classifier.predict(texts[:7]).probabilities, again.probabilities[:7])
    with pytest.raises(ValueError, match="read-only"):
        again.embeddings[0] = 0.0


def test_without_predict_together_texts_are_predicted_and_both_are_checked():
    class Wrong:
        predict_together = None

        def fit(self, texts, labels, seed):
            pass

        def predict(self, texts):
            return Prediction(np.full((len(texts), 2), 0.5), np.ones((len(texts), 1)))

    classifier = Wrong()
    checked = CheckedClassifier(classifier, n_classes=2)
    assert checked.predict_together(["one", "two"]).probabilities.shape == (2, 2)
    classifier.predict_together = lambda texts: Prediction(np.full((1, 2), 0.5), np.ones((1, 1)))
    with pytest.raises(ClassifierError, match="returned probabilities and embeddings"):
        checked.predict_together(["one", "two"])


HALF = np.full((2, 2), 0.5)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, "Own.predict returned NoneType; expected Prediction"),
        (HALF, "Own.predict returned ndarray; expected Prediction"),
        ((HALF, HALF, HALF), "Own.predict returned ndarray, ndarray, ndarray; expected Prediction"),
        ((HALF, csr_matrix(HALF)), "Own.predict returned ndarray, csr_matrix; .* two dense arrays of numbers"),
        ((torch.full((2, 2), 0.5, requires_grad=True), HALF), "returned Tensor, ndarray; .*NumPy reported: .*detach"),
        ((HALF, [[1.0], [1.0, 2.0]]), "returned ndarray, list; .*NumPy reported: "),
        ((HALF, np.ones(2)), r"shapes \(\(2, 2\), \(2,\)\) for 2 texts; expected \(2, 2\) and \(2, d\)\.$"),
        ((np.ones((2, 1)), HALF), "Classes without labels have columns too: give them the probability 0"),
        ((np.full((2, 3), 1 / 3), HALF), r"expected \(2, 2\) and \(2, d\)\.$"),
    ],
)
def test_what_predict_returns_is_named_where_it_is_no_prediction(returned, message):
    class Own:
        def fit(self, texts, labels, seed):
            pass

        def predict(self, texts):
            return returned

    with pytest.raises(ClassifierError, match=message):
        CheckedClassifier(Own(), 2).predict(["one", "two"])


def test_a_plain_pair_and_lists_are_predictions():
    class Own:
        def fit(self, texts, labels, seed):
            pass

        def predict(self, texts):
            return [[0.5, 0.5]] * len(texts), [[1, 2, 3]] * len(texts)

    prediction = CheckedClassifier(Own(), 2).predict(["one", "two"])
    assert isinstance(prediction, Prediction)
    assert [values.shape for values in prediction] == [(2, 2), (2, 3)]


def test_evaluation_texts_are_predicted_together_if_the_classifier_can(corpus):
    class Batched:
        def fit(self, texts, labels, seed):
            pass

        def predict(self, texts):
            return Prediction(np.tile([0.9, 0.1], (len(texts), 1)), np.ones((len(texts), 1)))

        def predict_together(self, texts):
            self.asked = len(texts)
            return Prediction(np.tile([0.1, 0.9], (len(texts), 1)), np.ones((len(texts), 1)))

    classifier = Batched()
    env = gym.make("SignalEnv-reviews-v0", classifier=classifier, pool_size=20, round_size=5)
    _, info = env.reset(seed=0)
    assert classifier.asked == len(corpus.evaluation.texts)
    assert info["round"]["accuracy"] == pytest.approx(corpus.evaluation.labels.mean())
