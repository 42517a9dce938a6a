"""Plugins: one of each kind through every command; imported once, known by content, and never in the way silently."""

import hashlib
import json
import re
import shutil
import sys
import time
from pathlib import Path

import pytest
import yaml

from agents.agent import agents
from experiments import plugins
from experiments.__main__ import main
from experiments.config import configuration_of, make_config
from experiments.engines import play_plain
from experiments.plugin_record import accepted, recorded
from experiments.study import Study
from signal_env.rewards import reward_terms
from signal_env.utils.errors import PluginError

MINE = Path(__file__).parents[1] / "plugins" / "mine.py"

pytestmark = pytest.mark.usefixtures("forget_plugins")

SMALL = [*("--pool-size", "60", "--round-size", "10", "--evaluation-size", "40", "--budget", "40"), "--no-tensorboard"]
OWN = ["--agent", "mine", "--explore", "0.5", "--reward", "signal + 0.1*mine_brief", "--shaping", "mine_half"]
OWN += ["--classifier", "mine_words", "--classifier-options", "n_features", "128", "--annotator", "mine_tender"]
OWN += ["--stopping", "mine_enough", "--acquisition", "mine_long", "--offers-per-round", "20", "--num-envs", "5"]

STUDY = """
seeds: [0]
plugins: [plugins/mine.py]
defaults:
  tensorboard: false
  options:
    {pool_size: 60, round_size: 10, evaluation_size: 50, budget: 40, classifier: mine_words, annotator: mine_tender}
settings: {few: {env: SignalEnv-reviews-v0, options: {reward: signal + 0.1*mine_brief, stopping: mine_enough}}}
methods:
  mine: {agent: mine, num_envs: 5, options: {offers_per_round: 20}}
  long: {agent: mine_long}
"""

LOGS = ("config.yaml", "rounds.jsonl", "offers.jsonl", "labels.jsonl", "metrics.jsonl", "finished")


def write(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return str(file)


def run(out, *args, plugin=MINE):
    return main(["run", "--plugin", str(plugin), *SMALL, *args, "--out", str(out)])


def files(folder):
    return {
        place.relative_to(folder).as_posix(): place.read_bytes() for place in folder.rglob("*") if place.name in LOGS
    }


def sha256(file):
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()


def hash_of_mine():
    """The hash of the plugin, which imports one neighbor."""
    lines = [f" {sha256(MINE)}", f"neighbor.py {sha256(MINE.with_name('neighbor.py'))}"]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


AGENT = """
import dataclasses
from agents.agent import Agent, agents

@agents.register({name!r})
@dataclasses.dataclass
class Own(Agent):
    stateless = {stateless}
    def act(self, observations):
        return [f"a film of {{i}} {word}" for i, _ in enumerate(observations["prompt"])]
"""


def agent_file(file, name="own", word="words", stateless=True):
    return write(file, AGENT.format(name=name, word=word, stateless=stateless).replace("{word}", word))


def test_one_of_each_kind_plays_in_every_command(tmp_path, capsys):
    out = tmp_path / "run"
    assert run(out, *OWN) == 0
    config = yaml.safe_load((out / "config.yaml").read_text())
    assert [(one["source"], one["sha256"]) for one in config["plugins"]] == [(str(MINE), hash_of_mine())]
    rounds = [json.loads(line) for line in (out / "rounds.jsonl").read_text().splitlines()]
    assert rounds[-1]["stopping"]["mine_enough"] == {"value": 40.0, "met_at": 40.0}
    offer = json.loads((out / "offers.jsonl").read_text().splitlines()[0])
    assert offer["reward_terms"]["mine_brief"]["raw"] == pytest.approx(1 / (1 + len(offer["text"])))
    assert "potential(mine_half)" in offer["reward_terms"]
    assert main(["rescore", str(out), "--plugin", str(MINE), "--reward", "mine_brief"]) == 0
    rescored = [json.loads(line) for line in (out / "rescored.jsonl").read_text().splitlines()]
    assert rescored[0]["rescored"] == pytest.approx(
        1 / (1 + len(offer["text"])) + offer["reward_terms"]["potential(mine_half)"]["contribution"]
    )
    assert main(["summary", str(out), f"--plugin={MINE}"]) == 0
    assert main(["report", str(out), "--plugin", str(MINE), "--out", str(tmp_path / "page")]) == 0
    small = [*SMALL[:-1], "--seeds", "1", "--workers", "0", "--classifier", "mine_words"]
    compared = ["--agents", "mine", "mine_long", "--env", "MineColors-v0", "--out", str(tmp_path / "compared")]
    assert main(["compare", "--plugin", str(MINE), *small, *compared]) == 0
    assert "mine_long" in capsys.readouterr().out
    demo = ["demo", "--agents", "mine", "--seeds", "1", "--workers", "0", "--out", str(tmp_path / "demo")]
    assert main([*demo, "--plugin", str(MINE)]) == 0
    assert [*(tmp_path / "demo").glob("*/mine/seed-0/finished")]


def test_train_and_benchmarks_know_plugins_too(tmp_path, capsys):
    trained = tmp_path / "trained"
    training = [
        "train",
        "--plugin",
        str(MINE),
        *SMALL[:4],
        "--n-envs",
        "1",
        "--timesteps",
        "8",
        "--sb3",
        "n_steps",
        "8",
    ]
    training += ["--reward", "mine_brief", "--shaping", "mine_half", "--classifier", "mine_words"]
    assert main([*training, "--selection", "submitted", "--out", str(trained)]) == 0
    (kept,) = yaml.safe_load((trained / "config.yaml").read_text())["plugins"]
    assert kept["sha256"] == hash_of_mine()
    sizes = [
        "--sizes",
        "300",
        "--dims",
        "8",
        "--classes",
        "2",
        "--labeled",
        "20",
        "--batch-size",
        "5",
        "--repeats",
        "1",
    ]
    assert main(["bench", "acquisition", "--strategies", "mine_long", *sizes, "--plugin", str(MINE)]) == 0
    bench = ["--tasks", "mine_colors", "--recipes", "mine_words", "--labels", "20", "--sets", "1"]
    bench += ["--encoder", "embedded", "--out", str(tmp_path / "figures.jsonl")]
    assert main(["bench", "classifiers", *bench, "--plugin", str(MINE)]) == 0
    assert json.loads((tmp_path / "figures.jsonl").read_text())["recipe"] == "mine_words"
    assert main(["bench", "acquisition", "--strategies", "mine_lonk", *sizes]) == 1
    assert "Did you mean 'mine_long'" in capsys.readouterr().err


def test_help_has_the_plugins_options(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["run", "--agent", "mine", "--plugin", str(MINE), "--help"])
    shown = capsys.readouterr().out
    assert "--explore" in shown
    assert "--plugin FILE.py" in shown
    with pytest.raises(SystemExit, match="0"):
        main(["report", "--help"])
    assert "--plugin FILE.py" in capsys.readouterr().out
    assert main(["--help"]) == 0
    assert "--plugin FILE.py" in capsys.readouterr().out


def test_without_the_plugin_the_message_names_the_option(tmp_path, capsys):
    assert main(["run", "--agent", "mine", "--out", str(tmp_path / "run")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("signal-env run: Unknown agent 'mine'.")
    assert "--plugin FILE.py" in error
    assert len(error.splitlines()) == 1


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A study with the plugin beside it, and the files of its runs, played in a process of its own."""
    folder = tmp_path_factory.mktemp("swept")
    shutil.copytree(MINE.parent, folder / "plugins")
    write(folder / "study.yaml", STUDY)
    return folder


def sweep(folder, out, *args):
    return main(["sweep", str(folder / "study.yaml"), "--out", str(folder / out), *args])


def test_spawned_workers_import_plugins(swept):
    assert sweep(swept, "here", "--workers", "0") == 0
    whole = files(swept / "here")
    assert sum(name.endswith("finished") for name in whole) == 2
    (kept,) = yaml.safe_load(whole["few/mine/seed-0/config.yaml"])["plugins"]
    assert kept["source"] == str(swept / "plugins" / "mine.py")  # relative to the study's file
    assert sweep(swept, "spawned", "--workers", "1") == 0
    assert files(swept / "spawned") == whole


def test_a_killed_run_goes_on_to_what_it_would_have_been(tmp_path, start):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    args = [*OWN, "--budget", "60", "--stopping-options", "most", "60"]
    assert run(whole, *args) == 0
    offers = killed / "offers.jsonl"
    process = start("run", "--plugin", MINE, *SMALL, *args, "--out", killed)
    while not offers.exists() or offers.read_bytes().count(b"\n") < 50:  # in the third of five rounds
        assert process.is_alive()
        time.sleep(0.01)
    process.kill()
    process.join()
    assert not (killed / "finished").exists()
    assert main(["run", "--resume", str(killed)]) == 0
    assert files(killed) == files(whole)


def begun(tmp_path, out="run", word="words"):
    """A plugin's file, and the folder of a run that was played with it and then lost its end."""
    file = Path(agent_file(tmp_path / "own.py", word=word))
    assert run(tmp_path / out, "--agent", "own", plugin=file) == 0
    (tmp_path / out / "finished").unlink()
    return file, tmp_path / out


def forget():
    """Make this process as one that has imported no plugin."""
    plugins._loaded.clear()
    agents._entries.pop("own", None)
    sys.modules.pop("own", None)


def test_a_run_whose_plugin_has_changed_goes_on_only_if_told(tmp_path, capsys):
    file, folder = begun(tmp_path)
    old = sha256(file)
    agent_file(file, word="deeds")
    forget()
    before = files(folder)
    assert main(["run", "--resume", str(folder)]) == 1
    error = capsys.readouterr().err
    assert f"the plugin own.py has changed (sha256 {old[:12]}, now {sha256(file)[:12]})" in error
    assert "--accept-changed-plugins. The run of an agent whose state is not kept is then played anew." in error
    assert files(folder) == before
    assert main(["run", "--resume", str(folder), "--accept-changed-plugins"]) == 0
    (kept,) = yaml.safe_load((folder / "config.yaml").read_text())["plugins"]
    assert (kept["sha256"], kept["formerly"]) == (sha256(file), [old])
    (folder / "finished").unlink()
    assert main(["run", "--resume", str(folder)]) == 0  # it is recorded
    assert main(["run", "--resume", str(folder), "--seed", "1"]) == 1
    assert "without other options" in capsys.readouterr().err


def test_a_changed_plugin_is_refused_before_it_is_imported(tmp_path, capsys):
    file, folder = begun(tmp_path)
    imported = tmp_path / "imported"
    file.write_text(f"{file.read_text()}\nopen({str(imported)!r}, 'w').close()\n")
    forget()
    values = make_config("SignalEnv-reviews-v0", "random", plugins=[]).plain()
    record = yaml.safe_load((folder / "config.yaml").read_text())["plugins"]
    assert main(["run", "--resume", str(folder)]) == 1
    assert "the plugin own.py has changed" in capsys.readouterr().err
    with pytest.raises(PluginError, match=r"Since the run was described, the plugin own.py has changed"):
        make_config(**values | {"plugins": record})
    assert not imported.exists()
    assert main(["rescore", str(folder), "--reward", "signal"]) == 0
    assert imported.exists()
    imported.unlink()
    forget()
    assert main(["run", "--resume", str(folder), "--plugin", str(file)]) == 1  # it is named
    assert imported.exists()


def test_a_changed_neighbor_is_a_changed_plugin(tmp_path, capsys):
    write(tmp_path / "beside_it.py", "WORD = 'tender'\n")
    file = tmp_path / "own.py"
    agent_file(file)
    file.write_text(f"import beside_it\n{file.read_text()}")
    assert run(tmp_path / "run", "--agent", "own", plugin=file) == 0
    write(tmp_path / "beside_it.py", "WORD = 'cold'\n")
    forget()
    assert main(["run", "--resume", str(tmp_path / "run")]) == 1
    assert "the plugin own.py has changed" in capsys.readouterr().err
    assert not agents.has("own")


@pytest.mark.parametrize("source", ["own.py", "~/own.py", 7])
def test_a_recorded_plugin_is_an_absolute_path_or_a_module(tmp_path, monkeypatch, capsys, source):
    _, folder = begun(tmp_path)
    values = yaml.safe_load((folder / "config.yaml").read_text())
    values["plugins"][0]["source"] = source
    (folder / "config.yaml").write_text(yaml.safe_dump(values))
    forget()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(["run", "--resume", str(folder)]) == 1
    assert f"recorded by an absolute path or a module's name; got {source!r}" in capsys.readouterr().err
    assert not agents.has("own")


def test_two_plugins_of_one_name_are_told_apart(tmp_path, capsys):
    one, two = (Path(write(tmp_path / name / "same.py", f"WORD = {name!r}\n")) for name in ("one", "two"))
    args = [*SMALL, "--plugin", str(one), "--plugin", str(two), "--out", str(tmp_path / "run")]
    assert main(["run", *args]) == 0
    resume = ["run", "--resume", str(tmp_path / "run")]
    (tmp_path / "run" / "finished").unlink()
    assert main([*resume, "--plugin", str(one)]) == 0
    assert [record.source for record in configuration_of(tmp_path / "run").plugins] == [str(one), str(two)]
    old = sha256(two)
    two.write_text("WORD = 'other'\n")
    plugins._loaded.clear()
    for args in (resume, [*resume, "--plugin", str(two)]):
        assert main(args) == 1
        said = f"the plugin {two} has changed (sha256 {old[:12]}, now {sha256(two)[:12]})"
        assert said in capsys.readouterr().err
    assert main([*resume, "--plugin", str(two), "--accept-changed-plugins"]) == 0
    kept = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["plugins"]
    assert [(record["source"], record["formerly"]) for record in kept] == [(str(one), []), (str(two), [old])]
    moved = [tmp_path / "elsewhere" / place.parent.name / place.name for place in (one, two)]
    shutil.copytree(one.parent, moved[0].parent)
    shutil.move(two.parent, moved[1].parent)
    plugins._loaded.clear()
    assert main([*resume, "--plugin", str(moved[1]), "--plugin", str(moved[0])]) == 0


FRAGILE = """
import dataclasses
from agents.agent import Agent, agents

BROKEN = False

@agents.register("own")
@dataclasses.dataclass
class Own(Agent):
    def act(self, observations):
        self.acted = getattr(self, "acted", 0) + 1
        if BROKEN or self.acted > 1:
            raise RuntimeError("a bug")
        return [f"a film of {i} words" for i, _ in enumerate(observations["prompt"])]

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        if BROKEN == "loading":
            raise RuntimeError("a bug")
"""


def test_an_accepted_change_is_recorded_once_a_round_is_played_with_it(tmp_path):
    file, folder = tmp_path / "own.py", tmp_path / "run"
    write(file, FRAGILE)
    with pytest.raises(RuntimeError, match="a bug"):
        run(folder, "--agent", "own", "--round-size", "10", plugin=file)
    before = files(folder)
    assert before["rounds.jsonl"].count(b"\n") == 2  # with the one before the first offer
    for broken in ("True", "'loading'"):
        write(file, FRAGILE.replace("BROKEN = False", f"BROKEN = {broken}"))
        forget()
        with pytest.raises(RuntimeError, match="a bug"):
            main(["run", "--resume", str(folder), "--accept-changed-plugins"])
        assert files(folder) == before
    write(file, FRAGILE + "# mended\n")
    forget()
    with pytest.raises(RuntimeError, match="a bug"):  # in the next round but one
        main(["run", "--resume", str(folder), "--accept-changed-plugins"])
    (kept,) = yaml.safe_load((folder / "config.yaml").read_text())["plugins"]
    assert kept["formerly"] == [hashlib.sha256(FRAGILE.encode()).hexdigest()]
    assert files(folder)["rounds.jsonl"].count(b"\n") == 3


def test_every_accepted_content_stays_recorded(tmp_path):
    places = [tmp_path / name for name in ("own.py", "more.py")]
    agent_file(places[0])
    write(places[1], "WORD = 1\n")
    assert run(tmp_path / "run", "--agent", "own", "--plugin", str(places[1]), plugin=places[0]) == 0
    hashes = [[sha256(place)] for place in places]
    for i, text in ((0, "# a\n"), (1, "# b\n"), (0, "# c\n")):
        places[i].write_text(places[i].read_text() + text)
        hashes[i].append(sha256(places[i]))
        forget()
        assert main(["run", "--resume", str(tmp_path / "run"), "--accept-changed-plugins"]) == 0
    kept = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["plugins"]
    assert [[*record["formerly"], record["sha256"]] for record in kept] == hashes
    told = recorded([dict(record) | {"formerly": []} for record in kept])  # as a sweep describes the run
    assert [one.formerly for one in accepted(recorded(kept), told)] == [tuple(all_[:-1]) for all_ in hashes]


def test_a_run_that_is_played_anew_repeats_its_logs_unless_its_plugin_has_changed(tmp_path):
    """That of an agent whose state nobody knows: all of it is then the changed agent's."""
    file = Path(agent_file(tmp_path / "own.py", stateless=False))
    assert run(tmp_path / "run", "--agent", "own", plugin=file) == 0
    (tmp_path / "run" / "finished").unlink()
    agent_file(file, word="deeds", stateless=False)
    forget()
    assert main(["run", "--resume", str(tmp_path / "run"), "--accept-changed-plugins"]) == 0
    assert "words" not in (tmp_path / "run" / "offers.jsonl").read_text()
    (kept,) = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["plugins"]
    assert (kept["sha256"], kept["formerly"]) == (sha256(file), [])


def test_a_plugin_is_known_by_its_content_wherever_it_lies(tmp_path, capsys):
    file, folder = begun(tmp_path)
    moved = tmp_path / "elsewhere" / "renamed.py"
    moved.parent.mkdir()
    file.rename(moved)
    forget()
    assert main(["run", "--resume", str(folder)]) == 1
    assert "is not there any more: give --plugin with the place where it lies now" in capsys.readouterr().err
    assert main(["run", "--resume", str(folder), "--plugin", str(moved)]) == 0
    with_copy = make_config(
        "SignalEnv-reviews-v0", "own", plugins=[str(moved)], out=folder, tensorboard=False, seed=0,
        options={"pool_size": 60, "round_size": 10, "evaluation_size": 40, "budget": 40},
    )  # fmt: skip
    from experiments.run import finished

    assert finished(with_copy)
    other = Path(agent_file(tmp_path / "more.py", name="more"))
    assert main(["run", "--resume", str(folder), "--plugin", str(moved), "--plugin", str(other)]) == 1
    assert f"the plugin more.py is new (sha256 {sha256(other)[:12]})" in capsys.readouterr().err


def test_a_term_written_after_the_run_rescores_it(tmp_path, capsys):
    file, folder = begun(tmp_path)
    term = "reward_terms.register('later')(lambda texts: [0.5] * len(texts))"
    file.write_text(f"{file.read_text()}\nfrom signal_env.rewards import reward_terms\n{term}\n")
    forget()
    assert main(["rescore", str(folder), "--reward", "2*later"]) == 0
    assert "Since the run, the plugin own.py has changed" in " ".join(capsys.readouterr().out.split())
    rescored = [json.loads(line) for line in (folder / "rescored.jsonl").read_text().splitlines()]
    assert {line["rescored"] for line in rescored if not line["invalid"]} == {1.0}


def test_a_sweep_refuses_runs_whose_plugin_has_changed(tmp_path, capsys):
    agent_file(tmp_path / "own.py")
    study = STUDY.partition("plugins:")[0] + (
        "plugins: [own.py]\ndefaults: {tensorboard: false, options: {pool_size: 40, round_size: 20, budget: 40}}\n"
        "settings: {few: {env: SignalEnv-reviews-v0}}\nmethods: {own: {agent: own}}\n"
    )
    write(tmp_path / "study.yaml", study)
    assert sweep(tmp_path, "out", "--workers", "0") == 0
    old = sha256(tmp_path / "own.py")
    agent_file(tmp_path / "own.py", word="deeds")
    forget()
    assert sweep(tmp_path, "out", "--workers", "0") == 1
    error = capsys.readouterr().err
    assert "1 folder holds a run with other plugins than those asked for" in error
    assert f"own.py has changed (sha256 {old[:12]}, now {sha256(tmp_path / 'own.py')[:12]})" in error
    assert sweep(tmp_path, "out", "--workers", "0", "--accept-changed-plugins") == 0
    assert "1 runs, 1 of them finished" in capsys.readouterr().out
    assert sweep(tmp_path, "out", "--workers", "0") == 0  # it is recorded
    (kept,) = yaml.safe_load((tmp_path / "out/few/own/seed-0/config.yaml").read_text())["plugins"]
    assert kept["formerly"] == [old]


def test_a_configuration_names_plugins_from_its_own_folder(tmp_path, capsys):
    agent_file(tmp_path / "files" / "own.py")
    file = write(tmp_path / "files" / "run.yaml", "plugins: [own.py]\nagent: own\nseed: 3\n")
    assert main(["run", "--config", file, *SMALL, "--out", str(tmp_path / "run")]) == 0
    config = configuration_of(tmp_path / "run")
    assert (config.seed, [one.name for one in config.plugins]) == (3, ["own.py"])
    agent_file(tmp_path / "files" / "own.py", word="deeds")
    forget()
    written = str(tmp_path / "run" / "config.yaml")  # a new run of the same description has the plugin as it is now
    assert main(["run", "--config", written, "--out", str(tmp_path / "new")]) == 0
    assert configuration_of(tmp_path / "new").plugins[0].sha256 == sha256(tmp_path / "files" / "own.py")
    file = write(tmp_path / "files" / "bad.yaml", "plugins: own.py\nagent: own\n")
    assert main(["run", "--config", file, "--out", str(tmp_path / "bad")]) == 1
    assert "plugins is a list of files and modules; got 'own.py'" in capsys.readouterr().err


def test_a_study_in_python_takes_plugins(tmp_path):
    file = agent_file(tmp_path / "own.py")
    study = Study({"few": {"env": "SignalEnv-reviews-v0"}}, {"own": {"agent": "own"}}, seeds=[0], plugins=[file])
    assert [one.source for one in study.runs[0].plugins] == [file]
    assert yaml.safe_load(study.text)["plugins"] == [file]


def test_a_comparison_replaces_runs_whose_plugin_has_changed_if_asked(tmp_path, capsys):
    agent_file(tmp_path / "own.py")
    args = ["compare", "--plugin", str(tmp_path / "own.py"), "--agents", "own", "--seeds", "1", "--workers", "0"]
    args += ["--pool-size", "40", "--round-size", "20", "--budget", "40", "--out", str(tmp_path / "out")]
    assert main(args) == 0
    agent_file(tmp_path / "own.py", word="deeds")
    forget()
    capsys.readouterr()
    assert main(args) == 1
    error = " ".join(capsys.readouterr().err.split())
    assert "or --overwrite to replace it). " not in error
    assert error.endswith("or --overwrite to replace it).")  # it has no option that accepts the change
    forget()
    assert main([*args, "--overwrite"]) == 0


def test_a_worker_refuses_a_plugin_that_changed_after_the_run_was_described(tmp_path):
    file = Path(agent_file(tmp_path / "own.py"))
    values = make_config("SignalEnv-reviews-v0", "own", plugins=[file]).plain()
    agent_file(file, word="deeds")
    forget()
    with pytest.raises(PluginError, match=r"Since the run was described, the plugin own.py has changed \(sha256"):
        make_config(**values)


def test_a_machine_without_the_plugin_says_which_place_it_needs(tmp_path):
    file = Path(agent_file(tmp_path / "own.py"))
    run = make_config("SignalEnv-reviews-v0", "own", plugins=[file], out=tmp_path / "run")
    file.unlink()
    forget()
    said = play_plain(run.plain())
    assert re.fullmatch(rf"PluginError: The plugin {file} is not there \(on .+\): expected a file FILE.py, .*", said)
    assert (tmp_path / "run" / "error.txt").read_text().startswith("Traceback")


# Importing.


def test_a_file_is_imported_once_and_finds_its_neighbors(tmp_path):
    write(tmp_path / "beside_it.py", "WORD = 'tender'\n")
    text = "import beside_it\nimported = globals().get('imported', 0) + 1\nclass Kept: word = beside_it.WORD\n"
    file = write(tmp_path / "once.py", text)
    (one,), (two,) = plugins.load_plugins([file]), plugins.load_plugins([Path(file)])
    assert one == two
    module = sys.modules["once"]
    assert (module.imported, module.Kept.word, module.Kept.__module__) == (1, "tender", "once")
    import pickle

    assert pickle.loads(pickle.dumps(module.Kept)) is module.Kept


def test_a_file_may_have_the_name_of_a_module(tmp_path):
    import random

    file = write(tmp_path / "random.py", "WORD = 'tender'\n")
    plugins.load_plugins([file])
    assert sys.modules["random"] is random
    (name,) = (name for name in sys.modules if name.startswith("signal_env_plugin_random_"))
    assert sys.modules[name].WORD == "tender"


def test_a_file_in_a_package_is_its_module(tmp_path):
    write(tmp_path / "own_package" / "__init__.py", "")
    write(tmp_path / "own_package" / "words.py", "WORD = 'tender'\n")
    file = write(tmp_path / "own_package" / "terms.py", "from .words import WORD\n")
    plugins.load_plugins([file])
    assert sys.modules["own_package.terms"].WORD == "tender"
    (record,) = plugins.load_plugins(["own_package.terms"])
    assert [record.sha256] == [one.sha256 for one in plugins.load_plugins([file])]


def test_a_plugin_is_not_imported_anew_when_it_changes(tmp_path):
    file = agent_file(tmp_path / "own.py")
    plugins.load_plugins([file])
    agent_file(tmp_path / "own.py", word="deeds")
    with pytest.raises(PluginError, match=r"Since this process imported it, the plugin own.py has changed"):
        plugins.load_plugins([file])


@pytest.mark.parametrize(
    ("plugin", "message"),
    [
        ("nowhere.py", r"nowhere.py is not there .*expected a file FILE.py, or a module package.module"),
        (".", "is a folder: expected a file|A plugin cannot be"),
        ("./", "is a folder: expected a file"),
        ("no_such.module", "No module 'no_such.module'"),
        ("no module", "A plugin cannot be 'no module'"),
        ("", "--plugin needs a value"),
    ],
)
def test_a_missing_plugin_is_one_line(tmp_path, capsys, plugin, message):
    assert run(tmp_path / "run", plugin=plugin) == 1
    error = capsys.readouterr().err
    assert re.search(message, error)
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_module_with_the_name_of_a_file_here_is_guessed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place not in ("", ".")])
    agent_file(tmp_path / "own_agent.py")
    assert main(["run", "--plugin", "own_agent"]) == 1
    assert "Did you mean --plugin own_agent.py?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("x = 1\ny = x / 0\n", "y = x / 0", "ZeroDivisionError: division by zero"),
        ("def f(:\n", "def f(:", "SyntaxError: invalid syntax"),
        ("import no_such_module\n", "import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        (AGENT.format(name="random", word="", stateless=True), "@agents.register('random')", "already registered"),
        ("raise SystemExit(3)\n", "raise SystemExit(3)", "SystemExit: 3"),
    ],
)
def test_a_plugin_that_fails_shows_its_own_traceback_and_nothing_is_written(tmp_path, capsys, text, line, reason):
    file = write(tmp_path / "broken.py", text)
    assert run(tmp_path / "run", plugin=file) == 1
    error = capsys.readouterr().err
    assert file in error
    assert line in error
    assert reason in error
    assert "experiments/plugins.py" not in error  # it begins in the user's file
    assert "importlib" not in error
    assert not (tmp_path / "run").exists()


def test_a_plugin_that_failed_can_be_tried_again(tmp_path):
    file = write(tmp_path / "own.py", AGENT.format(name="own", word="word", stateless=True) + "\n1 / 0\n")
    with pytest.raises(PluginError, match=r"own.py cannot be imported: ZeroDivisionError"):
        plugins.load_plugins([file])
    assert not agents.has("own")
    agent_file(tmp_path / "own.py")
    plugins.load_plugins([file])
    assert agents.has("own")
    assert not reward_terms.has("own")
