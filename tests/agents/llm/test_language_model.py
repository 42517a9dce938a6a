"""The language model: prompts, responses and their log-probabilities."""

import json
import shutil

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from agents.llm.answers import line_ends
from agents.llm.language_model import LanguageModel
from agents.llm.options import Form
from signal_env.classifiers.pretrained import EMBEDDED
from signal_env.config import SignalConfig
from signal_env.learner.learner import Learner

PROMPTS = ["Example 1: a warm film\nNew Example:", "New Example:"]
CHAT = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"


@pytest.fixture(scope="module")
def model():
    return LanguageModel("embedded", "cpu", "float32")


def responses_of(model, tokens):
    """Return the responses to two prompts of a model that writes these tokens, and its last one for ever."""
    calls = iter([*tokens, *[tokens[-1]] * 99])

    class Head(torch.nn.Module):
        """A head under which the next of the tokens is the likeliest by far."""

        def forward(self, hidden):
            logits = torch.zeros(*hidden.shape[:-1], len(model.tokenizer))
            logits[..., next(calls)] = 50.0
            return logits

    head, model.model.lm_head = model.model.lm_head, Head()
    try:
        return model.respond(model.encode(PROMPTS), 0, max_new_tokens=len(tokens) + 3)
    finally:
        model.model.lm_head = head


@pytest.fixture
def folder(tmp_path):
    """A copy of the embedded generator, and its tokenizer for changes."""
    place = tmp_path / "generator"
    shutil.copytree(EMBEDDED / "generator", place)
    return place, AutoTokenizer.from_pretrained(place)


def test_responses_end_with_the_token_that_ends_them(model):
    prompts = model.encode(PROMPTS * 20)
    responses = model.respond(prompts, 0, max_new_tokens=48)
    assert responses == model.respond(prompts, 0, max_new_tokens=48) != model.respond(prompts, 1, max_new_tokens=48)
    stops = {*model.end_tokens, *line_ends(model.tokenizer)}
    for response in responses:
        assert stops.isdisjoint(response[:-1])
        assert response[-1] in stops or len(response) == 48
        assert "\n" not in model.text(response)


def test_the_end_tokens_that_a_checkpoint_names_end_a_text(folder, model):
    place, tokenizer = folder
    other = tokenizer(" film", add_special_tokens=False)["input_ids"][0]
    settings = json.loads((place / "generation_config.json").read_text())
    settings["eos_token_id"] = [other, tokenizer.eos_token_id]
    (place / "generation_config.json").write_text(json.dumps(settings))
    named = LanguageModel(str(place), "cpu", "float32")
    assert named.end_tokens == [tokenizer.eos_token_id, other]
    responses = named.respond(named.encode(PROMPTS * 20), 0, max_new_tokens=48)
    ended = [response for response in responses if response[-1] == other]
    assert ended
    assert all(other not in response[:-1] for response in responses)
    without = [model.text(response[:-1]) for response in ended]
    assert [named.text(response) for response in ended] == without
    (place / "generation_config.json").unlink()
    assert LanguageModel(str(place), "cpu", "float32").end_tokens == [tokenizer.eos_token_id]


def test_an_adapter_has_the_end_tokens_of_its_base(folder, tmp_path):
    peft = pytest.importorskip("peft")
    place, tokenizer = folder
    other = tokenizer(" film", add_special_tokens=False)["input_ids"][0]
    (place / "generation_config.json").write_text(json.dumps({"eos_token_id": [tokenizer.eos_token_id, other]}))
    lora = peft.LoraConfig(task_type="CAUSAL_LM", r=1)
    peft.get_peft_model(AutoModelForCausalLM.from_pretrained(place), lora).save_pretrained(tmp_path / "adapter")
    tokenizer.save_pretrained(tmp_path / "adapter")
    assert LanguageModel(str(tmp_path / "adapter"), "cpu", "float32").end_tokens == [tokenizer.eos_token_id, other]


def test_a_line_end_ends_a_text(model):
    ends = line_ends(model.tokenizer)
    assert all("\n" in model.tokenizer.decode([token]) or "\r" in model.tokenizer.decode([token]) for token in ends)
    assert len(set(model.tokenizer("one\ntwo")["input_ids"]) & set(ends)) == 1
    written = model.tokenizer("a film\nmore")["input_ids"]
    cut = next(i for i, token in enumerate(written) if token in ends) + 1
    assert responses_of(model, written) == [written[:cut]] * 2
    assert model.text(written) == "a film"


@pytest.mark.parametrize(
    "written",
    [
        "\n\na warm film\nmore",
        "<think>\nshort,\n\nwarm\n</think>\n\na warm film\nmore",
        "<think></think> a warm film\n",
    ],
)
def test_empty_lines_and_a_thinking_block_are_no_text(model, written):
    tokens = model.tokenizer(written)["input_ids"]
    (response, _) = responses_of(model, tokens)
    assert response == tokens[: len(response)]
    assert response[-1] in line_ends(model.tokenizer)
    assert model.text(response) == "a warm film"
    assert "more" not in model.tokenizer.decode(response)


def test_a_thinking_block_that_does_not_end_has_no_text(model):
    tokens = model.tokenizer("<think>\na warm film\n")["input_ids"]
    assert model.text(responses_of(model, tokens)[0]) == ""


def test_a_whole_answer_goes_on_to_the_end_token():
    whole = LanguageModel("embedded", "cpu", "float32", Form(answer="whole"))
    end = whole.tokenizer.eos_token_id
    tokens = [*whole.tokenizer("a warm\n\nfilm\nmore")["input_ids"], end]
    assert responses_of(whole, [*tokens, tokens[0]])[0] == tokens
    assert whole.text(tokens) == "a warm film more"


def test_log_probabilities_are_the_models_own_with_any_padding(model):
    prompts = model.encode(PROMPTS)
    responses = model.respond(prompts, 3, max_new_tokens=20)
    log_probabilities, entropies = model.log_probabilities(prompts, responses, temperature=0.7, batch=2)
    for prompt, response, ours, entropy in zip(prompts, responses, log_probabilities, entropies, strict=True):
        with torch.no_grad():
            logits = model.model(torch.tensor([prompt + response])).logits[0, len(prompt) - 1 : -1].double() / 0.7
        p = torch.softmax(logits, -1).numpy()
        assert ours == pytest.approx(np.log(p[range(len(response)), response]), abs=1e-4)
        assert entropy == pytest.approx(-(p * np.log(p)).sum(-1), abs=1e-4)


def test_prompts_go_through_the_chat_template(folder):
    place, tokenizer = folder
    assert LanguageModel(str(place), "cpu", "float32").messages("write one") == "write one"
    tokenizer.chat_template = CHAT
    tokenizer.save_pretrained(place)
    model = LanguageModel(str(place), "cpu", "float32")
    assert model.tokenizer.decode(model.encode(["write one"])[0]) == "<user>write one<assistant>"
    plain = LanguageModel(str(place), "cpu", "float32", Form("continuation"))
    assert plain.messages("write one") == "write one"
    assert plain.tokenizer.decode(plain.encode(["write one"])[0]) == "write one"


def test_a_chat_template_takes_its_options_and_may_open_a_thinking_block(folder):
    place, tokenizer = folder
    tokenizer.chat_template = CHAT + "<think>{% if not thinks %}</think>{% endif %}"
    tokenizer.save_pretrained(place)
    model = LanguageModel(str(place), "cpu", "float32", Form(template_options=(("thinks", False),)))
    assert model.tokenizer.decode(model.encode(["one"])[0]) == "<user>one<assistant><think></think>"
    assert model.text(model.tokenizer("a warm film")["input_ids"]) == "a warm film"
    model = LanguageModel(str(place), "cpu", "float32", Form(template_options=(("thinks", True),)))
    assert model.tokenizer.decode(model.encode(["one"])[0]) == "<user>one<assistant><think>"
    tokens = model.tokenizer("short\n</think>\n\na warm film\nmore")["input_ids"]
    assert model.text(responses_of(model, tokens)[0]) == "a warm film"
    assert model.text(model.tokenizer("short and warm")["input_ids"]) == ""


def test_padding_differs_from_the_end_token(folder):
    place, tokenizer = folder
    assert LanguageModel(str(place), "cpu", "float32").own_padding
    tokenizer.pad_token = None
    tokenizer.save_pretrained(place)
    model = LanguageModel(str(place), "cpu", "float32")
    assert not model.own_padding
    assert model.tokenizer.pad_token_id == model.tokenizer.eos_token_id


def test_a_checkpoints_own_sampling_settings_are_ignored(folder):
    place, _ = folder
    plain = LanguageModel(str(place), "cpu", "float32")
    prompts = plain.encode(PROMPTS)
    expected = plain.respond(prompts, 0, max_new_tokens=16)
    file = place / "generation_config.json"
    habits = {"do_sample": True, "repetition_penalty": 5.0, "top_k": 1}
    file.write_text(json.dumps(json.loads(file.read_text()) | habits))
    assert LanguageModel(str(place), "cpu", "float32").respond(prompts, 0, max_new_tokens=16) == expected


def test_the_context_holds_the_longest_prompt_and_the_response(model):
    learner = Learner(SignalConfig(task="reviews", pool_size=40, classifier="linear", encoder="embedded"))
    learner.reset(seed=0)
    model.check_context(learner, 64)
    with pytest.raises(ValueError, match=r"reads 1024 tokens; the longest prompt has \d+, and a response up to 1000"):
        model.check_context(learner, 1000)


def test_the_logits_of_last_tokens_are_computed_without_copies_of_the_weights():
    model = LanguageModel("embedded", "cpu", "float32")
    model.model.requires_grad_(False)  # as under an adapter
    head = model.model.get_output_embeddings()
    ids = torch.randint(5, model.vocabulary, (3, 6))
    with torch.inference_mode(), torch.profiler.profile(record_shapes=True) as profile:
        kept = model.model(input_ids=ids, logits_to_keep=2).logits
    copied = [event.input_shapes[0] for event in profile.events() if event.name == "aten::copy_"]
    assert [3, 2, head.in_features] in copied
    assert not [shape for shape in copied if head.out_features in shape]
    assert torch.allclose(kept, model.model(input_ids=ids).logits[:, -2:], atol=1e-5)
