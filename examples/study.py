"""A study from Python: every method plays every setting on the same seeds; finished runs are not played again.

Usage: python examples/study.py [SEEDS] [FOLDER]
"""

import sys
from pathlib import Path

from experiments import Study, sweep

SETTINGS = {
    "reviews": {"env": "SignalEnv-reviews-v0"},
    "noisy": {"env": "SignalEnv-reviews-v0", "options": {"annotator_noise": 0.2}},
}
METHODS = {
    "random": {"agent": "random"},
    "margin": {"agent": "margin"},
    "frozen": {"agent": "generator", "agent_options": {"max_new_tokens": 40}},
}


def main(seeds, folder, workers=None):
    """Play the missing runs, and print the mean accuracy along each curve and its difference to `random`."""
    study = Study(
        settings=SETTINGS,
        methods=METHODS,
        seeds=range(seeds),
        defaults={"tensorboard": False, "options": {"pool_size": 100, "round_size": 20, "budget": 100}},
        caption="Does noise in the annotator change the order of the methods?",
        name="example",
        out=Path(folder),
    )
    rounds = sweep(study, workers).rounds
    areas = rounds.groupby(["setting", "method", "seed"])["accuracy"].mean().unstack("seed")
    for setting, table in areas.groupby(level="setting"):
        for method, curve in table.droplevel("setting").iterrows():
            paired = (curve - table.loc[(setting, "random")]).mean()
            print(f"{setting:<8} {method:<7} area {curve.mean():.3f}   minus random {paired:+.3f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3, sys.argv[2] if len(sys.argv) > 2 else "runs/example")
