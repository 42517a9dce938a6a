"""The profile of the choice among candidates accounts for all of its time."""

import gymnasium as gym

from experiments.bench import steps
from experiments.parsing import parse
from signal_env.wrappers import CandidateSelection


def test_the_parts_are_the_whole(capsys):
    args = ["--episodes", "2", "--repeats", "1", "--pool-size", "50", "--evaluation-size", "40"]
    config = parse(args, steps.StepsConfig)
    assert config.options.round_size == 15
    seconds = steps.main(config)
    assert {"fit", "predict", "neighbors", "offer", "draw", "features of the candidates", "rest"} <= set(seconds)
    assert "encoder" not in seconds  # every text has been encoded before
    assert all(value >= 0 for value in seconds.values())
    shown = capsys.readouterr().out
    assert "steps a second" in shown
    assert "70 steps in 2 episodes" in shown  # from 15 labels to 50


def test_play_counts_the_choices_of_whole_episodes():
    env = CandidateSelection(
        gym.make("SignalEnv-reviews-v0", selection="submitted", pool_size=30, round_size=4, evaluation_size=20)
    )
    assert steps.play(env, 2) == 2 * 26
