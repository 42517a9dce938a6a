"""Annotators: the built-in ones, noise, plug-ins, and error messages."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_env.annotators import AnnotatorError, annotators, make_annotator, noisy
from signal_env.tasks import Task, get_task
from signal_env.utils.registry import UnknownName

MOOD = Task(name="mood", instruction="Write one:", class_names=("bad", "so-so", "good"))
REVIEWS = get_task("reviews")


def by_length(texts):
    """Label each text by its length, in three classes."""
    return np.array([len(text) % 3 for text in texts], dtype=np.int64)


# Gold and the rule.


def test_gold_labels_no_synthetic_text_and_names_annotators_that_do():
    with pytest.raises(
        AnnotatorError, match=r"'gold' labels real texts only, and 'made up' is synthetic.*model.*callable"
    ):
        make_annotator("gold", MOOD)(["made up"])


def test_the_rule_labels_the_reviews_corpus_as_the_corpus_does():
    from signal_env.data import load

    texts, labels = load(REVIEWS).evaluation
    np.testing.assert_array_equal(make_annotator("rule", REVIEWS)(texts), labels)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("a superb film", 1),
        ("a dull film", 0),
        ("a film that is never dull", 1),
        ("the plot is superb but the acting is awful, just awful", 0),
        ("nothing graded here", 0),
        ("", 0),
    ],
)
def test_the_rule_on_texts_anyone_can_judge(text, label):
    assert make_annotator("rule", REVIEWS)([text]).tolist() == [label]


@given(st.lists(st.text(), max_size=5))
def test_the_rule_labels_any_text(texts):
    labels = make_annotator("rule", REVIEWS)(texts)
    assert labels.shape == (len(texts),)
    assert labels.dtype == np.int64
    assert np.isin(labels, [0, 1]).all()


def test_the_rule_belongs_to_the_reviews():
    with pytest.raises(AnnotatorError, match=r"'rule' belongs to the task 'reviews', not 'mood'.*'model'"):
        make_annotator("rule", MOOD)


# The model.


@pytest.fixture
def models(tmp_path):
    """Return a function that saves a tiny BERT which predicts one class for every text."""
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")

    def make(folder, answer, n_classes, names=()):
        names = dict(enumerate(names or [f"LABEL_{i}" for i in range(n_classes)]))
        config = transformers.BertConfig(
            vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8,
            max_position_embeddings=32, id2label=names, label2id={name: i for i, name in names.items()},
        )  # fmt: skip
        model = transformers.BertForSequenceClassification(config)
        with torch.no_grad():
            model.classifier.weight.zero_()
            model.classifier.bias.copy_(torch.arange(n_classes) == answer)
        model.save_pretrained(folder)
        (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\n", encoding="utf-8")
        transformers.BertTokenizerFast(str(tmp_path / "vocab.txt")).save_pretrained(folder)
        return str(folder)

    return make


def test_a_model_s_likeliest_class_is_the_label(models, tmp_path):
    folder = models(tmp_path / "annotator", answer=2, n_classes=3)
    labels = make_annotator("model", MOOD, folder)(["a b", "c", "long " * 100])
    assert labels.tolist() == [2, 2, 2]
    assert labels.dtype == np.int64


def test_the_model_made_for_the_task_is_found(models, tmp_path, monkeypatch):
    monkeypatch.setenv("SIGNAL_ENV_CACHE", str(tmp_path / "cache"))
    models(tmp_path / "cache" / "annotators" / "mood", answer=1, n_classes=3)
    assert make_annotator("model", MOOD)(["a", "b"]).tolist() == [1, 1]


def test_a_model_of_other_classes_is_refused(models, tmp_path):
    folder = models(tmp_path / "annotator", answer=0, n_classes=2)
    with pytest.raises(AnnotatorError, match=r"\['LABEL_0', 'LABEL_1'\]; task 'mood' has \['bad', 'so-so', 'good'\]"):
        make_annotator("model", MOOD, folder)(["a"])


@pytest.mark.parametrize("answer", range(3))
def test_classes_are_known_by_name_whatever_their_order(models, tmp_path, answer):
    folder = models(tmp_path / "annotator", answer, 3, names=["Good", "bad", "so-so"])
    assert make_annotator("model", MOOD, folder)(["a"]).tolist() == [[2, 0, 1][answer]]


@pytest.mark.parametrize(
    "names", [["good", "bad", "neutral"], ["good", "good", "bad"], ["LABEL_1", "LABEL_0", "LABEL_2"]]
)
def test_a_model_of_other_class_names_is_refused_with_both_lists(models, tmp_path, names):
    folder = models(tmp_path / "annotator", 0, 3, names=names)
    with pytest.raises(AnnotatorError) as caught:
        make_annotator("model", MOOD, folder)(["a"])
    assert "['bad', 'so-so', 'good']" in str(caught.value)


def test_a_model_that_was_replaced_is_loaded_again(models, tmp_path):
    folder = tmp_path / "annotator"
    labels = [make_annotator("model", MOOD, models(folder, answer, 3))(["a"]).tolist() for answer in (2, 1)]
    assert labels == [[2], [1]]


def test_a_task_of_the_same_name_with_reversed_classes_reads_the_saved_model_by_name(models, tmp_path, monkeypatch):
    monkeypatch.setenv("SIGNAL_ENV_CACHE", str(tmp_path / "cache"))
    models(tmp_path / "cache" / "annotators" / "mood", answer=0, n_classes=3, names=MOOD.class_names)
    reversed_classes = Task(name="mood", instruction="Write one:", class_names=MOOD.class_names[::-1])
    assert make_annotator("model", MOOD)(["a"]).tolist() == [0]
    assert make_annotator("model", reversed_classes)(["a"]).tolist() == [2]


def test_without_a_model_the_message_names_the_command_that_makes_it(tmp_path, monkeypatch):
    monkeypatch.setenv("SIGNAL_ENV_CACHE", str(tmp_path))
    with pytest.raises(AnnotatorError) as caught:
        make_annotator("model", MOOD)(["a text"])
    message = str(caught.value)
    assert str(tmp_path / "annotators" / "mood") in message
    assert "python -m experiments annotator --task mood" in message
    assert "annotator_model=FOLDER" in message


# Noise.

MANY = [f"text {i}" for i in range(4000)]


@pytest.mark.parametrize("probability", [0.05, 0.3, 0.8])
def test_the_share_of_wrong_labels_is_the_noise(probability):
    wrong = noisy(by_length, probability, n_classes=3)(MANY) != by_length(MANY)
    # Five standard errors of a fraction of 4000.
    assert wrong.mean() == pytest.approx(probability, abs=5 * (probability * (1 - probability) / 4000) ** 0.5)


def test_without_noise_labels_stay_and_with_certain_noise_all_change():
    assert (noisy(by_length, 0.0, n_classes=3)(MANY) == by_length(MANY)).all()
    assert (noisy(by_length, 1.0, n_classes=3)(MANY) != by_length(MANY)).all()


def test_a_wrong_label_is_each_other_class_equally_often():
    shift = (noisy(by_length, 1.0, n_classes=3)(MANY) - by_length(MANY)) % 3
    assert set(shift.tolist()) == {1, 2}
    assert (shift == 1).mean() == pytest.approx(0.5, abs=5 * 0.5 / 4000**0.5)


def test_with_two_classes_the_wrong_label_is_the_other():
    assert noisy(lambda texts: np.zeros(len(texts), int), 1.0, n_classes=2)(MANY).tolist() == [1] * len(MANY)


@given(st.lists(st.text(), max_size=8), st.randoms(use_true_random=False))
def test_a_text_s_noise_is_a_function_of_the_text(texts, random):
    annotator = noisy(by_length, 0.5, n_classes=3)
    labels = dict(zip(texts, annotator(texts), strict=True))
    shuffled = random.sample(texts, len(texts))
    assert [labels[text] for text in shuffled] == annotator(shuffled).tolist()
    assert [labels[text] for text in texts] == [annotator([text])[0] for text in texts]
    assert annotator(texts).tolist() == noisy(by_length, 0.5, n_classes=3)(texts).tolist()


def test_another_seed_makes_other_errors():
    one, same, other = (noisy(by_length, 0.5, n_classes=3, seed=seed)(MANY) for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()


def test_noise_leaves_the_annotator_s_own_array_alone():
    labels = np.zeros(3, dtype=np.int64)
    assert noisy(lambda texts: labels, 1.0, n_classes=2)(["a", "b", "c"]).tolist() == [1, 1, 1]
    assert labels.tolist() == [0, 0, 0]


def test_noise_copes_with_text_that_utf8_cannot_write():
    assert noisy(by_length, 1.0, n_classes=3)(["\ud800"]).shape == (1,)


@pytest.mark.parametrize("noise", [-0.1, 1.1, float("nan"), float("inf")])
def test_noise_is_a_probability(noise):
    with pytest.raises(AnnotatorError, match=f"a probability from 0 to 1; got {noise}"):
        make_annotator(by_length, MOOD, noise=noise)


# Plugging in.


def test_a_callable_is_used_as_it_is_and_may_be_noisy():
    assert make_annotator(by_length, MOOD)(["a", "bb"]).tolist() == list(by_length(["a", "bb"]))
    changed = make_annotator(by_length, MOOD, noise=0.5)(MANY) != by_length(MANY)
    assert changed.mean() == pytest.approx(0.5, abs=5 * 0.5 / 4000**0.5)


def test_a_registered_annotator_is_made_from_task_model_and_device(monkeypatch):
    monkeypatch.setattr(annotators, "_entries", dict(annotators._entries))
    asked = []

    @annotators.register("mine")
    def make(task, model, device):
        asked.append((task, model, device))
        return by_length

    assert make_annotator("mine", MOOD, "some/model", device="cuda")(["ab"]).tolist() == [2]
    assert asked == [(MOOD, "some/model", "cuda")]


def test_an_unknown_annotator_lists_the_known_ones():
    with pytest.raises(UnknownName, match=r"annotator 'golden'.*'gold'.*gold, model, rule"):
        make_annotator("golden", MOOD)


@pytest.mark.parametrize("annotator", [None, 3, ["gold"]])
def test_an_annotator_is_a_name_or_a_callable(annotator):
    with pytest.raises((AnnotatorError, TypeError), match="callable"):
        make_annotator(annotator, MOOD)
