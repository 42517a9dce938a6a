"""Shared prompts: what the model computes for a prompt once is what it computes for each text."""

import inspect

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import GPT2Config, GPT2LMHeadModel, MambaConfig, MambaForCausalLM

from agents.llm.language_model import LanguageModel
from agents.llm.shared_prompts import share_prompts

PROMPTS = ["a warm film", "Examples: a dull and lifeless piece; a charming one", "x"]


@pytest.fixture
def policy():
    """Return the embedded generator with an adapter that changes its output, its tokens, and the rows of its passes."""
    model = LanguageModel("embedded", "cpu", "float32")
    torch.manual_seed(0)
    adapter = get_peft_model(model.model, LoraConfig(task_type="CAUSAL_LM", r=4, target_modules="all-linear"))
    for name, parameter in adapter.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    return model, adapter


def rows_of(adapter):
    """Return a list that grows by the number of rows of each pass through the embeddings."""
    sizes = []
    adapter.get_input_embeddings().register_forward_hook(lambda module, args, output: sizes.append(len(args[0])))
    return sizes


def plainly(adapter):
    """Take the sharing out again."""
    base = adapter.base_model.model
    del base.__dict__["forward"], base.__dict__["generate"]


def a_pass(model, adapter, prompts):
    """Return the kept logits of responses to prompts, and the gradients of the adapter."""
    ids, mask = model.pad(model.encode(prompts))
    torch.manual_seed(1)
    responses = torch.randint(5, model.vocabulary, (len(prompts), 6))
    ids, mask = torch.cat([ids, responses], 1), torch.cat([mask, torch.ones_like(responses)], 1)
    mask[::3, -2:] = 0
    logits = adapter(input_ids=ids, attention_mask=mask, logits_to_keep=7, use_cache=False).logits
    kept = mask[:, -7:].bool()
    adapter.zero_grad()
    logits[kept].log_softmax(-1)[:, 7].sum().backward()
    return logits[kept].detach(), {n: p.grad.clone() for n, p in adapter.named_parameters() if p.grad is not None}


def test_logits_and_gradients_are_those_of_separate_prompts(policy):
    model, adapter = policy
    sizes = rows_of(adapter)
    prompts = [PROMPTS[i] for i in (0, 1, 0, 2, 1, 0, 2, 2)]  # in no order
    logits, gradients = a_pass(model, adapter, prompts)
    assert sizes == [3, 8]
    plainly(adapter)
    expected, expected_gradients = a_pass(model, adapter, prompts)
    assert sizes == [3, 8, 8]
    assert torch.allclose(logits, expected, atol=2e-4)
    assert gradients.keys() == expected_gradients.keys()
    assert any("lora_A" in name and value.abs().max() > 0.1 for name, value in gradients.items())
    for name, value in gradients.items():
        assert torch.allclose(value, expected_gradients[name], rtol=1e-3, atol=1e-3), name


def test_prompts_that_few_texts_share_are_read_as_they_are(policy):
    model, adapter = policy
    sizes = rows_of(adapter)
    a_pass(model, adapter, [*PROMPTS, PROMPTS[0]])  # three prompts for four texts
    assert sizes == [4]


def test_generation_reads_each_prompt_once_and_draws_from_the_same_distribution(policy):
    model, adapter = policy
    model.model = adapter
    sizes = rows_of(adapter)
    prompts = model.encode([PROMPTS[i] for i in (0, 1, 0, 1, 2, 2)])
    sampling = {"max_new_tokens": 12, "temperature": 1.0, "top_k": 0}
    texts = model.respond(prompts, seed=3, **sampling)
    assert sizes[:2] == [3, 6]
    assert model.respond(prompts, seed=3, **sampling) == texts
    shared, alone = (greedy(adapter, *model.pad(rows)) for rows in (prompts, prompts[:2] + prompts[4:5]))
    assert torch.allclose(shared, alone[:, [0, 1, 0, 1, 2, 2]], atol=2e-4)
    assert sizes[-8:] == [3] * 8  # the second time each is read as it is


def greedy(adapter, ids, mask):
    """Return the logits `(8, n, vocabulary)` from which eight tokens are chosen."""
    inputs = {"input_ids": ids, "attention_mask": mask, "do_sample": False, "max_new_tokens": 8}
    return torch.stack(adapter.generate(**inputs, output_scores=True, return_dict_in_generate=True).scores)


def test_other_calls_and_models_stay_as_they_are():
    model = LanguageModel("embedded", "cpu", "float32").model
    ids = torch.tensor([[7, 8, 9]] * 4)
    with torch.inference_mode():
        expected = model(ids).logits  # no logits_to_keep: all are computed
        assert model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits.shape == expected.shape
        assert torch.equal(model(input_ids=ids).logits, expected)
    assert "logits_to_keep" in inspect.signature(model.forward).parameters  # which TRL looks for
    small = {"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 1}
    recurrent = MambaForCausalLM(MambaConfig(**small, state_size=4))
    share_prompts(recurrent)
    assert "forward" not in recurrent.__dict__


def test_a_model_with_learned_positions_shares_them():
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=40, n_embd=16, n_layer=2, n_head=2, n_positions=32)).eval()
    ids = torch.randint(1, 40, (4, 9))
    ids[:, :6] = torch.tensor([0, 0, 4, 5, 6, 7])
    mask = (ids != 0).long()
    inputs = {"input_ids": ids, "attention_mask": mask, "position_ids": (mask.cumsum(1) - 1).clamp(min=0)}
    with torch.inference_mode():
        expected = model(**inputs, logits_to_keep=3).logits
        share_prompts(model)
        sizes = []
        model.get_input_embeddings().register_forward_hook(lambda module, args, output: sizes.append(len(args[0])))
        assert torch.allclose(model(**inputs, logits_to_keep=3).logits, expected, atol=1e-5)
    assert sizes == [1, 4]
