"""Reference curves behind one's own: the means of the references, in settings that are the protocol's."""

import pytest

from experiments.__main__ import main
from experiments.config import RunError, make_config
from experiments.runs import read_runs
from experiments.scoreboard.behind import reference_curves, reference_table
from experiments.scoreboard.references import read_references


@pytest.fixture(scope="module")
def run(tmp_path_factory, coin_agent):
    """A run of one's own on reviews, with references in TensorBoard; not to be changed."""
    folder = tmp_path_factory.mktemp("run") / "mine"
    assert main(["run", "--agent", coin_agent, "--references", "random", "cal", "--out", str(folder)]) == 0
    return folder


def mean_curve(method, setting="reviews"):
    rounds = read_references().rounds.query("setting == @setting and method == @method")
    return rounds.groupby("labeled")["accuracy"].mean()


def test_curves_are_means_over_all_seeds():
    found = reference_curves(make_config("SignalEnv-reviews-v0", "entropy"), ["random", "cal"])
    for method, curve in found.items():
        labeled, accuracies = zip(*curve, strict=True)
        expected = mean_curve(method)
        assert list(labeled) == expected.index.tolist()
        assert accuracies == pytest.approx(expected.to_numpy())


def test_tensorboard_has_them_as_runs_of_the_same_tag(run, read_events):
    assert "charts/accuracy" in read_events(run / "tensorboard")
    for method in ("random", "cal"):
        events = read_events(run / "tensorboard" / f"reference-{method}")
        assert events.keys() == {"charts/accuracy"}
        steps, values = zip(*events["charts/accuracy"], strict=True)
        assert list(steps) == mean_curve(method).index.tolist()
        assert values == pytest.approx(mean_curve(method).to_numpy(), abs=1e-6)  # events are in single precision


def test_a_report_draws_them(run, tmp_path, capsys):
    assert main(["report", str(run), "--references", "random", "--out", str(tmp_path)]) == 0
    svg = (tmp_path / "figures" / "curves.svg").read_text()
    assert "random, reference" in svg
    rows = (tmp_path / "tables" / "references.csv").read_text().splitlines()
    assert rows[0] == "setting,method,share,seeds,mean,low,high"
    means = [float(row.split(",")[4]) for row in rows[1:]]
    assert means == pytest.approx(mean_curve("random").to_numpy(), abs=1e-5)
    assert main(["report", str(run), "--out", str(tmp_path / "without")]) == 0
    assert "reference" not in (tmp_path / "without" / "figures" / "curves.svg").read_text()


def test_settings_that_are_not_the_protocols_are_refused(played, capsys, tmp_path):
    runs = read_runs([played])
    with pytest.raises(RunError, match=r"No reference can be drawn.*pool_size is 40, not 500"):
        reference_table(runs, ["random"])
    assert main(["run", "--references", "random", "--pool-size", "60", "--out", str(tmp_path / "r")]) == 1
    assert "pool_size is 60, not 500" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


def test_references_are_known_and_have_played():
    config = make_config("SignalEnv-reviews-v0", "entropy")
    with pytest.raises(RunError, match=r"The scoreboard has no randon\. Did you mean 'random'"):
        reference_curves(config, ["randon"])
    real = make_config("SignalEnv-trec-v0", "entropy", options={"classifier": "linear", "encoder": "minilm"})
    with pytest.raises(RunError, match="The references sb3 have not played trec"):
        reference_curves(real, ["random", "sb3"])
