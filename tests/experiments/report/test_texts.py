"""The sample of texts that a report shows: what it says is what the logs hold, and it is spread as it says."""

import json
from collections import Counter

import pytest
import yaml

from experiments.report.texts import sample_texts
from experiments.runs import read_runs
from signal_env.wrappers.recording import LineLog

ROUND = {
    "pool": 100,
    "budget": 100,
    "accuracy": 0.5,
    "evaluation_size": 100,
    "labeled": 10,
    "unlabeled": 90,
    "selected_real": 10,
    "selected_synthetic": 0,
    "synthetic_share": 0.0,
    "label_counts": [5, 5],
    "synthetic_label_counts": [0, 0],
    "invalid_offers": 0,
    "reward_mean": 0.5,
    "score_selected": 0.0,
    "score_unlabeled": 0.0,
    "annotator_agreement": None,
    "finished": False,
}


def write_run(folder, method, seed, offers, labels=()):
    """Writes a run's folder, with the log that every run writes with."""
    folder.mkdir(parents=True)
    config = {"env": "SignalEnv-sst2-v0", "agent": method, "seed": seed, "setting": "sst2", "method": method}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    count = Counter(offer["round"] for offer in offers)
    rounds = [ROUND | {"index": i, "offers": count[i]} for i in range(max(count) + 1)]
    rounds[-1]["finished"] = True
    for name, lines in (("rounds", rounds), ("offers", offers), ("labels", labels)):
        log = LineLog(folder / f"{name}.jsonl")
        for line in lines:
            log.write(line)
        log.close()
    return folder


def offer(index, text, reward, real=False, invalid=""):
    terms = {"signal": {"raw": 2 * reward, "weight": 0.5, "contribution": reward}}
    return {
        "round": index,
        "offer": 0,
        "text": text,
        "reward": reward,
        "real": real,
        "invalid": invalid,
        "reward_terms": terms,
    }


def texts_of(sample, **wanted):
    return [text for text in sample.texts if all(text[name] == value for name, value in wanted.items())]


@pytest.fixture
def many(tmp_path):
    """Three seeds of a method that writes, and three of one that chooses: 40 rounds of 50 texts each."""
    for seed in range(3):
        for method, real in (("SIGnAL", False), ("random", True)):
            rewards = [(7 * i * (seed + 2)) % 2003 / 1000 for i in range(2000)]
            offers = [
                offer(1 + i // 50, f"{method} {seed} {i} {'x' * (i % 90)}", r, real) for i, r in enumerate(rewards)
            ]
            write_run(tmp_path / method / f"seed-{seed}", method, seed, offers)
    return read_runs([tmp_path])


def test_a_sample_is_spread_over_runs_rounds_and_origins(many):
    sample = sample_texts(many, 300)
    assert sample.offered == 6 * 2000
    assert sample.problems == []
    assert Counter((text["method"], text["seed"]) for text in sample.texts) == {
        **{("SIGnAL", seed): 90 for seed in range(3)},
        **{("random", seed): 10 for seed in range(3)},
    }
    assert len({text["text"] for text in sample.texts}) == 300
    for seed in range(3):
        rounds = Counter(text["round"] for text in texts_of(sample, method="SIGnAL", seed=seed))
        assert len(rounds) == 40
        assert max(rounds.values()) <= 5
    assert {text["origin"] for text in texts_of(sample, method="random")} == {"real"}
    assert {text["origin"] for text in texts_of(sample, method="SIGnAL")} == {"synthetic"}


def test_a_sample_is_the_same_again_and_another_by_another_seed(many):
    assert sample_texts(many, 60) == sample_texts(many, 60)
    assert sample_texts(many, 60, seed=1).texts != sample_texts(many, 60).texts


def test_the_best_and_the_worst_of_what_was_read_are_kept(many):
    """Of 360 of 2000 texts the best has a rank of about 6, of 90 about 22."""
    rewards = [text["reward"] for text in texts_of(sample_texts(many, 300), method="SIGnAL", seed=0)]
    of_all = sorted((14 * i) % 2003 / 1000 for i in range(2000))
    assert max(rewards) > of_all[-30]
    assert min(rewards) < of_all[30]


def test_of_short_logs_everything_is_there(tmp_path):
    offers = [offer(1 + i // 10, f"a text of a short run, number {i}, and some more words", i / 10) for i in range(30)]
    labels = [
        {"round": 1 + i // 10, "text": offers[i]["text"], "label": "good", "real": False} for i in range(0, 30, 3)
    ]
    write_run(tmp_path / "run", "SIGnAL", 0, offers, labels)
    texts = sample_texts(read_runs([tmp_path]), 2000).texts
    assert [text["text"] for text in texts] == [offer["text"] for offer in offers]
    assert [text["label"] for text in texts] == ["good", "", ""] * 10
    assert texts[4] == {
        "setting": "sst2",
        "method": "SIGnAL",
        "seed": 0,
        "round": 1,
        "text": offers[4]["text"],
        "reward": 0.4,
        "terms": {"signal": {"raw": 0.8, "contribution": 0.4}},
        "label": "",
        "origin": "synthetic",
        "invalid": "",
    }


def test_odd_texts_have_their_labels(tmp_path):
    odd = ['say "text": "a"', "back\\slash", "\ud800 alone", "nul \0", "emoji 🎬", "שלום", "</script>", 'end\\"']
    labels = [{"round": 1, "text": text, "label": f"class {i}", "real": False} for i, text in enumerate(odd)]
    write_run(tmp_path / "run", "SIGnAL", 0, [offer(1, text, 0.0) for text in odd], labels)
    texts = sample_texts(read_runs([tmp_path]), 2000).texts
    assert {text["text"]: text["label"] for text in texts} == {text: f"class {i}" for i, text in enumerate(odd)}


def test_real_texts_and_what_may_repeat_them_are_left_out(tmp_path):
    offers = [
        offer(1, "it was chosen", 1.0, real=True),
        offer(1, "it was chosen", 0.0, invalid="duplicate"),
        offer(1, "it was written", 0.5),
        offer(1, "", 0.0, invalid="empty"),
    ]
    write_run(tmp_path / "mixed", "asal", 0, offers)
    write_run(tmp_path / "random", "random", 0, offers[:1])
    runs = read_runs([tmp_path])
    assert {text["text"] for text in sample_texts(runs, with_real=False).texts} == {"it was written", ""}
    assert len(sample_texts(runs).texts) == 5


def test_a_run_of_both_kinds_shows_what_it_wrote_first(tmp_path):
    offers = [offer(1 + i // 10, f"text {i} " + 40 * "w", i / 100, real=i % 2 > 0) for i in range(400)]
    write_run(tmp_path / "mixed", "sb3", 0, offers)
    texts = sample_texts(read_runs([tmp_path]), 20).texts
    assert [text["origin"] for text in texts] == ["synthetic"] * 20


def test_what_cannot_be_read_is_said_and_left_out(tmp_path):
    offers = [offer(1, f"a text of some length, number {i}", 0.1) for i in range(6)]
    folder = write_run(tmp_path / "run", "SIGnAL", 0, offers)
    lines = [json.dumps(line).encode() for line in offers]
    lines[2] = b"\0" * 80
    lines[3] = json.dumps(offers[3] | {"reward": float("nan")}).encode()
    torn = {"text": offers[1]["text"], "round": 1, "label": "good", "real": False}
    (folder / "offers.jsonl").write_bytes(b"\n".join(lines)[:-5])
    (folder / "labels.jsonl").write_text(json.dumps(torn)[:-3])
    sample = sample_texts(read_runs([tmp_path]))
    assert [text["text"] for text in sample.texts] == [offers[i]["text"] for i in (0, 1, 4)]
    assert {text["label"] for text in sample.texts} == {""}
    assert sample.problems == [
        (str(folder), "the last line of offers.jsonl is torn; it was left out"),
        (str(folder), "the last line of labels.jsonl is torn; it was left out"),
        (str(folder), "offers.jsonl has lines that no run writes (2 of those read); they were left out"),
    ]


def test_runs_without_texts_have_none_to_show(tmp_path):
    folder = write_run(tmp_path / "run", "SIGnAL", 0, [offer(1, "a", 0.0)])
    (folder / "offers.jsonl").write_text("")
    assert sample_texts(read_runs([tmp_path])).texts == []
    (folder / "offers.jsonl").unlink()
    assert sample_texts(read_runs([tmp_path])).offered == 0
    with pytest.raises(ValueError, match="0 texts or more, not -1"):
        sample_texts(read_runs([tmp_path]), -1)


def test_a_very_long_text_is_cut(tmp_path):
    write_run(tmp_path / "run", "SIGnAL", 0, [offer(1, "é" * 10_000, 0.0, invalid="too long")])
    (text,) = sample_texts(read_runs([tmp_path])).texts
    assert text["text"] == "é" * 4000 + " … (6,000 more characters)"
