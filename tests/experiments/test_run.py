"""The command line: a run's folder, its configuration there and back, and what is said of bad input."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time

import gymnasium as gym
import pytest
import yaml
from transformers import AutoTokenizer

from experiments.__main__ import COMMANDS, main
from experiments.config import RunError, configuration_of, make_config
from experiments.engines import play_run
from experiments.parsing import parse
from experiments.run import FILES, LOCK, SERVED
from signal_env.classifiers.pretrained import EMBEDDED

LONG = "LONG_TESTS" in os.environ

SMALL = ["--pool-size", "40", "--round-size", "10", "--evaluation-size", "40"]


def run(tmp_path, *args, name="run"):
    return main(["run", *SMALL, "--out", str(tmp_path / name), *args])


def test_a_run_writes_its_folder(tmp_path, capsys):
    assert run(tmp_path, "--agent", "random", "--seed", "3") == 0
    folder = tmp_path / "run"
    assert {file.name for file in folder.iterdir()} == {*FILES, LOCK} - {"adapter", *SERVED}
    assert (folder / "metrics.jsonl").read_text() == ""  # this agent has nothing to say
    rounds = [json.loads(line) for line in (folder / "rounds.jsonl").read_text().splitlines()]
    assert [line["labeled"] for line in rounds] == [10, 20, 30, 40]
    assert len((folder / "offers.jsonl").read_text().splitlines()) == 30
    assert (folder / "curve.png").read_bytes().startswith(b"\x89PNG")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["seed"] == 3
    assert config["options"]["pool_size"] == 40
    assert config["options"]["selection"] == "submitted"
    assert "random" in capsys.readouterr().out


def test_a_run_whose_offers_are_mostly_invalid_names_the_reason(tmp_path, capsys, forget_plugins):
    plugin = tmp_path / "first_texts.py"
    plugin.write_text(
        "import dataclasses\n\nfrom agents.agent import Agent, agents\n\n\n"
        "@agents.register('first_texts')\n@dataclasses.dataclass\nclass FirstTexts(Agent):\n"
        "    env_options = {'selection': 'submitted'}\n    stateless = True\n\n"
        "    def reset(self, envs, seed):\n        self.envs = envs\n\n"
        "    def act(self, observations):\n        n = self.envs.num_envs\n"
        "        return (list(self.envs.unwrapped.unlabeled.texts) + [''] * n)[:n]\n"
    )
    own = ["--plugin", str(plugin), "--agent", "first_texts", "--budget", "14"]
    assert run(tmp_path, *own, "--num-envs", "2") == 0
    said = " ".join(capsys.readouterr().out.split())
    # each of the two rounds offers its first two texts in five steps, and labels those two
    assert "16 of 20 offers were invalid, 16 of them for the reason 'duplicate'. Texts submitted earlier" in said
    assert run(tmp_path, *own, name="whole_rounds") == 0
    assert "offers were invalid" not in capsys.readouterr().out


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


@pytest.mark.parametrize(
    ("typed", "share"), [("0.5", 0.5), ("linear", "linear"), ("adaptive", "adaptive"), ("None", None)]
)
def test_the_synthetic_share_can_be_typed_and_written(tmp_path, typed, share):
    config = parse(["--agent", "generator", "--synthetic-share", typed])
    assert config.options.synthetic_share == share
    file = tmp_path / "config.yaml"
    file.write_text(config.as_yaml())
    assert parse(["--config", str(file)]).options.synthetic_share == share
    file.write_text(f"agent: generator\noptions: {{synthetic_share: {'null' if share is None else typed}}}\n")
    assert parse(["--config", str(file)]).options.synthetic_share == share


def test_a_run_ends_by_a_stopping_criterion(tmp_path):
    args = ["--agent", "random", "--stopping", "overall_uncertainty", "--stopping-options", "threshold", "1.0"]
    assert run(tmp_path, *args) == 0
    folder = tmp_path / "run"
    rounds = [json.loads(line) for line in (folder / "rounds.jsonl").read_text().splitlines()]
    assert [line["labeled"] for line in rounds] == [10, 20]
    assert rounds[-1]["end_reason"] == "the stopping criterion overall_uncertainty is met"
    assert rounds[0]["stopping"]["overall_uncertainty"]["met_at"] == 10
    assert configuration_of(folder).options.stopping_options == {"threshold": 1.0}
    whole = {file: (folder / file).read_bytes() for file in ("rounds.jsonl", "offers.jsonl")}
    assert main(["run", "--resume", str(folder)]) == 0  # it is over
    (folder / "finished").unlink()
    assert main(["run", "--resume", str(folder)]) == 0  # from its last checkpoint
    assert {file: (folder / file).read_bytes() for file in whole} == whole


def test_a_run_is_never_written_over_unless_asked(tmp_path, capsys):
    assert run(tmp_path) == 0
    before = (tmp_path / "run" / "offers.jsonl").read_text()
    assert run(tmp_path, "--seed", "1") == 1
    assert "--overwrite" in capsys.readouterr().err
    assert (tmp_path / "run" / "offers.jsonl").read_text() == before
    assert run(tmp_path, "--seed", "1", "--overwrite") == 0
    assert (tmp_path / "run" / "offers.jsonl").read_text() != before


def test_a_run_that_cannot_begin_leaves_things_as_they_were(tmp_path, capsys):
    assert run(tmp_path) == 0
    before = {place: place.read_bytes() for place in sorted((tmp_path / "run").rglob("*")) if place.is_file()}
    failing = ["--agent", "sb3", "--policy", str(tmp_path / "nowhere")]
    assert run(tmp_path, *failing, "--overwrite") == 1
    assert "holds no policy" in capsys.readouterr().err
    assert {place: place.read_bytes() for place in sorted((tmp_path / "run").rglob("*")) if place.is_file()} == before
    assert main(["run", *SMALL, *failing, "--out", str(tmp_path / "new")]) == 1
    assert not (tmp_path / "new").exists()
    assert run(tmp_path, "--seed", "1", "--overwrite") == 0
    assert not (tmp_path / "run" / ".replaced").exists()


def test_every_option_of_the_environment_and_of_the_agent_is_in_the_help(capsys):
    import dataclasses

    from agents.llm import GeneratorAgent
    from signal_env.config import SignalConfig

    with pytest.raises(SystemExit, match="0"):
        main(["run", "--agent", "generator", "--help"])
    shown = capsys.readouterr().out
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
        (["--stopping", "stable_prediction"], "Did you mean 'stable_predictions'"),
        (["--stopping-options", "threshold", "0.5"], "give stopping=NAME too"),
        (["--stopping", "overall_uncertainty", "--stopping-options", "window", "2"], "Its options: threshold"),
        (["--stopping", "overall_uncertainty", "--stopping-options", "threshold", "2"], "from 0 to 1; got 2"),
        (["--config", "no_such_file.yaml"], "no_such_file.yaml"),
    ],
)
def test_bad_input_ends_in_one_line(tmp_path, capsys, args, message):
    assert run(tmp_path, *args) == 1
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_configuration_may_be_read_from_any_folder(tmp_path, monkeypatch):
    for name in ("data", "models/encoder", "models/generator", "small", "sst2"):
        (tmp_path / name).mkdir(parents=True)
    options = {"task": "sst2", "data_dir": "data", "encoder": "./models/encoder", "annotator_model": "no/folder"}
    monkeypatch.chdir(tmp_path)
    runs = [
        make_config("SignalEnv-v0", "generator", options=options, agent_options={"generator": generator})
        for generator in ("models/generator", "small")
    ]
    told = [yaml.safe_load(run.as_yaml()) for run in runs]
    options = told[0]["options"]
    assert (options["data_dir"], options["encoder"]) == (str(tmp_path / "data"), str(tmp_path / "models" / "encoder"))
    assert (options["task"], options["annotator_model"]) == ("sst2", "no/folder")  # names
    names = [each["agent_options"]["generator"] for each in told]
    assert names == [str(tmp_path / "models" / "generator"), "small"]


def test_unknown_names_in_a_file(tmp_path):
    with pytest.raises(RunError, match=r"The environment has no option pool_sise. Did you mean .pool_size"):
        make_config("SignalEnv-reviews-v0", "random", options={"pool_sise": 3})
    with pytest.raises(RunError, match="random has no temperature"):
        make_config("SignalEnv-reviews-v0", "random", agent_options={"temperature": 3})
    file = tmp_path / "broken.yaml"
    file.write_text("agent: [random")
    with pytest.raises(RunError, match="is not valid YAML"):
        parse(["--config", str(file)])


def test_commands_are_listed(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in COMMANDS)
    assert main(["no_such_command"]) == 2
    assert "usage" in capsys.readouterr().out


def test_a_users_own_task_needs_no_code(tmp_path, colors_task):
    args = ["--env", "SignalEnv-v0", "--task", colors_task, "--classifier", "linear", "--encoder", "embedded"]
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


QUICK = ["--classifier-options", "min_steps", "2", "epochs", "1"]

WRITER = [
    *("--offers-per-round", "16", "--num-envs", "8", "--mini-batches", "2"),
    *("--max-new-tokens", "8", "--budget", "30"),
]


@pytest.mark.parametrize("agent", ["ppo", "badge"] if LONG else ["badge"])  # a PPO run is killed in bench robustness
def test_a_killed_run_goes_on_to_what_it_would_have_been(tmp_path, agent, read_events, start):
    args = [*SMALL, "--agent", agent, "--seed", "2"]
    if agent == "ppo":
        args += WRITER
    folders = tmp_path / "whole", tmp_path / "killed"
    assert main(["run", *args, "--out", str(folders[0])]) == 0
    begin = [*args, "--out", str(folders[1])]
    log = folders[1] / "offers.jsonl"
    for offers in (3, 13) if agent == "badge" else (13,):  # in the first round, and in a later one
        process = start("run", *begin)
        while process.is_alive() and not (log.is_file() and log.read_bytes().count(b"\n") >= offers):
            time.sleep(0.002)
        process.kill()
        process.join()
        begin = ["--resume", str(folders[1])]
    assert (folders[0] / "offers.jsonl").read_bytes() != (folders[1] / "offers.jsonl").read_bytes()
    assert main(["run", "--resume", str(folders[1])]) == 0
    for name in ("config.yaml", "rounds.jsonl", "offers.jsonl", "labels.jsonl", "finished"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name
    ours, theirs = ([json.loads(line) for line in (f / "metrics.jsonl").read_text().splitlines()] for f in folders)
    for one, other in zip(ours, theirs, strict=True):
        same = [name for name in one if not name.startswith(("speed", "trainer"))]
        assert [one[name] for name in same] == [other[name] for name in same]
    shown, again = (read_events(folder / "tensorboard") for folder in folders)
    assert shown.keys() == again.keys()
    for tag in shown:
        assert [step for step, _ in shown[tag]] == [step for step, _ in again[tag]], tag
        assert tag.startswith(("speed/", "losses/")) or shown[tag] == again[tag], tag
    assert len(again["charts/accuracy"]) == len((folders[1] / "rounds.jsonl").read_text().splitlines())
    costs = [json.loads(line) for line in (folders[1] / "cost.jsonl").read_text().splitlines()]
    assert [line["round"] for line in costs] == list(range(len(costs)))
    assert len(costs) == len(again["charts/accuracy"])
    assert all(line["seconds"] > 0 and line["memory"] > 1e8 for line in costs)
    events = {file.name: file.read_bytes() for file in (folders[1] / "tensorboard").glob("events*")}
    assert main(["run", "--resume", str(folders[1])]) == 0  # a finished run stays as it is
    assert events == {file.name: file.read_bytes() for file in (folders[1] / "tensorboard").glob("events*")}
    assert (folders[0] / "rounds.jsonl").read_bytes() == (folders[1] / "rounds.jsonl").read_bytes()


@pytest.mark.parametrize("name", ["offers.jsonl", "checkpoints/round-00003/state.json", "checkpoints"])
def test_a_run_that_lost_what_it_would_go_on_from_is_played_anew(tmp_path, name):
    """By a command, or by a sweep, which says nothing but what is missing."""
    assert run(tmp_path, "--agent", "entropy") == 0
    folder = tmp_path / "run"
    whole = {file: (folder / file).read_bytes() for file in ("config.yaml", "rounds.jsonl", "offers.jsonl")}
    for again in (lambda: main(["run", "--resume", str(folder)]), lambda: play_run(configuration_of(folder)) or 0):
        (folder / "finished").unlink()
        if (folder / name).is_dir():
            shutil.rmtree(folder / name)
        else:
            os.truncate(folder / name, (folder / name).stat().st_size // 2)
        assert again() == 0
        assert {file: (folder / file).read_bytes() for file in whole} == whole
        assert (folder / "finished").exists()


def test_logs_that_cannot_be_begun_leave_things_as_they_were(tmp_path, capsys):
    folder = tmp_path / "run"
    assert run(tmp_path, "--no-tensorboard") == 0
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    (folder / "tensorboard").symlink_to(tmp_path / "nowhere" / "at all")  # a disk that is not there, say
    assert run(tmp_path, "--seed", "1", "--overwrite") == 1
    assert "tensorboard" in capsys.readouterr().err
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before
    assert not (folder / ".replaced").exists()


def test_a_run_that_another_process_plays_is_left_alone(tmp_path, capsys):
    assert run(tmp_path) == 0
    before = {file: file.read_bytes() for file in (tmp_path / "run").rglob("*") if file.is_file()}
    holding = "lock = filelock.FileLock(sys.argv[1]); lock.acquire(); print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", f"import sys, filelock; {holding}", str(tmp_path / "run" / LOCK)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        for args in (["--resume", str(tmp_path / "run")], ["--overwrite", "--out", str(tmp_path / "run")]):
            assert main(["run", *args]) == 1
            assert "Another process plays the run" in capsys.readouterr().err
        assert before == {file: file.read_bytes() for file in (tmp_path / "run").rglob("*") if file.is_file()}
        other.kill()
    assert main(["run", "--resume", str(tmp_path / "run")]) == 0  # the lock went with the process


def test_a_run_without_tensorboard_is_the_same(tmp_path):
    assert run(tmp_path, name="with") == 0
    assert run(tmp_path, "--no-tensorboard", name="without") == 0
    assert not (tmp_path / "without" / "tensorboard").exists()
    assert main(["run", "--resume", str(tmp_path / "without")]) == 0
    for name in ("rounds.jsonl", "offers.jsonl"):
        assert (tmp_path / "with" / name).read_bytes() == (tmp_path / "without" / name).read_bytes()


def test_what_cannot_be_resumed(tmp_path, capsys):
    assert main(["run", "--resume", str(tmp_path)]) == 1
    assert "holds no run: it has no config.yaml" in capsys.readouterr().err
    assert main(["run", "--resume", str(tmp_path), "--seed", "3"]) == 1
    assert "without other options" in capsys.readouterr().err


def test_a_time_limit_is_no_part_of_a_run(tmp_path, capsys):
    assert run(tmp_path, "--call-timeout", "0") == 1
    assert "a number of seconds above 0" in capsys.readouterr().err
    assert run(tmp_path, "--call-timeout", "500", "--budget", "20") == 0
    assert "call_timeout" not in (tmp_path / "run" / "config.yaml").read_text()
    assert parse(["--resume", str(tmp_path / "run"), "--call-timeout", "7"]).call_timeout == 7.0
    assert parse(["--resume", str(tmp_path / "run")]).call_timeout is None
    assert main(["run", "--resume", str(tmp_path / "run"), "--call-timeout", "7"]) == 0


def test_the_papers_models_by_name_are_two_options(tmp_path, monkeypatch):
    """A Qwen2 with a chat template and a BERT to fine-tune, as folders in the hub's format, with the network off."""

    def refuse(*_):
        raise AssertionError("something wanted the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    folders = {name: tmp_path / name for name in ("encoder", "generator")}
    for name, folder in folders.items():
        shutil.copytree(EMBEDDED / name, folder)
    tokenizer = AutoTokenizer.from_pretrained(folders["generator"])
    tokenizer.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:"
    tokenizer.save_pretrained(folders["generator"])
    models = ["--generator", str(folders["generator"]), "--encoder", str(folders["encoder"])]
    for agent in ("ppo", "rloo") if LONG else ("ppo",):
        group = [] if agent == "ppo" else ["--prompt-group", "4"]
        args = ["--agent", agent, "--classifier", "finetune", *QUICK, *models, *WRITER, *group]
        assert run(tmp_path, *args, "--trl", "lr_scheduler_type", "linear", name=agent) == 0
        lines = (tmp_path / agent / "metrics.jsonl").read_text().splitlines()
        assert len(lines) == 2
        assert (tmp_path / agent / "adapter" / "adapter_model.safetensors").is_file()
        config = yaml.safe_load((tmp_path / agent / "config.yaml").read_text())
        assert config["agent_options"]["trl"] == {"lr_scheduler_type": "linear"}


def test_shaping_is_in_the_logs_and_telescopes(tmp_path):
    shaping = ["--shaping", "train_accuracy", "--shaping-weight", "2", "--no-tensorboard"]
    assert run(tmp_path, "--agent", "entropy", name="plain") == 0
    assert run(tmp_path, "--agent", "entropy", *shaping, name="shaped") == 0
    plain, shaped = (
        [json.loads(line) for line in (tmp_path / name / "offers.jsonl").read_text().splitlines()]
        for name in ("plain", "shaped")
    )
    assert [line["text"] for line in plain] == [line["text"] for line in shaped]
    terms = [line["reward_terms"]["potential(train_accuracy)"] for line in shaped]
    assert {term["weight"] for term in terms} == {2.0}
    for one, other, term in zip(plain, shaped, terms, strict=True):
        assert term["contribution"] == 2 * term["raw"]
        assert other["reward"] == pytest.approx(one["reward"] + term["contribution"])
    env = gym.make("SignalEnv-reviews-v0", pool_size=40, round_size=10, evaluation_size=40, selection="submitted")
    observation, _ = env.reset(seed=0)
    first = observation["classifier"][list(env.unwrapped.feature_names).index("train_accuracy")]
    assert sum(term["raw"] for term in terms) == pytest.approx(-first)  # gamma is 1, and the potential of the end is 0
    assert main(["run", "--resume", str(tmp_path / "shaped")]) == 0
    assert main(["rescore", str(tmp_path / "shaped"), "--reward", "signal"]) == 0
    rows = [json.loads(line) for line in (tmp_path / "shaped" / "rescored.jsonl").read_text().splitlines()]
    assert [row["rescored"] for row in rows] == pytest.approx([row["reward"] for row in rows])


def test_shaping_by_an_unknown_potential_is_one_line(tmp_path, capsys):
    assert run(tmp_path, "--shaping", "train_acuracy") == 1
    error = capsys.readouterr().err
    assert "train_accuracy" in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()
