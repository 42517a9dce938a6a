"""The command line: a run's folder, its configuration there and back, and what is said of bad input."""

import json
import subprocess
import sys

import pytest
import yaml

from experiments.__main__ import COMMANDS, main
from experiments.config import RunError, make_config, parse

SMALL = ["--pool-size", "40", "--round-size", "10", "--evaluation-size", "40"]


def run(tmp_path, *args, name="run"):
    return main(["run", *SMALL, "--out", str(tmp_path / name), *args])


def test_a_run_writes_its_folder(tmp_path, capsys):
    assert run(tmp_path, "--agent", "random", "--seed", "3") == 0
    folder = tmp_path / "run"
    assert {file.name for file in folder.iterdir()} == {"config.yaml", "rounds.jsonl", "offers.jsonl", "curve.png"}
    rounds = [json.loads(line) for line in (folder / "rounds.jsonl").read_text().splitlines()]
    assert [line["labeled"] for line in rounds] == [10, 20, 30, 40]
    assert len((folder / "offers.jsonl").read_text().splitlines()) == 30
    assert (folder / "curve.png").read_bytes().startswith(b"\x89PNG")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["seed"] == 3
    assert config["options"]["pool_size"] == 40
    assert config["options"]["selection"] == "submitted"
    assert "random" in capsys.readouterr().out


def test_a_run_repeats_from_its_own_configuration(tmp_path):
    assert run(tmp_path, "--agent", "generator", "--budget", "30", "--temperature", "0.9") == 0
    assert main(["run", "--config", str(tmp_path / "run" / "config.yaml"), "--out", str(tmp_path / "again")]) == 0
    for name in ("rounds.jsonl", "offers.jsonl", "config.yaml"):
        assert (tmp_path / "run" / name).read_text() == (tmp_path / "again" / name).read_text()
    offers = [json.loads(line) for line in (tmp_path / "run" / "offers.jsonl").read_text().splitlines()]
    assert {tuple(offer["reward_terms"]) for offer in offers} == {("signal", "invalid")}


def test_the_command_line_goes_before_the_file(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("agent: generator\nseed: 5\noptions: {pool_size: 50}\nagent_options: {temperature: 0.5}\n")
    config = parse(["--config", str(file), "--pool-size", "60", "--top-p", "0.9"])
    assert (config.agent, config.seed, config.options.pool_size) == ("generator", 5, 60)
    assert (config.agent_options.temperature, config.agent_options.top_p) == (0.5, 0.9)
    assert config.options.encoder == "embedded"  # the environment's own option


def test_a_run_is_never_written_over_unless_asked(tmp_path, capsys):
    assert run(tmp_path) == 0
    before = (tmp_path / "run" / "offers.jsonl").read_text()
    assert run(tmp_path, "--seed", "1") == 1
    assert "--overwrite" in capsys.readouterr().err
    assert (tmp_path / "run" / "offers.jsonl").read_text() == before
    assert run(tmp_path, "--seed", "1", "--overwrite") == 0
    assert (tmp_path / "run" / "offers.jsonl").read_text() != before


def test_every_option_of_the_environment_and_of_the_agent_is_in_the_help():
    import dataclasses

    from agents.llm import GeneratorAgent
    from signal_env.config import SignalConfig

    command = [sys.executable, "-m", "experiments", "run", "--agent", "generator", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for field in [*dataclasses.fields(SignalConfig), *dataclasses.fields(GeneratorAgent)]:
        assert f"--{field.name.replace('_', '-')}" in shown, field.name
    assert "The paper's b, instances labeled per round" in shown


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--env", "SignalEnv-sst3-v0"], "SignalEnv-sst2-v0"),
        (["--agent", "randon"], "Did you mean 'random'"),
        (["--budget", "5"], "spent by the 10 initial ones"),
        (["--classifier", "svm"], "Known: "),
        (["--config", "no_such_file.yaml"], "no_such_file.yaml"),
    ],
)
def test_bad_input_ends_in_one_line(tmp_path, capsys, args, message):
    assert run(tmp_path, *args) == 1
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_unknown_names_in_a_file(tmp_path):
    with pytest.raises(RunError, match=r"EnvironmentOptions has no pool_sise. Its values are: .*pool_size"):
        make_config("SignalEnv-reviews-v0", "random", options={"pool_sise": 3})
    with pytest.raises(RunError, match="RandomAgent has no temperature"):
        make_config("SignalEnv-reviews-v0", "random", agent_options={"temperature": 3})
    file = tmp_path / "broken.yaml"
    file.write_text("agent: [random")
    with pytest.raises(RunError, match="cannot be read"):
        parse(["--config", str(file)])


def test_commands_are_listed(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in COMMANDS)
    assert main(["no_such_command"]) == 2
    assert "usage" in capsys.readouterr().out


def test_a_users_own_task_needs_no_code(tmp_path, colours_task):
    args = ["--env", "SignalEnv-v0", "--task", colours_task, "--classifier", "linear", "--encoder", "embedded"]
    assert run(tmp_path, *args, "--annotator", "gold") == 0
    last = json.loads((tmp_path / "run" / "rounds.jsonl").read_text().splitlines()[-1])
    assert len(last["label_counts"]) == 3
    assert sum(last["label_counts"]) == last["labeled"] == 40


def test_a_run_that_could_not_begin_leaves_its_folder_free(tmp_path, capsys):
    assert run(tmp_path, "--agent", "generator", "--generator", "/no/such/model") == 1
    assert "No model folder" in capsys.readouterr().err
    assert run(tmp_path, "--agent", "generator", "--device", "cuda:99") == 1
    assert "'cuda:99' cannot be used here" in capsys.readouterr().err
    assert run(tmp_path, "--agent", "generator", "--budget", "20") == 0
