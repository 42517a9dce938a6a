"""The order of a figure's panels."""

import pandas as pd

from experiments.report.drawing import in_rows, layout_of


def rounds(*settings):
    return pd.DataFrame(settings, columns=["setting", "task", "fraction"])


def test_tasks_with_several_pools_are_rows_and_the_others_follow():
    played = rounds(
        ("sst2-0.1%", "sst2", 0.001),
        ("sst2-1%", "sst2", 0.01),
        ("agnews-1%", "agnews", 0.01),
        ("qnli-0.1%", "qnli", 0.001),
        ("qnli-1%", "qnli", 0.01),
        ("trec", "trec", 0.1),
        ("banking77", "banking77", 0.1),
    )
    expected = [["sst2-0.1%", "sst2-1%"], ["qnli-0.1%", "qnli-1%"], ["agnews-1%", "trec"], ["banking77", ""]]
    assert layout_of(played, list(played["setting"])) == expected


def test_a_missing_pool_of_the_grid_is_none():
    played = rounds(
        *(("a-1", "a", 0.1), ("a-2", "a", 0.2), ("b-2", "b", 0.2), ("b-3", "b", 0.3)),
    )
    assert layout_of(played, ["a-1", "a-2", "b-2", "b-3"]) == [["a-1", "a-2", None], [None, "b-2", "b-3"]]


def test_without_a_grid_there_are_rows_of_three():
    played = rounds(("a", "a", 0.1), ("b", "b", 0.1), ("c", "c", 0.1), ("d", "d", 0.1))
    assert layout_of(played, list("abcd")) == [["a", "b", "c"], ["d", "", ""]]
    assert in_rows(["one"], 2, fill=True) == [["one", ""]]
    assert in_rows(["one"], 2) == [["one"]]
