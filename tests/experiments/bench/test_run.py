"""The profile of a run accounts for all of its time."""

from experiments.bench import run
from experiments.config import make_config


def test_the_parts_are_the_whole_run(capsys):
    options = {"pool_size": 60, "round_size": 20, "evaluation_size": 60, "budget": 80}
    seconds = run.main(make_config("SignalEnv-reviews-v0", "generator", options=options))
    assert {*run.MODELS, "environment: acquisition"} <= set(seconds)
    assert all(value >= 0 for value in seconds.values())
    shown = capsys.readouterr().out
    assert f"{sum(seconds.values()):.1f} s in all" in shown
