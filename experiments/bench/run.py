"""`python -m experiments bench run`: plays a run and measures the time of its parts."""

import tempfile
from dataclasses import replace
from pathlib import Path

from experiments.bench.profile import Profile, parts_table
from experiments.config import RunConfig
from experiments.progress import console
from experiments.run import play
from signal_env.acquisition import Strategy
from signal_env.classifiers.linear import LinearClassifier
from signal_env.classifiers.pretrained import TextModel
from signal_env.learner import Learner
from signal_env.learner.open_round import OpenRound
from signal_env.wrappers.recording import RunLog
from signal_env.wrappers.tensorboard import Board

MODELS = ("loading", "agent", "encoder and annotator")
"""The parts of a run that are the models' own work; the others are the environment's."""

BOARD = ("reset", "offer", "round", "metrics", "end", "close", "state_dict")
"""The methods of a `Board`."""


def main(config: RunConfig) -> dict[str, float]:
    """Play the run in a temporary folder, print the seconds of its parts, and return them."""
    agent = type(config.agent_options)
    parts = [
        ("loading", Learner, "__init__"),
        ("loading", agent, "reset"),
        ("agent", agent, "act"),
        ("encoder and annotator", TextModel, "run"),
        ("environment: tokenizing", TextModel, "encode"),
        ("environment: training the head", LinearClassifier, "fit"),
        ("environment: neighbors", OpenRound, "find_neighbors"),
        ("environment: acquisition", Strategy, "__call__"),
        ("environment: logs", RunLog, "offer"),
        *(("environment: TensorBoard", Board, name) for name in BOARD),
    ]
    profile = Profile(rest="environment: the rest")
    with tempfile.TemporaryDirectory() as folder, profile.measure(parts):
        play(replace(config, out=Path(folder) / "run"))
    seconds = dict(sorted(profile.seconds.items(), key=lambda item: (item[0] not in MODELS, -item[1])))
    console.print(parts_table(f"{config.agent} on {config.env}", seconds, "seconds", "{:.2f}".format))
    total = sum(seconds.values())
    outside = sum(value for part, value in seconds.items() if part not in MODELS)
    console.print(f"{total:.1f} s in all; {outside:.1f} s ({outside / total:.1%}) outside the models' own work")
    return seconds
