"""The scores of a run, beside another way to the same number."""

import numpy as np
import pytest

from experiments.report.statistics import run_scores


def test_areas_are_means_over_a_fine_grid():
    share, accuracy = np.array([0.1, 0.25, 0.7, 0.95, 1.05, 1.6]), np.array([0.5, 0.62, 0.7, 0.68, 0.75, 0.8])
    found = run_scores(share, accuracy)
    for name, until in (("area_100", 1.0), ("area_end", 1.6)):
        middles = 0.1 + (np.arange(200_000) + 0.5) / 200_000 * (until - 0.1)
        assert found[name] == pytest.approx(np.interp(middles, share, accuracy).mean(), abs=1e-8)
    assert found["at_100"] == pytest.approx(0.715)  # half way between 0.68 and 0.75
    assert found["at_50"] == pytest.approx(0.62 + 0.08 * 25 / 45)
    assert np.isnan(found["at_200"])
    assert (found["first"], found["end"]) == (0.5, 0.8)


def test_what_a_run_has_not_reached_is_no_number():
    short = run_scores(np.array([0.6, 0.9]), np.array([0.5, 0.7]))
    assert np.isnan([short[name] for name in ("at_50", "at_100", "at_200", "area_100")]).all()
    assert short["area_end"] == pytest.approx(0.6)
    only = run_scores(np.array([1.0]), np.array([0.5]))
    assert only["at_100"] == 0.5
    assert np.isnan([only["area_100"], only["area_end"]]).all()
