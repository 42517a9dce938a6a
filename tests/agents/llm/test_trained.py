"""Agents that learn to write: the tokens that get credit, learning, and resuming."""

import json
import shutil
import sys
import threading
from contextlib import closing
from functools import cache

import gymnasium as gym
import numpy as np
import pytest
import torch
from scipy.special import rel_entr
from transformers import AutoModelForCausalLM, AutoTokenizer

from agents.agent import get_agent
from agents.llm import GRPOAgent, PPOAgent, RLOOAgent
from agents.llm.language_model import LanguageModel
from agents.rollout import rollout, state_of
from experiments.checkpoint import load_checkpoint, save_checkpoint
from signal_env.classifiers.checkpoints import require_checkpoint
from signal_env.classifiers.pretrained import EMBEDDED, ModelError
from signal_env.config import SignalConfig
from signal_env.rewards import RewardError
from signal_env.utils.answers import Answer
from signal_env.utils.extras import MissingExtra

REVIEWS = "SignalEnv-reviews-v0"
TRAINED = [PPOAgent, RLOOAgent, GRPOAgent]
SMALL = {"pool_size": 40, "round_size": 8, "offers_per_round": 16, "evaluation_size": 40, "budget": 24}
QUICK = {"max_new_tokens": 10, "mini_batches": 2, "lora_rank": 4}


def make(agent_class, num_envs=8, **options):
    options = {**SMALL, "prompt_group": 4 if "prompt_group" in agent_class.env_options else 1, **options}
    return gym.make_vec(REVIEWS, num_envs=num_envs, **options)


def told(steps):
    """Return the values of steps that can be compared: all but speeds."""
    return [
        (list(step.texts), step.rewards.tolist(), {k: v for k, v in step.metrics.items() if "speed" not in k})
        for step in steps
    ]


def without_time(steps):
    return [
        (texts, rewards, {k: v for k, v in metrics.items() if not k.startswith("trainer/")})
        for texts, rewards, metrics in told(steps)
    ]


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    yield
    assert "signal_env.trainer" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize("agent_class", TRAINED)
def test_the_trainer_credits_exactly_the_environments_rewards(agent_class, monkeypatch):
    """In every batch the texts offered are those of the credited tokens, and the trainer's rewards the scaled ones."""
    agent, envs = agent_class(**QUICK), make(agent_class)
    exchanged = []
    from agents.llm.exchange import Exchange

    original = Exchange.rewards

    def spy(self, responses):
        rewards = original(self, responses)
        exchanged.append((responses, rewards))
        return rewards

    monkeypatch.setattr(Exchange, "rewards", spy)
    steps = list(rollout(envs, agent, seed=1))[1:]
    assert len(exchanged) == len(steps) == 4
    raw = []
    for step, (responses, rewards) in zip(steps, exchanged, strict=True):
        decode = agent._model.tokenizer.decode
        assert list(step.texts) == [Answer().text(decode(tokens, skip_special_tokens=True)) for tokens in responses]
        raw += step.rewards.tolist()
        assert rewards == pytest.approx(step.rewards / np.std(raw))
    last = steps[-1].metrics
    if agent_class is PPOAgent:  # the trainer's own log of the round's two updates
        credited = np.mean([rewards.mean() for _, rewards in exchanged[-2:]])
        assert last["trainer/objective/scores"] == pytest.approx(credited, rel=1e-5)
        assert steps[1].metrics["trainer/objective/kl"] != 0.0
    else:
        credited = np.mean([rewards.mean() for _, rewards in exchanged[-2:]])
        assert last["trainer/reward"] == pytest.approx(credited, rel=1e-4)


@pytest.fixture(scope="module")
def trained():
    """Return a function from a class to an agent at the end of its episode, its first weights and its metrics."""

    def train(agent_class):
        agent, envs = agent_class(**QUICK, learning_rate=1e-2), make(agent_class)
        steps = rollout(envs, agent, seed=0)
        next(steps)
        before = {name: value.detach().clone() for name, value in agent._policy.named_parameters()}
        return agent, before, [step.metrics for step in steps if step.metrics]

    return cache(train)


@pytest.mark.parametrize("agent_class", TRAINED)
def test_learning_changes_the_adapter_and_not_the_base(agent_class, trained):
    agent, before, metrics = trained(agent_class)
    changed = {name for name, value in agent._policy.named_parameters() if not torch.equal(value, before[name])}
    assert changed
    assert all("lora_" in name for name in changed)
    untouched = AutoModelForCausalLM.from_pretrained(EMBEDDED / "generator", dtype=torch.float32)
    prompt = torch.tensor([[5, 6, 7, 8]])
    with agent._policy.disable_adapter(), torch.no_grad():
        assert torch.equal(agent._policy(prompt).logits, untouched(prompt).logits)
    assert metrics[0]["policy/kl"] < metrics[-1]["policy/kl"]
    assert all(np.isfinite(value) for value in metrics[-1].values())


def test_the_lift_is_the_reward_over_the_references_on_the_same_prompts(monkeypatch):
    agent, envs = PPOAgent(**QUICK), make(PPOAgent, budget=16)
    learner = envs.unwrapped.learner
    scored = []
    original = type(learner).score

    def spy(self, texts, prompts):
        offer = original(self, texts, prompts)
        scored.append((texts, offer.rewards))
        return offer

    monkeypatch.setattr(type(learner), "score", spy)
    steps = list(rollout(envs, agent, seed=0))
    (texts, policy), (written, reference) = scored[:2]
    assert list(texts) == [*steps[1].texts, *steps[2].texts]
    assert policy == pytest.approx(np.concatenate([steps[1].rewards, steps[2].rewards]))  # the rewards of the steps
    metrics = steps[2].metrics
    assert metrics["lift/mean"] == pytest.approx(np.mean(policy - reference))
    assert metrics["lift/policy"] == pytest.approx(np.mean(policy))
    assert metrics["lift/reference"] == pytest.approx(np.mean(reference))
    assert len(written) == 16
    assert set(written).isdisjoint(texts)


@pytest.fixture(scope="module")
def whole():
    """Return a function from a class to the steps of its episode of seed 5, which is played once."""
    return cache(lambda agent_class: list(rollout(make(agent_class), agent_class(**QUICK), seed=5)))


@pytest.mark.parametrize("agent_class", TRAINED)
def test_an_episode_goes_on_from_its_state(agent_class, whole, tmp_path):
    agent, envs = agent_class(**QUICK), make(agent_class)
    half = []
    for step in rollout(envs, agent, seed=5):
        half.append(step)
        if step.round is not None and step.round["index"] == 1:
            save_checkpoint(tmp_path, 1, state_of(envs, agent))
            break
    agent.close()
    np.random.random(7)  # noqa: NPY002 (whatever happens in between)
    torch.rand(3)
    rest = list(rollout(make(agent_class), agent_class(**QUICK), seed=5, state=load_checkpoint(tmp_path)))
    assert without_time(half + rest) == without_time(whole(agent_class))
    assert len(rest) == 2


def test_an_episode_repeats_and_leaves_the_users_random_numbers_alone(whole):
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    first = torch.rand(1)
    one = list(rollout(make(PPOAgent), PPOAgent(**QUICK), seed=5))
    assert torch.equal(torch.cat([first, torch.rand(1)]), expected)
    torch.manual_seed(99)
    assert without_time(one) == without_time(whole(PPOAgent))


@pytest.mark.parametrize("agent_class", TRAINED)
def test_a_policy_learns_a_reward_with_a_known_optimum(agent_class):
    """A text with a certain first word earns 1, others 0; the frozen generator begins one text of six with it."""

    def begins_with_this(texts):
        return [float(text.startswith("this ")) for text in texts]

    options = {"offers_per_round": 32, "round_size": 1, "initial_labeled": 8, "n_examples": 0, "retrain": False}
    envs = make(agent_class, num_envs=32, reward=begins_with_this, **options)
    mini_batches = 1 if agent_class is RLOOAgent else 2  # RLOO clips the ratio of whole texts
    agent = agent_class(max_new_tokens=8, kl_coef=0.0, learning_rate=2e-3, mini_batches=mini_batches, lift_texts=0)
    rewards = []
    with closing(rollout(envs, agent, seed=0)) as steps:
        for step in steps:
            rewards += [step.metrics["reward/mean"]] if step.metrics else []
            if rewards and rewards[-1] > 0.9:
                break
    assert rewards[0] < 0.3
    assert rewards[-1] > 0.9


def test_a_round_with_a_learning_agent_is_algorithm_1():
    """Scored before retraining against L, the top b of R and S by score, the reward the logged s_x."""
    envs = make(PPOAgent, num_envs=8, offers_per_round=8, n_neighbors=3, normalize=False)
    learner = envs.unwrapped.learner
    steps = rollout(envs, PPOAgent(**QUICK), seed=3)
    next(steps)
    labeled, pool = [text for text, _ in learner.labeled], list(learner.unlabeled.texts)
    predict = learner._classifier.predict
    known = predict(labeled)
    agent_texts = []
    original = learner.offer

    def scores(texts):
        values = []
        for p, x in zip(*predict(texts), strict=True):
            distances = np.sqrt(((known.embeddings.astype(float) - x) ** 2).sum(axis=1))
            nearest = np.argsort(distances, kind="stable")[:3]
            values.append(np.mean([rel_entr(p, known.probabilities[j]).sum() / distances[j] for j in nearest]))
        return values

    def offer(texts, prompts):
        result = original(texts, prompts)
        agent_texts.extend(zip(result.texts, result.rewards, result.invalid, scores(result.texts), strict=True))
        return result

    learner.offer = offer
    all_scores = dict(zip(pool, scores(pool), strict=True))
    step = next(steps)
    steps.close()
    for text, reward, invalid, score in agent_texts:
        assert reward == (pytest.approx(score, rel=1e-4) if not invalid else 0.0)
        if not invalid:
            all_scores[text] = score
    assert step.rewards.tolist() == [reward for _, reward, _, _ in agent_texts]
    assert step.infos["reward_terms"]["signal"]["contribution"].tolist() == step.rewards.tolist()
    best = sorted(all_scores, key=lambda text: -all_scores[text])[:8]
    assert {text for text, _ in learner.labeled[8:]} == set(best)
    assert step.round["selected_synthetic"] == sum(text not in pool for text in best)


@pytest.mark.parametrize("agent_class", TRAINED)
def test_the_adapter_loads_in_plain_peft_and_transformers(agent_class, trained, tmp_path):
    from peft import PeftModel

    agent, _, _ = trained(agent_class)
    agent.save(tmp_path)
    base = AutoModelForCausalLM.from_pretrained(EMBEDDED / "generator", dtype=torch.float32)
    tokens = torch.tensor([[5, 6, 7, 8, 9]])
    with torch.no_grad():
        frozen = base(tokens).logits.clone()
        loaded = PeftModel.from_pretrained(base, tmp_path / "adapter")(tokens).logits
        ours = agent._policy.eval()(tokens).logits
    assert torch.allclose(loaded, ours, atol=1e-5)
    assert not torch.allclose(loaded, frozen, atol=1e-2)
    assert {file.suffix for file in (tmp_path / "adapter").iterdir()} == {".json", ".md", ".safetensors"}
    require_checkpoint(tmp_path / "adapter", "generator")
    generator = LanguageModel(str(tmp_path / "adapter"), "cpu", "float32")
    with torch.no_grad():
        assert torch.allclose(generator.model(tokens).logits, ours, atol=1e-5)
    assert generator.encode(["a warm film"]) == agent._model.encode(["a warm film"])
    again = agent_class(generator=str(tmp_path / "adapter"))
    refused = r"is a LoRA adapter, .* begin with one of their own: train its base"
    with pytest.raises(ModelError, match=refused):
        again.check_available(SignalConfig(task="reviews"), 0)
    with pytest.raises(ModelError, match=refused):
        begin(again)


@pytest.mark.parametrize("generator", ["embedded", "models/own"])
@pytest.mark.parametrize("agent_class", TRAINED)
def test_an_adapter_names_its_base_from_any_folder(agent_class, generator, tmp_path, monkeypatch):
    from peft import AutoPeftModelForCausalLM

    folder = EMBEDDED / "generator"
    monkeypatch.chdir(tmp_path)
    if generator != "embedded":
        folder = tmp_path / generator
        shutil.copytree(EMBEDDED / "generator", folder)
    agent = agent_class(**(QUICK | {"generator": generator}))
    with closing(rollout(make(agent_class), agent, seed=0)) as steps:
        for _ in range(2):
            next(steps)
        agent.save(tmp_path)
    base = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())["base_model_name_or_path"]
    assert base == str(folder)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert AutoPeftModelForCausalLM.from_pretrained(tmp_path / "adapter").get_base_model().config.vocab_size > 0


@pytest.mark.parametrize("agent_class", [PPOAgent, GRPOAgent])
def test_bfloat16(agent_class):
    agent = agent_class(**QUICK, generator_precision="bfloat16")
    metrics = [step.metrics for step in rollout(make(agent_class, budget=16), agent, seed=0) if step.metrics]
    assert next(agent._policy.get_base_model().parameters()).dtype == torch.bfloat16
    assert {value.dtype for name, value in agent._policy.named_parameters() if "lora_" in name} == {torch.float32}
    assert all(np.isfinite(value) for value in metrics[-1].values())


def test_an_environment_that_fails_in_the_middle_of_a_round(whole, tmp_path):
    """Its error reaches the caller, no thread is left, and the run goes on to what it would have been."""
    envs, agent = make(PPOAgent), PPOAgent(**QUICK)
    original, calls = envs.step, []

    def step(texts):
        calls.append(texts)
        if len(calls) == 4:
            raise ConnectionError("the annotator is away")
        return original(texts)

    envs.step = step
    seen = []

    def play():
        for one in rollout(envs, agent, seed=5):
            seen.append(one)
            if one.round is not None:
                save_checkpoint(tmp_path, one.round["index"], state_of(envs, agent))

    with pytest.raises(ConnectionError, match="the annotator is away"):
        play()
    rest = list(rollout(make(PPOAgent), PPOAgent(**QUICK), seed=5, state=load_checkpoint(tmp_path)))
    assert without_time(seen[:3] + rest) == without_time(whole(PPOAgent))


def test_a_reward_that_is_not_a_number_reaches_the_caller():
    def broken(texts):
        return [float("nan")] * len(texts)

    with pytest.raises(RewardError, match="'broken' returned nan for the text"):
        list(rollout(make(PPOAgent, reward=broken), PPOAgent(**QUICK), seed=0))


def test_an_abandoned_rollout_ends_the_trainer():
    steps = rollout(make(RLOOAgent), RLOOAgent(**QUICK), seed=0)
    next(steps)
    next(steps)
    steps.close()


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "generator"
    shutil.copytree(EMBEDDED / "generator", place)
    return place


def begin(agent, **options):
    steps = rollout(make(type(agent), **options), agent, seed=0)
    next(steps)
    steps.close()


@pytest.mark.parametrize("agent_class", [GRPOAgent])  # it encodes prompts itself
def test_a_trainer_reads_prompts_in_the_models_own_form(agent_class, folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = "<user>{{ messages[0].content }}{% if not thinks %}<no>{% endif %}"
    tokenizer.save_pretrained(folder)
    agent = agent_class(generator=str(folder), template_options={"thinks": False}, **QUICK)
    envs, shown = make(agent_class), []
    observations, _ = envs.reset(seed=0)
    with closing(agent):
        agent.reset(envs, 0)
        inner = agent._model.model.get_base_model()
        generate = inner.generate

        def spy(*args, **options):
            shown.extend(options.get("input_ids", args[0] if args else None).tolist())
            return generate(*args, **options)

        inner.generate = spy
        agent.act(observations)
        padding = agent._model.tokenizer.pad_token_id
        read = [[token for token in row if token != padding] for row in shown]
        assert read == agent._model.encode(observations["prompt"])
        assert agent._model.tokenizer.decode(read[0]) == f"<user>{observations['prompt'][0]}<no>"


def test_a_generator_without_padding_token_cannot_be_trained(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token = None
    tokenizer.save_pretrained(folder)
    with pytest.raises(ModelError, match=r"no padding token of its own.*set tokenizer.pad_token"):
        begin(PPOAgent(**QUICK, generator=str(folder)))


def test_a_context_that_is_too_short_is_named_before_any_training(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 40}))
    with pytest.raises(ModelError, match=r"reads 40 tokens; the longest prompt has \d+"):
        begin(RLOOAgent(**QUICK, generator=str(folder)))


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingExtra, match=r"pip install 'signal-env\[trl\]'"):
        begin(PPOAgent(**QUICK))


def test_a_trl_without_ppo_names_the_version_that_has_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "trl.experimental.ppo", None)
    with pytest.raises(MissingExtra, match=r"no PPOTrainer any more.*trl>=1.12,<1.13.*'rloo' or 'grpo'"):
        begin(PPOAgent(**QUICK))
    begin(RLOOAgent(**QUICK))


@pytest.mark.parametrize(
    ("agent", "options", "message"),
    [
        (PPOAgent(mini_batches=3), {}, "mini_batches divides the 8 texts of a step"),
        (RLOOAgent(mini_batches=2), {"prompt_group": 1}, "RLOO compares texts of one prompt.*got 1"),
        (GRPOAgent(mini_batches=2), {"prompt_group": 16}, "divides the 8 texts of a step.*got 16"),
        (PPOAgent(mini_batches=2, trl={"klcoef": 0.1}), {}, "PPOConfig of TRL has no 'klcoef'. Did you mean 'kl_coef'"),
        (PPOAgent(mini_batches=2, trl={"kl_coef": 0.1}), {}, "trl cannot set 'kl_coef'"),
        (GRPOAgent(mini_batches=2, trl={"temperature": 0.1}), {}, "trl cannot set 'temperature'"),
    ],
)
def test_options_that_do_not_fit_are_named(agent, options, message):
    with pytest.raises(ValueError, match=message):
        begin(agent, **options)


def test_trls_own_configuration_is_reachable():
    agent = PPOAgent(**QUICK, trl={"vf_coef": 0.5, "whiten_rewards": False, "lr_scheduler_type": "linear"})
    envs = make(PPOAgent, offers_per_round=8)
    metrics = [step.metrics for step in rollout(envs, agent, seed=0) if step.metrics]
    assert agent._trainer.args.vf_coef == 0.5
    assert metrics[-1]["trainer/lr"] < metrics[0]["trainer/lr"]


def test_every_agent_is_registered():
    assert [get_agent(name) for name in ("ppo", "rloo", "grpo")] == TRAINED
