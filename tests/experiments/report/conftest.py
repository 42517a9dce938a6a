"""Tables of rounds made of numbers."""

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="session")
def made():
    """Returns a function that makes a table of rounds, as `read_runs` does, from the accuracies of each run."""

    def rounds(runs, task="sst2", fraction=0.01, pool=100, step=10):
        rows = []
        for (setting, method, seed), accuracies in runs.items():
            for i, accuracy in enumerate(accuracies):
                labeled = step * (i + 1)
                written = 4 if labeled > pool else 0
                rows.append(
                    {
                        **{"setting": setting, "method": method, "seed": seed, "task": task, "fraction": fraction},
                        **{"agent": method, "folder": f"{setting}/{method}/{seed}", "index": i, "pool": pool},
                        **{"accuracy": accuracy, "labeled": labeled, "share": labeled / pool, "offers": step},
                        **{"macro_f1": accuracy - 0.02 * (seed % 3), "nll": 1.5 - accuracy},
                        **{"selected_real": step - written, "selected_synthetic": written},
                        "synthetic_label_counts": [written - i % 3, i % 3] if written else [0, 0],
                    }
                )
        return pd.DataFrame(rows)

    return rounds


@pytest.fixture(scope="session")
def study(made):
    """Rounds of four methods in two settings, three seeds each; `ours` goes on to twice the pool."""
    rng = np.random.default_rng(0)
    runs = {
        (setting, method, seed): np.sort(rng.uniform(0.5 + gain, 0.9, 20 if method == "ours" else 10))
        for setting in ("a", "b")
        for method, gain in (("random", 0.0), ("entropy", 0.1), ("badge", 0.05), ("ours", 0.12))
        for seed in range(3)
    }
    return made(runs)
