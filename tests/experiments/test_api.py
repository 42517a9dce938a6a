"""Runs and studies from Python: the folders and logs of the command line, and tables of them."""

import dataclasses

import pytest

from agents.agent import Agent, agents
from experiments import Experiment, Study, run_study
from experiments.__main__ import main
from experiments.config import RunError

SMALL = {"pool_size": 40, "round_size": 10, "evaluation_size": 40, "tensorboard": False}


def test_an_experiment_is_the_run_of_the_command_line(tmp_path):
    experiment = Experiment("SignalEnv-reviews-v0", "entropy", seed=3, out=tmp_path / "python", **SMALL)
    runs = experiment.run()
    assert runs.rounds["labeled"].tolist() == [10, 20, 30, 40]
    args = ["--pool-size", "40", "--round-size", "10", "--evaluation-size", "40", "--no-tensorboard"]
    assert main(["run", "--agent", "entropy", "--seed", "3", *args, "--out", str(tmp_path / "shell")]) == 0
    for name in ("config.yaml", "rounds.jsonl", "offers.jsonl"):
        assert (tmp_path / "python" / name).read_bytes() == (tmp_path / "shell" / name).read_bytes()
    file = tmp_path / "python" / "rounds.jsonl"
    before = file.stat().st_mtime_ns
    assert experiment.run().rounds.equals(runs.rounds)  # finished, so read and not played
    assert file.stat().st_mtime_ns == before
    again = Experiment("SignalEnv-reviews-v0", "entropy", seed=3, out=tmp_path / "python", overwrite=True, **SMALL)
    assert again.run().rounds.equals(runs.rounds)
    assert file.stat().st_mtime_ns > before
    with pytest.raises(RunError, match="holds a run with other options"):
        Experiment("SignalEnv-reviews-v0", "entropy", seed=4, out=tmp_path / "python", **SMALL).run()


def test_values_go_where_they_belong():
    values = {"num_envs": 5, "temperature": 0.5, "reward": "entropy", "options": {"pool_size": 30}}
    config = Experiment("SignalEnv-reviews-v0", "generator", seed=1, **values).config
    assert (config.num_envs, config.seed, config.agent_options.temperature) == (5, 1, 0.5)
    assert (config.options.reward, config.options.pool_size) == ("entropy", 30)
    with pytest.raises(RunError, match=r"A run of generator has no pool_sise\. Did you mean 'pool_size'"):
        Experiment("SignalEnv-reviews-v0", "generator", pool_sise=30)


def test_a_study_plays_agents_and_terms_of_this_process(tmp_path):
    """And what is finished is not played again."""

    @agents.register("first")
    @dataclasses.dataclass
    class FirstAgent(Agent):
        env_options = {"selection": "submitted"}

        def reset(self, envs, seed):
            self.envs = envs

        def act(self, observations):
            return list(self.envs.unwrapped.unlabeled.texts[: self.envs.num_envs])

    settings = {"few": {"env": "SignalEnv-reviews-v0", "options": {"pool_size": 40, "round_size": 10}}}
    methods = {name: {"agent": name, "tensorboard": False} for name in ("first", "random")}
    study = Study(settings, methods, seeds=range(2), name="mine", out=tmp_path)
    runs = run_study(study, workers=0)
    assert [*runs.rounds.groupby(["method", "seed"]).groups] == [(m, s) for m in ("first", "random") for s in (0, 1)]
    assert (runs.rounds.groupby(["method", "seed"])["labeled"].max() == 40).all()
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("rounds.jsonl")}
    assert run_study(study, workers=0).rounds.equals(runs.rounds)
    assert before == {file: file.stat().st_mtime_ns for file in before}
    with pytest.raises(RunError, match="folders hold runs with other options"):
        run_study(dataclasses.replace(study, defaults={"options": {"n_neighbors": 3}}, text=""), workers=0)
    with pytest.raises(RunError, match="--workers is at least 0; got -1"):
        run_study(study, workers=-1)
    del agents._entries["first"]
