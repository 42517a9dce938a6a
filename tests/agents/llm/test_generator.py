"""The frozen generator: the embedded one, one from a folder with a chat template, and errors for missing ones."""

import json
import shutil
from typing import NamedTuple

import gymnasium as gym
import pytest
from transformers import AutoTokenizer

from agents.llm import GeneratorAgent
from agents.llm.options import small_generator
from agents.rollout import rollout
from signal_env.classifiers.pretrained import EMBEDDED, ModelError
from signal_env.tasks import get_task

REVIEWS = "SignalEnv-reviews-v0"
SMALL = {"pool_size": 60, "round_size": 30, "evaluation_size": 40}


def play(num_envs=30, seed=0, **options):
    envs = gym.make_vec(REVIEWS, num_envs=num_envs, budget=60, **SMALL)
    return list(rollout(envs, GeneratorAgent(**options), seed))


class Step(NamedTuple):
    """The part of a step that holds texts."""

    texts: list[str]


def texts_of(steps):
    return [text for step in steps for text in step.texts]


def test_the_embedded_generator_writes_new_reviews():
    steps = play()
    texts = texts_of(steps)
    assert len(texts) == 30
    invalid = [reason for reason in steps[-1].infos["invalid"] if reason]
    assert len(invalid) <= 3
    words = {word for text in texts for word in text.split()}
    assert len(words) > 60
    assert all("\n" not in text and "[END]" not in text and "[PAD]" not in text for text in texts)
    assert sum(text.count(" ") for text in texts) / 30 > 4


def test_it_repeats_with_its_seed_and_only_then():
    assert texts_of(play(seed=1)) == texts_of(play(seed=1)) != texts_of(play(seed=2))


def test_it_goes_on_from_its_state():
    envs = gym.make_vec(REVIEWS, num_envs=30, **SMALL)
    observations, _ = envs.reset(seed=0)
    one, other = GeneratorAgent(), GeneratorAgent()
    one.reset(envs, 0)
    one.act(observations)
    other.reset(envs, 0)
    other.load_state_dict(one.state_dict())
    assert one.act(observations) == other.act(observations)


def test_cold_sampling_leaves_less_to_chance():
    def in_common(temperature):
        one, other = (texts_of(play(seed=0, temperature=temperature)), texts_of(replay(temperature)))
        return sum(a == b for a, b in zip(one, other, strict=True))

    def replay(temperature):
        """Answer the same prompts with another seed."""
        envs, agent = gym.make_vec(REVIEWS, num_envs=30, budget=60, **SMALL), GeneratorAgent(temperature=temperature)
        observations, _ = envs.reset(seed=0)
        agent.reset(envs, 1)
        return [Step(agent.act(observations))]

    assert in_common(1.0) <= 2
    assert in_common(1e-4) >= 25  # the corpus's grammar makes near ties


def test_max_new_tokens_bounds_the_answer():
    assert max(len(text.split()) for text in texts_of(play(max_new_tokens=4))) in (3, 4)


def test_a_folder_with_a_chat_template(tmp_path):
    folder = tmp_path / "chat"
    shutil.copytree(EMBEDDED / "generator", folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"
    tokenizer.save_pretrained(folder)
    assert len(texts_of(play(generator=str(folder)))) == 30


def test_a_model_without_padding_token_pads_with_its_end_token(tmp_path):
    folder = tmp_path / "no_pad"
    shutil.copytree(EMBEDDED / "generator", folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token = None
    tokenizer.save_pretrained(folder)
    assert texts_of(play(generator=str(folder))) == texts_of(play())


def test_errors_of_missing_models_name_the_remedy(monkeypatch, tmp_path):
    with pytest.raises(ModelError, match="No model folder at /no/such/model"):
        play(generator="/no/such/model")
    monkeypatch.setenv("SIGNAL_ENV_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match="experiments pretrain --task reviews"):
        play(generator="small")


def test_a_small_generator_is_refused_where_it_may_have_read_the_pool(monkeypatch, tmp_path):
    monkeypatch.setenv("SIGNAL_ENV_CACHE", str(tmp_path))
    folder = tmp_path / "generators" / "reviews"
    shutil.copytree(EMBEDDED / "generator", folder)
    (folder / "training.json").write_text(json.dumps({"excluded_seeds": 2, "excluded_pool_size": 60}))
    assert len(texts_of(play(generator="small", seed=1))) == 30
    with pytest.raises(ModelError, match="may have read this pool of 60 texts"):
        play(generator="small", seed=2)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (None, "training.json cannot be read"),
        ("{", "training.json is not valid JSON"),
        ("[]", r"training.json must be a mapping; got \[\]"),
        ('{"excluded_seeds": 2}', "excluded_pool_size in .*training.json must be a whole number; got None"),
    ],
)
def test_a_small_generator_whose_training_is_not_known_is_refused(written, message, monkeypatch, tmp_path):
    monkeypatch.setenv("SIGNAL_ENV_CACHE", str(tmp_path))
    folder = tmp_path / "generators" / "reviews"
    folder.mkdir(parents=True)
    if written is not None:
        (folder / "training.json").write_text(written)
    with pytest.raises(ModelError, match=message):
        small_generator(get_task("reviews"), 60, 0)
