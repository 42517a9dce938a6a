"""Other people's trainers at a served experiment: TRL's in several processes, and the calls of others, replayed."""

import asyncio
import importlib.util
import json
import os
import pickle
import subprocess
import sys
import types
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from signal_env.rewards.term import reward_terms
from signal_env.shared import LocalExperiment
from signal_env.trainers.trl import SignalSpec
from tests.experiments.serve.conftest import SMALL
from tests.signal_env.trainers.test_trl import LONG, logs_of, stop_at, trainer

ROOT = Path(__file__).parents[3]
TRAINERS = ROOT / "tests" / "signal_env" / "trainers" / "test_trl.py"
OPTIONS = {"encoder": "embedded", **SMALL}
REWARD = "signal + 0.5*length + accuracy_gain"
TEXTS = [f"a {word} film of {thing}" for word in ("warm", "dull") for thing in ("rain", "snow", "wind", "hail")]


def loaded(name, monkeypatch, url):
    """Return an example's module, as a trainer loads it from its file."""
    monkeypatch.setenv("SIGNAL_ENV_URL", url)
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def accepted(folder):
    """Return the texts that a service accepted, in order, with their rewards."""
    lines = (folder / "served" / "offers.jsonl").read_text(encoding="utf-8").splitlines()
    return {line["text"]: line["reward"] for line in map(json.loads, lines)}


def played_locally(texts, **options):
    """Return the rewards of texts in a local experiment."""
    experiment = LocalExperiment("SignalEnv-reviews-v0", 0, **OPTIONS | options)
    return dict(zip(texts, experiment.offer(texts).rewards.tolist(), strict=True))


def test_verl(serve, monkeypatch, tmp_path):
    """verl's reward manager calls the function for each response, in threads, with these keywords."""
    pytest.importorskip("datasets", reason="needs the extra data")
    with serve(reward=REWARD) as client:
        file = tmp_path / "prompts.parquet"
        writer = loaded("write_prompts", monkeypatch, client.url)
        monkeypatch.setattr(writer, "BLOCK", 3)
        writer.main(client.url, "8", str(file))
        from datasets import load_dataset

        rows = list(load_dataset("parquet", data_files=str(file), split="train", cache_dir=str(tmp_path)))
        assert tuple(row["text"] for row in rows) == LocalExperiment("SignalEnv-reviews-v0", **OPTIONS).prompts(8).texts
        module = loaded("verl_reward", monkeypatch, client.url)

        def call(row, text, split="train"):
            return module.compute_score(
                data_source=row["data_source"],
                solution_str=f"{text}\nExample 5: another",
                ground_truth=row["reward_model"]["ground_truth"],
                extra_info={**row["extra_info"], "split": split, "num_turns": 1, "rollout_reward_scores": {}},
                url=client.url,
            )

        assert call(rows[0], TEXTS[0], split="test")["score"] > 0
        assert client.state().offered == 0  # a validation offers nothing
        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(call, rows, TEXTS))
        assert client.state().offered == 8
        assert {row["prompt"][0]["content"] for row in rows} == {row["text"] for row in rows}
    order = accepted(tmp_path)
    assert played_locally(list(order), reward=REWARD) == order
    assert [result["score"] for result in results] == [order[text] for text in TEXTS]
    for result in results:
        score = result.pop("score")
        assert set(result) == {"signal", "length", "accuracy_gain", "invalid"}
        assert score == pytest.approx(sum(result.values()))
        assert result["length"] == 0.5 * 5


def test_openrlhf(serve, monkeypatch, tmp_path):
    """OpenRLHF calls the function in threads with one query each: the prompt in its template, and the response."""
    with serve(reward=REWARD) as client:
        module = loaded("openrlhf_reward", monkeypatch, client.url)
        shown = "<|im_start|>user\nWrite.<|im_end|>\n<|im_start|>assistant\n"
        queries = [f"{shown}{text}<|im_end|><|endoftext|>" for text in TEXTS]

        async def rollout():
            calls = [asyncio.to_thread(module.reward_func, [query], [shown], ["Write."]) for query in queries]
            return await asyncio.gather(*calls)

        results = asyncio.run(rollout())
        assert client.state().offered == 8
    order = accepted(tmp_path)
    assert sorted(order) == sorted(TEXTS)
    for result, text in zip(results, TEXTS, strict=True):
        assert result["rewards"].item() == np.float32(order[text])
        assert result["rewards"].shape == (1,)
        assert result["scores"] is result["rewards"]
        parts = {name: value.flatten()[0].item() for name, value in result["extra_logs"].items()}
        assert sum(parts.values()) == pytest.approx(result["rewards"].item(), rel=1e-6)
        assert parts["length"] == 2.5
        assert parts["invalid"] == 0


def test_openrlhf_by_url(serve, tmp_path):
    """OpenRLHF posts one query at a time, in this form, and reads `rewards`, `scores` and `extra_logs`."""
    shown = "<|im_start|>user\nWrite.<|im_end|>\n<|im_start|>assistant\n"

    def post(url, queries, prompts, labels):
        body = json.dumps({"query": queries, "prompts": prompts, "labels": labels}).encode()
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as response:
            return json.load(response)

    with serve(reward=REWARD) as client:
        url = f"{client.url}/get_reward?end=%3C%7Cim_end%7C%3E"
        queries = [f"{shown}{text}<|im_end|><|endoftext|>" for text in TEXTS]
        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(lambda query: post(url, [query], [shown], ["Write."]), queries))
        with pytest.raises(urllib.error.HTTPError, match="422"):
            post(url, ["a"], [], ["b"])
    order = accepted(tmp_path)
    assert [result["rewards"] for result in results] == [[order[text]] for text in TEXTS]
    for result in results:
        assert result["scores"] == result["rewards"]
        assert sum(value for (value,) in result["extra_logs"].values()) == pytest.approx(result["rewards"][0])


def test_skyrl(serve, monkeypatch):
    """SkyRL makes an environment for each response, calls init and step, and closes it."""
    try:
        import skyrl_gym  # noqa: F401
    except ModuleNotFoundError:  # the base class, as far as an environment of one turn needs it
        envs = types.ModuleType("skyrl_gym.envs.base_text_env")
        envs.BaseTextEnv, envs.BaseTextEnvStepOutput = object, dict
        for name in ("skyrl_gym", "skyrl_gym.envs", envs.__name__):
            monkeypatch.setitem(sys.modules, name, envs)
    with serve(reward=REWARD) as client:
        module = loaded("skyrl_env", monkeypatch, client.url)
        for text in TEXTS:
            env = module.ServedTextEnv(env_config=None, extras={"extra_info": {}})
            messages, _ = env.init([{"role": "user", "content": "Write."}])
            output = env.step(f" {text}\n")
            assert messages == [{"role": "user", "content": "Write."}]
            assert (output["observations"], output["done"]) == ([], True)
            assert output["reward"] == pytest.approx(sum(output["metadata"].values()))
        assert client.state().offered == 8


def test_the_object_over_a_service_gives_the_same_values(serve):
    options = {"reward": REWARD, "invalid_reward": -0.5}
    local = SignalSpec("SignalEnv-reviews-v0", **OPTIONS, **options)
    with serve(**options) as client:
        spec = SignalSpec(client.url)
        assert (spec.reward_weights, len(spec.reward_funcs)) == (local.reward_weights, 4)
        prompts = list(local.train_dataset.take(8))
        assert list(spec.train_dataset.take(8)) == prompts
        shown = [row["prompt"] for row in prompts]
        for ours, theirs in zip(spec.reward_funcs, local.reward_funcs, strict=True):
            assert ours(prompts=shown, completions=TEXTS) == theirs(prompts=shown, completions=TEXTS)
        functions = pickle.loads(pickle.dumps(spec.reward_funcs))  # as asynchronous trainers do
        again = [function(prompts=shown, completions=TEXTS) for function in functions]
        assert again[-1] == [-0.5] * 8  # all are duplicates
        assert client.state().offered == 16


@pytest.fixture
def begins_with_this(forget_plugins):
    """Registers the reward of a known optimum."""

    @reward_terms.register("begins_with_this")
    def begins_with_this(texts):
        return [float(text.startswith("this ")) for text in texts]


LEARNING = {
    "reward": "begins_with_this",
    "offers_per_round": 32,
    "round_size": 1,
    "initial_labeled": 8,
    "retrain": False,
}
LEARNING |= {"budget": 30, "n_examples": 0}


@pytest.mark.parametrize("algorithm", ["GRPO", "RLOO"] if LONG else ["RLOO"])
def test_a_stock_trainer_learns_a_known_optimum_at_a_service(algorithm, serve, begins_with_this, tmp_path):
    with serve(seed=1, **LEARNING) as client:
        trained = trainer(algorithm, SignalSpec(client.url), tmp_path, [stop_at(0.85)], max_steps=12)
        trained.train()
        rewards = [logs["reward"] for logs in logs_of(trained)]
        assert client.state().offered == 16 * len(rewards)
    assert rewards[0] < 0.35
    assert rewards[-1] > 0.85


RANK = """
import json, os, runpy, sys
from accelerate import debug_launcher
from signal_env.trainers.trl import SignalSpec

helpers, url, folder, steps, batch = sys.argv[1:]
sizes = {"max_steps": int(steps), "per_device_train_batch_size": int(batch), "num_generations": 2 * int(batch)}
trainer, stop_at, logs_of = map(runpy.run_path(helpers).get, ("trainer", "stop_at", "logs_of"))

def main():
    trained = trainer("GRPO", SignalSpec(url), folder, [stop_at(0.85)], **sizes)
    trained.train()
    logs = logs_of(trained) if trained.accelerator.is_main_process else None
    with open(f"{folder}/rank{trained.accelerator.process_index}.json", "w") as file:  # the ranks' output may mix
        json.dump([trained.state.global_step, logs], file)

main() if "WORLD_SIZE" in os.environ else debug_launcher(main, num_processes=2)
"""
"""A training in which each prompt's group of texts comes from both processes."""


@pytest.mark.timeout(300)
def test_two_ranks_train_on_one_experiment(serve, begins_with_this, tmp_path):
    """Both ranks' texts reach one classifier; its rounds close once; rank 0 logs; both stop at the same step."""
    script = tmp_path / "rank.py"
    script.write_text(RANK, encoding="utf-8")
    limit, batch = (12, 8) if LONG else (2, 2)
    with serve(seed=1, **LEARNING | {"offers_per_round": 2 * batch, "retrain": True}) as client:
        # without `accelerate launch`, the script forks: all is imported once
        launch = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes=2"] if LONG else []
        command = [sys.executable, *launch, script, TRAINERS, client.url, tmp_path, str(limit), str(batch)]
        env = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "OMP_NUM_THREADS": "1",
            "ACCELERATE_USE_CPU": "true",
        }
        run = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr[-2000:]
        state = client.state()
    (steps, logs), other = (json.loads((tmp_path / f"rank{i}.json").read_text(encoding="utf-8")) for i in (0, 1))
    assert len(logs) == steps
    assert other == [steps, None]
    assert state.offered == 2 * batch * steps
    assert state.round["index"] == steps
    assert state.round["labeled"] == 8 + steps
    lines = (tmp_path / "served" / "offers.jsonl").read_text(encoding="utf-8").splitlines()
    rewards = np.array([json.loads(line)["reward"] for line in lines]).reshape(steps, 2 * batch)
    np.testing.assert_allclose([entry["reward"] for entry in logs], rewards.mean(axis=1), atol=1e-4)
    assert not LONG or logs[-1]["reward"] > 0.85
