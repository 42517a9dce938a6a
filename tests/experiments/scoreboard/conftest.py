"""A scoreboard of numbers made by hand."""

import numpy as np
import pandas as pd
import pytest

from experiments.scoreboard.protocol import Protocol, Quick, Replay
from experiments.scoreboard.references import with_share


@pytest.fixture(scope="session")
def protocol():
    """A protocol with two settings."""
    settings = {name: {"env": "SignalEnv-reviews-v0"} for name in ("a", "b")}
    return Protocol("made-v1", "Made.", settings, 5, ["a"], Quick(["a"], 2), Replay("random", 0))


@pytest.fixture(scope="session")
def rounds():
    """Rounds of three methods in two settings, five seeds each but for `few`; to twice the pool for `writer`."""
    rng = np.random.default_rng(1)
    rows = []
    for setting, pool in (("a", 100), ("b", 40)):
        for method, gain in (("random", 0.0), ("better", 0.03), ("few", 0.01), ("writer", 0.02)):
            for seed in range(2 if method == "few" else 5):
                shift = np.random.default_rng((seed, pool)).normal(0, 0.02)
                for i in range(1, (20 if method == "writer" else 10) + 1):
                    accuracy = 0.5 + shift + 0.03 * i + gain * (i > 1) + rng.normal(0, 0.004)
                    labeled = i * pool // 10
                    rows.append([setting, method, seed, pool, labeled, 0, accuracy, accuracy - 0.01, 1 - accuracy])
    names = ["setting", "method", "seed", "pool", "labeled", "synthetic", "accuracy", "macro_f1", "nll"]
    return with_share(pd.DataFrame(rows, columns=names))
