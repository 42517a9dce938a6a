"""The experiment in the form that TRL's trainers take, and stock trainers that learn from it."""

import os
from pathlib import Path

import numpy as np
import pytest

import signal_env  # noqa: F401  (registers the environments)
from signal_env.classifiers.pretrained import EMBEDDED
from signal_env.config import ConfigError
from signal_env.shared import LocalExperiment
from signal_env.trainers.trl import SignalSpec

trl = pytest.importorskip("trl", reason="needs the extra trl")

LONG = "LONG_TESTS" in os.environ
"""Whether every trainer learns in every place, as in `make test-newest-trl`; otherwise one in each."""

REVIEWS = "SignalEnv-reviews-v0"
TINY = {"pool_size": 40, "round_size": 2, "initial_labeled": 8, "n_examples": 0, "evaluation_size": 20}
WORDS = ("rain", "snow", "wind", "hail")
COMPLETIONS = [*(f"a warm film of {word}\nExample 5: no" for word in WORDS), "", "\n a warm film of rain \n"]


def begins_with_this(texts):
    return [float(text.startswith("this ")) for text in texts]


def trainer(algorithm, spec, folder, callbacks=(), **options):
    """Return TRL's own trainer of the embedded generator."""
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer

    values = {
        "output_dir": str(folder),
        "reward_weights": spec.reward_weights,
        "shuffle_dataset": False,
        "per_device_train_batch_size": 16,
        "num_generations": 16,
        "max_completion_length": 8,
        "learning_rate": 4e-3,
        "lr_scheduler_type": "constant",
        "beta": 0.0,
        "logging_steps": 1,
        "report_to": "none",
        "save_strategy": "no",
        "use_cpu": True,
        "bf16": False,
        "disable_tqdm": True,
        "seed": 1,
    }
    tokenizer = AutoTokenizer.from_pretrained(EMBEDDED / "generator", padding_side="left")
    extra = {}
    if spec.conversational:
        tokenizer.chat_template = (Path(trl.__file__).parent / "chat_templates" / "qwen3.jinja").read_text()
        extra["environment_factory"] = spec.environment_factory
    return getattr(trl, f"{algorithm}Trainer")(
        model=AutoModelForCausalLM.from_pretrained(EMBEDDED / "generator"),
        processing_class=tokenizer,
        args=getattr(trl, f"{algorithm}Config")(**values | options),
        train_dataset=spec.train_dataset,
        reward_funcs=spec.reward_funcs,
        callbacks=[*spec.callbacks, *callbacks],
        peft_config=LoraConfig(task_type="CAUSAL_LM", r=16, lora_alpha=32, target_modules="all-linear"),
        **extra,
    )


def logs_of(trained):
    return [logs for logs in trained.state.log_history if "reward" in logs]


def stop_at(reward):
    """Return a callback that ends a training which has reached a mean reward."""
    from transformers import TrainerCallback

    class Stop(TrainerCallback):
        def on_log(self, args, state, control, logs=None, **_):
            control.should_training_stop |= logs.get("reward", 0.0) >= reward

    return Stop()


@pytest.mark.parametrize("algorithm", ["GRPO", "RLOO"] if LONG else ["GRPO"])
def test_a_stock_trainer_learns_a_known_optimum(algorithm, tmp_path):
    """A text with a certain first word earns 1, others 0; the frozen generator begins one text of six with it."""
    options = {"offers_per_round": 32, "round_size": 1, "retrain": False, "budget": 100}
    spec = SignalSpec(REVIEWS, seed=1, reward=begins_with_this, **{**TINY, **options})
    trained = trainer(algorithm, spec, tmp_path, [stop_at(0.85)], max_steps=12)
    trained.train()
    rewards = [logs["reward"] for logs in logs_of(trained)]
    assert rewards[0] < 0.35
    assert rewards[-1] > 0.85
    assert [logs["rewards/begins_with_this/mean"] for logs in logs_of(trained)] == rewards
    assert spec.experiment.state().offered == 16 * len(rewards)


def test_the_training_ends_with_the_experiment(tmp_path):
    """Ten labels are left: five rounds of two texts, that is two batches of four and half of the third."""
    spec = SignalSpec(REVIEWS, **TINY, budget=18)
    trained = trainer("GRPO", spec, tmp_path, per_device_train_batch_size=4, num_generations=4, max_steps=9)
    trained.train()
    logs = logs_of(trained)
    assert [entry["experiment/labeled"] for entry in logs] == [12, 16, 18]
    assert logs[-1]["experiment/accuracy"] == pytest.approx(spec.experiment.state().round["accuracy"])
    assert spec.experiment.state().offered == 10


@pytest.mark.parametrize(
    "reward", ["2*signal - 0.5*normalize(length) + accuracy_gain", {"clip(entropy, 0, 0.3)": -1.5}]
)
def test_the_functions_sum_to_the_environments_rewards(reward):
    """Whatever becomes of a term on its way to the reward: a factor, bounds, a normalization, the round's close."""
    options = {**TINY, "reward": reward, "invalid_reward": -0.25}
    spec = SignalSpec(REVIEWS, seed=3, **options)
    prompts = [row["prompt"] for row in spec.train_dataset.take(6)]
    values = [function(prompts=prompts, completions=COMPLETIONS) for function in spec.reward_funcs]
    texts = [*(f"a warm film of {word}" for word in WORDS), "", "a warm film of rain"]
    expected = LocalExperiment(REVIEWS, 3, **options).offer(texts, prompts)
    assert expected.invalid == ("", "", "", "", "empty", "duplicate")
    np.testing.assert_allclose(np.sum(values, axis=0), expected.rewards, rtol=1e-9)
    assert set(spec.reward_weights) == {1.0}  # TRL's default, and all that its asynchronous trainer knows
    invalid = dict(zip([f.__name__ for f in spec.reward_funcs], values, strict=True))["invalid"]
    assert invalid == [0, 0, 0, 0, -0.25, -0.25]
    assert spec.experiment.state().offered == 6


def test_an_equal_batch_is_another_one():
    spec = SignalSpec(REVIEWS, **TINY, reward="signal + length")
    for times in (1, 2):
        for function in spec.reward_funcs:
            function(prompts=["Write."], completions=["a warm film"])
        assert spec.experiment.state().offered == times
    assert spec.reward_funcs[1](prompts=["Write."], completions=["a warm film"]) == [0.0]  # a duplicate by now


def test_prompts_and_completions_may_be_messages():
    experiment = LocalExperiment(REVIEWS, **TINY)
    spec = SignalSpec(experiment, conversational=True)
    (row,) = spec.train_dataset.take(1)
    (message,) = row["prompt"]
    assert message["role"] == "user"
    assert message["content"].endswith("New Example:")
    answer = [{"role": "assistant", "content": "<think>\nshort\n</think>\n\na warm film"}]
    spec.reward_funcs[0](prompts=[row["prompt"]], completions=[answer])
    assert experiment.learner.opened.offered.texts == ("a warm film",)


def test_texts_of_several_fields_may_be_written_with_a_line_for_each(tmp_path):
    rows = [f"who {word}?,it {word} {i}.,{word[0]}" for i in range(8) for word in ("rained", "snowed")]
    for split in ("train", "test"):
        (tmp_path / f"{split}.csv").write_text("\n".join(["question,sentence,label", *rows]), encoding="utf-8")
    task = "name: weather\ninstruction: 'Write:'\nclass_names: [r, s]\ncolumns: [question, sentence]\n"
    (tmp_path / "weather.yaml").write_text(task, encoding="utf-8")
    options = {"pool_size": 12, "round_size": 2, "budget": 12, "annotator": "gold"}
    experiment = LocalExperiment(REVIEWS, task=str(tmp_path / "weather.yaml"), **options)
    function = SignalSpec(experiment).reward_funcs[0]
    function(prompts=["Write."], completions=["\nQuestion: who hailed?\nSentence: it hailed.\nQuestion: who"])
    assert experiment.learner.opened.offered.texts == ("Question: who hailed? Sentence: it hailed.",)


def test_readers_of_one_stream_read_the_same_prompts():
    experiment = LocalExperiment(REVIEWS, **{**TINY, "n_examples": 2})
    first, second = (list(SignalSpec(experiment).train_dataset.take(70)) for _ in range(2))
    other = list(SignalSpec(experiment, name="other").train_dataset.take(70))
    assert first == second
    assert first != other


def test_several_processes_need_a_served_experiment(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="Serve one, and give its URL"):
        SignalSpec(REVIEWS)


def test_an_experiment_that_exists_takes_no_seed_and_no_options():
    for target in ("http://127.0.0.1:1", LocalExperiment(REVIEWS, **TINY)):
        with pytest.raises(ConfigError, match=r"already; got seed, budget\. Give them to `serve`"):
            SignalSpec(target, seed=5, budget=20)


def test_a_model_that_calls_tools_offers_texts_in_its_environment(tmp_path, monkeypatch):
    """Two rollouts: one calls the tool with two texts, one answers without calling it."""
    spec = SignalSpec(REVIEWS, **TINY, conversational=True, invalid_reward=-1.0, reward="signal + length")
    sizes = {"per_device_train_batch_size": 2, "num_generations": 2, "max_completion_length": 200, "max_steps": 1}
    trained = trainer("GRPO", spec, tmp_path, **sizes)
    call = '<tool_call>\n{"name": "offer_text", "arguments": {"text": "%s"}}\n</tool_call>'
    calls = "\n".join(call % text for text in ("a warm film", "a dull plot"))
    turns = iter([[calls, "I offer nothing."], ["Done."]])

    def generate(*_, **__):
        return [trained.processing_class(text)["input_ids"] + [1] for text in next(turns)], None

    monkeypatch.setattr(trained, "_generate_single_turn", generate)
    trained.train()
    state = spec.experiment.state()
    assert (state.offered, spec.experiment.learner.opened.made + 2 * state.round["index"]) == (3, 3)
    (logs,) = logs_of(trained)
    assert logs["rewards/length/mean"] == pytest.approx(6 / 2)
    assert logs["rewards/invalid/mean"] == pytest.approx(-1 / 2)
    assert logs["tools/call_frequency"] == pytest.approx(1.0)
