"""The figure of label balance when there are many classes."""

import numpy as np
import pandas as pd
import pytest

from experiments.report.figures import SHADES, _balance


def drawn(shares):
    """Return the areas and the names in the figure of one method's shares `(rounds, C)`."""
    rows = [
        {"setting": "one", "method": "SIGnAL", "round": i, "share": 0.5 * i, "class": f"class {k}", "mean": value}
        for i, of_round in enumerate(shares, start=1)
        for k, value in enumerate(of_round)
    ]
    (axis,) = _balance(pd.DataFrame(rows), ["SIGnAL"], ["one"]).axes
    return [np.ptp(area.get_paths()[0].vertices[:, 1]) for area in axis.collections], [t.get_text() for t in axis.texts]


@pytest.mark.parametrize("classes", [2, len(SHADES)])
def test_few_classes_are_all_shown(classes):
    areas, names = drawn(np.full((3, classes), 1 / classes))
    assert names == [f"class {k}" for k in range(classes)]
    assert areas == pytest.approx([1 / classes] * classes)


def test_of_many_classes_the_smallest_are_one():
    counts = np.ones(77)
    counts[[5, 70]] = 40, 30
    areas, names = drawn(np.tile(counts / counts.sum(), (3, 1)))
    assert len(names) == len(SHADES)
    assert {"class 5", "class 70"} <= set(names)
    assert names[-1] == "70 others"
    assert areas[-1] == pytest.approx(70 / counts.sum())
    assert sum(areas) == pytest.approx(1)
