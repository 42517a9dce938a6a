"""The scores of a run, read off its learning curve: one definition for every table."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def run_scores(share: Array, accuracy: Array) -> dict[str, float]:
    """The scores of one run; not a number what it has not reached.

    Between two rounds accuracy is taken to be linear, so that methods whose rounds end at slightly different numbers
    of labels are read at the same number. Areas are under the curve from the first round on, divided by its width.

    Args:
        share: `(n,)` labeled instances over |R| at each round, rising.
        accuracy: `(n,)` accuracy at each round.

    Example:
        >>> scores = run_scores(np.array([0.2, 0.6, 1.2]), np.array([0.5, 0.7, 0.9]))
        >>> {name: round(float(score), 3) for name, score in scores.items()}
        {'first': 0.5, 'at_50': 0.65, 'at_100': 0.833, 'at_200': nan, 'area_100': 0.683, 'area_end': 0.72, 'end': 0.9}
    """
    scores = {"first": accuracy[0]}
    scores |= {f"at_{round(100 * at)}": np.interp(at, share, accuracy, np.nan, np.nan) for at in (0.5, 1.0, 2.0)}
    for name, until in (("area_100", 1.0), ("area_end", share[-1])):
        within = share < until
        x, y = np.append(share[within], until), np.append(accuracy[within], np.interp(until, share, accuracy))
        reached = share[0] < until <= share[-1]
        scores[name] = np.trapezoid(y, x) / (until - share[0]) if reached else np.nan
    return {name: float(score) for name, score in (scores | {"end": accuracy[-1]}).items()}
