"""The tables over runs: what they say is what the logs hold."""

import json

import pytest
import yaml

from experiments.progress import console
from experiments.results import learning_table, read_metrics


def write_run(folder, agent, seed, lifts):
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump({"env": "SignalEnv-sst2-v0", "agent": agent, "seed": seed}))
    (folder / "rounds.jsonl").write_text("")
    lines = [
        {
            "round": i + 1,
            "reward/mean": 0.2,
            "texts/invalid": 0.0,
            "texts/distinct_2": 0.5,
            "speed/seconds": 90.0,
            **({} if lift is None else {"lift/mean": lift, "lift/policy": 0.2 + lift, "lift/reference": 0.2}),
        }
        for i, lift in enumerate(lifts)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_what_was_learned_is_the_mean_of_the_second_half_over_seeds(tmp_path):
    folders = [write_run(tmp_path / f"ppo-{seed}", "ppo", seed, [9.0, 9.0, 0.1, 0.1 * seed]) for seed in range(3)]
    folders.append(write_run(tmp_path / "generator", "generator", 0, [None] * 4))
    with console.capture() as capture:
        console.print(learning_table(read_metrics(folders)))
    lines = [line.split() for line in capture.get().splitlines()]
    ppo = next(line for line in lines if "ppo" in line)
    # means of the seeds 0.05, 0.1, 0.15; t(0.975, 2) = 4.3027, so 4.3027 * 0.05 / sqrt(3)
    assert ppo[2:8] == ["3", "3-4", "0.200", "±", "0.000", "+0.100"]
    assert ppo[8:13] == ["±", "0.124", "1.500", "±", "0.621"]
    assert ppo[-1] == "6.0"
    generator = next(line for line in lines if "generator" in line)
    assert generator[2:] == ["1", "3-4", "0.200", "0.500", "0.000", "6.0"]


def test_a_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(ValueError, match="is not the folder of a run"):
        read_metrics([tmp_path])
