"""Runs, comparisons and studies from Python: the folders and logs of the command line, and objects of one's own."""

import copy
import dataclasses
import json
import subprocess
import sys
import threading
from pathlib import Path

import gymnasium as gym
import numpy as np
import pandas as pd
import pytest
import yaml
from filelock import FileLock
from scipy.stats import ttest_rel

from agents.agent import Agent, agents
from agents.pool import pool_agent
from experiments import Study, compare, play, read_runs, report, sweep
from experiments.__main__ import main
from experiments.config import RunError
from signal_env.tasks import get_task
from signal_env.utils.prediction import Prediction
from signal_env.wrappers import CandidateSelection

REVIEWS = "SignalEnv-reviews-v0"
SMALL = {"pool_size": 40, "round_size": 10, "evaluation_size": 40, "tensorboard": False}
LOGS = ("config.yaml", "rounds.jsonl", "offers.jsonl", "labels.jsonl")
ROOT = Path(__file__).parents[2]


class First(Agent):
    """An agent that nobody has registered, and that is no dataclass: it offers the first or the last texts."""

    env_options = {"selection": "submitted"}

    def __init__(self, last=False, stop_at=None):
        self.last, self.stop_at, self.episodes = last, stop_at, 0

    def reset(self, envs, seed):
        self.envs, self.steps = envs, 0
        self.episodes += 1

    def act(self, observations):
        if self.stop_at is not None and self.stop_at.exists() and self.steps == 2:
            raise KeyboardInterrupt
        self.steps += 1
        texts = self.envs.unwrapped.unlabeled.texts
        return list(texts[-self.envs.num_envs :] if self.last else texts[: self.envs.num_envs])

    def learn(self, rewards, infos):
        return {"episodes": float(self.episodes)}

    def state_dict(self):
        return {"steps": self.steps}

    def load_state_dict(self, state):
        self.steps = state["steps"]


@dataclasses.dataclass
class Some(First):
    """The same as a dataclass."""

    last: bool = False
    stop_at: Path | None = None

    def __post_init__(self):
        self.episodes = 0


class Smallest(Agent):
    """An agent without a constructor and without fields."""

    env_options = {"selection": "submitted"}

    def reset(self, envs, seed):
        self.envs = envs

    def act(self, observations):
        return self.envs.unwrapped.unlabeled.texts[: self.envs.num_envs]


class Heir(Smallest):
    """A subclass of it."""


def brevity(texts):
    return [1 / (1 + len(text)) for text in texts]


class ByLength:
    """A classifier of one's own."""

    def fit(self, texts, labels, seed):
        self.middle = np.median([len(text) for text in texts])

    def predict(self, texts):
        x = np.array([[len(text)] for text in texts], dtype=float)
        p = 1 / (1 + np.exp((self.middle - x) / 10))
        return Prediction(np.hstack([1 - p, p]), x)


def configuration(folder):
    return yaml.safe_load((folder / "config.yaml").read_text())


def test_play_is_the_run_of_the_command_line(tmp_path):
    runs = play(REVIEWS, "entropy", seed=3, out=tmp_path / "python", **SMALL)
    assert runs.rounds["labeled"].tolist() == [10, 20, 30, 40]
    assert runs.folder == tmp_path / "python"
    args = ["--pool-size", "40", "--round-size", "10", "--evaluation-size", "40", "--no-tensorboard"]
    assert main(["run", "--agent", "entropy", "--seed", "3", *args, "--out", str(tmp_path / "shell")]) == 0
    for name in LOGS:
        assert (tmp_path / "python" / name).read_bytes() == (tmp_path / "shell" / name).read_bytes()
    file = tmp_path / "python" / "rounds.jsonl"
    before = file.stat().st_mtime_ns
    again = play(REVIEWS, "entropy", seed=3, out=str(tmp_path / "python"), **SMALL)
    assert again.rounds.equals(runs.rounds)  # finished, so read and not played
    assert file.stat().st_mtime_ns == before
    anew = play(REVIEWS, "entropy", seed=3, out=tmp_path / "python", overwrite=True, **SMALL)
    assert anew.rounds.equals(runs.rounds)
    assert file.stat().st_mtime_ns > before
    with pytest.raises(RunError, match="holds a run with other options"):
        play(REVIEWS, "entropy", seed=4, out=tmp_path / "python", **SMALL)


def test_values_go_where_they_belong(tmp_path):
    values = {"num_envs": 5, "max_new_tokens": 4, "reward": "entropy", "options": {"pool_size": 30}, "budget": 6}
    play(REVIEWS, "generator", 1, out=tmp_path, **SMALL | {"pool_size": 20, "round_size": 5} | values)
    config = configuration(tmp_path)
    assert (config["num_envs"], config["seed"], config["agent_options"]["max_new_tokens"]) == (5, 1, 4)
    assert (config["options"]["reward"], config["options"]["pool_size"]) == ("entropy", 20)
    with pytest.raises(RunError, match=r"A run of generator has no pool_sise\. Did you mean 'pool_size'"):
        play(REVIEWS, "generator", pool_sise=30)


def test_a_class_or_an_object_that_is_registered_is_its_name(tmp_path):
    entropy = pool_agent("entropy")
    for name, agent in (("name", "entropy"), ("class", entropy), ("object", entropy())):
        play(REVIEWS, agent, out=tmp_path / name, **SMALL)
    for name in LOGS:
        assert len({(tmp_path / kind / name).read_bytes() for kind in ("name", "class", "object")}) == 1
    assert main(["run", "--resume", str(tmp_path / "object")]) == 0


@pytest.mark.parametrize("kind", [First, Some])
def test_an_object_plays_and_is_named_in_the_configuration(tmp_path, kind):
    agent = kind(last=True)
    run = play(REVIEWS, agent, out=tmp_path / "object", **SMALL)
    assert set(run.rounds["method"]) == {kind.__name__}
    assert agent.episodes == 0  # a copy has played
    about = configuration(tmp_path / "object")["agent_options"]
    assert about["object"] == f"{kind.__module__}:{kind.__name__}"
    assert ("last" in about) == (kind is Some)
    by_class = play(REVIEWS, kind, out=tmp_path / "class", last=True, **SMALL)
    assert by_class.offers["text"].equals(run.offers["text"])
    assert configuration(tmp_path / "class") == configuration(tmp_path / "object")
    file = tmp_path / "object" / "rounds.jsonl"
    before = file.stat().st_mtime_ns
    play(REVIEWS, kind(last=True), out=tmp_path / "object", **SMALL)
    assert file.stat().st_mtime_ns == before  # equal content is the same run
    with pytest.raises(RunError, match="other options or with another content of agent"):
        play(REVIEWS, kind(last=False), out=tmp_path / "object", **SMALL)
    first = play(REVIEWS, kind(last=False), out=tmp_path / "object", overwrite=True, **SMALL)
    assert not first.offers["text"].equals(run.offers["text"])


def test_an_interrupted_run_of_an_object_goes_on_from_python_alone(tmp_path, capsys):
    stop = tmp_path / "stop"
    whole = play(REVIEWS, First(stop_at=stop), out=tmp_path / "whole", **SMALL)
    stop.touch()
    with pytest.raises(KeyboardInterrupt):
        play(REVIEWS, First(stop_at=stop), out=tmp_path / "run", **SMALL)
    assert main(["run", "--resume", str(tmp_path / "run")]) == 1
    said = capsys.readouterr().err
    assert f"(agent: {__name__}:First)" in said
    assert f"call play with the same arguments and out='{tmp_path / 'run'}'" in said
    stop.unlink()
    rest = play(REVIEWS, First(stop_at=stop), out=tmp_path / "run", **SMALL)
    assert rest.rounds["labeled"].tolist() == whole.rounds["labeled"].tolist()
    for name in LOGS:
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_options_are_what_gym_make_takes(tmp_path, capsys):
    given = {"reward": brevity, "classifier": ByLength(), "task": get_task("reviews")}
    run = play(REVIEWS, "random", out=tmp_path, **SMALL, **given)
    assert run.offers["reward"].tolist() == pytest.approx([1 / (1 + len(text)) for text in run.offers["text"]])
    options = configuration(tmp_path)["options"]
    assert options["reward"]["object"] == f"{__name__}:brevity"
    assert options["classifier"]["object"] == f"{__name__}:ByLength"
    assert options["task"]["class_names"] == ["negative", "positive"]
    assert set(run.rounds["task"]) == {"reviews"}
    assert not hasattr(given["classifier"], "middle")  # a copy was trained
    assert play(REVIEWS, "random", out=tmp_path, **SMALL, **given).rounds.equals(run.rounds)
    with pytest.raises(RunError, match="with another content of task, reward, classifier"):
        play(REVIEWS, "random", out=tmp_path, **SMALL, **given | {"reward": lambda texts: [0.0] * len(texts)})
    (tmp_path / "finished").unlink()
    assert main(["run", "--resume", str(tmp_path)]) == 1
    assert f"reward: {__name__}:brevity" in capsys.readouterr().err
    assert main(["summary", str(tmp_path)]) == 0
    assert main(["report", str(tmp_path)]) == 0


def test_a_folder_with_another_run_is_refused_in_the_words_of_the_caller(tmp_path, capsys):
    play(REVIEWS, "random", out=tmp_path, **SMALL)
    with pytest.raises(RunError) as caught:
        play(REVIEWS, "random", out=tmp_path, budget=30, **SMALL)
    assert str(caught.value).endswith("config.yaml. Give out=FOLDER, or overwrite=True to replace it.")
    assert main(["run", "--out", str(tmp_path), "--resume", str(tmp_path), "--budget", "30"]) == 1
    assert "out=" not in capsys.readouterr().err
    (tmp_path / "config.yaml").unlink()
    with pytest.raises(RunError, match=r"a run already\. Give overwrite=True to replace it, or out=FOLDER\."):
        play(REVIEWS, "random", out=tmp_path, **SMALL)
    assert main(["run", "--out", str(tmp_path)]) == 1
    assert "--overwrite to replace it, or --out another folder." in " ".join(capsys.readouterr().err.split())
    assert play(REVIEWS, "random", out=tmp_path, overwrite=True, **SMALL).rounds["labeled"].max() == 40
    with FileLock(tmp_path / ".lock"), pytest.raises(RunError, match=r"wait for it, or give out=FOLDER\."):
        play(REVIEWS, "random", out=tmp_path, budget=30, overwrite=True, **SMALL)


def test_a_study_s_folder_with_another_run_is_refused_in_the_words_of_the_caller(tmp_path, capsys):
    settings, methods = {"few": {"env": REVIEWS, "options": {"pool_size": 20}}}, {"random": {"agent": "random"}}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump({"settings": settings, "methods": methods, "seeds": 1}))
    folder = tmp_path / "runs" / "few" / "random" / "seed-0"
    play(REVIEWS, "random", out=folder, **SMALL)
    with pytest.raises(RunError, match=r"compare its config\.yaml\. Give out=FOLDER, or remove it\.$"):
        sweep(tmp_path / "own.yaml", workers=0, out=tmp_path / "runs")
    assert main(["sweep", str(tmp_path / "own.yaml"), "--workers", "0", "--out", str(tmp_path / "runs")]) == 1
    assert "Give --out another folder, or remove it." in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: play("entropy", REVIEWS),
            rf"^'{REVIEWS}' is an environment, and is given as an agent: play takes",
        ),
        (lambda: play("entropy"), r"^'entropy' is an agent, and is given as the environment: play takes the env"),
        (
            lambda: play(First, REVIEWS),
            r"play takes the environment first, then the agent: play\('SignalEnv",
        ),
        (lambda: play(First), r"^Expected an environment's id as a string; got <class .*First'>: play takes the env"),
        (lambda: compare(REVIEWS, ["random"]), rf"^'{REVIEWS}' is an env.*: compare takes the agents first, then the"),
        (
            lambda: compare("random", ["margin"]),
            r"^Expected an environment's id as a string; got \['margin'\]: comp",
        ),
        (
            lambda: compare(["random"], "margin"),
            r"^'margin' is an agent, and is given as the environment: compare",
        ),
        (lambda: play("SignalEnv-reveiws-v0"), r"is registered\. Did you mean 'SignalEnv-reviews-v0'\? Known: Sig"),
    ],
)
def test_arguments_in_the_wrong_order_are_named(call, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match=message):
        call()
    assert [*tmp_path.iterdir()] == []


def test_options_beside_an_object_are_refused_with_the_reason(tmp_path):
    why = "The agent is an object: set last when you make it"
    for agent in (First(), Some()):
        with pytest.raises(RunError, match=why):
            play(REVIEWS, agent, out=tmp_path, last=True)
        with pytest.raises(RunError, match=why):
            play(REVIEWS, agent, out=tmp_path, agent_options={"last": True})
        with pytest.raises(RunError, match=why):
            compare({"last": (agent, {"last": True})}, out=tmp_path)
    with pytest.raises(RunError, match=r"^A run of First has no frist\."):
        play(REVIEWS, First(), out=tmp_path, frist=True)
    assert [*tmp_path.iterdir()] == []


def test_unknown_options_are_named(tmp_path):
    with pytest.raises(RunError, match=r"^A comparison has no seed\. Did you mean 'seeds'\?$"):
        compare(["random"], out=tmp_path, seed=3)
    with pytest.raises(RunError, match=r"^A comparison has no zzz\. Known: .*pool_size.*seeds, out, workers.*num_envs"):
        compare(["random"], out=tmp_path, zzz=3)
    settings = {"few": {"env": REVIEWS, "options": {"pool": 20}}}
    with pytest.raises(RunError, match=r"^The environment has no option pool\."):
        Study(settings, {"random": {"agent": "random"}})


def test_what_is_no_agent_is_refused(tmp_path):
    class Mute(Agent):
        pass

    class Locked(First):
        def __init__(self):
            super().__init__()
            self.lock = threading.Lock()

    with pytest.raises(RunError, match=r"got <object.*which has no reset, act, .* Extend agents\.agent\.Agent"):
        play(REVIEWS, object(), out=tmp_path)
    with pytest.raises(RunError, match="The agent Mute has no method act"):
        play(REVIEWS, Mute(), out=tmp_path)
    with pytest.raises(RunError, match=r"agent is given as an object.* it cannot be copied: TypeError: cannot pickle"):
        play(REVIEWS, Locked(), out=tmp_path, **SMALL)
    with pytest.raises(RunError, match=r"A run of First has no frist\. .*Known: .*stop_at"):
        play(REVIEWS, First, out=tmp_path, frist=True)
    assert not (tmp_path / "rounds.jsonl").exists()


def test_an_object_whose_content_cannot_be_read_equals_no_other(tmp_path):
    class Sharing(First):
        def __init__(self):
            super().__init__()
            self.lock = threading.Lock()

        def __deepcopy__(self, memo):
            return type(self)()

    play(REVIEWS, Sharing(), out=tmp_path, **SMALL)
    assert configuration(tmp_path)["agent_options"]["content"] is None
    with pytest.raises(RunError, match="with another content of agent"):
        play(REVIEWS, Sharing(), out=tmp_path, **SMALL)
    play(REVIEWS, Sharing(), out=tmp_path, overwrite=True, **SMALL)


@pytest.mark.parametrize("agent", [Smallest, Smallest(), Heir, Heir()], ids=["class", "object", "heir", "its object"])
def test_the_smallest_agent_plays(tmp_path, agent):
    run = play(REVIEWS, agent, out=tmp_path / "run", **SMALL)
    assert run.rounds["labeled"].tolist() == [10, 20, 30, 40]
    assert play(REVIEWS, agent, out=tmp_path / "run", **SMALL).rounds.equals(run.rounds)
    about = configuration(tmp_path / "run")
    name = (agent if isinstance(agent, type) else type(agent)).__name__
    assert (about["agent"], about["agent_options"]["object"]) == (name, f"{__name__}:{name}")
    both = compare({"one": agent, "chance": "random"}, seeds=1, out=tmp_path / "both", **SMALL).rounds
    of_one = both[both["method"] == "one"]
    assert of_one["accuracy"].tolist() == run.rounds["accuracy"].tolist()
    with pytest.raises(RunError, match=rf"{name} has no size"):
        play(REVIEWS, agent, out=tmp_path / "other", size=3)


def test_agents_are_compared_and_each_seed_plays_a_fresh_copy(tmp_path):
    agent = First(last=True)
    agent.episodes = 7
    methods = {"chance": "random", "last": agent, "first": First, "pair": (First, {"last": True})}
    runs = compare(methods, seeds=[0, 1, 2], out=tmp_path, **SMALL)
    assert agent.episodes == 7
    episodes = runs.metrics[runs.metrics["method"] == "last"]["episodes"]
    assert set(episodes) == {8.0}
    accuracies = runs.rounds.pivot(index=["seed", "labeled"], columns="method", values="accuracy")
    assert accuracies["pair"].equals(accuracies["last"])
    assert not accuracies["pair"].equals(accuracies["first"])
    assert runs.folder == tmp_path
    assert {path.parent.name for path in tmp_path.glob("reviews/*/seed-0")} == set(methods)
    assert len([*tmp_path.glob("reviews/*/seed-*/curve.png")]) == 12
    areas = {}
    for keys, run in runs.rounds.groupby(["method", "seed"]):
        share, accuracy = run["labeled"] / 40, run["accuracy"]
        areas[keys] = float(np.trapezoid(accuracy, share) / (share.iloc[-1] - share.iloc[0]))
    last, chance = (np.array([areas[method, seed] for seed in range(3)]) for method in ("last", "chance"))
    runs = compare({"random": "random", "last": agent}, seeds=3, out=tmp_path, **SMALL)
    found = runs.tables()["differences"].set_index(["measure", "method", "baseline"])
    row = found.loc[("area_100", "last", "random")]
    test = ttest_rel(last, chance)
    assert row["mean"] == pytest.approx((last - chance).mean())
    assert (row["low"], row["high"]) == pytest.approx(tuple(test.confidence_interval(0.95)))


def test_objects_stay_in_this_process(tmp_path):
    with pytest.raises(RunError, match=r"First is given objects of this process \(agent\).*play with workers=0"):
        compare([First()], out=tmp_path, workers=2, **SMALL)
    with pytest.raises(RunError, match=r"random is given objects of this process \(reward\)"):
        compare(["random"], out=tmp_path, workers=2, reward=brevity, **SMALL)
    with pytest.raises(RunError, match="Several agents have the name First: give a mapping"):
        compare([First(), First(last=True)], out=tmp_path)
    with pytest.raises(RunError, match=r"A comparison has no pool_sise\. Did you mean 'pool_size'"):
        compare(["random"], out=tmp_path, pool_sise=3)
    assert [*tmp_path.iterdir()] == []


def test_a_model_of_stable_baselines3_plays_as_an_object(tmp_path):
    sb3 = pytest.importorskip("stable_baselines3", reason="needs the extra sb3")
    from agents.sb3 import ModelAgent

    own = {name: SMALL[name] for name in ("pool_size", "round_size", "evaluation_size")} | {"selection": "submitted"}
    env = CandidateSelection(gym.make(REVIEWS, **own), n_candidates=8)
    model = sb3.PPO("MlpPolicy", env, n_steps=16, batch_size=16, seed=0).learn(16)
    run = play(REVIEWS, ModelAgent(model), out=tmp_path, **SMALL)
    assert play(REVIEWS, ModelAgent(model), out=tmp_path, **SMALL).rounds.equals(run.rounds)
    model.learn(16)
    with pytest.raises(RunError, match="with another content of agent"):
        play(REVIEWS, ModelAgent(model), out=tmp_path, **SMALL)


def test_a_study_plays_agents_and_terms_of_this_process(tmp_path):
    """And what is finished is not played again."""
    own = {"__module__": __name__, "last": False, "stop_at": None, "episodes": 0}
    agents.register("first")(dataclasses.dataclass(type("FirstAgent", (First,), own)))
    try:
        settings = {"few": {"env": REVIEWS, "options": {"pool_size": 40, "round_size": 10, "reward": brevity}}}
        methods = {name: {"agent": name, "tensorboard": False} for name in ("first", "random")}
        methods["last"] = {"agent": First(last=True), "tensorboard": False}
        study = Study(settings, methods, seeds=range(2), name="mine", out=tmp_path)
        runs = sweep(study, workers=0)
        groups = [*runs.rounds.groupby(["method", "seed"]).groups]
        assert groups == [(m, s) for m in ("first", "last", "random") for s in (0, 1)]
        assert (runs.rounds.groupby(["method", "seed"])["labeled"].max() == 40).all()
        before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("rounds.jsonl")}
        assert sweep(study).rounds.equals(runs.rounds)
        assert before == {file: file.stat().st_mtime_ns for file in before}
        with pytest.raises(RunError, match="folders hold runs with other options"):
            sweep(dataclasses.replace(study, defaults={"options": {"n_neighbors": 3}}, text=""), workers=0)
        with pytest.raises(RunError, match=r"^workers is at least 0; got -1"):
            sweep(Study(settings | {"few": {"env": REVIEWS}}, {"random": {"agent": "random"}}, out=tmp_path), -1)
    finally:
        del agents._entries["first"]


def test_a_study_s_file_and_a_report(tmp_path):
    parts = {
        "settings": {"few": {"env": REVIEWS}},
        "methods": {"random": {"agent": "random"}, "margin": {"agent": "margin"}},
        "seeds": [0, 1],
        "defaults": {"tensorboard": False, "options": {"pool_size": 20, "round_size": 10, "evaluation_size": 20}},
    }
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(parts))
    runs = sweep(tmp_path / "own.yaml", workers=0, out=tmp_path / "runs", only=["few/*/seed-0"])
    assert sorted(set(zip(runs.rounds["method"], runs.rounds["seed"], strict=True))) == [("margin", 0), ("random", 0)]
    page = report(tmp_path / "runs", out=tmp_path / "page", caption="Of mine.")
    assert page == tmp_path / "page" / "index.html"
    assert "Of mine." in page.read_text(encoding="utf-8")
    assert report([tmp_path / "runs"]).is_file()


def test_a_report_on_runs_is_on_these_runs_alone(tmp_path):
    runs = compare(["random", "margin"], seeds=1, workers=0, out=tmp_path, **SMALL)
    assert repr(runs) == f"Runs(2 runs, 8 rounds, in {str(tmp_path)!r})"
    one = read_runs(tmp_path / "reviews" / "margin" / "seed-0")
    assert repr(one) == f"Runs(1 run, 4 rounds, in {str(one.folder)!r})"
    alone = dataclasses.replace(one, folder=tmp_path)
    page = report(alone, caption="Of one.")
    assert page == tmp_path / "report" / "index.html"
    assert "Of one." in page.read_text(encoding="utf-8")
    table = pd.read_csv(tmp_path / "report" / "tables" / "accuracy.csv")
    assert list(table["method"]) == ["margin"]
    assert alone.problems == []


def test_offers_and_labels_are_the_logs(tmp_path):
    run = play(REVIEWS, "generator", out=tmp_path, max_new_tokens=8, budget=30, reward="signal + 0.1*novelty", **SMALL)
    offers, labels = (
        [json.loads(line) for line in (tmp_path / f"{name}.jsonl").open()] for name in ("offers", "labels")
    )
    assert "offers" not in vars(run)  # read when it is asked for
    assert run.offers["text"].tolist() == [line["text"] for line in offers]
    assert run.offers["reward"].tolist() == [line["reward"] for line in offers]
    sums = run.offers[["contribution/signal", "contribution/novelty", "contribution/invalid"]].sum(axis=1)
    assert np.allclose(sums, run.offers["reward"])
    raw = [line["reward_terms"].get("novelty", {"raw": np.nan})["raw"] for line in offers]
    assert np.array_equal(run.offers["term/novelty"], raw, equal_nan=True)
    assert run.labels["text"].tolist() == [line["text"] for line in labels]
    assert run.labels["class_name"].tolist() == [line["label"] for line in labels]
    names = np.array(get_task("reviews").class_names)
    assert names[run.labels["label"].to_numpy(int)].tolist() == run.labels["class_name"].tolist()
    assert run.labels["real"].sum() + run.rounds["selected_synthetic"].sum() == len(labels)
    assert set(run.labels["round"]) == set(run.rounds["index"])
    assert copy.copy(run).offers.equals(run.offers)


def test_names_are_functions_whatever_was_imported_before_or_after():
    script = """
import importlib, sys, types
functions = "from experiments import sweep, compare, report"
orders = [
    [functions],
    ["import experiments.sweep, experiments.compare, experiments.report", functions],
    ["from experiments.sweep import played", "from experiments.report.tables import build", functions],
    [functions, "import experiments.sweep, experiments.report.page", functions],
    ["import experiments.__main__", "import experiments.demo, experiments.summary", "from experiments import *"],
]
for order in orders:
    for name in [name for name in sys.modules if name.partition(".")[0] == "experiments"]:
        del sys.modules[name]
    names = {}
    for line in order:
        exec(line, names)
    for name in ("sweep", "compare", "report"):
        assert isinstance(names[name], types.FunctionType), (order, name, names[name])
        assert getattr(sys.modules["experiments"], name) is names[name]
    assert sys.modules["experiments.sweep"].played.__module__ == "experiments.sweep"
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_importing_the_package_is_cheap():
    script = "import sys, experiments; sys.exit(any(name in sys.modules for name in ('torch', 'pandas', 'gymnasium')))"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0
