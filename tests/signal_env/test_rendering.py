"""The rendered panel of tasks with many classes."""

import numpy as np

from signal_env.rendering import label_counts
from signal_env.tasks import get_task

BANKING = get_task("banking77")


def test_of_many_classes_those_with_the_most_labels_are_shown():
    counts = np.zeros(77, dtype=np.int64)
    counts[[76, 40, 3]] = 2, 9, 5
    shown = label_counts(BANKING, counts).split(" · ")
    names = BANKING.class_names
    assert shown[:3] == [f"{names[40]} 9", f"{names[3]} 5", f"{names[76]} 2"]
    assert len(shown) == 12
    assert shown[-2:] == ["67 other classes", "74 classes without labels"]


def test_of_few_classes_all_are_shown_in_order():
    assert label_counts(get_task("trec"), np.arange(6)) == "DESC 0 · ENTY 1 · ABBR 2 · HUM 3 · LOC 4 · NUM 5"
