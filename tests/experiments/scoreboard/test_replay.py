"""The replay of reference runs."""

from experiments.scoreboard.protocol import read_protocol
from experiments.scoreboard.references import read_references
from experiments.scoreboard.replay import compared, replay, sentence


def test_a_reference_run_is_played_again(tmp_path):
    study = read_protocol().study("mine", {"agent": "cal"}, ["reviews"], [3])
    (found,) = replay(read_protocol(), read_references(), study, tmp_path)
    assert (found["setting"], found["method"], found["seed"]) == ("reviews", "random", 0)
    assert found["largest"] is not None
    assert found["largest"] < 0.02  # another machine may differ, by few of the texts
    again = replay(read_protocol(), read_references(), study, tmp_path)  # it is played, not read
    assert again == [found]


def test_what_differs_is_measured():
    rounds = read_references().rounds
    one = rounds[(rounds["setting"] == "trec") & (rounds["method"] == "random") & (rounds["seed"] == 0)]
    assert compared(one, rounds) == {"equal": True, "largest": 0.0}
    other = one.copy()
    other.loc[other.index[-1], "accuracy"] += 0.25
    found = compared(other, rounds)
    assert not found["equal"]
    assert abs(found["largest"] - 0.25) < 1e-9
    assert compared(one.head(5), rounds) == {"equal": False, "largest": None}


def test_it_is_said_in_words():
    found = {"setting": "trec", "method": "random", "seed": 0}
    said = sentence(
        [found | {"equal": False, "largest": 0.0123}, found | {"setting": "a", "equal": False, "largest": None}]
    )
    assert "trec has numbers that differ by up to 0.012" in said
    assert "a has other labels" in said
