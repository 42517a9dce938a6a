"""Checkpoints that would read prompts otherwise than they are meant are refused, with what to do."""

import json
import shutil

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from agents.llm import FrozenGenerator
from agents.llm.language_model import LanguageModel
from agents.llm.options import Form
from experiments.parsing import parse
from signal_env.classifiers.pretrained import EMBEDDED, ModelError
from signal_env.config import ConfigError

SHOWN = "Based on the following examples:\nExample 1: a warm film\nNew Example:"
CHAT = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"


@pytest.fixture
def folder(tmp_path):
    """A copy of the embedded generator, and its tokenizer for changes."""
    place = tmp_path / "generator"
    shutil.copytree(EMBEDDED / "generator", place)
    return place, AutoTokenizer.from_pretrained(place)


def load(place, form=None):
    return LanguageModel(str(place), "cpu", "float32", form or Form())


def read(model):
    """Encode a prompt and check its tokens."""
    model.check_prompt(SHOWN, model.encode([SHOWN])[0])


def test_the_embedded_generator_reads_prompts():
    model = load("embedded")
    read(model)
    spelled = model.encode([f"a warm <|endoftext|> film {model.tokenizer.unk_token}"])[0]
    assert max(spelled) < model.vocabulary == model.model.lm_head.out_features


def test_a_tokenizer_that_is_larger_than_the_model(folder):
    place, tokenizer = folder
    tokenizer.add_tokens(["[EXTRA]"])
    tokenizer.save_pretrained(place)
    with pytest.raises(ModelError, match=r"has token ids up to \d+, and the model tokens 0 to \d+"):
        load(place)


def test_end_tokens_out_of_range(folder):
    place, _ = folder
    (place / "generation_config.json").write_text(json.dumps({"eos_token_id": [2, 128009]}))
    with pytest.raises(ModelError, match=r"end tokens of .* include \[128009\]"):
        load(place)


def test_a_generation_config_that_is_not_json(folder):
    place, _ = folder
    (place / "generation_config.json").write_text("{")
    with pytest.raises(ModelError, match=r"generation_config.json of .* cannot be read"):
        load(place)


def test_a_tokenizer_that_ends_prompts(folder):
    place, tokenizer = folder
    end = tokenizer.eos_token
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"$A {end}", special_tokens=[(end, tokenizer.eos_token_id)]
    )
    tokenizer.save_pretrained(place)
    with pytest.raises(ModelError, match=r"ends a prompt with .* set add_eos_token to false"):
        read(load(place))


def test_a_template_that_begins_twice(folder):
    place, tokenizer = folder
    tokenizer.bos_token = tokenizer.convert_ids_to_tokens(5)
    tokenizer.chat_template = "{{ bos_token }}{{ bos_token }}" + CHAT
    tokenizer.save_pretrained(place)
    with pytest.raises(ModelError, match=r"begins a prompt with .* twice"):
        read(load(place))


def test_a_template_that_leaves_the_prompt_out(folder):
    place, tokenizer = folder
    tokenizer.chat_template = "<user><assistant>"
    tokenizer.save_pretrained(place)
    with pytest.raises(ModelError, match=r"keeps \d+% of a prompt's characters"):
        read(load(place))


def test_a_tokenizer_of_another_language(folder):
    place, _ = folder
    words = {word: i for i, word in enumerate(["[UNK]", "[PAD]", "[END]", "Based", "on", "the"])}
    other = Tokenizer(WordLevel(words, unk_token="[UNK]"))
    other.pre_tokenizer = WhitespaceSplit()
    PreTrainedTokenizerFast(
        tokenizer_object=other, unk_token="[UNK]", pad_token="[PAD]", eos_token="[END]"
    ).save_pretrained(place)
    with pytest.raises(ModelError, match=r"keeps \d+% of a prompt's characters"):
        read(load(place))
    with pytest.raises(ModelError, match="the tokenizer that the model was trained with"):
        FrozenGenerator(str(place))([SHOWN])


def test_a_template_that_refuses_the_prompt(folder):
    place, tokenizer = folder
    tokenizer.chat_template = "{{ raise_exception('a system message must come first') }}"
    tokenizer.save_pretrained(place)
    with pytest.raises(ModelError, match=r"a system message must come first. Give prompt_style='continuation'"):
        load(place)
    read(load(place, Form("continuation")))


def test_forms_that_do_not_fit(folder):
    place, tokenizer = folder
    with pytest.raises(ModelError, match="has no chat template: give prompt_style='continuation'"):
        load(place, Form("chat"))
    with pytest.raises(ConfigError, match="template_options are for a chat template"):
        load(place, Form(template_options=(("enable_thinking", False),)))
    with pytest.raises(ConfigError, match="prompt_style must be 'chat', 'continuation' or None; got 'Chat'"):
        load(place, Form("Chat"))
    tokenizer.chat_template = CHAT + "{% if enable_thinking %}<think>{% endif %}"
    tokenizer.save_pretrained(place)
    with pytest.raises(ConfigError, match="has no option 'enable_thinkng'"):
        load(place, Form(template_options=(("enable_thinkng", False),)))


@pytest.mark.parametrize("spelled", ["false", "False", "NO", "off"])
def test_an_option_of_a_template_that_spells_a_truth_value_is_one(folder, spelled):
    place, tokenizer = folder
    tokenizer.chat_template = CHAT + "{% if thinks %}<think>{% endif %}"
    tokenizer.save_pretrained(place)
    command = ["--agent", "generator", "--template-options", "thinks", spelled]
    options = parse(command).agent_options.template_options
    model = load(place, Form(template_options=tuple(options.items())))
    assert model.tokenizer.decode(model.encode(["a warm film"])[0]).endswith("<assistant>")
    assert load(place, Form(template_options=(("thinks", "true"),))).answer.closing == "</think>"


def test_an_option_that_a_template_compares_with_a_text_stays_a_text(folder):
    place, tokenizer = folder
    tokenizer.chat_template = CHAT + "{% if mode == 'off' %}<quiet>{% endif %}"
    tokenizer.save_pretrained(place)
    model = load(place, Form(template_options=(("mode", "off"),)))
    assert model.tokenizer.decode(model.encode(["a warm film"])[0]).endswith("<quiet>")


def test_several_templates_without_a_default(folder):
    place, tokenizer = folder
    tokenizer.chat_template = {"tool_use": CHAT, "rag": CHAT}
    tokenizer.save_pretrained(place)
    with pytest.raises(ModelError, match="has the chat templates rag, tool_use, and no 'default'"):
        load(place)
    read(load(place, Form("continuation")))
