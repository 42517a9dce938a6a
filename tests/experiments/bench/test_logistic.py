"""The benchmark of the solver, on a few problems."""

from experiments.bench.logistic import LogisticBenchConfig, main, random_problem


def test_it_solves_random_problems_and_times_typical_ones(capsys, monkeypatch):
    monkeypatch.setattr("experiments.bench.logistic.TYPICAL", ((20, 2), (20, 6)))
    figures = main(LogisticBenchConfig(problems=12, compare_every=3, repeats=1))
    assert figures["unsolved"] == 0
    assert figures["gradient"] <= 1e-6
    assert figures["excess"] <= 1e-9
    assert figures["seconds/20/6"] > 0
    assert "12 of 12 problems solved" in capsys.readouterr().out


def test_the_problems_have_every_kind():
    problems = [random_problem(seed) for seed in range(200)]
    assert {problem.n_classes for problem in problems} >= {2, 77, 150}
    assert any(len(problem.x) < problem.x.shape[1] for problem in problems)
    assert any(len(problem.x) > problem.x.shape[1] for problem in problems)
    assert {seed % 4 for seed in range(0, 200, LogisticBenchConfig.compare_every)} == {0, 1, 2, 3}  # the kinds compared
    assert any(len(set(problem.labels)) < problem.n_classes // 2 for problem in problems)
    assert min(problem.c for problem in problems) < 0.1
    assert max(problem.c for problem in problems) > 1e5
