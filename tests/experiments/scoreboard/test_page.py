"""The tables of a result."""

import numpy as np
import pytest

from experiments.scoreboard.page import HEADS, difference_table, score_table, standings
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
