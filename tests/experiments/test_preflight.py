"""What a run lacks is said before anything is played."""

import json
import os
import resource
import shutil
import sys

import pytest

from experiments.__main__ import main
from experiments.config import RunError, make_config
from experiments.engines import Inline
from experiments.preflight import check_space, preflight, preflight_all
from experiments.run import play
from experiments.study import Study
from experiments.sweep import engine_here, sweep
from signal_env.annotators import AnnotatorError
from signal_env.classifiers import ClassifierError
from signal_env.classifiers.pretrained import EMBEDDED, ModelError
from signal_env.config import ConfigError
from signal_env.stopping import StoppingError
from signal_env.utils.extras import MissingExtra
from signal_env.utils.registry import UnknownName
from signal_env.utils.storage import NoCache, cache_dir

REVIEWS = "SignalEnv-reviews-v0"
TINY = {"pool_size": 20, "round_size": 10, "evaluation_size": 20}


def config(agent, agent_options=None, **options):
    return make_config(REVIEWS, agent, options=TINY | options, agent_options=agent_options or {})


@pytest.mark.parametrize(
    ("agent", "agent_options", "options", "error", "message"),
    [
        ("generator", {"generator": "/no/such/model"}, {}, ModelError, "No model folder at /no/such/model"),
        ("random", {}, {"encoder": "/no/such/model"}, ModelError, "No model folder at /no/such/model"),
        ("sb3", {}, {}, ValueError, "give --policy FOLDER"),
        ("sb3", {"policy": "/no/such/policy"}, {}, ValueError, "/no/such/policy holds no policy"),
        ("generator", {}, {"annotator": "gold"}, RunError, "labels real texts only"),
        ("random", {}, {"classifier": "liner"}, UnknownName, "Did you mean 'linear'"),
        ("random", {}, {"classifier_options": {"clas_weight": None}}, ClassifierError, "Did you mean 'class_weight'"),
        ("random", {}, {"classifier_options": {"class_weight": "None"}}, ClassifierError, "None is written null"),
        (
            "random",
            {},
            {"classifier": "finetune", "classifier_options": {"batch_size": 0}},
            ClassifierError,
            "at least 1",
        ),
        ("random", {}, {"stopping": "stable"}, UnknownName, "stopping criterion 'stable'"),
        (
            "random",
            {},
            {"stopping": "stable_predictions", "stopping_options": {"treshold": 0.9}},
            StoppingError,
            "no option 'treshold'",
        ),
        ("generator", {}, {"acquisition": "entropi"}, UnknownName, "Did you mean 'entropy'"),
        ("random", {}, {"evaluation_size": 0}, ConfigError, "evaluation_size must be at least 1"),
        ("random", {}, {"evaluation_size": 10**6}, ConfigError, "evaluation_size must be at most"),
    ],
)
def test_what_is_missing_is_named(agent, agent_options, options, error, message):
    with pytest.raises(error, match=message):
        preflight(config(agent, agent_options, **options))


@pytest.mark.parametrize(("agent", "module"), [("ppo", "trl"), ("gaal", "peft"), ("sb3", "stable_baselines3")])
def test_a_missing_package_is_named(agent, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=f"{module!r} is not installed"):
        preflight(config(agent))


def test_a_model_folder_without_weights_is_named(tmp_path):
    folder = shutil.copytree(EMBEDDED / "generator", tmp_path / "generator")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"The folder lacks \*.safetensors"):
        preflight(config("generator", {"generator": str(folder)}))


def test_an_annotator_of_other_classes_is_named_before_a_text_is_labeled(tmp_path):
    folder = shutil.copytree(EMBEDDED / "encoder", tmp_path / "annotator")
    plain = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(plain | {"id2label": {"0": "sports", "1": "world"}}))
    annotated = {"annotator": "model", "annotator_model": str(folder)}
    with pytest.raises(AnnotatorError, match=r"has the classes \['sports', 'world'\]"):
        preflight(config("generator", **annotated))
    for agent in ("random", "asal"):  # they offer real texts
        preflight(config(agent, **annotated))


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("{", "config.json is not valid JSON"),
        ('["BertForSequenceClassification"]', "config.json must be a mapping"),
        ('{"id2label": ["negative", "positive"]}', "id2label in .*config.json must be a mapping"),
        ('{"id2label": {"a": "negative"}}', "id2label in .*config.json must name classes by their numbers"),
    ],
)
def test_an_annotator_whose_configuration_is_broken_is_one_of_a_studys_lines(written, message, tmp_path):
    folder = shutil.copytree(EMBEDDED / "encoder", tmp_path / "annotator")
    (folder / "config.json").write_text(written)
    broken = config("generator", annotator="model", annotator_model=str(folder))
    with pytest.raises(RunError, match=f"1 of 1 methods cannot be played here; nothing was played.\n.*{message}"):
        preflight_all([broken])


def test_a_study_looks_for_all_that_its_methods_need_and_plays_none(tmp_path):
    methods = {
        "random": {"agent": "random"},
        "frozen": {"agent": "generator", "agent_options": {"generator": "/no/such/model"}},
        "chosen": {"agent": "sb3"},
    }
    study = Study({"reviews": {"env": REVIEWS, "options": TINY}}, methods, seeds=2, out=tmp_path / "study")
    with pytest.raises(RunError, match="2 of 3 methods cannot be played here; nothing was played") as raised:
        sweep(study, study.runs, engine_here(0))
    assert "\n  reviews/frozen: No model folder" in str(raised.value)
    assert "\n  reviews/chosen: The agent 'sb3' needs a policy" in str(raised.value)
    assert not (tmp_path / "study").exists()
    preflight_all(run for run in study.runs if run.agent == "random")


def test_what_this_machine_lacks_is_a_warning_where_others_play(tmp_path, capsys):
    class Cluster(Inline):
        """This process in the place of other machines."""

        elsewhere = True

    own = {"agent": "generator", "agent_options": {"generator": "/no/such/model"}}
    methods = {"random": {"agent": "random"}, "frozen": own}
    options = TINY | {"classifier": "linear"}
    defaults = {"tensorboard": False, "options": options}
    study = Study({"reviews": {"env": REVIEWS}}, methods, seeds=1, defaults=defaults, out=tmp_path / "study")
    with pytest.raises(RunError, match="1 of 2 runs have failed"):
        sweep(study, study.runs, Cluster())
    said = " ".join(capsys.readouterr().out.split())
    assert "1 of 2 methods cannot be played here; the cluster's machines are tried. reviews/frozen: No model" in said
    assert (tmp_path / "study" / "reviews" / "random" / "seed-0" / "finished").is_file()


def test_a_folder_that_cannot_be_written_to(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "run"
    assert main(["run", "--out", str(out)]) == 1
    assert capsys.readouterr().err.startswith(f"signal-env run: {out} cannot be written to: ")


def test_a_full_disk(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    try:
        with pytest.raises(RunError, match=r"cannot be written to: .* Make space there, or give --out"):
            check_space(tmp_path / "new" / "run")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []
    check_space(tmp_path / "new" / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def homeless(tmp_path, monkeypatch):  # the folder is made under the real name
    """No home directory: no variable, and a user whom the system does not know."""
    for name in ("HOME", "SIGNAL_ENV_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 987_654)


def test_a_run_that_keeps_nothing_needs_no_home(homeless, tmp_path):
    with pytest.raises(NoCache, match="set SIGNAL_ENV_CACHE to a folder"):
        cache_dir()
    play(make_config(REVIEWS, "random", options=TINY, out=tmp_path / "run", tensorboard=False))
    assert (tmp_path / "run" / "finished").is_file()


def test_a_path_from_the_home_directory_is_not_there_without_one(homeless, capsys):
    for option in ("--plugin", "--data-dir"):
        assert main(["run", option, "~/mine.py", "--env", "SignalEnv-sst2-v0"]) == 1
        assert "~/mine.py" in capsys.readouterr().err


def test_a_run_that_could_keep_embeddings_plays_without_a_home(homeless, tmp_path):
    encoder = shutil.copytree(EMBEDDED / "encoder", tmp_path / "encoder")
    options = TINY | {"encoder": str(encoder)}
    with pytest.warns(UserWarning, match=r"Embeddings cannot be kept .* set SIGNAL_ENV_CACHE"):
        play(make_config(REVIEWS, "random", options=options, out=tmp_path / "run", tensorboard=False))
    assert (tmp_path / "run" / "finished").is_file()
