"""Values of runs and studies have types, wherever they come from; an error names file, option, type and value."""

import numpy as np
import pytest

from experiments import Study, play, sweep
from experiments.__main__ import main
from experiments.compare import comparison
from experiments.config import RunError, configuration_of, make_config, read_yaml
from experiments.scoreboard.protocol import Protocol, read_protocol
from experiments.study import read_study

REVIEWS = "SignalEnv-reviews-v0"

SMALL = {"pool_size": 20, "round_size": 10, "evaluation_size": 10, "classifier": "linear"}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("seed: 1.5", "seed must be a whole number; got 1.5"),
        ("seed: '1'", "seed must be a whole number; got '1'"),
        ("seed: 010", "seed must be a whole number; got '010'"),
        ("seed: 1\nseed: 2", "has 'seed' twice (lines 2 and 3)"),
        ("tensorboard: 0", "tensorboard must be True or False; got 0"),
        ("tensorboard: 'no'", "tensorboard must be True or False; got 'no'"),
        ("shaping_weight: heavy", "shaping_weight must be a number; got 'heavy'"),
        ("shaping_weight: ~", "shaping_weight must be a number; got None"),
        ("setting: yes", "setting must be a text or None; got True. YAML reads"),
        ("references: random", "references must be a list (each a text); got 'random'"),
        ("env: [a]", "env must be a text; got ['a']"),
        ("options: [pool_size]", "options must be a mapping; got ['pool_size']"),
        ("options: {pool_size: 20.5}", "pool_size must be a whole number or None; got 20.5"),
        ("options: {retrain: 1}", "retrain must be True or False; got 1"),
        ("options: {n_neighbors: ~}", "n_neighbors must be a whole number; got None"),
        ("options: {reward: {signal: much}}", "reward['signal'] must be a number; got 'much'"),
        ("options: {classifier_options: [max_iter]}", "classifier_options must be a mapping"),
        ("agent: ppo\nagent_options: {learning_rate: fast}", "learning_rate must be a number or None; got 'fast'"),
        ("agent: ppo\nagent_options: {trl: 1}", "trl must be a mapping"),
        ("agent_options: 3", "agent_options must be a mapping; got 3"),
    ],
)
def test_an_error_of_a_configuration_names_file_option_type_and_value(tmp_path, capsys, lines, message):
    file = tmp_path / "mine.yaml"
    file.write_text(f"shaping_gamma: 1\n{lines}\n")
    assert main(["run", "--config", str(file), "--out", str(tmp_path / "run")]) == 1
    error = capsys.readouterr().err
    assert str(file) in error
    assert message in error
    assert "Traceback" not in error
    assert not (tmp_path / "run").exists()


def test_values_that_are_what_the_type_says_are_taken(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(
        "env: SignalEnv-reviews-v0\nagent: ppo\nseed: 3.0\ntensorboard: no\n"
        "agent_options: {learning_rate: 1e-3, trl: {num_ppo_epochs: 2}}\n"
        "options: {pool_size: 1e2, invalid_reward: -1, classifier_options: {learning_rate: 1e-4}}\n"
    )
    run = configuration_of(tmp_path)
    assert (run.seed, run.tensorboard, run.agent_options.learning_rate) == (3, False, 0.001)
    assert (run.options.pool_size, run.options.invalid_reward) == (100, -1.0)
    assert run.options.classifier_options == {"learning_rate": 0.0001}
    assert [type(value) for value in (run.seed, run.options.pool_size, run.options.invalid_reward)] == [int, int, float]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("defaults: {options: {n_neighbors: many}}", "a/b: n_neighbors must be a whole number; got 'many'"),
        ("defaults: {num_envs: 1.5}", "a/b: num_envs must be a whole number or None; got 1.5"),
        ("defaults: [num_envs]", "defaults must be a mapping"),
        ("caption: 5", "caption must be a text; got 5"),
        ("name: [mine]", "name must be a text; got ['mine']"),
        ("defaults: {options: {encoder: ~}}", "a/b: encoder must be a text; got None"),
        ("seeds: 2", "has 'seeds' twice"),
    ],
)
def test_an_error_of_a_study_names_file_run_option_type_and_value(tmp_path, lines, message):
    file = tmp_path / "mine.yaml"
    head = "settings: {a: {env: SignalEnv-reviews-v0}}\nmethods: {b: {agent: random}}\nseeds: 1\n"
    file.write_text(f"{head}{lines}\n")
    with pytest.raises(RunError) as caught:
        read_study(str(file))
    assert str(file) in str(caught.value)
    assert message in str(caught.value)


def test_a_protocol_has_types(tmp_path, monkeypatch):
    monkeypatch.setattr("experiments.scoreboard.protocol.FOLDER", tmp_path)
    head = "caption: c\nsettings: {a: {env: e}}\nwriters: [a]\nquick: {settings: [a], seeds: 2.0}\n"
    file = tmp_path / "signal-t.yaml"
    file.write_text(f"{head}seeds: 5\nreplay: {{method: m, seed: 0}}\n")
    read = read_protocol.__wrapped__
    protocol = read("signal-t")
    assert isinstance(protocol, Protocol)
    assert (protocol.quick.seeds, protocol.replay.method) == (2, "m")
    file.write_text(f"{head}seeds: five\nreplay: {{method: m, seed: 0}}\n")
    with pytest.raises(RunError, match=r"signal-t.yaml.seeds must be a whole number; got 'five'"):
        read("signal-t")


def test_numbers_of_numpy_are_numbers_in_python(tmp_path):
    small = {name: np.int64(value) if isinstance(value, int) else value for name, value in SMALL.items()}
    weights = {"reward": {"signal": np.float64(2)}, "retrain": np.bool_(True), "invalid_reward": np.float32(-1)}
    runs = play(REVIEWS, "random", np.int64(1), out=tmp_path / "run", tensorboard=np.bool_(False), **small, **weights)
    assert runs.rounds["seed"].tolist() == [1, 1]
    plain = read_yaml(tmp_path / "run" / "config.yaml")["options"]
    assert (plain["pool_size"], plain["reward"], plain["retrain"]) == (20, {"signal": 2.0}, True)
    same = {"reward": {"signal": 2}, "retrain": True, "invalid_reward": -1}
    play(REVIEWS, "random", 1, out=tmp_path / "run", tensorboard=False, **SMALL, **same)  # it is this very run
    compared = comparison({"random": {"agent": "random"}}, REVIEWS, small, np.arange(2), tmp_path)
    assert [run.seed for run in compared.runs] == [0, 1]
    setting = {"env": REVIEWS, "options": small, "seeds": np.array([7]), "tensorboard": False}
    study = Study({"a": setting}, {"b": {"agent": "random"}}, np.int64(1), out=tmp_path / "s")
    assert sweep(study, workers=np.int64(0)).rounds["seed"].tolist() == [7, 7]
    assert read_study(str(tmp_path / "s" / "study.yaml")).settings["a"]["seeds"] == [7]


def test_types_of_agents_made_in_python_are_checked():
    with pytest.raises(RunError, match="learning_rate must be a number or None; got '1e-3'"):
        make_config(REVIEWS, "ppo", agent_options={"learning_rate": "1e-3"})
