"""Every number of a round, of an agent's metrics and of TensorBoard, computed again from the logs of texts."""

import json
from collections import Counter

import numpy as np
import pytest

from experiments.config import make_config
from experiments.run import play
from experiments.runs import read_runs

OPTIONS = {"pool_size": 40, "round_size": 8, "offers_per_round": 16, "evaluation_size": 60, "budget": 40}
REWARD = "signal - 0.5*entropy + 0*margin + 2*accuracy_gain"
CLASSES = ("negative", "positive")


def lines(file):
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """A writer's run whose rewards are shaped and have a term that is earned at a round's close."""
    folder = tmp_path_factory.mktemp("numbers") / "run"
    options = OPTIONS | {"classifier": "linear", "reward": REWARD, "invalid_reward": -0.25, "synthetic_share": 0.5}
    own = {"shaping": "train_accuracy", "shaping_weight": 0.3, "num_envs": 8, "seed": 1, "out": folder}
    play(make_config("SignalEnv-reviews-v0", "generator", options=options, agent_options={"max_new_tokens": 6}, **own))
    return folder


def offers_of(folder, index):
    return [line for line in lines(folder / "offers.jsonl") if line["round"] == index]


def test_rewards_are_the_sums_of_their_contributions(played):
    for line in lines(played / "offers.jsonl"):
        terms = line["reward_terms"]
        assert line["reward"] == pytest.approx(sum(term["contribution"] for term in terms.values()), abs=1e-12)
        for name, term in terms.items():
            assert term["contribution"] == pytest.approx(term["weight"] * term["raw"], abs=1e-12), name
        assert (terms["invalid"]["contribution"] == -0.25) is bool(line["invalid"])
        assert ("accuracy_gain" in terms) is (line["offer"] == 15)
        assert "potential(train_accuracy)" in terms


def test_rounds_are_what_the_offers_and_the_labels_say(played):
    labels, labeled, synthetic = lines(played / "labels.jsonl"), 0, 0
    for round_ in lines(played / "rounds.jsonl"):
        offers = offers_of(played, round_["index"])
        new = [line for line in labels if line["round"] == round_["index"]]
        labeled, synthetic = labeled + len(new), synthetic + sum(not line["real"] for line in new)
        so_far = [line for line in labels if line["round"] <= round_["index"]]
        written = Counter(line["class_index"] for line in new if not line["real"])
        valid = {
            line["text"]
            for line in lines(played / "offers.jsonl")
            if line["round"] <= round_["index"] and not line["invalid"]
        }
        expected = {
            "labeled": labeled,
            "offers": len(offers),
            "invalid_offers": sum(bool(line["invalid"]) for line in offers),
            "passes": 0,
            "selected_real": sum(line["real"] for line in new),
            "selected_synthetic": sum(not line["real"] for line in new),
            "synthetic_share": synthetic / labeled,
            "label_counts": [sum(line["label"] == name for line in so_far) for name in CLASSES],
            "synthetic_label_counts": [written[0], written[1]],
            "unlabeled": 40 + len(valid) - labeled,
            "reward_mean": float(np.mean([line["reward"] for line in offers])) if offers else 0.0,
            "finished": labeled == 40,
        }
        for name, value in expected.items():
            assert round_[name] == pytest.approx(value), name


def test_metrics_and_tensorboard_have_one_definition_of_each_number(played, read_events):
    events, rounds, metrics = (
        read_events(played / "tensorboard"),
        lines(played / "rounds.jsonl"),
        lines(played / "metrics.jsonl"),
    )
    assert [line["round"] for line in metrics] == [line["index"] for line in rounds[1:]]
    sums = Counter()
    for closed, said in zip(rounds[1:], metrics, strict=True):
        offers, index = offers_of(played, closed["index"]), closed["index"]
        means = {"total": closed["reward_mean"]}
        for name in {name for line in offers for name in line["reward_terms"]}:
            contributions = [line["reward_terms"].get(name, {}).get("contribution", 0.0) for line in offers]
            means[name] = sum(contributions) / 16
            assert said[f"reward/{name}"] == pytest.approx(means[name], abs=1e-12), name
        assert said["reward/mean"] == pytest.approx(closed["reward_mean"], abs=1e-12)
        assert sum(means.values()) == pytest.approx(2 * means["total"])  # the terms sum to the total
        for name, mean in means.items():
            tag = name.replace("(", "[").replace(")", "]")
            alone = "mean" if name == "total" else tag
            assert dict(events[f"reward_written/{alone}"])[16 * index] == pytest.approx(mean, rel=1e-5, abs=1e-7), name
            if name == "margin":
                assert f"reward_mean/{tag}" not in events  # its weight is 0
            else:
                assert dict(events[f"reward_mean/{tag}"])[index] == pytest.approx(mean, rel=1e-5, abs=1e-7), name
        assert said["texts/invalid"] == closed["invalid_offers"] / 16
        assert said["texts/duplicate"] == sum(line["invalid"] == "duplicate" for line in offers) / 16
        assert said["labels/synthetic"] == closed["selected_synthetic"] / 8
        sums["reward"] += sum(line["reward"] for line in offers)
        so_far = sums["reward"] / (16 * index)
        assert dict(events["charts/reward"])[closed["labeled"]] == pytest.approx(so_far, rel=1e-5)
        assert dict(events["charts/invalid"])[closed["labeled"]] == pytest.approx(closed["invalid_offers"] / 16)
    assert not [tag for tag in events if tag.startswith("metrics/reward")]


def test_tables_have_the_numbers_of_the_logs(played):
    """Areas and means of one run, from its rounds; the mean reward of the second half of the rounds."""
    runs, rounds = read_runs(played), lines(played / "rounds.jsonl")
    tables = runs.tables()
    share, accuracy = [line["labeled"] / 40 for line in rounds], [line["accuracy"] for line in rounds]
    area = sum((a + b) / 2 * (y - x) for x, y, a, b in zip(share, share[1:], accuracy, accuracy[1:], strict=False))
    (row,) = tables["runs"].to_dict("records")
    assert row["area_end"] == pytest.approx(area / (share[-1] - share[0]))
    assert row["end"] == accuracy[-1]
    assert row["synthetic"] == sum(line["selected_synthetic"] for line in rounds)
    learned = tables["learning"]
    means = learned[learned["metric"] == "reward/mean"]["mean"].tolist()
    assert means == pytest.approx([line["reward_mean"] for line in rounds[1:]])
