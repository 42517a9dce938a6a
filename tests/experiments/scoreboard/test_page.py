"""The tables of a result."""

import numpy as np
import pytest

from experiments.progress import console
from experiments.scoreboard.page import HEADS, difference_table, parts_of, score_table, show, standings
from experiments.scoreboard.results import runs_of
from experiments.scoreboard.scores import Scoreboard


@pytest.fixture(scope="module")
def board(rounds, protocol):
    return Scoreboard(rounds, protocol)


def test_the_best_stand_first_and_those_without_all_settings_last(board, rounds):
    partly = board.normalized(rounds[(rounds["method"] == "better") & (rounds["setting"] == "b")]) + 500
    table = standings(board, {"partly": partly}, ["a", "b"]).set_index("method")
    scores = {name: each.to_numpy() for name, each in board.references.items()}
    assert list(table.index[:2]) == ["better", "writer"]
    assert table.index[-1] == "partly"
    assert (table.loc["partly", "IQM"], table.loc["partly", "a"]) == ("", "")
    assert table.loc["partly", "b"].startswith(f"{partly.mean():.1f} ± ")
    assert table.loc["better", "a"].startswith(f"{scores['better'][:5].mean():.1f} ± ")
    middle = np.sort(scores["better"])[2:-2].mean()
    assert table.loc["better", "IQM"].startswith(f"{middle:.1f} [")
    assert (table.loc["few", "seeds"], table.loc["random", "seeds"]) == ("2", "5")
    assert "(" not in "".join(table.loc["random"])


def test_standings_mark_seeds_that_differ_by_setting(board, rounds):
    own = rounds[(rounds["method"] == "better") & ((rounds["setting"] == "a") | (rounds["seed"] < 3))]
    row = standings(board, {"own": board.normalized(own)}, ["a", "b"]).set_index("method").loc["own"]
    assert row["seeds"] == "3 to 5"
    assert row["a"].endswith(" (5)")
    assert row["b"].endswith(" (3)")


def test_tables_have_means_with_half_of_their_intervals(board, rounds):
    scores = board.score(rounds[rounds["method"] == "writer"])
    found = scores["settings"]["a"]
    row = score_table(scores).iloc[0]
    half = (found["area"]["high"] - found["area"]["low"]) / 2
    assert row[HEADS["area"]] == f"{found['area']['mean']:.3f} ± {half:.3f}"
    assert row["rank"] == f"{found['rank']} of 5"
    table = difference_table(scores).set_index(["setting", "reference"])
    mean = found["differences"]["better"]["mean"]
    assert table.loc[("a", "better"), "difference"].startswith(f"{100 * mean:+.2f} ± ")
    assert table.loc[("a", "few"), "pairs"] == 2


def test_the_terminal_has_the_pairs_of_each_difference(board, rounds):
    own = rounds[rounds["method"] == "writer"]
    result = {"method": "own", "protocol": "made-v1", "runs": runs_of(own), "scores": board.score(own)}
    parts = parts_of(result, board)
    with console.capture() as shown:
        show(result, parts)
    lines = {line.split()[0]: line for line in shown.get().partition("pairs of runs)")[2].splitlines() if line.strip()}
    assert (lines["few"].count("(2)"), lines["random"].count("(5)")) == (2, 2)
    assert "compare by the paired differences" in next(part.caption for part in parts if part.name == "standings")
