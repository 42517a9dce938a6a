"""Looking for models without loading them."""

import json
import shutil

import pytest

from signal_env.classifiers import checkpoints
from signal_env.classifiers.checkpoints import EMBEDDED, ModelError, base_of, require_checkpoint


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """The cache of a hub that cannot be reached, and a function that puts a file of a model into it."""
    monkeypatch.setattr(checkpoints, "_LOOKED_FOR", {})
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))

    def put(name, file, content):
        place = tmp_path / f"models--{name.replace('/', '--')}"
        commit = "0" * 40
        (place / "snapshots" / commit).mkdir(parents=True, exist_ok=True)
        (place / "refs").mkdir(exist_ok=True)
        (place / "refs" / "main").write_text(commit)
        (place / "snapshots" / commit / file).write_text(json.dumps(content))

    return put


def test_a_failed_look_at_the_hub_is_remembered_for_a_while_only(hub, monkeypatch, tmp_path):
    with pytest.raises(ModelError, match="couldn't connect"):
        require_checkpoint("someone/model")
    hub("someone/model", "config.json", {"model_type": "bert"})
    with pytest.raises(ModelError, match="couldn't connect"):
        require_checkpoint("someone/model")
    monkeypatch.setattr(checkpoints, "FAILURE_SECONDS", 0.0)
    require_checkpoint("someone/model")
    shutil.rmtree(tmp_path / "models--someone--model")
    require_checkpoint("someone/model")  # a success is remembered


def test_an_adapter_of_the_hub_has_no_configuration_of_a_model(hub):
    hub("someone/adapter", "adapter_config.json", {"base_model_name_or_path": "someone/base"})
    require_checkpoint("someone/adapter", "generator")
    assert base_of("someone/adapter") == "someone/base"
    assert base_of("someone/other") is None


@pytest.mark.parametrize("role", ["encoder", "generator"])
def test_a_folder_without_a_tokenizer(role, tmp_path):
    folder = shutil.copytree(EMBEDDED / role, tmp_path / role)
    require_checkpoint(folder, role)
    for file in folder.glob("*token*"):
        file.unlink()
    with pytest.raises(ModelError, match="The folder lacks a tokenizer"):
        require_checkpoint(folder, role)


def test_an_adapters_parts(tmp_path):
    folder, base = tmp_path / "adapter", tmp_path / "base"
    shutil.copytree(EMBEDDED / "generator", base)
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(b"")
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(base)}))
    with pytest.raises(ModelError, match=f"lacks a tokenizer .save that of its base, {base}, in it"):
        require_checkpoint(folder, "generator")
    shutil.copy(base / "tokenizer.json", folder)
    require_checkpoint(folder, "generator")
    shutil.rmtree(base)
    with pytest.raises(ModelError, match=f"an adapter, whose base {base} is missing: No model folder at"):
        require_checkpoint(folder, "generator")


@pytest.mark.parametrize("written", ["{", "[]", "{}", '{"base_model_name_or_path": 3}'])
def test_an_adapter_that_names_no_base(written, tmp_path):
    (tmp_path / "adapter_config.json").write_text(written)
    with pytest.raises(ModelError, match=r"adapter_config.json"):
        require_checkpoint(tmp_path, "generator")
