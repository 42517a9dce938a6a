"""The logs: their lines match the episode, are the same from both wrappers, and are never overwritten."""

import json

import gymnasium as gym
import pytest

from signal_env.wrappers import Record, VectorRecord

REVIEWS = "SignalEnv-reviews-v0"
SMALL = {"pool_size": 40, "round_size": 4, "evaluation_size": 40}
TEXTS = ["a film", "", "a lone \ud800", "ein schöner Film 🙂", "line\u2028separator", "a film", "last", "of all"]


def lines(file):
    return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]


def test_single_and_vector_logs_are_equal_line_by_line(tmp_path):
    env = Record(gym.make(REVIEWS, **SMALL), tmp_path / "single")
    envs = VectorRecord(gym.make_vec(REVIEWS, num_envs=4, **SMALL), tmp_path / "vector")
    env.reset(seed=0)
    envs.reset(seed=0)
    for text in TEXTS:
        env.step(text)
    for start in (0, 4):
        envs.step(TEXTS[start : start + 4])
    for name in ("offers.jsonl", "labels.jsonl", "rounds.jsonl"):
        assert lines(tmp_path / "single" / name) == lines(tmp_path / "vector" / name)
    env.close()
    envs.close()


def test_lines_match_the_episode(tmp_path):
    env = Record(gym.make(REVIEWS, **SMALL), tmp_path)
    _, info = env.reset(seed=0)
    rewards, rounds = [], [info["round"]]
    for text in TEXTS:
        _, reward, _, _, info = env.step(text)
        rewards.append(reward)
        if "round" in info:
            rounds.append(info["round"])
        assert len(lines(tmp_path / "offers.jsonl")) == len(rewards)  # flushed at once
    offers = lines(tmp_path / "offers.jsonl")
    assert [offer["reward"] for offer in offers] == rewards
    assert [offer["text"] for offer in offers][:4] == TEXTS[:4]
    assert [(offer["round"], offer["offer"]) for offer in offers] == [(r, i) for r in (1, 2) for i in range(4)]
    assert [offer["invalid"] for offer in offers][:3] == ["", "empty", "malformed"]
    assert all(
        abs(sum(term["contribution"] for term in offer["reward_terms"].values()) - offer["reward"]) < 1e-9
        for offer in offers
    )
    logged = lines(tmp_path / "rounds.jsonl")
    assert [line["labeled"] for line in logged] == [4, 8, 12]
    assert [line["accuracy"] for line in logged] == [r["accuracy"] for r in rounds]
    assert logged[-1]["label_counts"] == rounds[-1]["label_counts"].tolist()
    learner = env.unwrapped.learner
    labels = lines(tmp_path / "labels.jsonl")
    names = learner.task.class_names
    assert [(line["text"], line["label"]) for line in labels] == [(text, names[y]) for text, y in learner.labeled]
    assert [line["round"] for line in labels] == [0] * 4 + [1] * 4 + [2] * 4
    assert [line["real"] for line in labels] == [line["text"] in learner.pool for line in labels]
    assert sum(not line["real"] for line in labels) == sum(line["selected_synthetic"] for line in logged)
    env.close()


def test_an_earlier_log_is_never_written_over(tmp_path):
    Record(gym.make(REVIEWS, **SMALL), tmp_path).close()
    with pytest.raises(FileExistsError):
        Record(gym.make(REVIEWS, **SMALL), tmp_path)


def test_a_second_episode_logs_its_initial_labels_too(tmp_path):
    env = Record(gym.make(REVIEWS, **SMALL), tmp_path)
    for seed in (0, 1):
        env.reset(seed=seed)
    env.close()
    labels = lines(tmp_path / "labels.jsonl")
    assert [line["round"] for line in labels] == [0] * 8
    assert [line["text"] for line in labels[4:]] == [text for text, _ in env.unwrapped.learner.labeled]
